"""Runs on the in-process fake and a virtual clock: budgets, deadlines, waves. The fake's books are the oracle."""

import math

import anyio
import pytest

from outthink import Engine, Problem
from outthink.core.errors import BudgetExhausted, BudgetTooSmall, Overloaded, Refused, ServerFault
from outthink.core.events import CallSettled, CallStarted, RunEnded, RunStarted, Sampled, Voted, Warned
from outthink.core.usage import Budget
from outthink.core.wire import Price
from outthink.engine.context import Shared
from outthink.engine.ledger import Ledger
from outthink.engine.log import EventLog
from outthink.models.fake import FakeModel
from outthink.models.script import Script
from outthink.strategies.results import single

pytestmark = pytest.mark.anyio
QUESTION = "How many days are there in 7 weeks?"
SCRIPT = Script(accuracy=0.8, answers={"7 weeks": "49"}, words=20)


class Kept:
    """The event log of a run, kept for looking at."""

    log: EventLog

    def __call__(self, log: EventLog) -> None:
        self.log = log

    def of(self, kind):
        return [event for event in self.log.events if isinstance(event, kind)]


async def solve(
    model: FakeModel, strategy: str = "self-consistency(n=8)", question: str | Problem = QUESTION, **options
):
    kept = Kept()
    async with Engine(model) as engine:
        result = await engine.solve(question, strategy=strategy, watch=kept, **options)
    return result, kept


def same_books(result, model: FakeModel) -> None:
    assert result.usage.calls == model.books.calls
    assert result.usage.prompt_tokens == model.books.prompt_tokens
    assert result.usage.completion_tokens == model.books.completion_tokens
    assert model.books.in_flight == 0


async def test_the_majority_wins_and_the_books_equal_the_fakes_own():
    model = FakeModel(SCRIPT)
    result, kept = await solve(model)
    assert str(result.answer) == "49"
    assert result.confidence_source == "vote_share"
    assert len(result.candidates) == 8
    assert sum(c.tokens for c in result.candidates) == result.usage.completion_tokens
    assert result.usage.calls == 1  # one request for all eight
    same_books(result, model)
    assert isinstance(kept.log.events[0], RunStarted)
    assert isinstance(kept.log.events[-1], RunEnded)


async def test_a_server_without_n_is_asked_side_by_side_and_gives_the_same_samples():
    together, _ = await solve(FakeModel(SCRIPT))
    model = FakeModel(SCRIPT, lacks=("n",), latency=1.0)
    apart, _ = await solve(model)
    assert [c.text for c in apart.candidates] == [c.text for c in together.candidates]
    assert model.books.most_in_flight == 8
    same_books(apart, model)


async def test_the_vote_stops_once_decided_and_nothing_more_is_started():
    model = FakeModel(Script(accuracy=1.0, words=5))
    result, _ = await solve(model, "self-consistency(n=16, width=4)")
    # 4 + 4 equal votes leave 8 to come, which could tie; the third wave decides
    assert [ask.n for ask in model.asks] == [4, 4, 4]
    assert result.stop_reason == "settled"
    same_books(result, model)


async def test_leaving_early_cancels_what_is_in_flight_at_once():
    class Slow(FakeModel):
        """The last two samples of a wave of eight take an hour."""

        async def complete(self, ask):
            self.latency = 3600.0 if (ask.seed or 0) >= 6 else 1.0
            return await super().complete(ask)

    model = Slow(Script(accuracy=1.0, words=5), lacks=("n",))
    started = anyio.current_time()
    result, _ = await solve(model)
    assert anyio.current_time() - started < 5
    assert result.stop_reason == "settled"
    assert model.books.cancelled == 2
    assert model.books.in_flight == 0
    assert result.usage.unsettled_calls == 2
    assert result.usage.estimated


@pytest.mark.parametrize("strategy", ["direct", "cot", "self-consistency(n=8)", "self-consistency(n=64, width=16)"])
@pytest.mark.parametrize("lacks", [(), ("n",)])
@pytest.mark.parametrize("tokens", [140, 300, 1000, 5000])
async def test_spending_never_passes_a_token_budget(strategy, lacks, tokens):
    model = FakeModel(SCRIPT, lacks=lacks, latency=0.5)
    result, kept = await solve(model, strategy, budget=f"tokens={tokens}")
    assert model.books.prompt_tokens + model.books.completion_tokens <= tokens
    same_books(result, model)
    for event in kept.of(CallSettled):
        both = event.charged + event.held
        assert both.prompt_tokens + both.completion_tokens <= tokens


