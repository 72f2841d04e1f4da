"""Pacing on the virtual clock: no minute holds more than the limits, and what waits locks up nothing."""

import itertools
import math
from contextlib import asynccontextmanager

import anyio
import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from outthink.core.errors import Overloaded
from outthink.core.events import CallFailed, CallStarted
from outthink.core.problem import Problem
from outthink.core.usage import Budget
from outthink.core.wire import Delta, Quota, Rate
from outthink.engine.context import Limits, Line, RunContext
from outthink.engine.ledger import Ledger
from outthink.engine.log import EventLog
from outthink.engine.pace import TRAVEL, WINDOW, Pace
from outthink.engine.run import EngineRun
from outthink.models.fake import FakeModel
from outthink.models.script import Script, count_prompt
from outthink.plugins import strategy

pytestmark = pytest.mark.anyio
QUESTION = Problem.of("How many days are there in 7 weeks?", "number")
SCRIPT = Script(accuracy=0.5, words=20)


async def solve(model, text, pace=None, budget=Budget()):
    log = EventLog()
    line = Line(model, 64, pace=pace)
    run = EngineRun(RunContext(line, log, 0), Limits(ledger := Ledger(budget), log))
    result = await strategy(text).solve(QUESTION, run)
    return result, log, ledger


def busiest(sent):
    """The largest sum of amounts over any minute that begins with a call. ``sent``: pairs of time and amount."""
    return max(sum(amount for at, amount in sent if start <= at < start + WINDOW) for start, _ in sent)


async def test_no_minute_holds_more_requests_than_the_limit():
    model = FakeModel(SCRIPT, lacks=("n",), latency=1.0)
    _, log, _ = await solve(model, "best-of-n(n=25, width=25, verifier=confidence)", Pace(rpm=10))
    sent = [(event.t, 1) for event in log.events if isinstance(event, CallStarted)]
    assert len(sent) == 25
    assert busiest(sent) == 10
    assert sent[-1][0] >= 2 * WINDOW  # ten, ten and five


async def test_no_minute_holds_more_tokens_than_the_limit_even_by_worst_cases():
    model = FakeModel(SCRIPT, lacks=("n",), latency=90.0)  # so slow that only worst cases are known
    _, log, _ = await solve(model, "best-of-n(n=12, width=12, verifier=confidence)", Pace(tpm=3000))
    held = [(e.t, 30 + e.max_tokens) for e in log.events if isinstance(e, CallStarted)]
    assert busiest(held) <= 3000
    assert model.books.calls == 12


async def test_what_a_call_did_not_use_is_there_for_the_next_at_once():
    model = FakeModel(SCRIPT, lacks=("n",), latency=1.0)
    pace = Pace(tpm=3000)  # two worst cases at a time, but many true costs a minute
    _, log, _ = await solve(model, "best-of-n(n=6, width=6, verifier=confidence)", pace)
    assert [event.t for event in log.events if isinstance(event, CallStarted)][-1] < WINDOW


async def test_a_call_that_waits_holds_no_budget_and_no_permit():
    model = FakeModel(SCRIPT, lacks=("n",), latency=1.0)
    pace = Pace(rpm=1)
    log, ledger = EventLog(), Ledger(Budget(calls=50, tokens=100_000))
    line = Line(model, 64, pace=pace)
    run = EngineRun(RunContext(line, log, 0), Limits(ledger, log))
    async with anyio.create_task_group() as group:
        for index in range(4):
            group.start_soon(lambda i=index: run.sample(QUESTION, index=i))
        await anyio.sleep(30)
        assert (ledger.held.calls, line.limiter.taken) == (0, 0)
        assert ledger.charged.calls == 1
        group.cancel_scope.cancel()


async def test_a_call_cancelled_before_it_left_gives_its_turn_back():
    pace = Pace(rpm=1, tpm=100)
    with anyio.move_on_after(5):
        async with pace.turn(100):
            await anyio.sleep_forever()  # for a permit, say
    began = anyio.current_time()
    async with pace.turn(100) as turn:
        assert anyio.current_time() == began
        pace.leave(turn)
    with anyio.move_on_after(5):
        async with pace.turn(100):
            raise AssertionError("a minute has not passed")
    async with pace.turn(100):
        assert anyio.current_time() - began == WINDOW


