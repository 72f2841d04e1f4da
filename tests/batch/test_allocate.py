"""One budget over many rows: the best offers first, first waves before all, no waiting without end."""

import itertools
import math
import random

import anyio
import pytest

from outthink.batch.allocate import Allocator
from outthink.batch.seats import Mean
from outthink.batch.shares import Shares, Wave, within
from outthink.batch.spread import spread
from outthink.core.errors import BudgetExhausted
from outthink.core.usage import Budget, Cost, Usage
from outthink.engine.ledger import Ledger, Want

pytestmark = pytest.mark.anyio


class Rows:
    """Rows that buy waves of 10 tokens: the first, and then those that are worth it, by their gains."""

    def __init__(self, gains, budget, places=4, seconds=lambda row, wave: 1.0, **options):
        self.gains, self.seconds = gains, seconds
        self.ledger, self.read = Ledger(Budget(tokens=budget)), 0
        options = {"filling": True, "unread": lambda: len(gains) - self.read} | options
        self.allocator = Allocator(self.ledger, places, **options)
        self.bought, self.log, self.working, self.most = [0] * len(gains), [], 0, 0

    async def source(self):
        for row in range(len(self.gains)):
            self.read += 1
            yield row
        self.allocator.ended()

    async def answer(self, row):
        async with self.allocator.seat() as seat:
            for wave in itertools.count():
                want = Want(prompt=0, n=1, max_tokens=10, floor=10)
                hold = seat.ledger.try_hold(want)
                if hold is None:
                    return
                self.working += 1
                self.most = max(self.most, self.working)
                self.log.append(row)
                await anyio.sleep(self.seconds(row, wave))
                self.working -= 1
                seat.ledger.settle(hold, Cost(1, 0, 10), Usage(1, completion_tokens=10), "policy")
                self.bought[row] += 1
                seat.samples += 1
                if wave >= len(self.gains[row]) or not await seat.worth_it(self.gains[row][wave], 10):
                    return

    async def run(self, ordered=False):
        with anyio.fail_after(10_000):
            window = self.allocator.window
            await spread(self.source(), self.answer, lambda _: None, concurrency=window, ordered=ordered)
        return self.bought


async def test_the_best_gains_a_token_are_served_and_the_lowest_refused():
    gains = [[0.1], [0.5], [0.3], [0.2], [0.4], [0.0]]
    rows = Rows(gains, budget=60 + 30, places=2)
    assert await rows.run() == [1, 2, 2, 1, 2, 1]
    assert rows.log[:6] == [0, 1, 2, 3, 4, 5]  # every row its first
    assert rows.log[6:] == [1, 4, 2]
    assert rows.most == 2
    assert rows.allocator.shares.summary().refused == 3


async def test_what_a_wave_gains_next_is_weighed_anew():
    rows = Rows([[0.9, 0.8, 0.01], [0.5, 0.45], [0.02]], budget=30 + 40)
    assert await rows.run() == [3, 3, 1]


@pytest.mark.parametrize("places", [1, 3, 64])
@pytest.mark.parametrize("ordered", [False, True])
@pytest.mark.parametrize(("window", "budget"), [(512, 25), (512, 400), (512, 437), (4, 300), (4, 437), (4, 5000)])
async def test_it_ends_whatever_runs_out_first_within_budget_and_places(places, ordered, window, budget):
    draw = random.Random(7)
    gains = [[draw.random() ** 2 for _ in range(draw.randrange(9))] for _ in range(40)]

    def seconds(row, wave):
        return 1 + (row * 7919 + wave) % 13 / 10

    for known in (True, False):
        options = {} if known else {"unread": lambda: None, "filling": False}
        options |= {"filling": False} if ordered else {}
        rows = Rows(gains, budget, places, seconds, window=window, **options)
        bought = await rows.run(ordered)
        assert rows.most <= places
        assert 10 * sum(bought) <= budget
        if known and budget >= 400:
            assert min(bought) >= 1
        if budget == 5000:
            assert window == 4 or bought == [len(row) + 1 for row in gains]


