"""The demo: the whole service against the sandbox, each message shown as it is understood and acted on."""
