"""Dead letters: see what nobody could process, send it again, or drop it."""

from __future__ import annotations

import asyncio
import re

from aiohttp import web

from api import routes
from api.audit import note
from api.caller import CALLER
from api.envelope import answer, moment
from api.refusals import Refusal, not_found
from api.routes import NOTHING, Answer, Routes
from api.schemas.dead_letters import (
    DeadLetterFilter,
    DeadLetterPage,
    DeadLettersQuery,
    Purge,
    Purged,
    PurgedMany,
    Retried,
    RetriedMany,
    Retry,
    ShownDeadLetter,
)
from api.visibility import narrowed
from api.wiring import QUEUE
from workers.broker.dead_letters import DeadLetter, Filter

DEAD_LETTERS = Routes("dead letters")
_TO_THE_FIRST = {name: {"id": "/deadLetters/0/id"} for name in ("retry_dead_letter", "purge_dead_letter")}
_ID = re.compile(r"[0-9]{1,20}(-[0-9]{1,4})?")


@DEAD_LETTERS.add(
    "GET",
    "/dead-letters",
    takes=routes.query(DeadLettersQuery),
    needs="operate",
    answers={200: Answer("A page, newest first.", DeadLetterPage, leads_to=_TO_THE_FIRST)},
    refusals=(404,),
)
async def list_dead_letters(request: web.Request, asked: DeadLettersQuery) -> web.Response:
    """List dead letters, newest first; `next` is the cursor of the page after this one."""
    letters, following = await asyncio.to_thread(
        request.app[QUEUE].dead_letters.page, _filter(request, asked), limit=asked.limit, cursor=asked.cursor
    )
    shown = [_shown(letter) for letter in letters]
    return answer(DeadLetterPage(dead_letters=shown, count=len(shown), next=following))


@DEAD_LETTERS.add(
    "POST",
    "/dead-letters/{id}/retry",
    takes=NOTHING,
    needs="operate",
    changes="dead_letter.retried",
    answers={202: Answer("Queued again.", Retried)},
    refusals=(404,),
)
async def retry_dead_letter(request: web.Request, _: None) -> web.Response:
    """Send a dead letter again, its attempts forgotten."""
    letter = await _letter(request)
    if not await asyncio.to_thread(request.app[QUEUE].dead_letters.retry, letter.id):
        raise _gone()
    _note(request, letter)
    return answer(Retried(id=letter.id, status="queued"), status=202)


@DEAD_LETTERS.add(
    "POST",
    "/dead-letters/retry",
    takes=routes.body(Retry),
    needs="operate",
    changes="dead_letters.retried",
    answers={200: Answer("How many were queued again (dry run: would be).", RetriedMany)},
    refusals=(404,),
)
async def retry_dead_letters(request: web.Request, given: Retry) -> web.Response:
    """Send the dead letters that match again, newest first, up to a limit. `dryRun` only counts them."""
    wanted = _filter(request, given.filter)
    count = await asyncio.to_thread(
        request.app[QUEUE].dead_letters.retry_many, wanted, limit=given.limit, dry_run=given.dry_run
    )
    _note_many(request, wanted, count, dry_run=given.dry_run)
    return answer(RetriedMany(retried=count, dry_run=given.dry_run))


@DEAD_LETTERS.add(
    "DELETE",
    "/dead-letters/{id}",
    takes=NOTHING,
    needs="admin",
    changes="dead_letter.dropped",
    answers={200: Answer("Dropped.", Purged)},
    refusals=(404,),
)
async def purge_dead_letter(request: web.Request, _: None) -> web.Response:
    """Drop a dead letter for good."""
    letter = await _letter(request)
    if not await asyncio.to_thread(request.app[QUEUE].dead_letters.purge, letter.id):
        raise _gone()
    _note(request, letter)
    return answer(Purged(id=letter.id, deleted=True))


@DEAD_LETTERS.add(
    "DELETE",
    "/dead-letters",
    takes=routes.query(Purge),
    needs="admin",
    changes="dead_letters.dropped",
    answers={200: Answer("How many were dropped (dry run: would be).", PurgedMany)},
    refusals=(404,),
)
async def purge_dead_letters(request: web.Request, asked: Purge) -> web.Response:
    """Drop the dead letters that match for good, newest first, up to a limit. `dryRun` only counts them."""
    wanted = _filter(request, asked)
    count = await asyncio.to_thread(
        request.app[QUEUE].dead_letters.purge_many, wanted, limit=asked.limit, dry_run=asked.dry_run
    )
    _note_many(request, wanted, count, dry_run=asked.dry_run)
    return answer(PurgedMany(deleted=count, dry_run=asked.dry_run))


async def _letter(request: web.Request) -> DeadLetter:
    letter_id = request.match_info["id"]
    if not _ID.fullmatch(letter_id):
        raise _gone()
    letter = await asyncio.to_thread(request.app[QUEUE].dead_letters.get, letter_id)
    if letter is None or not request[CALLER].may_see(letter.organization_id):
        raise _gone()
    return letter


def _gone() -> Refusal:
    return not_found("no such dead letter")


def _note(request: web.Request, letter: DeadLetter) -> None:
    note(request, organization_id=letter.organization_id, actor=letter.actor, reason=letter.reason)


def _note_many(request: web.Request, wanted: Filter, count: int, *, dry_run: bool) -> None:
    """Whose they were is told where they can only have been one organization's."""
    named = wanted.organizations or ()
    note(
        request,
        organization_id=next(iter(named)) if len(named) == 1 else None,
        changed=not dry_run,
        count=count,
        actor=wanted.actor,
        reason=wanted.reason,
        older_than_s=wanted.older_than_s,
        younger_than_s=wanted.younger_than_s,
    )


def _filter(request: web.Request, given: DeadLetterFilter) -> Filter:
    return Filter(
        actor=given.actor,
        reason=given.reason,
        organizations=narrowed(request, given.organization_id),
        older_than_s=given.older_than_seconds,
        younger_than_s=given.younger_than_seconds,
    )


def _shown(letter: DeadLetter) -> ShownDeadLetter:
    return ShownDeadLetter(
        id=letter.id,
        actor=letter.actor,
        priority=letter.priority,
        reason=letter.reason,
        error=letter.error,
        traceback=letter.traceback,
        attempts=letter.attempts,
        organization_id=letter.organization_id,
        died_at=moment(letter.died_ms),
        sent_at=moment(letter.sent_ms),
        arguments=letter.kwargs,
        correlation_id=letter.options.get("correlation_id"),
    )
