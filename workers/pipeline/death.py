"""A message whose work ended in the dead letters: the ledger says so, and so do the jobs that wait."""

from __future__ import annotations

from workers import logs, metrics
from workers.pipeline import ending
from workers.pipeline.context import Context

_log = logs.get_logger("pipeline")


async def record_death(
    context: Context,
    organization_id: str,
    mailbox: str,
    message_id: str,
    *,
    job_id: str | None,
    reason: str,
    error: str,
) -> None:
    """End a message as dead (replayable from the dead letters); one that ended otherwise stays as it is."""
    record = await context.store.ledger.read(mailbox, message_id)
    if job_id is not None and (record is None or not record.is_finished):
        await ending.fail_job(
            context, organization_id, job_id, reason or "failed", error,
            mailbox=mailbox, message_id=message_id,
        )  # fmt: skip
    if record is None:
        _log.warning("death_without_record", reason=reason)
        return
    if record.state in ("done", "skipped"):
        return
    metrics.ERRORS.labels(reason or "dead", "pipeline", "error").inc()
    await ending.finish(context, record, "dead", reason or "failed", error=error, whoever_holds_it=True)
