"""Health of the service and its parts."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from api.schemas.forms import Shown

Status = Literal["healthy", "degraded", "unhealthy"]


class Service(Shown):
    """One part of the service; `reason` says what is wrong."""

    status: Status
    reason: str | None = None


class RedisHealth(Service):
    latency_ms: float | None = None


class QueueHealth(Service):
    """Degraded when messages wait too long."""

    waiting: int | None = None
    running: int | None = None
    delayed: int | None = None
    dead: int | None = None
    oldest_age_seconds: float | None = None


class ProcessesHealth(Service):
    """`alive`: how many processes of this kind there are, on all hosts."""

    alive: int | None = None


class OrganizationHealth(Service):
    """`failing`: watched folders whose last synchronisation failed (`reason`: why the first did)."""

    folders: int
    failing: int
    subscriptions: int
    subscriptions_degraded: int


class GraphHealth(Service):
    organizations: dict[str, OrganizationHealth] | None = None


class Services(Shown):
    redis: RedisHealth
    queue: QueueHealth
    workers: ProcessesHealth
    scheduler: ProcessesHealth
    graph: GraphHealth


class LastCheck(Shown):
    """What the health_check job found when it last ran; it also looks where no request does."""

    status: Status
    checked_at: str
    warnings: list[str]


class Health(Shown):
    """Unhealthy: this process cannot reach Redis. Degraded: something else needs a look."""

    status: Status
    version: Annotated[str, Field(examples=["0.1.0"])]
    services: Services
    last_check: LastCheck | None = None


class Probe(Shown):
    status: Literal["alive", "ready"]
