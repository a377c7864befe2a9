"""Every metric of the service, by the names and labels that dashboards and alerts rely on.

A process claims its metrics directory (`workers.metrics_directory`) before it imports this module: the
library chooses between memory and shared files when it is imported.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter as Counts
from collections.abc import Collection
from functools import cache

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest, values
from prometheus_client.core import Metric
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead
from prometheus_client.registry import Collector

REGISTRY = CollectorRegistry()
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
_LONG_SECONDS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3600.0)


def _counter(name: str, text: str, *labels: str) -> Counter:
    return Counter(name, text, labels, registry=REGISTRY)


def _histogram(name: str, text: str, *labels: str, buckets: tuple[float, ...] = _SECONDS) -> Histogram:
    return Histogram(name, text, labels, registry=REGISTRY, buckets=buckets)


def _gauge(name: str, text: str, *labels: str, mode: str = "mostrecent") -> Gauge:
    return Gauge(name, text, labels, registry=REGISTRY, multiprocess_mode=mode)  # type: ignore[arg-type]


HTTP_REQUESTS = _counter(
    "econeura_http_requests_total", "HTTP requests answered.", "method", "route", "status_code"
)
HTTP_REQUEST_DURATION = _histogram(
    "econeura_http_request_duration_seconds",
    "Time to answer an HTTP request.",
    "method",
    "route",
    "status_code",
)
EMAILS_PROCESSED = _counter(
    "econeura_emails_processed_total",
    "Messages that reached their end.",
    "action",
    "category",
    "status",
    "organization_id",
)
EMAIL_DURATION = _histogram(
    "econeura_email_processing_duration_seconds",
    "Time from claim to end of a message.",
    "action",
    "category",
    buckets=_LONG_SECONDS,
)
JOBS_PROCESSED = _counter(
    "econeura_jobs_processed_total",
    "Queue messages an actor finished with.",
    "type",
    "status",
    "organization_id",
)
JOB_DURATION = _histogram("econeura_job_duration_seconds", "Run time of an actor.", "type", "status")
JOB_QUEUE_SIZE = _gauge("econeura_job_queue_size", "Queue messages by priority and state.", "type", "status")
OLDEST_JOB_AGE = _gauge("econeura_oldest_job_age_seconds", "Age of the oldest waiting message.", "priority")
PICKUP_LATENCY = _histogram(
    "econeura_pickup_latency_seconds", "Time from due to start of a queue message.", "priority"
)
DEAD_LETTERS = _gauge("econeura_dead_letters", "Messages in the dead letters.", "type")
GRAPH_CALLS = _counter(
    "econeura_graph_api_calls_total", "Calls to Microsoft Graph.", "endpoint", "method", "status_code"
)
GRAPH_DURATION = _histogram(
    "econeura_graph_api_duration_seconds", "Duration of calls to Microsoft Graph.", "endpoint", "method"
)
REDIS_OPERATIONS = _counter("econeura_redis_operations_total", "Redis commands.", "operation", "status")
REDIS_DURATION = _histogram(
    "econeura_redis_operation_duration_seconds", "Duration of Redis commands.", "operation"
)
CRON_EXECUTED = _counter("econeura_cron_jobs_executed_total", "Runs of scheduled jobs.", "job_id", "status")
CRON_DURATION = _histogram(
    "econeura_cron_job_duration_seconds", "Run time of scheduled jobs.", "job_id", buckets=_LONG_SECONDS
)
ERRORS = _counter("econeura_errors_total", "Errors by where and how bad.", "type", "component", "severity")
ACTIVE_CONNECTIONS = _gauge("econeura_active_connections", "Open connections.", "type", mode="livesum")
MEMORY_USAGE = _gauge(
    "econeura_memory_usage_bytes", "Resident memory by process type.", "type", mode="livesum"
)
UNACCOUNTED = _gauge(
    "econeura_unaccounted_messages", "Messages seen that are not done, skipped or dead.", "organization_id"
)
SUBSCRIPTION_SECONDS_LEFT = _gauge(
    "econeura_subscription_seconds_left",
    "Least time left of an organization's subscriptions.",
    "organization_id",
)
NOTIFICATION_TO_DONE = _histogram(
    "econeura_notification_to_done_seconds",
    "Time from notification to the end of a message.",
    buckets=_LONG_SECONDS,
)
LLM_QUESTIONS = _counter(
    "econeura_llm_questions_total",
    "Questions to language models: answered by llm or cache, or why not.",
    "outcome",
    "organization_id",
)
LLM_TOKENS = _counter("econeura_llm_tokens_total", "Tokens that language models took.", "organization_id")
WEBHOOK_DELIVERIES = _counter(
    "econeura_webhook_deliveries_total",
    "Tries to tell an organization's webhook of an event.",
    "event",
    "status",
    "organization_id",
)
WEBHOOK_DURATION = _histogram(
    "econeura_webhook_duration_seconds", "Time that a webhook took to answer, or not to."
)


def observe_all(histogram: Histogram, seconds: Collection[float]) -> None:
    """Observe many values at the price of a few; prometheus_client has no public way to."""
    buckets = Counts(bisect_left(histogram._upper_bounds, value) for value in seconds)
    histogram._sum.inc(sum(seconds))
    for bucket, count in buckets.items():
        histogram._buckets[bucket].inc(count)


CORRECTIONS = _counter(
    "econeura_corrections_total",
    "What people said (person), or showed by hand (category, folder), of analysed messages.",
    "source",
    "organization_id",
)
CORRECTIONS_JUDGED = _counter(
    "econeura_corrections_judged_total",
    "Corrections by whether the analysis had been right, without learning and with all learned before.",
    "head",
    "without_learning",
    "with_learning",
)


def note_redis(operation: str, status: str, seconds: float) -> None:
    """Note a call to Redis: a command, or a script by its name."""
    calls, durations = _of_redis(operation, status)
    calls.inc()
    durations.observe(seconds)


@cache
def _of_redis(operation: str, status: str) -> tuple[Counter, Histogram]:
    # To find them costs more than to add to them.
    return REDIS_OPERATIONS.labels(operation, status), REDIS_DURATION.labels(operation)


def forget_process(pid: int) -> None:
    """Drop the live gauges of a process that ended; its counters stay, they happened."""
    if _is_multiprocess():
        mark_process_dead(pid)  # type: ignore[no-untyped-call]


def exposition() -> bytes:
    """Prometheus text of all processes of this host; HELP and TYPE of every metric, samples or not."""
    registry = REGISTRY
    if _is_multiprocess():
        registry = CollectorRegistry()
        registry.register(
            _AllProcesses(
                MultiProcessCollector(CollectorRegistry())  # type: ignore[no-untyped-call]
            )
        )
    return generate_latest(registry)


class _AllProcesses(Collector):
    """The samples of the shared files, with our own HELP texts, in the order of declaration."""

    def __init__(self, files: MultiProcessCollector) -> None:
        self._files = files

    def collect(self) -> list[Metric]:
        found = {metric.name: metric for metric in self._files.collect()}  # type: ignore[no-untyped-call]
        metrics = []
        for declared in REGISTRY.collect():
            metric = found.get(declared.name, declared)
            whole = Metric(declared.name, declared.documentation, declared.type)
            whole.samples = metric.samples if declared.name in found else []
            metrics.append(whole)
        return metrics


def _is_multiprocess() -> bool:
    return bool(values.ValueClass._multiprocess)
