"""The commands of `econeura`, one file each.

A new command is a line in this table and a file with a docstring (its help), `add_arguments(parser)` and
`run(arguments) -> exit code`. It imports what it needs inside `run`: `--help` must be quick, and the metrics
directory is claimed before prometheus_client is imported.
"""

from __future__ import annotations

COMMANDS: dict[str, str] = {
    "up": "run the whole service: api, workers, scheduler, and a private Redis if none is configured",
    "api": "run the HTTP server: webhooks, API, metrics, docs",
    "worker": "run the worker process(es) that handle the mail",
    "scheduler": "run the scheduler of the periodic jobs",
    "demo": "watch the whole service handle a sample mailbox, or your own .eml and .mbox files",
    "analyse": "say what a message means: .eml files or JSON lines in, JSON lines out; needs no service",
    "train": "train the analysis' model on the corpus and labelled mail (needs the extra train)",
    "evaluate": "measure how right and how fast the analysis is (needs the extra train)",
    "keys": "create, list and revoke the API keys",
    "subscriptions": "show the subscriptions at Graph, or end them all for an uninstall",
    "erase": "erase what is kept of one correspondent, and name the exports that hold it",
    "audit": "see who changed what",
    "queue": "see what waits and what became a dead letter; send dead letters again or drop them",
    "check": "verify settings, Redis, Graph access and webhook reachability, and say what to fix",
}
