"""What asking a language model in mode `unsure` comes to: `python -m tests.bench llm_figures`.

On the mail of ../shared/data where it is there, else on our own corpus, on which the local model was trained.
The test server plays a model that is right in 85 % of the mails and says 0.9 each time; what it says is
settled by the mail's id, so that runs can be compared.
"""

from __future__ import annotations

import asyncio
import gzip
import json
import re
import time
from collections import Counter
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import redis.asyncio

from tests.llm_access import language_model, organization
from tests.llm_server import READING, Facts, LlmServer, Received, hangs, llm_server
from tests.redis_process import RedisProcess
from workers.analysis import CATEGORIES, Mail, analyse, mail_from_row
from workers.analysis.llm import LanguageModel
from workers.analysis.llm.correspondents import names_of
from workers.analysis.llm.shown_mail import show
from workers.analysis.llm.spelling import folded, plain
from workers.analysis.result import Analysis
from workers.errors import NoAnswer
from workers.organizations import Organization

ROOT = Path(__file__).parent.parent.parent
SHARED = ROOT.parent / "shared" / "data" / "mail" / "dev.jsonl.gz"
ENTITIES = ROOT.parent / "shared" / "data" / "entities" / "dev.jsonl"
CORPUS = ROOT / "workers" / "analysis" / "corpus"
MOST_MAILS = 3000
RIGHT_PERCENT = 85
TIMEOUT_S = 0.5
PER_DAY, AT_ONCE = 100_000, 16
Labelled = tuple[Mail, str]


def figures() -> Iterator[str]:
    """Lines on share, agreement, redaction, budget and time limit."""
    where, mails = _mails()
    yield f"{len(mails)} labelled mails of {where}"
    if ENTITIES.exists():
        yield _labelled_entities_shown()
    with TemporaryDirectory() as directory, llm_server() as server:
        redis = RedisProcess(Path(directory)).start()
        try:
            yield from asyncio.run(_measured(server, redis.url, mails))
        finally:
            redis.stop()


def _mails() -> tuple[str, list[Labelled]]:
    if SHARED.exists():
        with gzip.open(SHARED, "rt", encoding="utf-8") as file:
            rows = [json.loads(line) for line in file]
        rows = [
            row for row in rows if row["label_category"] in CATEGORIES and row["form"] in ("email", "ticket")
        ]
        rows.sort(key=lambda row: sha256(row["id"].encode()).digest())
        return str(SHARED.name), [(mail_from_row(row), row["label_category"]) for row in rows[:MOST_MAILS]]
    rows = [
        json.loads(line)
        for path in sorted(CORPUS.glob("*.jsonl"))
        for line in path.read_text(encoding="utf-8").splitlines()
    ]
    return "our corpus", [(mail_from_row(row), row["category"]) for row in rows[:MOST_MAILS]]


def _labelled_entities_shown() -> str:
    """Of entities that people labelled, how many a model would be shown."""
    shown = known = 0
    for line in ENTITIES.read_text(encoding="utf-8").splitlines():
        case = json.loads(line)
        mail = mail_from_row({"id": "x", "subject": "", "body": case["text"]})
        try:
            facts = show(mail, analyse(mail), ours=(), redact=True).facts
        except NoAnswer:
            # No text, so nothing is sent.
            facts = {"subject": "", "text": ""}
        known += len(case["expected"])
        text = folded(f"{facts['subject']}\n{facts['text']}")
        shown += sum(_stands_in(plain(one["text"]), text) for one in case["expected"])
    return f"labelled entities that redaction left: {shown} of {known}"


async def _measured(server: LlmServer, redis_url: str, mails: list[Labelled]) -> list[str]:
    acme = organization(server, use="unsure", tokens_per_day=10**9, cache_hours=0)
    client = redis.asyncio.Redis.from_url(redis_url, socket_timeout=5)
    try:
        async with language_model(client, acme) as model:
            return [
                *await _opinions(model, acme, server, mails),
                *await _budget(model, acme, server, mails),
                *await _time_limit(model, acme, server, mails),
            ]
    finally:
        await client.aclose()


