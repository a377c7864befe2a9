"""Work beside the requests ends when it is told to."""

from __future__ import annotations

import asyncio

import pytest

from api.background import beside


async def test_work_ends_that_overhears_being_told_once() -> None:
    """asyncio.wait_for of Python 3.11 does, where what it waits for is done in the same moment."""
    told = 0

    async def hard_of_hearing() -> None:
        nonlocal told
        while told < 2:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                told += 1

    began = asyncio.get_running_loop().time()
    async with asyncio.timeout(5), beside(hard_of_hearing()):
        await asyncio.sleep(0)
    assert told == 2
    assert asyncio.get_running_loop().time() - began < 2


async def test_a_bug_in_it_is_not_lost() -> None:
    async def broken() -> None:
        raise ValueError("a bug")

    with pytest.raises(ValueError, match="a bug"):
        async with beside(broken()):
            await asyncio.sleep(0)