async def test_calls_cancelled_at_any_time_leave_the_limits_whole():
    pace = Pace(rpm=2)
    model = FakeModel(SCRIPT, lacks=("n",), latency=1.0)
    for seconds in (0.5, 10.0, 59.5):
        async with anyio.create_task_group() as group:
            for _ in range(5):
                group.start_soon(solve, model, "direct", pace)
            await anyio.sleep(seconds)
            group.cancel_scope.cancel()
    assert model.books.in_flight == 0
    await anyio.sleep(WINDOW)
    began = anyio.current_time()
    for _ in range(2):
        async with pace.turn(1) as turn:
            pace.leave(turn)
    assert anyio.current_time() == began


async def test_a_call_larger_than_the_limit_leaves_when_a_minute_is_empty():
    pace = Pace(tpm=100)
    async with pace.turn(50) as first:
        pace.leave(first)
    began = anyio.current_time()
    async with pace.turn(5000):
        assert anyio.current_time() - began == pytest.approx(WINDOW)


async def test_without_limits_there_is_no_pace_and_the_run_is_the_same():
    plain, plain_log, _ = await solve(FakeModel(SCRIPT, latency=1.0), "self-consistency(n=8)")
    paced, paced_log, _ = await solve(FakeModel(SCRIPT, latency=1.0), "self-consistency(n=8)", Pace(rpm=1e6, tpm=1e9))
    assert Line(FakeModel(SCRIPT), 4).pace is None
    assert [c.text for c in plain.candidates] == [c.text for c in paced.candidates]
    assert [(type(e), e.t) for e in plain_log.events] == [(type(e), e.t) for e in paced_log.events]


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 400), st.floats(0, 30), st.floats(0, 1)), min_size=1, max_size=30),
    st.integers(1, 12),
    st.integers(400, 2000),
)
def test_no_minute_passes_the_limits_whatever_the_calls_are(run_virtually, calls, rpm, tpm):
    """Calls of (worst case, seconds, share of it used), all at once."""
    sent = []

    async def call(pace, worst, seconds, share):
        async with pace.turn(worst) as turn:
            pace.leave(turn)
            sent.append([anyio.current_time(), worst])
            mine = sent[-1]
            await anyio.sleep(seconds)
            mine[1] = int(worst * share)
            pace.settle(turn, mine[1])

    async def all_of_them():
        pace = Pace(rpm, tpm)
        async with anyio.create_task_group() as group:
            for one in calls:
                group.start_soon(call, pace, *one)

    run_virtually(all_of_them)
    assert len(sent) == len(calls)
    assert busiest([(at, 1) for at, _ in sent]) <= rpm
    assert busiest(sent) <= tpm
    assert all(math.isfinite(at) for at, _ in sent)
    assert all(a <= b for a, b in itertools.pairwise(at for at, _ in sent))


class Metered(FakeModel):
    """A server of so many requests and tokens in a window, which says what is left and refuses what is too much."""

    def __init__(self, requests=10**6, tokens=10**9, window=20.0, told=0.0, **settings):
        super().__init__(SCRIPT, lacks=("n",), **settings)
        self.limits, self.window, self.told = (requests, tokens), window, told
        self.used, self.ends, self.refused = [0, 0], -math.inf, 0

    def meter(self, requests, tokens):
        """Count in the window of now; False when it is too much."""
        if anyio.current_time() >= self.ends:
            self.used, self.ends = [0, 0], anyio.current_time() + self.window
        self.used = [self.used[0] + requests, self.used[1] + tokens]
        fits = all(used <= limit for used, limit in zip(self.used, self.limits, strict=True))
        self.refused += not fits
        return fits

    async def admit(self, number, tokens):
        """After its way here: what is left once this call is counted, None when it is too much."""
        await anyio.sleep(self.script._draw(str(number), "way") % 25 / 100)
        if not self.meter(1, tokens):
            return None
        left = [max(0, limit - used) for limit, used in zip(self.limits, self.used, strict=True)]
        reset = self.told or self.ends - anyio.current_time()
        return Rate(*(Quota(n, reset, limit) for n, limit in zip(left, self.limits, strict=True)))

    async def accept(self, ask):
        rate = await self.admit(ask.seed, count_prompt(ask.messages) + (ask.max_tokens or 64))
        if rate is None:
            raise Overloaded("too much", 429)
        return rate

    async def complete(self, ask):
        rate = await self.accept(ask)
        await anyio.sleep(self.script._draw(str(ask.seed), "pace") % 50 / 10)
        return msgspec.structs.replace(await super().complete(ask), rate=rate)

    @asynccontextmanager
    async def stream(self, ask):
        rate = await self.accept(ask)
        async with super().stream(ask) as deltas:
            yield self.after(rate, deltas)

    async def after(self, rate, deltas):
        yield Delta(index=None, rate=rate)
        async for delta in deltas:
            yield delta