async def test_a_budget_that_ends_returns_the_best_so_far_with_its_reason():
    result, kept = await solve(FakeModel(SCRIPT, lacks=("n",)), "self-consistency(n=64)", budget="tokens=600")
    assert result.stop_reason == "budget"
    assert str(result.answer) == "49"
    assert kept.of(Voted)


async def test_a_budget_too_small_for_one_call_names_the_smallest_that_would_do():
    model = FakeModel(SCRIPT)
    with pytest.raises(BudgetTooSmall) as caught:
        await solve(model, budget="tokens=20")
    assert model.books.calls == 0
    smallest = int(caught.value.smallest)
    assert f"tokens={smallest}" in str(caught.value)
    result, _ = await solve(FakeModel(SCRIPT), budget=f"tokens={smallest}")
    assert result.usage.tokens <= smallest


@pytest.mark.parametrize("budget", ["calls=1", "calls=3", "completion_tokens=80", "usd=0.0005"])
async def test_every_kind_of_limit_holds(budget):
    model = FakeModel(SCRIPT, lacks=("n",), latency=0.1, price=Price(1.0, 4.0))
    result, _ = await solve(model, budget=budget)
    same_books(result, model)
    limit = Budget.parse(budget)
    assert model.books.calls <= (limit.calls or math.inf)
    assert model.books.completion_tokens <= (limit.completion_tokens or math.inf)
    spent = (model.books.prompt_tokens * 1.0 + model.books.completion_tokens * 4.0) / 1e6
    assert spent <= (limit.usd or math.inf)
    assert result.usage.usd == pytest.approx(spent)
    assert result.stop_reason == "budget"


async def test_a_deadline_returns_what_landed_and_frees_the_rest():
    model = FakeModel(SCRIPT, lacks=("n",), token_latency=0.1)  # two seconds a sample
    started = anyio.current_time()
    result, _ = await solve(model, "self-consistency(n=64, width=4)", budget="seconds=5")
    assert anyio.current_time() - started == pytest.approx(5, abs=0.01)
    assert result.stop_reason == "deadline"
    assert str(result.answer) == "49"
    assert model.books.in_flight == 0
    assert result.usage.completion_tokens == model.books.completion_tokens  # a stream's own count, cut or not


async def test_a_deadline_with_nothing_landed_returns_what_there_is_of_the_text():
    model = FakeModel(SCRIPT, token_latency=1.0)
    result, _ = await solve(model, "direct", budget="seconds=3.5")
    assert result.candidates[0].finish == "cancelled"
    assert result.text == "first we take"
    assert result.stop_reason == "deadline"
    assert result.answer is None


async def test_a_deadline_before_the_first_word_is_an_error_that_says_so():
    with pytest.raises(BudgetExhausted) as caught:
        await solve(FakeModel(SCRIPT, latency=60), budget="seconds=2")
    assert caught.value.reason == "deadline"


async def test_a_run_without_logprobs_from_the_server_warns_once():
    model = FakeModel(SCRIPT, fault=lambda number, ask: None)
    result, kept = await solve(model, "direct")
    assert result.confidence_source == "token_probability"
    assert not kept.of(Warned)


async def test_failed_calls_are_tried_again_and_counted():
    model = FakeModel(SCRIPT, fault=lambda number, ask: Overloaded("busy", 429) if number < 3 else None)
    result, kept = await solve(model, "cot")
    assert result.usage.calls == model.books.calls == 4
    assert [event.attempt for event in kept.of(CallStarted)] == [1, 2, 3, 4]
    same_books(result, model)


async def test_a_call_gives_up_after_six_attempts():
    model = FakeModel(SCRIPT, fault=lambda number, ask: ServerFault("fake says no", 500))
    with pytest.raises(ServerFault, match="fake says no"):
        await solve(model, "cot")
    assert model.books.calls == 6


async def test_what_will_not_change_is_not_tried_again():
    model = FakeModel(SCRIPT, fault=lambda number, ask: Refused("no such key", 401))
    with pytest.raises(Refused):
        await solve(model)
    assert model.books.calls == 1


async def test_a_wave_that_fails_twice_goes_on_in_halves_and_one_dead_sample_costs_only_itself():
    def fault(number, ask):
        return ServerFault("dead", 500) if (ask.seed or 0) <= 3 < (ask.seed or 0) + ask.n else None

    split = Script(replies=[f"The answer is {k}." for k in range(8)])  # a vote that is never decided early
    model = FakeModel(split, fault=fault)
    result, kept = await solve(model)
    assert [c.index for c in result.candidates] == [0, 1, 2, 4, 5, 6, 7]
    assert "sample 3 was lost" in kept.of(Warned)[-1].message
    same_books(result, model)


