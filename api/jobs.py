"""Jobs that callers submitted, and the queue they wait in."""

from __future__ import annotations

from aiohttp import web

from api.caller import CALLER
from api.envelope import answer
from api.refusals import not_found
from api.routes import NOTHING, Answer, Routes
from api.schemas.emails import JobError
from api.schemas.jobs import JobStats, OneJob, PriorityStats, Progress, QueueState, ShownJob, Sizes
from api.wiring import STORE, queue_stats
from workers.store import Job

JOBS = Routes("jobs")


@JOBS.add(
    "GET",
    "/jobs/{jobId}",
    takes=NOTHING,
    needs="read",
    answers={200: Answer("The job.", OneJob)},
    refusals=(404,),
)
async def read_job(request: web.Request, _: None) -> web.Response:
    """Show a job: status, attempts, result or error, and the progress of a bulk job. Kept for seven days."""
    job = await request.app[STORE].jobs.get(request.match_info["jobId"])
    if job is None or not request[CALLER].may_see(job.organization_id):
        raise not_found("no such job (jobs are kept for seven days)")
    return answer(OneJob(job=_shown(job)))


@JOBS.add(
    "GET",
    "/jobs/stats",
    takes=NOTHING,
    needs="read",
    whole_service=True,
    answers={200: Answer("The queue now.", JobStats)},
)
async def read_job_stats(request: web.Request, _: None) -> web.Response:
    """Show how much is in the queue, by state, priority and kind, and how old it is."""
    stats = await queue_stats(request.app)
    return answer(
        JobStats(
            stats=QueueState(
                waiting=stats.waiting,
                running=stats.running,
                delayed=stats.delayed,
                dead=stats.dead,
                workers=stats.workers,
                priorities={
                    priority: PriorityStats(**sizes, oldest_age_seconds=stats.oldest_age_s[priority])
                    for priority, sizes in stats.by_priority.items()
                },
                types={actor: Sizes(**sizes) for actor, sizes in stats.by_actor.items()},
            )
        )
    )


def _shown(job: Job) -> ShownJob:
    return ShownJob(
        id=job.id,
        type=job.type,
        organization_id=job.organization_id,
        status=job.status,
        attempts=job.attempts,
        created_at=job.created_at,
        updated_at=job.updated_at,
        result=job.result,
        error=JobError(**job.error) if job.error else None,
        progress=Progress(total=job.total, done=job.done, failed=job.failed) if job.total else None,
    )
