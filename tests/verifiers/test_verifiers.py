"""Verifiers: what each measures, that it abstains rather than guesses, and that a failing one costs nothing."""

import math
from dataclasses import dataclass

import pytest

from outthink import Engine, Problem, plugins
from outthink.core.candidate import Candidate, LogprobSummary, Score, summarise_logprobs
from outthink.core.errors import ServerFault
from outthink.core.events import Scored, Warned
from outthink.core.problem import SamplingParams
from outthink.models.fake import FakeModel
from outthink.models.script import Script
from outthink.strategies.best_of_n import BestOfN
from outthink.strategies.weighing import by_sum, worths
from outthink.verifiers.confidence import Confidence
from outthink.verifiers.symbolic import Symbolic

pytestmark = pytest.mark.anyio
QUESTION = "How many days are there in 7 weeks?"
PROBLEM = Problem.of(QUESTION)


def said(text, index=0, logprobs=None, answer=None, finish="stop"):
    from outthink.answers import canonical

    return Candidate(
        index=index, message={"role": "assistant", "content": text}, text=text, finish=finish, tokens=3, model="m",
        logprobs=logprobs, answer=answer and canonical(answer, "number"),
    )  # fmt: skip


async def test_confidence_is_the_token_probability_of_the_part_it_is_about():
    values = [-0.1] * 32 + [-2.0] * 32 + [-0.5] * 32
    found = said("x", logprobs=summarise_logprobs(values))
    for kind, expected in (("mean", -(3.2 + 64 + 16) / 96), ("low", -2.0), ("tail", -0.5)):
        (score,) = await Confidence(kind).score(PROBLEM, [found], None)
        assert score.raw == pytest.approx(math.exp(expected))
        assert score.value is None  # not calibrated, so not a probability of being right


async def test_self_certainty_is_read_from_top_log_probabilities_only():
    with_top = said("x", logprobs=LogprobSummary(-0.1, -0.1, -0.1, certainty=7.5))
    without = said("x", logprobs=LogprobSummary(-0.1, -0.1, -0.1))
    scores = await Confidence("self-certainty").score(PROBLEM, [with_top, without, said("x")], None)
    assert [score.raw for score in scores] == [7.5, None, None]


async def test_symbolic_measures_the_share_that_holds_and_names_the_first_false_step():
    texts = ["2 * 3 = 6. 6 + 1 = 7.", "2 * 3 = 6. 6 + 1 = 8. 8 - 1 = 6.", "It is seven."]
    scores = await Symbolic().score(PROBLEM, [said(text) for text in texts], None)
    assert [score.raw for score in scores] == [1.0, pytest.approx(1 / 3), None]
    assert scores[1].steps == (1.0, 0.0, 0.0)
    assert scores[1].critique == "6 + 1 = 8 does not hold: 6 + 1 is 7"


def test_where_a_verifier_cannot_tell_a_candidate_counts_as_an_average_one():
    scores = [Score(verifier="v", raw=0.2), Score(verifier="v"), Score(verifier="v", raw=0.6, value=0.4)]
    assert worths(scores) == pytest.approx([0.2, 0.3, 0.4])
    assert worths([Score(verifier="v")] * 2) == [1.0, 1.0]


class Emits:
    ended_by = None

    def emit(self, event):
        pass


def test_equal_answers_add_up_and_the_best_of_them_is_shown():
    candidates = [said("a", 0, answer="5"), said("b", 1, answer="7"), said("c", 2, answer="7.0"), said("d", 3)]
    result = by_sum(candidates, [0.8, 0.3, 0.6, 0.3], Emits(), "exhausted")
    assert (str(result.answer), result.text) == ("7", "c")
    assert result.confidence == pytest.approx(0.9 / 2.0)


async def test_with_no_evidence_it_is_the_plain_vote():
    @dataclass(frozen=True)
    class Silent:
        async def score(self, problem, candidates, run):
            return [Score(verifier="silent") for _ in candidates]

    model = FakeModel(Script(accuracy=0.6, answers={"7 weeks": "49"}))
    async with Engine(model) as engine:
        vote = await engine.solve(QUESTION, strategy="self-consistency(n=7)")
    line = await _line(model)
    result = await BestOfN(7, Silent()).solve(PROBLEM, line)
    assert result.answer == vote.answer


