"""Thinking of a set length: kept to the token, internal, and forced to an answer; truncated chains rescued."""

import re
from dataclasses import dataclass

import pytest

from outthink import Engine, Problem
from outthink.core.errors import BadSpec, BudgetExhausted, BudgetTooSmall
from outthink.core.events import CallSettled, Warned
from outthink.models.fake import FakeModel
from outthink.models.script import Script

pytestmark = pytest.mark.anyio
QUESTION = "How many days are there in 7 weeks?"


@dataclass(frozen=True)
class Reasoner(Script):
    """A reasoning model: each stretch of thinking has ``stretch`` words, then it closes it and answers 49."""

    stretch: int = 10

    def _text(self, prompt, seed):
        return f"<think>\n{self._thought(0)}</think>\n\nThe answer is 49."

    def _thought(self, number):
        return " ".join(f"t{number}w{i}" for i in range(self.stretch))

    def _going_on(self, messages, seed):
        said = messages[-1]["content"]
        if "</think>" in said:
            return " 49." if said.endswith("is") else "The answer is 49."
        stretches = said.count("Wait")
        written = len(re.findall(rf"t{stretches}w", said))
        words = self._thought(stretches).split(" ")[written:]
        return (" " if written or stretches else "") + " ".join(words) + "</think>\n\nThe answer is 49."


async def think(arguments="", script=Reasoner(), name="qwen3-fake", **options):
    model, logs = FakeModel(script, lacks=options.pop("lacks", ())), []
    model.name = name
    async with Engine(model) as engine:
        result = await engine.solve(
            options.pop("problem", QUESTION), strategy=f"think({arguments})", watch=logs.append, **options
        )
    return result, model, logs[0].events


def thinking(model):
    """Requests for thinking: those that go on from thinking that is not closed."""
    return [ask for ask in model.asks if ask.continues and "</think>" not in ask.messages[-1]["content"]]


async def test_thinking_that_ends_by_itself_is_left_alone_and_the_answer_is_free_of_it():
    result, model, _ = await think("max_tokens=100")
    assert (result.text, str(result.answer)) == ("The answer is 49.", "49")
    assert result.message == {"role": "assistant", "content": "The answer is 49."}
    assert len(thinking(model)) == 1
    assert "t0w" not in result.text


@pytest.mark.parametrize("limit", [1, 3, 9])
async def test_the_maximum_is_kept_to_the_token_and_the_answer_forced(limit):
    result, model, _ = await think(f"max_tokens={limit}")
    first, last = model.asks
    assert first.max_tokens == limit
    assert str(result.answer) == "49"
    written = last.messages[-1]["content"]
    assert len(re.findall("t0w", written)) == limit
    assert written.endswith("</think>\n\nThe answer is")


@pytest.mark.parametrize(("minimum", "waits"), [(1, 0), (10, 0), (11, 1), (25, 2), (40, 3)])
async def test_the_minimum_is_kept_by_waiting_no_more_often_than_needed(minimum, waits):
    result, model, _ = await think(f"min_tokens={minimum}, max_tokens=100, waits=9")
    assert len(thinking(model)) == waits + 1
    written = model.asks[-1].messages[-1]["content"]
    assert written.count("Wait") == waits
    assert len(re.findall(r"t\dw", written)) >= minimum
    assert str(result.answer) == "49"


async def test_waits_are_not_passed_and_the_maximum_holds_over_all_stretches():
    _, model, _ = await think("min_tokens=90, max_tokens=95, waits=2")
    assert len(thinking(model)) == 3
    _, model, _ = await think("min_tokens=24, max_tokens=24, waits=9")
    assert sum(len(re.findall(r"t\dw", ask.messages[-1]["content"])) for ask in model.asks[-1:]) == 24
    assert [ask.max_tokens for ask in thinking(model)] == [24, 14, 4]


async def test_thinking_that_never_ends_is_ended():
    result, _, _ = await think("max_tokens=50", Reasoner(stretch=100_000))
    assert str(result.answer) == "49"
    assert result.usage.completion_tokens < 60


async def test_a_plain_model_is_told_to_think_privately_and_a_reasoning_one_is_asked_as_it_came():
    _, plain, _ = await think("max_tokens=20", name="gpt-plain")
    assert "between <think> and </think>" in plain.asks[0].messages[0]["content"]
    _, reasoning, _ = await think("max_tokens=20")
    assert reasoning.asks[0].messages[0]["content"] == QUESTION


