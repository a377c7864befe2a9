"""What a process allows by itself while Redis is away."""

from __future__ import annotations

from api.spending import Spending
from workers.store.rates import Lease


def test_a_minutes_requests_may_come_at_once_and_then_as_many_as_refill() -> None:
    spending = Spending("key", per_minute=60)
    assert spending.by_itself(100, now=1000.0) == Lease(60, 0, 0)
    assert spending.by_itself(1, now=1000.0) == Lease(0, 0, 1000)
    assert spending.by_itself(5, now=1002.5) == Lease(2, 0, 0)
    assert spending.by_itself(1, now=1002.5) == Lease(0, 0, 500)
    assert spending.by_itself(100, now=2000.0) == Lease(60, 0, 0)


def test_the_header_says_what_is_left_and_when_all_of_it_is_there_again() -> None:
    spending = Spending("address", per_minute=120)
    spending.take(Lease(1, 89, 0), now=0.0)
    assert spending.text() == '"address";r=90;t=15'
    assert spending.policy == '"address";q=120;w=60'
