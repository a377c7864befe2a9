"""`python -m workers.sandbox`: the sandbox as a process that ends with its parent."""

from __future__ import annotations

import argparse
import asyncio
import gc
import itertools
import os
import signal
from pathlib import Path

import setproctitle
import uvloop

from workers.sandbox.behaviour import Behaviour
from workers.sandbox.chaos import bring_chaos
from workers.sandbox.mail_files import SAMPLES, arriving_now, letters_in
from workers.sandbox.server import LOOPBACK, Place, announce, serving
from workers.sandbox.service import Sandbox

_PARENT_CHECK_S = 0.5


def main() -> None:
    """Parse the command line and serve until SIGTERM, SIGINT or the parent's death."""
    options = _parser().parse_args()
    setproctitle.setproctitle("econeura: sandbox")
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_run(options, parent=os.getppid()))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m workers.sandbox", description=__doc__)
    parser.add_argument("--data-dir", type=Path, required=True, help="for certificates and sandbox.json")
    parser.add_argument(
        "--mail", type=Path, action="append", default=[], help=".eml, mbox or folder to load; several allowed"
    )
    parser.add_argument("--mailbox", action="append", default=[], help="an address; several allowed")
    parser.add_argument(
        "--spread",
        action="store_true",
        help="spread the mail over the mailboxes instead of all into the first",
    )
    parser.add_argument("--no-samples", action="store_true", help="start empty unless --mail is given")
    parser.add_argument("--port", type=int, default=0, help="0: any free port")
    parser.add_argument("--host", default=LOOPBACK, help="the address to serve at (default %(default)s)")
    parser.add_argument("--latency-ms", type=float, default=0.0, help="time each Graph call takes")
    parser.add_argument("--sends-per-minute", type=int, default=30, help="limit of each mailbox; 0: none")
    parser.add_argument("--chaos", action="store_true", help="a mix of faults, as on Graph's worst day")
    parser.add_argument("--seed", type=int, default=0, help="the same seed makes the same ids and faults")
    return parser


async def _run(options: argparse.Namespace, parent: int) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for signal_number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(signal_number, stop.set)
    behaviour = Behaviour(latency_ms=options.latency_ms, sends_per_min=options.sends_per_minute)
    sandbox = Sandbox(seed=options.seed, behaviour=behaviour)
    if options.chaos:
        bring_chaos(sandbox)
    place = Place(options.data_dir, options.port, options.host)
    addresses = options.mailbox or ["info@acme.example"]
    async with serving(sandbox, place, addresses, os.getpid()) as run:
        _load(sandbox, options)
        await announce(run, place)
        # What is loaded stays: without it in the collector's sight, 20,000 messages cost no pauses.
        gc.freeze()
        while not stop.is_set() and os.getppid() == parent:
            try:
                await asyncio.wait_for(stop.wait(), _PARENT_CHECK_S)
            except TimeoutError:
                continue


def _load(sandbox: Sandbox, options: argparse.Namespace) -> None:
    paths = options.mail or ([] if options.no_samples else [SAMPLES])
    mailboxes = list(sandbox.directory.mailboxes.values())
    places = itertools.cycle(mailboxes if options.spread else mailboxes[:1])
    for letter, mailbox in zip(arriving_now(letters_in(paths)), places, strict=False):
        mailbox.receive(letter)


if __name__ == "__main__":
    main()
