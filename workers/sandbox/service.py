"""The sandbox as one object: everything it holds, wired in one place."""

from __future__ import annotations

import random

from workers.sandbox.behaviour import Behaviour
from workers.sandbox.calls import Call
from workers.sandbox.delta import DeltaSource
from workers.sandbox.directory import Directory
from workers.sandbox.faults import Faults
from workers.sandbox.ids import IdMint
from workers.sandbox.journal import Journal
from workers.sandbox.mailbox import Mailbox
from workers.sandbox.notifications import Notifier
from workers.sandbox.post_office import PostOffice
from workers.sandbox.subscriptions import Subscriptions
from workers.sandbox.throttling import Throttle
from workers.sandbox.tokens import Tokens


class Sandbox:
    """A small Microsoft 365: create it inside a running event loop."""

    def __init__(self, *, seed: int = 0, behaviour: Behaviour | None = None) -> None:
        self.behaviour = behaviour or Behaviour()
        self.mint = IdMint(seed)
        self.directory = Directory(self.mint)
        self.tokens = Tokens(self.directory, self.behaviour)
        self.throttle = Throttle(self.behaviour)
        # Each kind of fault has its own dice: asking for one does not change another.
        self.faults = Faults(random.Random(seed + 1))  # noqa: S311 chance that a seed repeats
        self.delta = DeltaSource(self.behaviour, random.Random(seed + 2))  # noqa: S311 chance that a seed repeats
        self.journal = Journal()
        self.subscriptions = Subscriptions()
        self.notifier = Notifier(self.behaviour, random.Random(seed + 3), self.subscriptions, self.tokens)  # noqa: S311 chance that a seed repeats
        self.post_office = PostOffice(self.directory, self.behaviour)
        self.directory.listener = self.notifier.on_change

    def mailbox_of(self, call: Call) -> Mailbox:
        """The mailbox in the path; GraphProblem 404 or 403."""
        return self.directory.mailbox_for(call.parts["user"], call.app)
