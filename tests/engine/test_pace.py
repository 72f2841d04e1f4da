"""Pacing on the virtual clock: no minute holds more than the limits, and what waits locks up nothing."""

import itertools
import math

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from outthink.core.events import CallStarted
from outthink.core.problem import Problem
from outthink.core.usage import Budget
from outthink.engine.context import Limits, Line, RunContext
from outthink.engine.ledger import Ledger
from outthink.engine.log import EventLog
from outthink.engine.pace import WINDOW, Pace
from outthink.engine.run import EngineRun
from outthink.models.fake import FakeModel
from outthink.models.script import Script
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