async def test_a_server_that_cannot_go_on_is_given_a_cap_and_says_what_is_not_kept():
    result, model, events = await think("min_tokens=5, max_tokens=64", lacks=("prefix",))
    assert [(ask.thinking, ask.continues) for ask in model.asks] == [(64, False)]
    assert (result.text, str(result.answer)) == ("The answer is 49.", "49")
    assert any(isinstance(event, Warned) and "min_tokens" in event.message for event in events)


async def test_the_callers_stop_and_length_are_kept_for_what_is_seen():
    problem = Problem(messages=({"role": "user", "content": QUESTION},), params={"stop": "END", "max_tokens": 2})
    result, model, _ = await think("max_tokens=20", problem=problem)
    assert model.asks[0].params["stop"] == ("END", "</think>")
    assert model.asks[-1].max_tokens == 2
    assert result.text == "The answer"


@pytest.mark.parametrize("budget", [60, 80, 100, 150])
async def test_the_budget_is_kept(budget):
    try:
        result, model, events = await think("min_tokens=30, max_tokens=60, waits=5", budget=f"tokens={budget}")
    except (BudgetTooSmall, BudgetExhausted):
        return
    assert model.books.prompt_tokens + model.books.completion_tokens <= budget
    assert result.usage.tokens == model.books.prompt_tokens + model.books.completion_tokens
    assert any(isinstance(event, CallSettled) for event in events)


@pytest.mark.parametrize("arguments", ["max_tokens=0", "min_tokens=9, max_tokens=8", "waits=-1", "temperature=3"])
async def test_wrong_lengths_are_told(arguments):
    with pytest.raises(BadSpec):
        await think(arguments)


@pytest.mark.parametrize("strategy", ["self-consistency(n=4)", "best-of-n(n=4)", "cot"])
async def test_a_chain_cut_by_length_is_rescued_with_under_30_tokens(strategy, monkeypatch):
    for module in ("self_consistency", "best_of_n", "cot"):
        monkeypatch.setattr(f"outthink.strategies.{module}.CHAIN_TOKENS", 20)
    model = FakeModel(Script(accuracy=1.0, answers={"7 weeks": "49"}, words=60))
    async with Engine(model) as engine:
        result = await engine.solve(QUESTION, strategy=strategy)
    forced = [ask for ask in model.asks if ask.continues]
    assert forced
    assert all(ask.max_tokens < 30 and ask.messages[-1]["content"].endswith("The answer is") for ask in forced)
    assert str(result.answer) == "49"
    spent = [c.tokens for c in result.candidates if c.origin == "continue"]
    assert spent
    assert max(spent) < 30
    assert {c.parent for c in result.candidates if c.origin == "continue"} <= {0, 1, 2, 3}
    assert sum(c.tokens for c in result.candidates) == model.books.completion_tokens


async def test_thinking_cut_by_length_is_rescued_after_its_close():
    class Cut(Reasoner):
        def _going_on(self, messages, seed):
            return " 49."

    model = FakeModel(Cut(stretch=100_000))
    async with Engine(model) as engine:
        result = await engine.solve(QUESTION, strategy="self-consistency(n=2)")
    forced = [ask.messages[-1]["content"] for ask in model.asks if ask.continues]
    assert all(re.fullmatch(r"<think>\n.*\n</think>\n\n\n\nThe answer is", text, re.DOTALL) for text in forced)
    assert str(result.answer) == "49"
    assert "t0w" not in result.text


async def test_a_rescue_that_does_not_fit_the_budget_does_not_end_it(monkeypatch):
    monkeypatch.setattr("outthink.strategies.self_consistency.CHAIN_TOKENS", 20)
    model = FakeModel(Script(accuracy=1.0, answers={"7 weeks": "49"}, words=60))
    async with Engine(model) as engine:
        result = await engine.solve(QUESTION, strategy="self-consistency(n=6, width=1)", budget="tokens=330")
    assert model.books.prompt_tokens + model.books.completion_tokens <= 330
    assert result.text


async def test_where_the_caller_set_the_length_a_cut_answer_stays_cut():
    problem = Problem(messages=({"role": "user", "content": QUESTION},), params={"max_tokens": 8})
    model = FakeModel(Script(words=60))
    async with Engine(model) as engine:
        await engine.solve(problem, strategy="self-consistency(n=2)")
    assert not any(ask.continues for ask in model.asks)
