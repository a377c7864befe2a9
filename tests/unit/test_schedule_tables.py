"""The schedule's part of the organizations file."""

from __future__ import annotations

from pathlib import Path

import pytest

from workers.errors import SettingsError
from workers.jobs import SCHEDULED_JOBS
from workers.organizations import Organizations, load_organizations

ACME = """
[organizations.acme]
tenant_id = "t"
client_id = "c"
client_secret = "file:secret.txt"
mailboxes = ["soporte@acme.example"]
"""


def load(tmp_path: Path, text: str) -> Organizations:
    path = tmp_path / "organizations.toml"
    path.write_text(ACME + text, encoding="utf-8")
    return load_organizations(path)


def test_without_tables_the_schedule_is_the_built_in_one(tmp_path: Path) -> None:
    assert load(tmp_path, "").scheduled_jobs == SCHEDULED_JOBS


def test_one_of_ours_takes_settings_and_keeps_the_rest(tmp_path: Path) -> None:
    jobs = load(
        tmp_path, '[jobs.cleanup]\nschedule = "30 3 * * *"\ntimezone = "Europe/Madrid"\njitter_s = 60'
    )
    moved = jobs.scheduled_jobs["cleanup"]
    assert (moved.schedule, moved.timezone, moved.jitter_s) == ("30 3 * * *", "Europe/Madrid", 60)
    assert moved.name == SCHEDULED_JOBS["cleanup"].name


def test_a_job_of_ones_own_names_actor_and_arguments(tmp_path: Path) -> None:
    own = """
    [jobs.morning_look]
    schedule = "0 7 * * 1-5"
    actor = "sync_mailbox"
    overlap = "queue"
    arguments = { organization_id = "acme", mailbox = "soporte@acme.example" }
    """
    job = load(tmp_path, own).scheduled_jobs["morning_look"]
    assert job.actor == "sync_mailbox" and job.overlap == "queue"
    assert job.arguments == {"organization_id": "acme", "mailbox": "soporte@acme.example"}


def test_an_organization_may_have_its_own_time(tmp_path: Path) -> None:
    own = '[organizations.acme.jobs.daily_reports]\nschedule = "0 8 * * *"\ntimezone = "Europe/Madrid"'
    jobs = load(tmp_path, own).scheduled_jobs
    mine, shared = jobs["daily_reports@acme"], jobs["daily_reports"]
    assert (mine.schedule, mine.timezone) == ("0 8 * * *", "Europe/Madrid")
    assert mine.actor == "daily_reports" and mine.arguments == {"organization_id": "acme"}
    assert shared == SCHEDULED_JOBS["daily_reports"]


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ('[jobs.cleanup]\nschedule = "61 * * * *"', "jobs.cleanup: .*minute cannot be '61'"),
        ('[jobs.cleanup]\ntimezone = "Mars/Base"', "unknown timezone 'Mars/Base'"),
        ('[jobs.cleanup]\nshedule = "* * * * *"', "jobs.cleanup.shedule: unknown setting"),
        ('[jobs.cleanup]\nactor = "sync_mailbox"', "jobs.cleanup: this job's actor cannot be replaced"),
        ('[jobs.mine]\nschedule = "* * * * *"', "jobs.mine: a job of your own needs schedule and actor"),
        ('[jobs.mine]\nactor = "sync_mailbox"', "jobs.mine: a job of your own needs schedule and actor"),
        ('[jobs."a b"]\nschedule = "* * * * *"', "jobs.a b"),
        ('[jobs.cleanup]\nping_url = "ftp://x"', "jobs.cleanup.ping_url: must be an http"),
        ('[jobs.cleanup]\noverlap = "maybe"', "jobs.cleanup.overlap"),
        (
            '[organizations.acme.jobs.cleanup]\nschedule = "* * * * *"',
            "organizations.acme.jobs.cleanup: only daily_reports, .* may have a time of their own",
        ),
    ],
)
def test_a_wrong_table_is_named(tmp_path: Path, text: str, named: str) -> None:
    with pytest.raises(SettingsError, match=named):
        load(tmp_path, text)