async def test_a_stream_keeps_enough_for_the_first_waves_to_come_and_spends_what_it_has():
    draw = random.Random(3)
    gains = [sorted((draw.random() ** 2 for _ in range(12)), reverse=True) for _ in range(300)]
    whole = Rows(gains, budget=300 * 40, places=8)
    stream = Rows(gains, budget=300 * 40, places=8, window=16)
    worth = []
    for rows in (whole, stream):
        bought = await rows.run()
        assert min(bought) >= 1
        worth.append(sum(sum(gain[: n - 1]) for gain, n in zip(gains, bought, strict=True)))
    even = sum(sum(gain[:3]) for gain in gains)
    best = sum(sorted((gain for row in gains for gain in row), reverse=True)[:900])
    assert even < worth[1] <= worth[0] <= best + 1e-9
    assert worth[0] > 0.97 * best
    assert worth[1] - even > 0.5 * (worth[0] - even)
    assert stream.ledger.tokens_left() < 0.05 * 300 * 40


async def test_a_row_that_is_cancelled_while_it_waits_leaves_its_place_and_its_offer():
    rows = Rows([[0.9]], budget=100, places=1)

    async def waits():
        with anyio.move_on_after(5):
            async with rows.allocator.seat() as seat:
                await seat.worth_it(0.5, 10)  # waits for the input, which has not ended

    async def queues():
        with anyio.move_on_after(2):
            async with rows.allocator.seat():
                await anyio.sleep(1000)

    async with anyio.create_task_group() as group:
        for work in (queues, queues, waits, waits):
            group.start_soon(work)
    assert await rows.run() == [2]
    assert rows.allocator._offers == {}
    assert rows.allocator._working == set()


async def test_a_row_whose_parts_ask_at_once_takes_one_place():
    rows = Rows([[]], budget=100, places=1)
    said = []
    async with rows.allocator.seat() as seat, anyio.create_task_group() as group:

        async def part(gain):
            said.append((gain, await seat.worth_it(gain, 10)))

        group.start_soon(part, 0.1)
        group.start_soon(part, 0.2)
        await anyio.sleep(1)
        rows.allocator.ended()
    assert sorted(said) == [(0.1, True), (0.2, True)]
    assert rows.allocator._working == set()


async def test_a_failure_leaves_the_others_what_they_had():
    rows = Rows([[0.5]] * 6, budget=1000, places=2)
    plain = rows.answer

    async def answer(row):
        try:
            if row == 2:
                async with rows.allocator.seat():
                    raise BudgetExhausted("it broke")
            await plain(row)
        except BudgetExhausted:
            pass

    rows.answer = answer
    assert await rows.run() == [2, 2, 0, 2, 2, 2]


def test_what_is_kept_for_rows_to_come_covers_them_nearly_always():
    draw, short = random.Random(5), 0
    for _ in range(2000):
        mean, costs = Mean(), [draw.lognormvariate(4, 0.5) for _ in range(60)]
        for cost in costs[:20]:
            mean.add(cost)
        assert mean.value == pytest.approx(sum(costs[:20]) / 20)
        short += mean.total(40) < sum(costs[20:])
    assert short < 0.1 * 2000
    assert Mean().total(9) == 0


def test_the_gain_over_an_even_split_is_what_a_hand_finds():
    shares = Shares()
    shares.add(0, 50.0, [Wave(0.9, 10, True)])  # not answered: does not count
    assert shares.summary() is None
    shares.add(5, 10.0, [Wave(0.4, 20, True), Wave(0.2, 20, True)])  # 50 tokens
    shares.add(1, 10.0, [Wave(0.1, 20, False)])  # 10 tokens, and 30 if even
    told = shares.summary()
    assert (told.rows, told.samples, told.tokens) == (2, (3.0, 1, 5), (30.0, 10, 50))
    assert (told.bought, told.refused) == (2, 1)
    assert told.expected_gain == pytest.approx((0.6 - (0.4 + 0.1)) / 2)
    assert "+5.0 points (expected, not measured)" in str(told)


def test_part_of_a_wave_counts_in_part_and_what_was_refused_goes_on_at_its_rate():
    waves = [Wave(0.4, 20, True), Wave(0.1, 10, False)]
    found = [within(tokens, waves) for tokens in (-5, 0, 10, 20, 25, 40, math.inf)]
    assert found == pytest.approx([0, 0, 0.2, 0.4, 0.45, 0.6, 1.4])
