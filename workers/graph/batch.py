"""Many calls in few round trips: Graph's $batch, within the limits of every mailbox it touches.

Graph counts each part as a call, and runs up to four at once in a mailbox (Graph docs, JSON batching). So a
batch is no faster than four calls beside each other; it is a quarter of the round trips, and of our work.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any

import orjson
from multidict import CIMultiDict

from workers.errors import EconeuraError, TemporaryError, Throttled
from workers.graph import paths, request_ids
from workers.graph.client import Graph
from workers.graph.leases import Kind
from workers.graph.replies import SLOW_DOWN, Reply
from workers.graph.transport import Method, Request
from workers.metrics import GRAPH_CALLS

PARTS_LIMIT = 20
PARTS_PER_MAILBOX = 4
Outcome = dict[str, Any] | EconeuraError | None


@dataclass(frozen=True)
class Part:
    """One call of a batch; `path` is below the base URL, `params` its query options."""

    method: Method
    path: str
    mailbox: str
    json: Mapping[str, Any] | None = None
    params: Mapping[str, str] | None = None
    if_match: str | None = None

    @property
    def request(self) -> Request:
        path = self.path + paths.query(self.params or {})
        return Request(self.method, path, json=self.json, if_match=self.if_match)


async def run(graph: Graph, parts: Sequence[Part]) -> list[Outcome]:
    """Carry out all parts; each outcome, in the order given, is a JSON body, None or the error of that part.

    Not for sending: the sends of a minute are counted call by call.
    """
    outcomes: list[Outcome] = [None] * len(parts)
    for numbers in _batches(parts):
        for number, outcome in (
            await _one_batch(graph, {number: parts[number] for number in numbers})
        ).items():
            outcomes[number] = outcome
    return outcomes


def _batches(parts: Sequence[Part]) -> Iterator[list[int]]:
    """Numbers of the parts that go together: at most 20, and at most 4 of one mailbox."""
    left = list(range(len(parts)))
    while left:
        batch: list[int] = []
        of_mailbox: Counter[str] = Counter()
        for number in left:
            mailbox = parts[number].mailbox.lower()
            if len(batch) < PARTS_LIMIT and of_mailbox[mailbox] < PARTS_PER_MAILBOX:
                batch.append(number)
                of_mailbox[mailbox] += 1
        taken = set(batch)
        left = [number for number in left if number not in taken]
        yield batch


async def _one_batch(graph: Graph, parts: dict[int, Part]) -> dict[int, Outcome]:
    by_mailbox: dict[str, dict[int, Part]] = defaultdict(dict)
    for number, part in parts.items():
        by_mailbox[part.mailbox.lower()][number] = part
    outcomes: dict[int, Outcome] = {}
    slots = []
    async with AsyncExitStack() as places:
        # Always in the same order: two batches that wait for each other's mailboxes would both wait in vain.
        for mailbox in sorted(by_mailbox):
            own = by_mailbox[mailbox]
            kind: Kind = "read" if all(part.method == "GET" for part in own.values()) else "action"
            try:
                slot = graph.throttle.slot(graph.lane(mailbox), kind, places=len(own))
                slots.append(await places.enter_async_context(slot))
            except Throttled as full:
                outcomes |= dict.fromkeys(own, full)
        going = {number: part for number, part in parts.items() if number not in outcomes}
        if not going:
            return outcomes
        request = Request("POST", "/$batch", json={"requests": [_written(*item) for item in going.items()]})
        try:
            reply = await graph.transport.exchange(request, slots)
            if reply.status in SLOW_DOWN:
                for mailbox in by_mailbox:
                    reply = await graph.slow_down(graph.lane(mailbox), reply)
            # 424: some parts failed, says an older page of Graph's; each has its own answer.
            if reply.status >= 400 and reply.status != 424:
                raise graph.refusal(reply, request)
            replies = _replies(reply)
        except EconeuraError as failed:
            return outcomes | dict.fromkeys(going, failed)
        for mailbox in by_mailbox:
            await _slow_down(graph, mailbox, replies, by_mailbox[mailbox])
    for number, part in going.items():
        outcomes[number] = _outcome(graph, part, replies.get(number))
    return outcomes


def _written(number: int, part: Part) -> dict[str, Any]:
    request = part.request
    written = {"id": str(number), "method": part.method, "url": request.path, "headers": request.headers}
    return written if part.json is None else {**written, "body": part.json}


def _replies(reply: Reply) -> dict[int, Reply]:
    """The parts' own answers by their numbers; Graph gives them in any order."""
    content = reply.json() or {}
    return {
        int(item["id"]): Reply(
            status=int(item["status"]),
            headers=CIMultiDict(item.get("headers") or {}),
            body=orjson.dumps(item["body"]) if item.get("body") is not None else b"",
        )
        for item in content.get("responses", ())
    }


async def _slow_down(graph: Graph, mailbox: str, replies: dict[int, Reply], parts: dict[int, Part]) -> None:
    """Pause a mailbox for as long as the part says that was told to wait longest."""
    slow = [replies[number] for number in parts if number in replies and replies[number].status in SLOW_DOWN]
    if slow:
        longest = max(slow, key=lambda reply: reply.retry_after_s or 0.0)
        await graph.slow_down(graph.lane(mailbox), longest)


def _outcome(graph: Graph, part: Part, reply: Reply | None) -> Outcome:
    request = part.request
    endpoint = graph.transport.endpoint_of(request.path)
    if reply is None:
        return TemporaryError(f"Graph left out the answer to {part.method} {endpoint} in a batch")
    GRAPH_CALLS.labels(endpoint, part.method, str(reply.status)).inc()
    request_ids.record(reply.headers.get("request-id"))
    return graph.refusal(reply, request) if reply.status >= 400 else reply.json()
