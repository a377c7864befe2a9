"""Metrics: all names always there, and one page for all processes of the host."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from workers import metrics

CONTRACT = {
    "econeura_http_requests_total": "counter",
    "econeura_emails_processed_total": "counter",
    "econeura_jobs_processed_total": "counter",
    "econeura_graph_api_calls_total": "counter",
    "econeura_redis_operations_total": "counter",
    "econeura_cron_jobs_executed_total": "counter",
    "econeura_errors_total": "counter",
    "econeura_llm_questions_total": "counter",
    "econeura_llm_tokens_total": "counter",
    "econeura_http_request_duration_seconds": "histogram",
    "econeura_email_processing_duration_seconds": "histogram",
    "econeura_job_duration_seconds": "histogram",
    "econeura_graph_api_duration_seconds": "histogram",
    "econeura_redis_operation_duration_seconds": "histogram",
    "econeura_cron_job_duration_seconds": "histogram",
    "econeura_job_queue_size": "gauge",
    "econeura_active_connections": "gauge",
    "econeura_memory_usage_bytes": "gauge",
    "econeura_unaccounted_messages": "gauge",
    "econeura_oldest_job_age_seconds": "gauge",
    "econeura_subscription_seconds_left": "gauge",
    "econeura_dead_letters": "gauge",
    "econeura_pickup_latency_seconds": "histogram",
    "econeura_notification_to_done_seconds": "histogram",
}


def types(page: str) -> dict[str, str]:
    return dict(re.findall(r"^# TYPE (\S+) (\S+)$", page, re.MULTILINE))


def test_every_name_of_the_contract_is_always_there() -> None:
    page = metrics.exposition().decode()
    assert CONTRACT.items() <= types(page).items()
    assert set(CONTRACT) <= set(re.findall(r"^# HELP (\S+) \S", page, re.MULTILINE))


def run(directory: Path, code: str) -> str:
    setup = (
        f"import os; os.environ['PROMETHEUS_MULTIPROC_DIR'] = {str(directory)!r}\n"
        "from workers import metrics\n"
    )
    ran = subprocess.run([sys.executable, "-c", setup + code], capture_output=True, text=True, check=True)
    return ran.stdout


def test_processes_add_up_on_one_page(tmp_path: Path) -> None:
    for count in (2, 3):
        run(tmp_path, f"metrics.EMAILS_PROCESSED.labels('archive', 'spam', 'done', 'acme').inc({count})")
    page = run(tmp_path, "print(metrics.exposition().decode())")
    assert CONTRACT.items() <= types(page).items()
    labels = 'action="archive",category="spam",organization_id="acme",status="done"'
    assert f"econeura_emails_processed_total{{{labels}}} 5.0" in page