async def _opinions(
    model: LanguageModel, acme: Organization, server: LlmServer, mails: list[Labelled]
) -> list[str]:
    results: list[tuple[Analysis, Analysis, str, str]] = []
    leaks = entities = names = leaked_names = 0
    for mail, label in mails:
        local = analyse(mail)
        told = _told(mail, label)
        server.judge = _saying(told)
        before = len(server.received)
        result = await model.second_opinion(acme, mail, local)
        if len(server.received) == before:
            continue
        results.append((local, result, label, told))
        data = server.received[before].data
        sent = folded(f"{data['subject']}\n{data['text']}")
        entities += len(local.entities)
        leaks += sum(_stands_in(plain(entity.text), sent) for entity in local.entities)
        people = [name for person in names_of(mail, ()) for name in person]
        names += len(people)
        leaked_names += sum(_stands_in(name, sent) for name in people)
        server.received.clear()
    asked = len(results)
    acted = [(result, label) for _, result, label, _ in results if not result.abstained]
    return [
        f"sent to the model: {asked} of {len(mails)} ({asked / len(mails):.1%})",
        f"of these right: local {_share(local.category == label for local, _, label, _ in results)}, "
        f"model {_share(told == label for *_, label, told in results)}, "
        f"pooled {_share(result.category == label for _, result, label, _ in results)}",
        f"agreement of the pooled result with the model: "
        f"{_share(result.category == told for _, result, _, told in results)}",
        f"no longer unsure: {len(acted) / asked:.1%}, of these right "
        f"{_share(result.category == label for result, label in acted)}, "
        f"mean confidence {sum(result.confidence for result, _ in acted) / max(1, len(acted)):.3f}",
        f"entities sent: {leaks} of {entities}; names of correspondents: {leaked_names} of {names}",
    ]


def _saying(category: str) -> Callable[[Facts], dict[str, Any]]:
    return lambda _: {**READING, "category": category}


def _told(mail: Mail, label: str) -> str:
    """What the model says of a mail."""
    number = int.from_bytes(sha256(mail.id.encode()).digest()[8:12], "big")
    if number % 100 < RIGHT_PERCENT:
        return label
    others = [name for name in CATEGORIES if name != label]
    return others[number // 100 % len(others)]


async def _budget(
    model: LanguageModel, acme: Organization, server: LlmServer, mails: list[Labelled]
) -> list[str]:
    told = 0

    def tokens(received: Received) -> int:
        nonlocal told
        told += len(received.raw) // 4
        return len(received.raw) // 4

    server.tokens_told = tokens
    poor = _with(acme, "poor", use="always", tokens_per_day=PER_DAY, at_once=AT_ONCE)
    outcomes: Counter[str] = Counter()
    for start in range(0, 400, AT_ONCE):
        asked = (
            model.second_opinion(poor, mail, analyse(mail)) for mail, _ in mails[start : start + AT_ONCE]
        )
        told_of = [result.llm or {} for result in await asyncio.gather(*asked)]
        outcomes.update(str(one.get("reason") or one["source"]) for one in told_of)
    counted = await model.tokens_today("poor")
    return [f"budget of {PER_DAY} tokens: {told} used, {counted} counted; {dict(outcomes)}"]


async def _time_limit(
    model: LanguageModel, acme: Organization, server: LlmServer, mails: list[Labelled]
) -> list[str]:
    slow = _with(acme, "slow", use="always", timeout_s=TIMEOUT_S)
    server.then(*[hangs] * 200)
    took = []
    for mail, _ in mails[:50]:
        local = analyse(mail)
        started = time.monotonic()
        await model.second_opinion(slow, mail, local)
        took.append(time.monotonic() - started)
    return [
        f"server hangs, limit {TIMEOUT_S * 1000:.0f} ms: slowest {max(took) * 1000:.0f} ms, "
        f"median of 50 {sorted(took)[25] * 1000:.1f} ms (left alone after three)"
    ]


def _with(acme: Organization, name: str, **llm: Any) -> Organization:
    return acme.model_copy(update={"id": name, "llm": acme.llm.model_copy(update=llm)})


def _stands_in(piece: str, text: str) -> bool:
    return bool(piece) and re.search(rf"(?<!\w){re.escape(folded(piece))}(?!\w)", text) is not None


def _share(facts: Iterator[bool]) -> str:
    known = list(facts)
    return f"{sum(known) / max(1, len(known)):.1%}"
