"""A rolling upgrade, seen by the older release: a newer neighbour has been at work on the same Redis."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest

from actors import message
from actors.mail import process_email
from tests.journeys.conftest import StartSandbox, StartService
from tests.journeys.test_mail_path import BOX, RULES
from tests.redis_process import RedisProcess
from tests.sandbox_process import running_sandbox
from tests.stored_data import load
from tests.waiting import wait_for
from workers.broker import Broker
from workers.store import Keys
from workers.store.schema import SCHEMA

INVOICE = "AAkALg/3=="


@pytest.fixture
def shared_redis(tmp_path: Path) -> Iterator[RedisProcess]:
    server = RedisProcess(tmp_path / "shared-redis").start()
    yield server
    server.stop()


def test_beside_a_newer_neighbour_we_work_and_leave_it_what_is_its(
    start_sandbox: StartSandbox, start_service: StartService, shared_redis: RedisProcess
) -> None:
    keys, broker = Keys("econeura"), Broker()
    with shared_redis.client() as client:
        load(client, of_tomorrow=True)
        client.delete(keys.paused(), keys.api_keys(), "{econeura}:q:ready:normal")
        client.set(keys.schema(), SCHEMA + 1)
        broker.connect(client)
        of_tomorrow = message(process_email, organization_id="acme", mailbox=BOX, message_id="x", tomorrow=1)
        broker.enqueue(of_tomorrow)
        sandbox = start_sandbox("--no-samples", "--mailbox", BOX)
        service = start_service(sandbox, rules=RULES, environment={"REDIS_URL": shared_redis.url})
        (delivered,) = sandbox.deliver(BOX, subject="Factura 43", **{"from": "Ana <ana@cliente.example>"})
        wait_for(
            lambda: any(line["messageId"] == delivered["id"] for line in service.journal()),
            what="our own mail to be done",
        )
        trace = service.request("GET", f"/emails/{quote(INVOICE, safe='')}?organizationId=acme")
        assert trace.data["email"]["subject"] == "Factura 42"
        wait_for(
            lambda: broker.stats().by_actor["process_email"]["delayed"] == 1,
            what="what we do not understand to be put off",
        )
        assert broker.stats().dead == 0
        assert service.request("GET", "/cron/jobs/graph_sync").data["job"]["runCount"] >= 1
        assert service.stop() == 0
        broker.close()


def test_beside_a_release_that_is_no_neighbour_nothing_starts(
    tmp_path: Path, start_service: StartService, shared_redis: RedisProcess
) -> None:
    with shared_redis.client() as client:
        client.set(Keys("econeura").schema(), SCHEMA + 2)
    refused = pytest.raises(RuntimeError, match=f"schema {SCHEMA + 2}; this release .* start a newer release")
    # Nothing is asked of it: no calls that could be looked through afterwards.
    with running_sandbox(tmp_path / "sandbox", "--no-samples") as sandbox, refused:
        start_service(sandbox, environment={"REDIS_URL": shared_redis.url})
