"""A small Microsoft Graph over TLS on loopback, for the demo and the tests; it imports nothing of ours."""