async def test_retry_after_is_waited_for():
    started = anyio.current_time()
    fault = lambda number, ask: Overloaded("busy", 429, retry_after=7.0) if number == 0 else None  # noqa: E731
    await solve(FakeModel(SCRIPT, fault=fault), "cot")
    assert anyio.current_time() - started == pytest.approx(7, abs=0.1)


async def test_one_seed_gives_one_result_and_another_seed_other_samples():
    first, _ = await solve(FakeModel(SCRIPT), seed=5)
    again, _ = await solve(FakeModel(SCRIPT), seed=5)
    other, _ = await solve(FakeModel(SCRIPT), seed=500)
    assert [c.text for c in first.candidates] == [c.text for c in again.candidates]
    assert first.votes == again.votes
    assert [c.text for c in first.candidates] != [c.text for c in other.candidates]


async def test_cancelling_a_run_at_any_moment_frees_everything_and_ends_its_record():
    for moment in range(1, 40, 3):
        model, kept = FakeModel(SCRIPT, lacks=("n",), latency=0.5), Kept()
        async with Engine(model) as engine:
            with anyio.move_on_after(moment / 10):
                await engine.solve(QUESTION, strategy="self-consistency(n=32, width=4)", watch=kept)
        assert model.books.in_flight == 0
        assert isinstance(kept.log.events[-1], RunEnded)
        settled = kept.of(CallSettled)
        assert len(settled) == len(kept.of(CallStarted)) == model.books.calls
        assert not settled or settled[-1].held.calls == 0


async def test_the_callers_own_parameters_win_and_reach_the_model():
    problem = Problem.of(QUESTION)
    given = {"temperature": 0.1, "top_p": 0.5, "max_tokens": 9, "seed": 77, "stop": ["combine"], "user": "u"}
    problem = Problem(messages=problem.messages, params=given)
    model = FakeModel(SCRIPT)
    result, _ = await solve(model, "cot", problem)
    ask = model.asks[0]
    assert ask.params["temperature"] == 0.1
    assert ask.params["top_p"] == 0.5
    assert ask.params["user"] == "u"
    assert (ask.max_tokens, ask.seed) == (9, 77)
    assert "combine" not in result.text


async def test_several_runs_share_one_limiter():
    model = FakeModel(SCRIPT, lacks=("n",), latency=1.0)
    async with Engine(model, concurrency=5) as engine, anyio.create_task_group() as group:
        for _ in range(4):
            group.start_soon(engine.solve, QUESTION)
    assert model.books.most_in_flight == 5


async def test_a_reader_that_comes_late_sees_every_event():
    _, kept = await solve(FakeModel(SCRIPT))
    seen = [event async for event in kept.log.follow()]
    assert seen == kept.log.events
    assert len([event for event in seen if isinstance(event, Sampled)]) == 8


class Asking:
    """A strategy that keeps what it is told of its next wave."""

    def __init__(self):
        self.told = []

    async def solve(self, problem, run):
        found = await run.sample(problem)
        async with run.child() as child:
            self.told += [await run.worth_it(0.1, 50), await child.worth_it(0.2, 60)]
        self.told.append(run.ended_by)
        return single(found, run)


class Counter:
    """A seat that says yes to what gains more than a tenth, after a while."""

    def __init__(self, seconds=0.0):
        self.seconds, self.asked = seconds, []

    async def worth_it(self, gain, tokens):
        self.asked.append((gain, tokens))
        await anyio.sleep(self.seconds)
        return gain > 0.1


async def test_a_further_wave_is_always_worth_it_to_a_run_that_shares_with_nobody():
    strategy = Asking()
    await solve(FakeModel(SCRIPT), strategy)
    await solve(FakeModel(SCRIPT), strategy, within=Shared(Ledger(Budget(tokens=1000))))
    assert strategy.told == [True, True, None] * 2


async def test_a_run_with_a_seat_is_told_by_it_and_waits_no_longer_than_its_deadline():
    seat, slow, strategy = Counter(), Counter(40.0), Asking()
    await solve(FakeModel(SCRIPT), strategy, within=Shared(Ledger(Budget()), seat=seat))
    assert seat.asked == [(0.1, 50), (0.2, 60)]
    assert strategy.told == [False, True, None]
    began = anyio.current_time()
    result, _ = await solve(
        FakeModel(SCRIPT), strategy, budget="seconds=60", within=Shared(Ledger(Budget()), seat=slow)
    )
    assert anyio.current_time() - began == pytest.approx(60)
    assert strategy.told[3:] == [False, False, None]  # the child met the deadline, and its parent as it looks
    assert str(result.answer) == "49"