async def _line(model):
    """A run of its own on a model."""
    from outthink.core.usage import Budget
    from outthink.engine.context import Limits, Line, RunContext
    from outthink.engine.ledger import Ledger
    from outthink.engine.log import EventLog
    from outthink.engine.run import EngineRun

    log = EventLog()
    context = RunContext(Line(model, 8), log, 0)
    run = EngineRun(context, Limits(Ledger(Budget()), log))
    run.context, run.log = context, log
    return run


async def test_a_better_verifier_picks_what_the_vote_would_not():
    script = Script(replies=["The answer is 5.", "2 + 2 = 5. The answer is 8.", "2 + 5 = 8. The answer is 8.",
                             "3 * 3 = 9. The answer is 9."])  # fmt: skip
    async with Engine(FakeModel(script)) as engine:
        vote = await engine.solve(QUESTION, strategy="self-consistency(n=4)")
        best = await engine.solve(QUESTION, strategy="best-of-n(n=4, verifier=symbolic)")
        single = await engine.solve(QUESTION, strategy="best-of-n(n=4, verifier=symbolic, aggregate=max)")
    assert str(vote.answer) == "8"
    assert str(best.answer) == str(single.answer) == "9"
    assert {c.index: c.scores["symbolic"] for c in best.candidates} == {0: None, 1: 0.0, 2: 0.0, 3: 1.0}


async def test_scores_are_on_record_and_on_the_candidates_through_a_second_look():
    model = FakeModel(Script())
    run = await _line(model)
    first = [await run.sample(PROBLEM, SamplingParams(logprobs=True), index=i) for i in range(2)]
    await run.score(PROBLEM, first, Confidence())
    await run.score(PROBLEM, first, Confidence("tail"))
    assert [sorted(c.scores) for c in run.context.candidates] == [["confidence-mean", "confidence-tail"]] * 2
    assert [event.verifier for event in run.log.events if isinstance(event, Scored)] == [
        "confidence-mean",
        "confidence-tail",
    ]


async def test_a_verifiers_calls_are_counted_in_its_own_role_and_its_failure_costs_no_answer():
    @dataclass(frozen=True)
    class Asking:
        async def score(self, problem, candidates, run):
            await run.sample(problem, index=50)
            raise ServerFault("the judge's server answered 500", 500)

    model = FakeModel(Script())
    run = await _line(model)
    result = await BestOfN(3, Asking()).solve(PROBLEM, run)
    assert result.text
    books = run._limits.ledger.by_role
    assert (books["policy"].calls, books["verifier"].calls) == (1, 1)
    warned = [event.message for event in run.log.events if isinstance(event, Warned)]
    assert warned == ["the verifier Asking could not tell: the judge's server answered 500"]


@pytest.mark.parametrize(
    "name",
    [
        info.name
        for info in plugins.describe("outthink.verifiers")
        if not any(parameter.required for parameter in info.parameters)  # these name a server or a file
    ],
)
async def test_every_verifier_scores_each_candidate_or_abstains(name):
    verifier = plugins.verifier(name)
    candidates = [said("", 0), said("2 + 2 = 5", 1, summarise_logprobs([-0.5])), said("x" * 30_000, 2, finish="length")]
    scores = await verifier.score(PROBLEM, candidates, await _line(FakeModel(Script())))
    assert len(scores) == 3
    assert all(score.raw is None or score.raw >= 0 for score in scores)
    assert await verifier.score(PROBLEM, [], await _line(FakeModel(Script()))) == []


async def test_self_certainty_asks_for_the_likeliest_tokens_and_averages_them():
    from outthink.core.wire import Choice
    from outthink.engine.partial import candidate, with_certainty

    places = [[-0.1, -3.0, -5.0], [-0.2, -2.0, -4.0]]
    raw = [
        b'{"content":[%s]}'
        % b",".join(
            b'{"token":"x","logprob":%f,"top_logprobs":[%s]}' % (top[0], b",".join(b'{"logprob":%f}' % v for v in top))
            for top in places
        )
    ]
    choice = Choice(index=0, message={}, text="x", finish="stop", logprobs=summarise_logprobs([-0.1, -0.2]))
    found = with_certainty(candidate(choice, PROBLEM, 0, "m", 2), raw)
    assert found.logprobs.certainty == pytest.approx((8.1 / 3 + 6.2 / 3) / 2)
    model = FakeModel(Script())
    async with Engine(model) as engine:
        await engine.solve(QUESTION, strategy="best-of-n(n=2, verifier=confidence(kind=self-certainty))")
        await engine.solve(QUESTION, strategy="best-of-n(n=2)")
    assert [ask.top_logprobs for ask in model.asks] == [20, 0]