@pytest.mark.parametrize("limit", [{"requests": 10}, {"tokens": 4000}, {"requests": 9, "tokens": 5000}])
@pytest.mark.parametrize("budget", [Budget(), Budget(seconds=3000)], ids=["plain", "streamed"])
async def test_what_a_server_says_is_left_is_never_passed(limit, budget):
    model = Metered(**limit, latency=1.0, token_latency=0.1)
    began = anyio.current_time()
    _, log, _ = await solve(model, "best-of-n(n=30, width=6, verifier=confidence)", budget=budget)
    assert model.books.calls == 30
    assert (model.refused, [e for e in log.events if isinstance(e, CallFailed)]) == (0, [])
    assert anyio.current_time() - began >= 2 * model.window  # it did have to wait


async def test_a_server_that_tells_nothing_is_not_paced():
    model = FakeModel(SCRIPT, lacks=("n",), latency=1.0)
    line = Line(model, 64)
    run = EngineRun(RunContext(line, log := EventLog(), 0), Limits(Ledger(Budget()), log))
    await run.sample(QUESTION)
    assert line.pace is None


async def test_a_quota_that_comes_back_in_hours_is_left_to_the_server_to_refuse():
    model = Metered(requests=1000, told=8 * 3600.0, latency=1.0)
    model.used[0], model.ends = 999, math.inf
    began = anyio.current_time()
    _, log, _ = await solve(model, "best-of-n(n=3, width=1, verifier=confidence)")
    assert model.books.calls == 1
    assert any(isinstance(event, CallFailed) and event.status == 429 for event in log.events)
    assert anyio.current_time() - began < 120


async def test_a_call_of_more_than_the_whole_quota_leaves_when_it_is_renewed():
    pace = Pace()
    began = anyio.current_time()
    pace.heard(Rate(tokens=Quota(left=10, reset=30.0, limit=100)), began, None, 0, 0)
    async with pace.turn(10) as small:
        pace.leave(small)
        assert anyio.current_time() == began
    async with pace.turn(500):
        assert anyio.current_time() == began + 30 + TRAVEL


async def test_calls_from_before_the_first_word_of_limits_are_counted_as_on_their_way():
    pace, began = Pace(), anyio.current_time()
    pace.heard(Rate(Quota(3, 30.0, 10), Quota(100, 30.0, 500)), began, None, others=2, tokens=40)
    async with pace.turn(20) as last:
        pace.leave(last)
        assert anyio.current_time() == began
    async with pace.turn(1):
        assert anyio.current_time() == began + 30 + TRAVEL


async def test_a_call_that_the_server_has_counted_is_not_counted_again():
    pace, began = Pace(), anyio.current_time()
    async with pace.turn(10) as first:
        pace.leave(first)
        pace.heard(Rate(Quota(1, 30.0, 2), Quota(10, 30.0, 20)), began, first, others=0, tokens=10)
        async with pace.turn(10) as second:
            pace.leave(second)
            assert anyio.current_time() == began
        async with pace.turn(1):
            assert anyio.current_time() == began + 30 + TRAVEL


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.integers(1, 400), st.floats(0, 30), st.floats(0, 60)), min_size=1, max_size=30),
    st.integers(1, 12),
    st.integers(400, 2000),
    st.floats(1, 100),
)
@example([(1, 0.0, 0.0), (1, 1.0, 0.0), (1, 0.0, 0.0), (400, 0.0, 0.0)], 3, 400, 1.0)  # one crosses over
def test_no_window_of_a_server_passes_its_limits_whatever_the_calls_are(run_virtually, calls, requests, tokens, window):
    """Calls of (tokens, seconds in flight, seconds until it is wanted), after a first one that hears of the limits."""
    server = Metered(requests, tokens, window)

    async def call(pace, number, worst, seconds, wanted):
        await anyio.sleep(wanted)
        async with pace.turn(worst) as turn:
            pace.leave(turn)
            left = anyio.current_time()
            server.books.calls += 1
            rate = await server.admit(number, worst)
            assert rate is not None, "refused"
            await anyio.sleep(seconds)
            pace.heard(rate, left, turn, 0, worst)
            pace.settle(turn, worst // 2)

    async def all_of_them():
        pace = Pace()
        await call(pace, 0, 1, 0.1, 0)
        async with anyio.create_task_group() as group:
            for number, one in enumerate(calls, start=1):
                group.start_soon(call, pace, number, *one)

    run_virtually(all_of_them)
    assert server.books.calls == len(calls) + 1
