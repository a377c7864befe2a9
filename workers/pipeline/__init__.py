"""The story of one message, top to bottom: syncing -> processing -> acting (replying, sending) -> ending."""
