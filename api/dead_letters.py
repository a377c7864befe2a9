"""Dead letters: see what nobody could process, send it again, or drop it."""

from __future__ import annotations

import asyncio
import re

from aiohttp import web

from api import routes
from api.caller import CALLER
from api.envelope import answer, moment
from api.refusals import not_found
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
from workers import logs
from workers.broker.dead_letters import DeadLetter, Filter

DEAD_LETTERS = Routes("dead letters")
_log = logs.get_logger("api")
_ID = re.compile(r"[0-9]{1,20}(-[0-9]{1,4})?")


@DEAD_LETTERS.add(
    "GET",
    "/dead-letters",
    takes=routes.query(DeadLettersQuery),
    needs="operate",
    answers={200: Answer("A page, newest first.", DeadLetterPage)},
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
    answers={202: Answer("Queued again.", Retried)},
    refusals=(404,),
)
async def retry_dead_letter(request: web.Request, _: None) -> web.Response:
    """Send a dead letter again, its attempts forgotten."""
    letter_id = await _letter_id(request)
    if not await asyncio.to_thread(request.app[QUEUE].dead_letters.retry, letter_id):
        raise not_found("no such dead letter")
    _log.info("dead_letter_retried", letter=letter_id)
    return answer(Retried(id=letter_id, status="queued"), status=202)


@DEAD_LETTERS.add(
    "POST",
    "/dead-letters/retry",
    takes=routes.body(Retry),
    needs="operate",
    answers={200: Answer("How many were queued again (dry run: would be).", RetriedMany)},
    refusals=(404,),
)
async def retry_dead_letters(request: web.Request, given: Retry) -> web.Response:
    """Send the dead letters that match again, newest first, up to a limit. `dryRun` only counts them."""
    count = await asyncio.to_thread(
        request.app[QUEUE].dead_letters.retry_many,
        _filter(request, given.filter), limit=given.limit, dry_run=given.dry_run,
    )  # fmt: skip
    _log.info("dead_letters_retried", count=count, dryRun=given.dry_run)
    return answer(RetriedMany(retried=count, dry_run=given.dry_run))


@DEAD_LETTERS.add(
    "DELETE",
    "/dead-letters/{id}",
    takes=NOTHING,
    needs="admin",
    answers={200: Answer("Dropped.", Purged)},
    refusals=(404,),
)
async def purge_dead_letter(request: web.Request, _: None) -> web.Response:
    """Drop a dead letter for good."""
    letter_id = await _letter_id(request)
    if not await asyncio.to_thread(request.app[QUEUE].dead_letters.purge, letter_id):
        raise not_found("no such dead letter")
    _log.info("dead_letter_purged", letter=letter_id)
    return answer(Purged(id=letter_id, deleted=True))


@DEAD_LETTERS.add(
    "DELETE",
    "/dead-letters",
    takes=routes.query(Purge),
    needs="admin",
    answers={200: Answer("How many were dropped (dry run: would be).", PurgedMany)},
    refusals=(404,),
)
async def purge_dead_letters(request: web.Request, asked: Purge) -> web.Response:
    """Drop the dead letters that match for good, newest first, up to a limit. `dryRun` only counts them."""
    count = await asyncio.to_thread(
        request.app[QUEUE].dead_letters.purge_many,
        _filter(request, asked), limit=asked.limit, dry_run=asked.dry_run,
    )  # fmt: skip
    _log.info("dead_letters_purged", count=count, dryRun=asked.dry_run)
    return answer(PurgedMany(deleted=count, dry_run=asked.dry_run))


async def _letter_id(request: web.Request) -> str:
    letter_id, caller = request.match_info["id"], request[CALLER]
    if not _ID.fullmatch(letter_id):
        raise not_found("no such dead letter")
    if caller.organizations is not None:
        letter = await asyncio.to_thread(request.app[QUEUE].dead_letters.get, letter_id)
        if letter is None or not caller.may_see(letter.organization_id):
            raise not_found("no such dead letter")
    return letter_id


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
