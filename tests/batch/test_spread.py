"""Work side by side: every item once, in order where asked, in bounded memory, and nothing after a failure."""

import itertools

import anyio
import pytest

from outthink.batch.spread import AHEAD, spread
from outthink.core.errors import InputError

pytestmark = pytest.mark.anyio


async def numbers(count=None, taken=None):
    for number in range(count) if count is not None else itertools.count():
        if taken is not None:
            taken.append(number)
        yield number


def pause(number: int) -> float:
    """A time to work that shuffles the order of finishing."""
    return (number * 7919 % 13) / 10


@pytest.mark.parametrize("concurrency", [1, 3, 16])
@pytest.mark.parametrize("ordered", [False, True])
async def test_every_item_lands_once_and_in_order_where_asked(concurrency, ordered):
    landed = []

    async def work(number):
        await anyio.sleep(pause(number))
        return number

    await spread(numbers(100), work, landed.append, concurrency=concurrency, ordered=ordered)
    assert sorted(landed) == list(range(100))
    assert (landed == list(range(100))) == (ordered or concurrency == 1)


@pytest.mark.parametrize("ordered", [False, True])
async def test_an_endless_source_is_read_no_further_than_it_is_worked_on(ordered):
    taken, landed = [], []
    ahead = []

    async def work(number):
        ahead.append(len(taken) - len(landed))
        await anyio.sleep(100 if number == 5 and ordered else 0.1 + pause(number))
        return number

    with anyio.move_on_after(400):
        await spread(numbers(taken=taken), work, landed.append, concurrency=4, ordered=ordered)
    assert len(landed) > 100
    assert max(ahead) <= (AHEAD * 4 if ordered else 4) + 1


async def test_the_first_failure_is_raised_alone_and_nothing_lands_after_it():
    landed = []

    async def work(number):
        await anyio.sleep(0.1)
        return number

    def land(number):
        if len(landed) == 3:
            raise InputError("the disk is full")
        landed.append(number)

    with pytest.raises(InputError, match="disk is full"):
        await spread(numbers(), work, land, concurrency=8)
    assert len(landed) == 3


async def test_a_failure_of_the_work_cancels_the_rest():
    ended = []

    async def work(number):
        if number == 2:
            await anyio.sleep(1)
            raise InputError("no")
        try:
            await anyio.sleep(1000)
        finally:
            ended.append(number)

    with pytest.raises(InputError, match="no"):
        await spread(numbers(), work, print, concurrency=5)
    assert sorted(ended) == [0, 1, 3, 4]
