"""The limiter: first come, first served, permits never lost, congestion halves and success adds back."""

import anyio
import anyio.lowlevel
import pytest

from outthink.engine.limiter import Limiter

pytestmark = pytest.mark.anyio


async def test_permits_are_given_in_order_and_never_above_the_limit():
    limiter, order, most = Limiter(3), [], 0

    async def work(name: int) -> None:
        nonlocal most
        await limiter.acquire()
        order.append(name)
        most = max(most, limiter.taken)
        await anyio.sleep(0.01)
        limiter.release()

    async with anyio.create_task_group() as group:
        for name in range(10):
            group.start_soon(work, name)
    assert order == list(range(10))
    assert most == 3
    assert limiter.taken == 0


async def test_a_wide_request_is_not_overtaken_by_narrow_ones_behind_it():
    limiter, order = Limiter(4), []

    async def work(name: str, permits: int) -> None:
        await limiter.acquire(permits)
        order.append(name)
        await anyio.sleep(0.01)
        limiter.release(permits)

    async with anyio.create_task_group() as group:
        for name, permits in (("a", 3), ("wide", 4), ("b", 1)):
            group.start_soon(work, name, permits)
            await anyio.lowlevel.checkpoint()
    assert order == ["a", "wide", "b"]


async def test_more_than_the_limit_is_served_alone():
    limiter = Limiter(2)
    with anyio.fail_after(1):
        await limiter.acquire(8)
    assert limiter.taken == 8


async def test_leaving_the_line_frees_the_place_and_those_behind_it():
    limiter = Limiter(1)
    await limiter.acquire()
    with anyio.move_on_after(0.01):
        await limiter.acquire()
    limiter.release()
    with anyio.fail_after(1):
        await limiter.acquire()
    assert limiter.taken == 1


async def test_being_cancelled_at_the_moment_of_being_served_loses_no_permit():
    limiter = Limiter(1)
    await limiter.acquire()

    async def work() -> None:
        await limiter.acquire()
        limiter.release()

    async with anyio.create_task_group() as group:
        group.start_soon(work)
        await anyio.lowlevel.checkpoint()
        limiter.release()  # hands the permit over
        group.cancel_scope.cancel()  # before the waiter runs again
    assert limiter.taken == 0


async def test_congestion_halves_at_most_once_a_second_and_a_window_of_successes_adds_one():
    limiter = Limiter(16)
    limiter.congested()
    limiter.congested()
    assert limiter.limit == 8
    for _ in range(7):
        limiter.succeeded()
    assert limiter.limit == 8
    limiter.succeeded()
    assert limiter.limit == 9
    await anyio.sleep(1.01)
    limiter.congested()
    assert limiter.limit == 4


async def test_the_limit_never_falls_below_one_or_grows_past_its_ceiling():
    limiter = Limiter(1)
    limiter.congested()
    assert limiter.limit == 1
    for _ in range(20):
        limiter.succeeded()
    assert limiter.limit == 1
