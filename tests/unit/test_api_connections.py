"""The connections of a process: which are closed for the sake of others."""

from __future__ import annotations

from dataclasses import dataclass

from api.connections import Connections


@dataclass(eq=False)
class Client:
    """A connection that waits since a moment (None: a request is in hand)."""

    waits_since: float | None
    closed: bool = False

    def is_overdue(self, now: float) -> bool:
        return False

    def give_up(self) -> None:
        self.closed = True


def test_a_new_connection_takes_the_place_of_the_one_idle_for_longest() -> None:
    connections = Connections(limit=3)
    busy, fresh, old = Client(None), Client(9.0), Client(1.0)
    for client in (busy, fresh, old):
        connections.add(client)
    newcomer = Client(10.0)
    connections.add(newcomer)
    assert [client.closed for client in (busy, fresh, old, newcomer)] == [False, False, True, False]


def test_where_all_are_at_work_a_new_one_is_refused() -> None:
    connections = Connections(limit=2)
    busy = [Client(None), Client(None)]
    for client in busy:
        connections.add(client)
    newcomer = Client(1.0)
    connections.add(newcomer)
    assert newcomer.closed and not any(client.closed for client in busy)
    connections.remove(newcomer)
    connections.remove(busy[0])
    another = Client(2.0)
    connections.add(another)
    assert not another.closed


def test_room_is_made_for_several_at_once() -> None:
    connections = Connections(limit=100)
    clients = [Client(float(number)) for number in range(101)]
    for client in clients:
        connections.add(client)
    assert [number for number, client in enumerate(clients) if client.closed] == [0, 1, 2, 3, 4]
