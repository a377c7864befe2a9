"""How the whole service fares: looked at every minute by a worker, kept in Redis, shown at /health.

`check.py` asks each part (`*_part.py`) and keeps what they say; `part.py` is the form in which they say it.
"""
