"""From a job that stands to be fired to its message in the queue."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from dramatiq import Message

from workers import logs, metrics
from workers.broker import fires
from workers.broker.encoding import QUEUE
from workers.broker.keys import Keys as QueueKeys
from workers.jobs import SCHEDULED_JOBS, ScheduledJob
from workers.scheduler.due import find_due
from workers.settings import Settings
from workers.store import Store
from workers.store.job_state import Standing, ms_of
from workers.store.schedule import HOUR_KEPT_S, RUNS_KEPT, hour_name

_log = logs.get_logger("scheduler")
# From its fire a run counts as at work for twice its time limit, and this for its wait in the queue.
_QUEUE_WAIT_S = 300


class Publisher:
    """Publishes what is due, asked for, or waited for the end of the former run."""

    def __init__(self, store: Store, settings: Settings) -> None:
        self._store = store
        self._queue = QueueKeys(settings.namespace, 0, settings.partitions)

    async def publish_due(self, job_id: str, now: datetime) -> bool:
        """Publish the job's due fire and a run that was asked for; False: look again soon."""
        standing = await self._store.schedule.standing(job_id)
        outcomes: list[fires.Outcome] = []
        if standing.requested:
            outcomes.append(await self._publish(standing, "requested", now))
        if standing.waiting_since is not None:
            outcomes.append(await self._publish(standing, "waiting", standing.waiting_since))
        if standing.enabled and standing.last_due is not None:
            due = find_due(
                standing.line,
                job_id,
                standing.last_due,
                now,
                catch_up_s=standing.job.catch_up_s,
                jitter_s=standing.job.jitter_s,
            )
            if due is not None:
                outcomes.append(
                    await self._publish(standing, "due", due.at, missed=due.missed, too_old=due.too_old)
                )
        return "changed" not in outcomes

    async def _publish(
        self, standing: Standing, why: fires.Why, due: datetime, *, missed: int = 0, too_old: bool = False
    ) -> fires.Outcome:
        job = standing.job
        run_id = f"{ms_of(due)}-{why}" if why == "requested" else str(ms_of(due))
        fire = fires.Fire(
            job_id=job.id,
            run_id=run_id,
            version=standing.version,
            why=why,
            due_ms=ms_of(due),
            missed=missed,
            too_old=too_old,
            overlap=job.overlap,
            at_work_ms=(2 * job.time_limit_s + _QUEUE_WAIT_S) * 1000,
        )
        keys = self._store.keys
        outcome = await fires.publish(
            self._store.redis,
            fire,
            message_of(job, run_id, due),
            queue=self._queue,
            schedule_keys=(
                keys.schedule_job(job.id),
                keys.schedule_runs(job.id),
                keys.schedule_order(job.id),
                keys.schedule_hour(hour_name(datetime.now(UTC))),
            ),
            runs_kept=RUNS_KEPT,
            hour_kept_s=HOUR_KEPT_S,
        )
        _tell(fire, outcome)
        return outcome


def message_of(job: ScheduledJob, run_id: str, due: datetime) -> Message[Any]:
    """The message that runs a job; jobs that are not doors of ours run their actor through `run_actor`."""
    actor = job.actor or job.id
    told: dict[str, Any] = {"due": due.isoformat(), "run": run_id, "job": job.id}
    if actor in SCHEDULED_JOBS:
        kwargs = {**job.arguments, **told}
    else:
        kwargs = {"actor": actor, "arguments": dict(job.arguments), **told}
        actor = "run_actor"
    return Message(
        queue_name=QUEUE,
        actor_name=actor,
        args=(),
        kwargs=kwargs,
        options={
            "priority": job.priority,
            "correlation_id": logs.new_correlation_id(),
            "on_dead": {"actor": "record_run_death", "kwargs": {"job": job.id, "run": run_id}},
        },
    )


def _tell(fire: fires.Fire, outcome: fires.Outcome) -> None:
    if outcome in ("already", "disabled", "changed", "busy"):
        return
    if fire.missed:
        metrics.CRON_EXECUTED.labels(fire.job_id, "missed").inc(fire.missed)
        _log.warning("fires_missed", job=fire.job_id, count=fire.missed)
    if outcome == "skipped":
        metrics.CRON_EXECUTED.labels(fire.job_id, "skipped").inc()
        _log.warning("fire_skipped", job=fire.job_id, reason="the former run is still at work")
    elif outcome != "missed":
        _log.info("fired", job=fire.job_id, run=fire.run_id, outcome=outcome)
