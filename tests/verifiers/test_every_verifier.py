"""What every registered verifier must keep when a strategy chooses by it: one suite over all."""

import math

import anyio
import pytest
from judges import JudgeScript

from outthink import Engine, plugins
from outthink.core.errors import BudgetExhausted, BudgetTooSmall, ServerFault
from outthink.core.events import CallSettled, Scored, Warned
from outthink.models.fake import FakeModel

pytestmark = pytest.mark.anyio
INFOS = [info for info in plugins.describe(plugins.VERIFIERS) if not any(p.required for p in info.parameters)]
FORMS = ["judge(form=scale)", "judge(form=pairs)", "judge(form=pairs, tournament=pivot)", "judge(form=steps)",
         "judge(critique=true)", "judge(top=2)"]  # fmt: skip
QUESTIONS = {"number": "How many days are there in 7 weeks?", "text": "Tell me about weeks."}
SCRIPT = JudgeScript(accuracy=0.6, answers={"7 weeks": "49"}, words=20, worth=lambda text: 0.9 if "49" in text else 0.2)

every_verifier = pytest.mark.parametrize("verifier", [info.name for info in INFOS] + FORMS)
every_question = pytest.mark.parametrize("question", QUESTIONS.values(), ids=QUESTIONS)


async def solve(verifier, question, model=None, **options):
    model, logs = model or FakeModel(SCRIPT, latency=1.0), []
    async with Engine(model) as engine:
        result = await engine.solve(
            question, strategy=f"best-of-n(n=4, verifier={verifier})", watch=logs.append, **options
        )
    return result, model, logs[0].events


@every_verifier
@every_question
async def test_its_books_are_the_servers_under_its_own_role(verifier, question):
    result, model, events = await solve(verifier, question)
    assert result.text
    assert (result.usage.prompt_tokens, result.usage.completion_tokens) == (
        model.books.prompt_tokens, model.books.completion_tokens,
    )  # fmt: skip
    policy = result.by_role["policy"]
    assert policy.completion_tokens == sum(candidate.tokens for candidate in result.candidates)
    assert (policy.calls, len(result.candidates)) == (1, 4)
    scored = [event for event in events if isinstance(event, Scored)]
    assert [sorted(event.scores) for event in scored] == [[0, 1, 2, 3]]
    assert all(value is None or math.isfinite(value) for value in scored[0].scores.values())


@every_verifier
@every_question
@pytest.mark.parametrize("budget", [150, 300, 600, 1200])
async def test_it_stays_within_a_token_budget_at_every_event(verifier, question, budget):
    model = FakeModel(SCRIPT, latency=1.0)
    try:
        result, _, events = await solve(verifier, question, model, budget=f"tokens={budget}")
    except (BudgetTooSmall, BudgetExhausted):
        return
    assert result.text
    assert model.books.prompt_tokens + model.books.completion_tokens <= budget
    for event in events:
        if isinstance(event, CallSettled):
            both = event.charged + event.held
            assert both.prompt_tokens + both.completion_tokens <= budget


@every_verifier
async def test_it_ends_by_the_deadline_with_an_answer(verifier):
    model = FakeModel(SCRIPT, token_latency=1.0)
    began = anyio.current_time()
    result, _, _ = await solve(verifier, QUESTIONS["number"], model, budget="seconds=21")
    assert result.text
    assert anyio.current_time() - began <= 21.1
    assert model.books.in_flight == 0


@every_verifier
@every_question
async def test_a_server_that_fails_it_costs_no_answer(verifier, question):
    model = FakeModel(SCRIPT, fault=lambda number, ask: ServerFault("it is down", 500) if number else None)
    result, _, events = await solve(verifier, question, model)
    assert result.text
    assert result.stop_reason in ("exhausted", "unscorable")
    if model.books.calls > 1:
        assert any("it is down" in event.message for event in events if isinstance(event, Warned))


@every_verifier
@every_question
async def test_one_seed_gives_one_result_and_nothing_is_kept_between_runs(verifier, question):
    before = repr(plugins.verifier(verifier))
    one, _, _ = await solve(verifier, question, seed=7)
    other, _, _ = await solve(verifier, question, seed=7)
    assert (one.text, one.confidence, [c.scores for c in one.candidates]) == (
        other.text, other.confidence, [c.scores for c in other.candidates],
    )  # fmt: skip
    assert repr(plugins.verifier(verifier)) == before


@every_verifier
async def test_it_can_be_cancelled_at_any_event(verifier):
    for place in range(0, 30, 3):
        model = FakeModel(SCRIPT, latency=1.0)
        with anyio.CancelScope() as scope:

            def watch(log, place=place, scope=scope):
                emit = log.emit

                def counting(event):
                    emit(event)
                    if len(log.events) == place + 1:
                        scope.cancel()

                log.emit = counting

            async with Engine(model) as engine:
                await engine.solve(QUESTIONS["number"], strategy=f"best-of-n(n=4, verifier={verifier})", watch=watch)
        assert model.books.in_flight == 0


def test_each_says_whether_it_looks_at_candidates_alone():
    alone = {name: plugins.verifier(name).alone for name in ("agreement", "judge")}
    assert alone == {"agreement": False, "judge": False}
