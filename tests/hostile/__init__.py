"""What strangers send: a table of hostile requests, and the wire they come over."""
