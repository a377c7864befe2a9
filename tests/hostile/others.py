"""Somebody who minds their own business meanwhile: `python -m tests.hostile.others PORT KEY CALLS`.

Calls so often, and then until standard input ends. Prints how long each call took, in ms, and how many went
wrong.
"""

from __future__ import annotations

import http.client
import json
import select
import sys
import time

_CALLS = (
    ("GET", "/organizations", None, 200),
    ("POST", "/emails/process", b'{"messageId": "theirs", "organizationId": "solo"}', 202),
    ("GET", "/jobs/stats", None, 200),
    ("POST", "/listen", b'{"value": []}', 202),
)
_PAUSE_S = 0.01


def main(port: int, key: str, calls: int) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    times_ms, failed = [], 0
    number = 0
    while number < calls or not select.select([sys.stdin], [], [], 0)[0]:
        time.sleep(_PAUSE_S)
        method, path, body, expected = _CALLS[number % len(_CALLS)]
        number += 1
        began = time.perf_counter()
        try:
            connection.request(method, path, body, headers)
            reply = connection.getresponse()
            reply.read()
            failed += reply.status != expected
        except (OSError, http.client.HTTPException):
            failed += 1
            connection.close()
        times_ms.append((time.perf_counter() - began) * 1000)
    print(json.dumps({"times_ms": times_ms, "failed": failed}))


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
