"""The schedule: what runs when, what came of it, and the switches."""

from __future__ import annotations

from dataclasses import asdict

from aiohttp import web

from api import routes
from api.audit import note
from api.envelope import answer
from api.refusals import invalid
from api.routes import NOTHING, Answer, Routes
from api.schemas.cron import (
    CronJob,
    CronJobs,
    CronRun,
    CronRuns,
    CronStats,
    CronTotals,
    NewSchedule,
    OneCronJob,
    RunsQuery,
)
from api.wiring import STORE
from workers.errors import BadSchedule
from workers.store import Schedule
from workers.store.job_state import JobState

CRON = Routes("schedule")
_TO_THE_FIRST = {
    name: {"jobId": "/jobs/0/id"}
    for name in ("read_cron_job", "list_cron_runs", "run_cron_job", "move_cron_job")
}


@CRON.add(
    "GET",
    "/cron/jobs",
    takes=NOTHING,
    needs="read",
    whole_service=True,
    answers={200: Answer("All jobs.", CronJobs, leads_to=_TO_THE_FIRST)},
)
async def list_cron_jobs(request: web.Request, _: None) -> web.Response:
    """List the scheduled jobs, their next fire times and how they fared."""
    jobs = await _schedule(request).jobs()
    return answer(CronJobs(jobs=[_shown(job) for job in jobs], count=len(jobs)))


@CRON.add(
    "GET",
    "/cron/stats",
    takes=NOTHING,
    needs="read",
    whole_service=True,
    answers={200: Answer("The totals.", CronStats)},
)
async def read_cron_stats(request: web.Request, _: None) -> web.Response:
    """Sum up the schedule."""
    return answer(CronStats(stats=CronTotals(**await _schedule(request).stats())))


@CRON.add(
    "GET",
    "/cron/jobs/{jobId}",
    takes=NOTHING,
    needs="read",
    whole_service=True,
    answers={200: Answer("The job.", OneCronJob)},
    refusals=(404,),
)
async def read_cron_job(request: web.Request, _: None) -> web.Response:
    """Show a scheduled job."""
    return _one(await _schedule(request).get(_job_id(request)))


@CRON.add(
    "GET",
    "/cron/jobs/{jobId}/runs",
    takes=routes.query(RunsQuery),
    needs="read",
    whole_service=True,
    answers={200: Answer("The newest first.", CronRuns)},
    refusals=(404,),
)
async def list_cron_runs(request: web.Request, asked: RunsQuery) -> web.Response:
    """List the last runs of a job, the newest first."""
    runs = await _schedule(request).runs(_job_id(request), limit=asked.limit)
    return answer(CronRuns(runs=[CronRun(**asdict(run)) for run in runs], count=len(runs)))


@CRON.add(
    "POST",
    "/cron/jobs/{jobId}/enable",
    takes=NOTHING,
    needs="operate",
    whole_service=True,
    changes="cron.enabled",
    answers={200: Answer("Enabled.", OneCronJob)},
    refusals=(404,),
)
async def enable_cron_job(request: web.Request, _: None) -> web.Response:
    """Let a job fire again, from now on."""
    return _one(await _schedule(request).enable(_job_id(request)))


@CRON.add(
    "POST",
    "/cron/jobs/{jobId}/disable",
    takes=NOTHING,
    needs="operate",
    whole_service=True,
    changes="cron.disabled",
    answers={200: Answer("Disabled.", OneCronJob)},
    refusals=(404,),
)
async def disable_cron_job(request: web.Request, _: None) -> web.Response:
    """Stop a job's fires. Its history stays, and it can still be run by hand."""
    return _one(await _schedule(request).disable(_job_id(request)))


@CRON.add(
    "POST",
    "/cron/jobs/{jobId}/run",
    takes=NOTHING,
    needs="operate",
    whole_service=True,
    changes="cron.run",
    answers={202: Answer("Asked for; a scheduler publishes it.", OneCronJob)},
    refusals=(404,),
)
async def run_cron_job(request: web.Request, _: None) -> web.Response:
    """Run a job once, as soon as none of its runs is at work."""
    return _one(await _schedule(request).run_now(_job_id(request)), status=202)


@CRON.add(
    "PUT",
    "/cron/jobs/{jobId}/schedule",
    takes=routes.body(NewSchedule),
    needs="operate",
    whole_service=True,
    changes="cron.moved",
    answers={200: Answer("Moved.", OneCronJob)},
    refusals=(404,),
)
async def move_cron_job(request: web.Request, given: NewSchedule) -> web.Response:
    """Give a job another cron line, and another timezone where one is named."""
    try:
        job = await _schedule(request).reschedule(_job_id(request), given.schedule, given.timezone)
    except BadSchedule as unreadable:
        raise invalid(unreadable.field, str(unreadable)) from None
    note(request, organization_id=None, schedule=job.schedule, timezone=job.timezone)
    return _one(job)


def _schedule(request: web.Request) -> Schedule:
    return request.app[STORE].schedule


def _job_id(request: web.Request) -> str:
    return request.match_info["jobId"]


def _one(job: JobState, *, status: int = 200) -> web.Response:
    return answer(OneCronJob(job=_shown(job)), status=status)


def _shown(job: JobState) -> CronJob:
    return CronJob(**asdict(job))
