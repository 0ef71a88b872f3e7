"""The limiter: half after a 429, once for a burst; one more after each round of answers."""

import asyncio
import time
from collections.abc import Callable

import pytest

from agent_tuning.chat_model.limiter import Limiter


async def peak(limiter: Limiter, tasks: int) -> int:
    """The most that run at once."""
    running = most = 0

    async def run_request() -> None:
        nonlocal running, most
        async with limiter:
            running += 1
            most = max(most, running)
            await asyncio.sleep(0.001)
            running -= 1

    await asyncio.gather(*(run_request() for _ in range(tasks)))
    return most


@pytest.mark.parametrize(("halvings", "limit"), [(0, 8), (1, 4), (2, 2), (9, 1)])
def test_each_burst_halves_and_at_least_one_goes_on(halvings, limit):
    limiter = Limiter(8)
    for burst in range(halvings):
        limiter.halve(burst)
        limiter.halve(burst)  # another request of the same burst
    assert limiter.limit == limit
    assert asyncio.run(peak(limiter, 30)) == limit


def answers(limiter: Limiter, count: int) -> int:
    for _ in range(count):
        limiter.record_success()
    return limiter.limit


@pytest.mark.parametrize(("count", "limit"), [(3, 4), (4, 5), (8, 5), (9, 6), (22, 8), (999, 8)])
def test_it_climbs_by_one_for_each_round_of_answers_and_never_beyond(count, limit):
    limiter = Limiter(8)
    limiter.halve(0)
    assert answers(limiter, count) == limit


def elapsed(act: Callable[[], object]) -> float:
    started = time.monotonic()
    act()
    return time.monotonic() - started


def test_nothing_starts_before_the_server_allows_it():
    limiter = Limiter(2)
    limiter.pause(0.1)
    limiter.pause(0.01)  # a shorter wait does not take the longer one back
    assert elapsed(lambda: asyncio.run(peak(limiter, 1))) >= 0.1


def test_who_waits_gets_the_place_that_a_climb_adds():
    async def climbing() -> int:
        limiter = Limiter(2)
        limiter.halve(0)
        async with limiter:
            waiting = asyncio.gather(*(peak(limiter, 1) for _ in range(3)))
            await asyncio.sleep(0)
            limiter.record_success()
        return len(await asyncio.wait_for(waiting, 1))

    assert asyncio.run(climbing()) == 3
