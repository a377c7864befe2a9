"""The Lua against a model: whatever the interleaving, each message is in exactly one place."""

from __future__ import annotations

from collections import Counter, deque
from typing import Any

import hypothesis.strategies as st
import pytest
import redis
from hypothesis import HealthCheck, settings
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from workers.broker.encoding import Entry, parse
from workers.broker.keys import PRIORITIES, Keys
from workers.broker.scripts import DEAD_LETTERS, ENQUEUE, EXCHANGE, LEASE, RELEASE

KEYS = Keys("model")
LEASE_MS = 10_000
WORKERS = ("a.1", "b.1", "c.1")


class Queue(RuleBasedStateMachine):
    """Messages are named by their body; the model knows where each one is, and the order of those waiting."""

    def __init__(self, client: redis.Redis) -> None:
        super().__init__()
        # redis-py's types allow for decoded replies; ours are bytes.
        self.client: Any = client
        client.flushall()
        self.made = 0
        self.ready: dict[int, deque[str]] = {level: deque() for level in range(4)}
        self.suspects: deque[str] = deque()
        self.due: set[str] = set()
        self.hands: dict[str, dict[bytes, str]] = {}
        self.dead: dict[str, str] = {}
        self.done: set[str] = set()
        self.level: dict[str, int] = {}
        self.blame: dict[str, tuple[int, int]] = {}
        self.sequence: Counter[str] = Counter()
        self.bells: Counter[str] = Counter()
        self.sent = 0
        self.turn = 0
        self.alone: dict[str, str] = {}
        self.last_call: dict[str, tuple[list[Any], Any]] = {}
        self.stale: list[tuple[str, bytes, str]] = []

    # The model's own steps

    def run(self, script: Any, extra: tuple[str, ...], args: list[Any]) -> Any:
        return script.run(self.client, (*KEYS.base, *extra), args)

    def line_of(self, name: str) -> deque[str]:
        company, alone = self.blame[name]
        return self.suspects if company + alone and alone < 3 else self.ready[self.level[name]]

    def expect_taken(self, room: int) -> list[str]:
        self.turn += room
        below: list[str] = []
        for slot in range((self.turn - room) // 32 + 1, self.turn // 32 + 1):
            lines = [self.ready[level] for level in (3 - slot % 3, 3, 2, 1, 0) if self.ready[level]]
            below += [line.popleft() for line in lines[:1]]
        taken: list[str] = []
        for level in range(4):
            while self.ready[level] and len(taken) < room - len(below):
                taken.append(self.ready[level].popleft())
        return taken + below

    # What can happen

    @initialize(levels=st.lists(st.integers(0, 3), min_size=10, max_size=60))
    def two_workers_and_some_messages(self, levels: list[int]) -> None:
        for worker in WORKERS[:2]:
            self.register(worker)
        self.enqueue_these([(level, 0) for level in levels], 0)

    def register(self, worker: str) -> None:
        self.run(LEASE, (KEYS.of_worker(worker)[1],), [worker, LEASE_MS, 1])
        self.hands[worker] = {}

        self.last_call.pop(worker, None)

    @rule(
        messages=st.lists(
            st.tuples(st.integers(0, 3), st.sampled_from([0, 0, 0, 5000])), min_size=1, max_size=6
        ),
        lost_replies=st.integers(0, 2),
    )
    def enqueue(self, messages: list[tuple[int, int]], lost_replies: int) -> None:
        self.enqueue_these(messages, lost_replies)

    def enqueue_these(self, messages: list[tuple[int, int]], lost_replies: int) -> None:
        args: list[Any] = []
        for level, delay_ms in messages:
            self.made += 1
            name = f"m{self.made}"
            args += [level, delay_ms, f"actor{level % 2}", name]
            self.level[name], self.blame[name] = level, (0, 0)
            if delay_ms:
                self.due.add(name)
            else:
                self.ready[level].append(name)
        self.sent += 1
        for _ in range(lost_replies + 1):
            self.run(ENQUEUE, (KEYS.of_producer("p"),), [self.sent, 60_000, *args])

    @precondition(lambda self: self.hands and (self.any_ready() or self.suspects or self.due))
    @rule(data=st.data(), wanted=st.integers(1, 40))
    def take(self, data: st.DataObject, wanted: int) -> None:
        self.take_by(data.draw(st.sampled_from(sorted(self.hands))), wanted)

    def take_by(self, worker: str, wanted: int) -> None:
        self.move_due()
        reply = self.exchange(worker, wanted, [])
        mode, taken = reply[5].decode(), self.names(reply)
        held = len(self.hands[worker])
        if mode in ("open", "empty"):
            assert taken == self.expect_taken(wanted) if self.any_ready() else not taken
            assert mode == ("open" if self.any_ready() else "empty")
            self.alone.pop(worker, None)
        elif mode == "draining":
            assert not taken
            assert held
        else:
            assert taken == [self.suspects.popleft()]  # the oldest suspicion first
            company, alone = self.blame[taken[0]]
            is_strict = company > 1 or alone > 0
            assert mode == ("strict" if is_strict else "brief" if not held else "company")
            assert not (is_strict and held)
            if mode == "company":
                self.alone.pop(worker, None)
            else:
                self.alone[worker] = taken[0]
        self.hands[worker].update(zip(reply[3][::2], taken, strict=True))

    @precondition(lambda self: self.hands)
    @rule(data=st.data(), limit=st.integers(1, 30), lost_replies=st.integers(0, 2))
    def a_call_at_the_bell_is_applied(self, data: st.DataObject, limit: int, lost_replies: int) -> None:
        worker = data.draw(st.sampled_from(sorted(self.hands)))
        self.bells[worker] += 1
        args = [worker, f"b{self.bells[worker]}", limit, 0]
        room = min(limit - len(self.hands[worker]), 1)
        if self.suspects or self.client.hget(KEYS.of_worker(worker)[1], "alone"):
            room = 0
        if room > 0:
            self.move_due()
        reply = self.run(EXCHANGE, KEYS.of_worker(worker), args)
        expected = self.expect_taken(room) if room > 0 and self.any_ready() else []
        assert self.names(reply) == expected
        assert reply[5].decode() == ("" if room <= 0 else "open" if self.any_ready() else "empty")
        self.hands[worker].update(zip(reply[3][::2], expected, strict=True))
        for _ in range(lost_replies):
            assert sorted(self.names(self.run(EXCHANGE, KEYS.of_worker(worker), args))) == sorted(expected)

    def any_ready(self) -> bool:
        return any(self.ready.values())

    @precondition(lambda self: self.stale or any(self.hands.values()))
    @rule(
        data=st.data(),
        outcome=st.sampled_from(
            ["done", "again now", "again later", "dead", "dead and follow", "next", "next later", "back"]
        ),
    )
    def settle(self, data: st.DataObject, outcome: str) -> None:
        held = [
            (worker, at, name) for worker in sorted(self.hands) for at, name in self.hands[worker].items()
        ]
        worker, delivery_id, name = data.draw(st.sampled_from(held + self.stale[-1:]))
        ours = self.hands.get(worker, {}).get(delivery_id) == name
        ways: dict[str, list[Any]] = {
            "done": ["D", f"actor{self.level[name] % 2}", self.level[name], 1, delivery_id],
            "again now": ["R", delivery_id, 0, name],
            "again later": ["R", delivery_id, 5000, name],
            "dead": ["X", delivery_id, "why", name, 0],
            "dead and follow": ["X", delivery_id, "why", name, 1, 2, 0, "actor0", f"f{self.made + 1}"],
            "next": ["N", delivery_id, 2, 0, "actor0", f"f{self.made + 1}"],
            "next later": ["N", delivery_id, 2, 5000, "actor0", f"f{self.made + 1}"],
            "back": ["B", delivery_id],
        }
        reply = self.exchange(worker, 0, ways[outcome])
        if worker not in self.hands:
            assert reply[0] == b"fenced"
            return
        assert reply[2] == ([] if ours else [delivery_id])
        if not ours:
            return
        self.stale.append((worker, delivery_id, self.hands[worker].pop(delivery_id)))
        if outcome == "back":
            self.line_of(name).appendleft(name)
            return
        self.blame[name] = (0, 0)
        if outcome == "done":
            self.done.add(name)
        elif outcome == "again now":
            self.ready[self.level[name]].append(name)
        elif outcome == "again later":
            self.due.add(name)
        elif outcome.startswith("next"):
            self.done.add(name)
        else:
            newest = self.client.zrevrange(KEYS["dead"], 0, 0)[0].decode()
            self.dead[name] = newest
        if outcome in ("dead and follow", "next", "next later"):
            self.made += 1
            follower = f"f{self.made}"
            self.level[follower], self.blame[follower] = 2, (0, 0)
            if outcome == "next later":
                self.due.add(follower)
            else:
                self.ready[2].append(follower)

    @precondition(lambda self: self.last_call)
    @rule(data=st.data())
    def repeat_a_call_whose_reply_was_lost(self, data: st.DataObject) -> None:
        worker = data.draw(st.sampled_from(sorted(self.last_call)))
        args, first = self.last_call[worker]
        again = self.run(EXCHANGE, KEYS.of_worker(worker), args)
        if worker not in self.hands:
            assert again[0] == b"fenced"
            return
        still_held = self.hands[worker]
        assert again[2] == first[2]
        taken = dict(zip(first[3][::2], first[3][1::2], strict=True))
        assert dict(zip(again[3][::2], again[3][1::2], strict=True)) == {
            delivery: entry for delivery, entry in taken.items() if delivery in still_held
        }

    @rule(
        worker=st.sampled_from(WORKERS), why=st.sampled_from(["dead", "dead", "dead", "leaving", "expired"])
    )
    def worker_ends(self, worker: str, why: str) -> None:
        reply = self.run(RELEASE, KEYS.of_worker(worker), [worker, why])
        if why == "expired" and worker in self.hands:
            assert reply == -1
            return
        self.give_back(worker, why, reply)

    @precondition(lambda self: len(self.hands) == 2)
    @rule(data=st.data())
    def a_lost_worker_is_found_by_another(self, data: st.DataObject) -> None:
        gone, other = data.draw(st.permutations(sorted(self.hands)))
        # Two renewals of the other, none of the lost one: only then may the other judge.
        for _ in range(2):
            self.client.hincrby(KEYS["state"], "ahead", LEASE_MS * 3 // 4)
            reply = self.run(LEASE, (KEYS.of_worker(other)[1],), [other, LEASE_MS, 0])
        assert reply[1:] == [gone.encode()]
        self.give_back(gone, "expired", self.run(RELEASE, KEYS.of_worker(gone), [gone, "expired"]))

    @precondition(lambda self: self.suspects and self.hands)
    @rule(data=st.data(), dies=st.booleans())
    def a_free_worker_takes_a_suspect(self, data: st.DataObject, dies: bool) -> None:
        worker = data.draw(st.sampled_from(sorted(self.hands)))
        self.worker_ends(worker, "leaving")
        self.register(worker)
        if self.suspects:
            self.take_by(worker, 3)
            if dies:
                self.worker_ends(worker, "dead")

    def give_back(self, worker: str, why: str, how_many: int) -> None:
        deliveries, alone = self.hands.pop(worker, {}), self.alone.pop(worker, None)
        held = list(deliveries.values())
        assert how_many == len(held)
        self.stale += [(worker, delivery_id, name) for delivery_id, name in deliveries.items()]
        for name in held:
            company, died_alone = self.blame[name]
            if why != "leaving":
                if len(held) == 1 and alone == name:
                    self.blame[name] = (company, died_alone + 1)
                else:
                    self.blame[name] = (company + 1, died_alone)
        held.sort(key={name: (entry.ready_ms, entry.number) for entry, name, _ in self.stored()}.__getitem__)
        if why == "leaving":
            for name in reversed(held):
                self.line_of(name).appendleft(name)
        else:
            for name in held:
                self.line_of(name).append(name)

    @precondition(lambda self: len(self.hands) < len(WORKERS))
    @rule(data=st.data())
    def worker_starts(self, data: st.DataObject) -> None:
        self.register(data.draw(st.sampled_from(sorted(set(WORKERS) - set(self.hands)))))

    @precondition(lambda self: self.due)
    @rule()
    def time_passes(self) -> None:
        for worker in self.hands:
            self.run(LEASE, (KEYS.of_worker(worker)[1],), [worker, LEASE_MS, 0])
        self.client.hincrby(KEYS["state"], "ahead", LEASE_MS * 3 // 4)
        for worker in self.hands:
            self.run(LEASE, (KEYS.of_worker(worker)[1],), [worker, LEASE_MS, 0])

    @precondition(lambda self: self.dead)
    @rule(data=st.data(), retry=st.booleans())
    def take_out_a_dead_letter(self, data: st.DataObject, retry: bool) -> None:
        name = data.draw(st.sampled_from(sorted(self.dead)))
        letter = self.dead.pop(name)
        args = ["retry", letter, name] if retry else ["purge", letter]
        assert self.run(DEAD_LETTERS, (), args) == 1
        assert self.run(DEAD_LETTERS, (), args) == 0
        if retry:
            self.ready[self.level[name]].append(name)
        else:
            self.done.add(name)

    def move_due(self) -> None:
        """A take first puts what is due in line, in the order of due times and numbers."""
        seconds, micros = self.client.time()
        ahead = int(self.client.hget(KEYS["state"], "ahead") or 0)
        # A delay that ends within this very test step could go either way: step over it.
        self.client.hset(KEYS["state"], "ahead", ahead + 50)
        now = seconds * 1000 + micros // 1000 + ahead + 50
        for entry in self.client.zrangebyscore(KEYS["due"], "-inf", now):
            name = parse(entry).body.decode()
            self.due.discard(name)
            self.ready[self.level[name]].append(name)

    def exchange(self, worker: str, wanted: int, outcomes: list[Any]) -> Any:
        self.sequence[worker] += 1
        args = [worker, self.sequence[worker], wanted, 0, *outcomes]
        reply = self.run(EXCHANGE, KEYS.of_worker(worker), args)
        if worker in self.hands and (outcomes or reply[3]):
            self.last_call[worker] = (args, reply)
        elif worker in self.hands:
            self.last_call.pop(worker, None)
        return reply

    def names(self, reply: Any) -> list[str]:
        return [parse(entry).body.decode() for entry in reply[3][1::2]]

    # What must hold at all times

    def stored(self) -> list[tuple[Entry, str, str]]:
        """Every message in Redis: its entry, its name and its place."""
        lines = {f"ready {level}": KEYS[f"ready:{name}"] for level, name in enumerate(PRIORITIES)}
        found = []
        for place, key in {**lines, "suspects": KEYS["suspects"]}.items():
            found += [(entry, place) for entry in self.client.lrange(key, 0, -1)]
        found += [(entry, "due") for entry in self.client.zrange(KEYS["due"], 0, -1)]
        for worker in WORKERS:
            found += [(entry, f"hand {worker}") for entry in self.client.hvals(KEYS.of_worker(worker)[0])]
        found += [(entry, "dead") for entry in self.client.hvals(KEYS["letters"])]
        # A dead letter has a line of its own before the message.
        parsed = [(parse(raw), place) for raw, place in found]
        return [(entry, entry.body.rpartition(b"\n")[2].decode(), place) for entry, place in parsed]

    @invariant()
    def each_message_is_where_the_model_has_it(self) -> None:
        stored = self.stored()
        expected = {f"ready {level}": sorted(line) for level, line in self.ready.items()}
        expected |= {f"hand {worker}": sorted(held.values()) for worker, held in self.hands.items()}
        expected |= {"suspects": sorted(self.suspects), "due": sorted(self.due), "dead": sorted(self.dead)}
        actual: dict[str, list[str]] = {}
        for _, name, place in stored:
            actual.setdefault(place, []).append(name)
        assert {place: sorted(names) for place, names in actual.items()} == {
            place: names for place, names in expected.items() if names
        }
        assert Counter(name for _, name, _ in stored) == Counter(set(self.level) - self.done)
        for entry, name, place in stored:
            if place != "dead":
                assert (entry.died_in_company, entry.died_alone) == self.blame[name]
        self.check_counts(stored)

    def check_counts(self, stored: list[tuple[Entry, str, str]]) -> None:
        states = {"ready": "w", "suspects": "w", "due": "l", "hand": "r", "dead": "d"}
        recount: Counter[str] = Counter()
        for entry, name, place in stored:
            assert entry.actor == ("actor0" if name.startswith("f") else f"actor{self.level[name] % 2}")
            recount[f"{states[place.split()[0]]}{self.level[name]}{entry.actor}"] += 1
        counts = {name.decode(): int(count) for name, count in self.client.hgetall(KEYS["counts"]).items()}
        assert counts == recount


def explore(client: redis.Redis, examples: int, steps: int) -> None:
    run_state_machine_as_test(
        lambda: Queue(client),  # type: ignore[arg-type]
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )


def test_any_interleaving_keeps_every_message_in_one_place(redis_client: redis.Redis) -> None:
    explore(redis_client, examples=60, steps=50)


@pytest.mark.soak
@pytest.mark.timeout(1200)
def test_many_more_interleavings(redis_client: redis.Redis) -> None:
    explore(redis_client, examples=600, steps=80)
