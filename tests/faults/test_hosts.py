"""The service over several hosts: one is cut off and comes back, all is restarted, Redis too, under load."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.faults.hosts import why_not
from tests.faults.installation import KEY, Installation, installed
from tests.steady_load import Answered, SteadyLoad
from tests.waiting import wait_for
from workers.store.keys import Keys

# Graph lets each have 10,000 calls in ten minutes.
BOXES = [f"buzon{number}@acme.example" for number in range(4)]
RULES = """
[[organizations.acme.rules]]
name = "todas"
when = { min_confidence = 0.0 }
then = [ { categorize = "Visto" }, { respond = "acuse" } ]
once_per_correspondent_h = 0

[organizations.acme.templates.acuse]
subject = "Recibido: {{ subject }}"
body = "Gracias."
"""
_MAILS_EACH, _PER_SECOND = 300, 32
# Longer than a worker's lease: its work must go to the other, and not twice.
_CUT_OFF_S = 20
_IN_THE_END_S = 300


@pytest.mark.faults
@pytest.mark.timeout(900)
def test_a_host_is_cut_off_and_everything_is_restarted_under_load(tmp_path: Path) -> None:
    if reason := why_not():
        pytest.skip(reason)
    with installed(tmp_path, BOXES, RULES) as service:
        wanted = [asked(box, message_id) for box in BOXES for message_id in mails(service, box)]
        # Each is asked for twice: by another caller, at another time.
        twice = [body for pair in zip(wanted, reversed(wanted), strict=True) for body in pair]
        accepted = [
            *under_failures(service, twice, tmp_path),
            *with_redis_restarted(service, wanted[::8], tmp_path),
        ]
        jobs = {answer.job_id for answer in accepted}
        wait_for(lambda: not unfinished(service, jobs), timeout_s=_IN_THE_END_S, what="all jobs to end")
        ended = Counter(statuses(service, jobs).values())
        answered = {box: Counter(str(sent["subject"]) for sent in service.sandbox.sent(box)) for box in BOXES}
    replies = Counter(times for each in answered.values() for times in each.values())
    print(f"{len(jobs)} jobs for {len(wanted)} mails: {dict(ended)}; replies to a mail: {dict(replies)}")
    assert ended == {"completed": len(jobs)}
    once = {f"Recibido: Pedido {number}": 1 for number in range(1, _MAILS_EACH + 1)}
    assert answered == dict.fromkeys(BOXES, once)


def mails(service: Installation, box: str) -> list[str]:
    """Mail that lies there: who asks for it has it processed. After the first look, which finds nothing."""
    synced = Keys("econeura").folder(box, "inbox")
    with service.redis() as client:
        wait_for(lambda: client.hget(synced, "synced_at"), timeout_s=60, what="the first look")
    delivered = service.sandbox.deliver(box, subject="Pedido {n}", body="¿Cuándo llega?", count=_MAILS_EACH)
    return [str(message["id"]) for message in delivered]


def asked(box: str, message_id: str) -> dict[str, Any]:
    return {"messageId": message_id, "organizationId": "acme", "mailbox": box}


def under_failures(service: Installation, bodies: list[dict[str, Any]], directory: Path) -> list[Answered]:
    """A worker host is cut off, then all of ours is restarted one by one: no request may fail."""
    with SteadyLoad(service.url, bodies, _PER_SECOND, directory, key=KEY) as load:
        load.wait_for_answers(3 * _PER_SECOND)
        with service.workers["right"].cut_off():
            load.wait_for_answers(_CUT_OFF_S * _PER_SECOND)
        load.wait_for_answers(5 * _PER_SECOND)
        service.restart_one_by_one()
        during = len(load.answers())
        answers = load.finish()
    slowest_s = max(answer.took_s for answer in answers)
    print(
        f"\n{len(answers)} requests at {_PER_SECOND}/s, {during} until all was restarted, "
        f"slowest {slowest_s:.2f} s"
    )
    assert during < len(answers), "the load went on until all was restarted"
    assert [answer for answer in answers if answer.status != 202] == []
    return answers


def with_redis_restarted(
    service: Installation, bodies: list[dict[str, Any]], directory: Path
) -> list[Answered]:
    """Redis is restarted: who is told to come again, and does, loses nothing."""
    with SteadyLoad(service.url, bodies, _PER_SECOND, directory, key=KEY, patient=True) as load:
        load.wait_for_answers(2 * _PER_SECOND)
        service.end("redis")
        service.start_redis()
        answers = load.finish()
    accepted = {answer.number: answer for answer in answers if answer.status == 202}
    again = len(answers) - len(bodies)
    print(f"redis restarted: {len(accepted)} of {len(bodies)} accepted, {again} told to come again")
    assert len(accepted) == len(bodies)
    assert [answer for answer in answers if answer.status != 202 and not answer.is_clean_refusal] == []
    return list(accepted.values())


def statuses(service: Installation, jobs: set[str]) -> dict[str, str]:
    keys = Keys("econeura")
    with service.redis() as client:
        steps = client.pipeline(transaction=False)
        for job in jobs:
            steps.hget(keys.job(job), "status")
        return {job: (status or b"lost").decode() for job, status in zip(jobs, steps.execute(), strict=True)}


def unfinished(service: Installation, jobs: set[str]) -> list[str]:
    return [
        job
        for job, status in statuses(service, jobs).items()
        if status not in ("completed", "failed", "lost")
    ]
