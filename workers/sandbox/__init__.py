"""A small Microsoft Graph over TLS on loopback, for the demo and the tests; it imports nothing of ours.

Where to look: `mailbox` and `message` hold the mail and the log of changes; `gateway` is the door every Graph
call passes (`login` gives the tokens for it), `endpoints` answer them, `delta`, `listing` and `filters` read
what was asked; `post_office` sends, `notifications` tells subscribers; `faults`, `behaviour` and `chaos`
spoil all of it on request; `admin` shows what happened. `server` and `__main__` run it.
"""
