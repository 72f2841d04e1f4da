"""What every registered strategy must keep: one suite over all of them, built-in or plugged in."""

import math
from typing import get_args

import anyio
import pytest

from outthink import Engine, Problem, plugins
from outthink.core.candidate import ConfidenceSource
from outthink.core.errors import BudgetExhausted, BudgetTooSmall
from outthink.core.events import CallSettled, RunEnded, RunStarted
from outthink.engine.log import TraceFile
from outthink.models.fake import FakeModel
from outthink.models.script import Script

pytestmark = pytest.mark.anyio
GIVEN = {
    "fallback": "fallback(direct, cot)",
    "race": "race(direct, self-consistency(n=2))",
    "cascade": "cascade(models=[fake])",
    "ensemble": "ensemble(self-consistency(n=2), models=[fake, fake])",
}
NAMES = [GIVEN.get(info.name, info.name) for info in plugins.describe()]
QUESTIONS = {
    "number": "How many days are there in 7 weeks?",
    "text": "Tell me about weeks.",
    "choice": "Which is a day?\n(A) Monday\n(B) May",
}
SCRIPT = Script(accuracy=0.7, answers={"7 weeks": "49"}, words=20)

every_strategy = pytest.mark.parametrize("strategy", NAMES)
every_question = pytest.mark.parametrize("question", QUESTIONS.values(), ids=QUESTIONS)


async def solve(strategy, question, model=None, **options):
    model, logs = model or FakeModel(SCRIPT, latency=1.0), []
    async with Engine(model) as engine:
        result = await engine.solve(question, strategy=strategy, watch=logs.append, **options)
    return result, model, logs[0].events


@every_strategy
@every_question
async def test_it_answers_and_its_books_are_the_servers(strategy, question):
    result, model, events = await solve(strategy, question)
    assert result.text
    assert result.message["role"] == "assistant"
    assert (result.usage.calls, result.usage.prompt_tokens, result.usage.completion_tokens) == (
        model.books.calls,
        model.books.prompt_tokens,
        model.books.completion_tokens,
    )
    assert sum(c.tokens for c in result.candidates) == model.books.completion_tokens
    assert isinstance(events[0], RunStarted)
    assert isinstance(events[-1], RunEnded)
    settled = [event for event in events if isinstance(event, CallSettled)]
    assert settled[-1].held.calls == settled[-1].held.prompt_tokens == settled[-1].held.completion_tokens == 0


@every_strategy
@every_question
@pytest.mark.parametrize("lacks", [(), ("n", "count")], ids=["able", "plain"])
@pytest.mark.parametrize("budget", [100, 200, 400, 1000])
async def test_it_stays_within_a_token_budget_at_every_event(strategy, question, lacks, budget):
    model = FakeModel(SCRIPT, lacks=lacks, latency=1.0)
    try:
        _, _, events = await solve(strategy, question, model, budget=f"tokens={budget}")
    except (BudgetTooSmall, BudgetExhausted):
        events = []
    assert model.books.prompt_tokens + model.books.completion_tokens <= budget
    for event in events:
        if isinstance(event, CallSettled):
            both = event.charged + event.held
            assert both.prompt_tokens + both.completion_tokens <= budget


@every_strategy
async def test_it_returns_by_the_deadline_with_what_there_is(strategy):
    model = FakeModel(SCRIPT, token_latency=1.0)
    began = anyio.current_time()
    result, _, _ = await solve(strategy, QUESTIONS["number"], model, budget="seconds=12")
    assert anyio.current_time() - began <= 12.1
    assert result.stop_reason == "deadline"
    assert model.books.in_flight == 0


@every_strategy
@every_question
async def test_one_seed_gives_one_result_and_nothing_is_kept_between_runs(strategy, question):
    technique = plugins.strategy(strategy)
    before = repr(technique)
    one, _, _ = await solve(strategy, question, seed=7)
    other, _, _ = await solve(strategy, question, seed=7)
    assert [c.text for c in one.candidates] == [c.text for c in other.candidates]
    assert (one.answer, one.text, one.confidence, one.votes) == (
        other.answer,
        other.text,
        other.confidence,
        other.votes,
    )
    assert repr(technique) == before


@every_strategy
@pytest.mark.parametrize("place", range(12))
async def test_it_can_be_cancelled_at_any_event(strategy, place, tmp_path):
    """Cancelled at its event number ``place``, it leaves no call in flight and a trace that ends with RunEnded."""
    model, trace, logs = FakeModel(SCRIPT, latency=1.0), TraceFile(tmp_path / "trace.jsonl"), []
    with anyio.CancelScope() as scope:

        def watch(log):
            logs.append(log)
            emit = log.emit

            def counting(event):
                emit(event)
                if len(log.events) == place + 1:
                    scope.cancel()

            log.emit = counting

        async with Engine(model) as engine:
            await engine.solve(QUESTIONS["number"], strategy=strategy, trace=trace, watch=watch)
    trace.close()
    assert model.books.in_flight == 0
    events = logs[0].events
    assert isinstance(events[-1], RunEnded)
    started = sum(type(event).__name__ == "CallStarted" for event in events)
    assert started == sum(isinstance(event, CallSettled) for event in events)
    lines = (tmp_path / "trace.jsonl").read_text().split("\n")
    assert len(lines) == len(events) + 1
    assert lines[-1] == ""


@every_strategy
async def test_a_callers_own_parameters_reach_the_server(strategy):
    problem = Problem(
        messages=({"role": "user", "content": QUESTIONS["number"]},),
        params={"temperature": 0.125, "top_p": 0.5, "stop": ["END"], "seed": 40, "max_tokens": 33, "user": "u1"},
    )
    _, model, _ = await solve(strategy, problem)
    last = model.asks[-1]  # what the caller sees of it
    assert {name: last.params[name] for name in ("temperature", "top_p", "stop", "user")} == {
        "temperature": 0.125,
        "top_p": 0.5,
        "stop": ["END"],
        "user": "u1",
    }
    assert (last.seed - last.index, last.max_tokens) == (40, 33)


@every_strategy
async def test_every_turn_and_part_reaches_the_server_as_it_came(strategy):
    messages = (
        {"role": "system", "content": "Be brief."},
        {
            "role": "user",
            "content": [{"type": "text", "text": "Look."}, {"type": "image_url", "image_url": {"url": "x"}}],
        },
        {"role": "assistant", "content": "I see.", "name": "a"},
        {"role": "user", "content": "Tell me about weeks."},
    )
    _, model, _ = await solve(strategy, Problem(messages=messages))
    sent = model.asks[0].messages
    assert sent[: len(messages) - 1] == messages[:-1]
    assert sent[len(messages) - 1]["content"].startswith(messages[-1]["content"])


@every_strategy
async def test_its_confidence_is_a_probability_that_says_what_it_is(strategy):
    result, _, _ = await solve(strategy, QUESTIONS["number"])
    assert result.confidence is not None
    assert 0 <= result.confidence <= 1
    assert not math.isnan(result.confidence)
    assert result.confidence_source in get_args(ConfidenceSource)
