"""Strategies made of strategies: who is asked, in what order, with which part of the budget, and whose word stands."""

import math

import anyio
import pytest

from outthink import Engine, Problem, plugins
from outthink.core.candidate import Result, Score
from outthink.core.errors import BadSpec, ServerFault, UnknownName
from outthink.models.fake import FakeModel
from outthink.models.script import Script
from outthink.strategies.refine import Refine
from outthink.strategies.revise_chains import ReviseChains
from outthink.strategies.route import Route

pytestmark = pytest.mark.anyio
QUESTION = Problem.of("How many days are there in 7 weeks?", "number")


def model(name="fake", right=1.0, **options):
    made = FakeModel(Script(accuracy=right, answers={"7 weeks": "49"}, words=20), **options)
    made.name = name
    return made


async def solve(strategy, first, *others, **options):
    """A result over models that are named by their names."""
    async with Engine(first, cache=False) as engine:
        for other in others:
            engine._lines[other.name] = type(next(iter(engine._lines.values())))(other, 8)
        return await engine.solve(QUESTION, strategy=strategy, **options)


class Says:
    """A strategy that says one thing, by itself or at the price of a call."""

    def __init__(self, answer, confidence=1.0, calls=0, seconds=0.0, stop="exhausted"):
        self.answer, self.confidence, self.calls, self.seconds, self.stop = answer, confidence, calls, seconds, stop
        self.asked = 0

    async def solve(self, problem, run):
        self.asked += 1
        await anyio.sleep(self.seconds)
        for index in range(self.calls):
            await run.sample(problem, index=index)
        if isinstance(self.answer, Exception):
            raise self.answer
        from outthink.answers import canonical

        answer = self.answer and canonical(self.answer, "number")
        return Result(
            answer=answer,
            message={"role": "assistant", "content": f"It is {self.answer}."},
            text=f"It is {self.answer}.",
            stop_reason=self.stop,
            confidence=self.confidence,
            confidence_source="vote_share",
            votes={self.answer: 1} if self.answer else {},
        )


async def test_a_fallback_is_asked_only_where_the_first_comes_to_nothing():
    from outthink.strategies.fallback import Fallback

    for first, asked, answer in (
        (Says("49"), 0, "49"),
        (Says(None), 1, "50"),
        (Says(ServerFault("broken", 500)), 1, "50"),
    ):
        second = Says("50")
        result = await solve(Fallback(first, second), model())
        assert (str(result.answer), second.asked) == (answer, asked)
    second = Says("50")
    assert str((await solve(Fallback(Says("49", confidence=0.4), second, confidence=0.6), model())).answer) == "50"


async def test_open_text_that_has_no_answer_to_read_is_no_failure():
    from outthink.strategies.fallback import Fallback

    second = Says("50")
    async with Engine(model(), cache=False) as engine:
        await engine.solve("Tell me about weeks.", strategy=Fallback(Says(None), second))
    assert second.asked == 0


async def test_a_fallback_keeps_the_first_answer_when_the_second_fails():
    from outthink.strategies.fallback import Fallback

    technique = Fallback(Says("49", confidence=0.4), Says(ServerFault("broken", 500)), confidence=0.6)
    assert str((await solve(technique, model())).answer) == "49"
    with pytest.raises(ServerFault):
        await solve(Fallback(Says(ServerFault("one", 500)), Says(ServerFault("two", 500))), model())


async def test_the_first_part_of_a_fallback_leaves_budget_for_the_second():
    spent = model()
    technique = "fallback(self-consistency(n=32), self-consistency(n=2), confidence=1, share=0.5)"
    await solve(technique, spent, budget="tokens=800")
    assert spent.books.prompt_tokens + spent.books.completion_tokens <= 800


async def test_a_race_takes_the_first_good_result_and_stops_the_other():
    from outthink.strategies.race import Race

    slow, fast = Says("50", seconds=60.0), Says("49", seconds=1.0)
    began = anyio.current_time()
    result = await solve(Race(slow, fast), model())
    assert str(result.answer) == "49"
    assert anyio.current_time() - began == pytest.approx(1.0, abs=0.1)


async def test_a_race_without_a_good_result_takes_the_surer_one():
    from outthink.strategies.race import Race

    result = await solve(Race(Says("49", 0.3), Says("50", 0.2, seconds=1.0), accept=0.9), model())
    assert str(result.answer) == "49"


@pytest.mark.parametrize(
    ("right", "where"),
    [(1.0, "probes"), (0.0, "hard")],
)
async def test_a_route_goes_by_how_far_probes_agree(right, where):
    medium, hard = Says("1"), Says("2")
    torn = FakeModel(Script(replies=[f"The answer is {n}." for n in range(3, 9)]))
    result = await solve(Route(medium=medium, hard=hard, probes=3), model() if right else torn)
    took = {"49": "probes", "1": "medium", "2": "hard"}[str(result.answer)]
    assert took == where


async def test_a_cascade_stops_at_the_first_model_that_is_sure():
    small, large = model("small", right=1.0), model("large", right=1.0)
    result = await solve("cascade(self-consistency(n=4), models=[small, large])", small, large)
    assert str(result.answer) == "49"
    assert large.books.calls == 0


async def test_a_cascade_goes_on_to_the_larger_model_where_the_small_one_is_not_sure():
    small = FakeModel(Script(replies=[f"The answer is {n}." for n in range(3, 9)]))
    small.name = "small"
    large = model("large", right=1.0)
    result = await solve("cascade(self-consistency(n=4), models=[small, large])", small, large)
    assert str(result.answer) == "49"
    assert large.books.calls > 0
    assert {found.model for found in result.candidates} == {"small", "large"}
    assert result.usage.calls == small.books.calls + large.books.calls


async def test_models_that_do_not_exist_and_missing_ones_are_told():
    with pytest.raises(BadSpec, match="cascade needs models"):
        plugins.strategy("cascade")
    with pytest.raises(BadSpec, match="two models or more"):
        plugins.strategy("ensemble(direct, models=[one])")
    with pytest.raises(UnknownName, match="nonesuch"):
        await solve("cascade(models=[nonesuch])", model())


async def test_an_ensemble_gives_each_model_one_vote_split_as_its_samples_were():
    sure, torn = model("sure", right=1.0), model("torn", right=0.0)
    result = await solve("ensemble(self-consistency(n=4), models=[sure, torn])", sure, torn)
    assert result.usage.calls == sure.books.calls + torn.books.calls
    assert sum(result.votes.values()) == 8
    assert str(result.answer) in result.votes


class Checks:
    """A verifier that finds fault with all but one answer."""

    def __init__(self, right):
        self.right = right

    async def score(self, problem, candidates, run):
        def one(found):
            good = found.answer is not None and str(found.answer) == self.right
            return Score(verifier="checks", raw=float(good), critique=None if good else f"{found.answer} is wrong")

        return [one(found) for found in candidates]


class Learns(FakeModel):
    """Says one thing until it is told what is wrong, then another."""

    def __init__(self, after="The answer is 49.", before="The answer is 48.", sign="is wrong"):
        super().__init__(Script(words=5))
        self.after, self.before, self.sign, self.seen = after, before, sign, []

    async def complete(self, ask):
        from outthink.core.wire import Bill, Choice, Reply

        self.seen.append(ask.messages)
        text = self.after if self.sign in str(ask.messages[-1]["content"]) else self.before
        choices = tuple(
            Choice(index=i, message={"role": "assistant", "content": text}, text=text, finish="stop", tokens=5)
            for i in range(ask.n)
        )
        return Reply(choices, Bill(10, 5 * ask.n))


async def test_refine_tells_the_model_what_was_found_and_keeps_the_better_version():
    learner = Learns()
    result = await solve(Refine(verifier=Checks("49")), learner)
    assert str(result.answer) == "49"
    assert learner.seen[1][-2]["content"] == "The answer is 48."
    assert "48 is wrong" in learner.seen[1][-1]["content"]
    (revision,) = [found for found in result.candidates if found.text.endswith("49.")]
    assert (revision.origin, revision.parent) == ("revise", 0)


async def test_refine_backs_out_of_a_worse_version():
    result = await solve(Refine(verifier=Checks("48"), rounds=3), Learns("The answer is 47."))
    assert str(result.answer) == "48"


@pytest.mark.parametrize("anyio_backend", ["asyncio"])  # programs run in real time
async def test_refine_runs_the_test_that_a_question_only_shows():
    question = Problem.of("Write a function f that adds one. It must pass this test:\nassert f(1) == 2", "code")
    learner = Learns("def f(x):\n    return x + 1", "def f(x):\n    return x", sign="f(1) == 2: ")
    async with Engine(learner, cache=False) as engine:
        result = await engine.solve(question, strategy=Refine(rounds=3))
    assert "x + 1" in result.text
    assert (result.stop_reason, len(learner.seen)) == ("verified", 2)


async def test_refine_takes_only_tests_that_were_given_or_shown_for_proof():
    class Agrees:  # as tests that a model wrote itself
        async def score(self, problem, candidates, run):
            return [Score(verifier="tests", raw=1.0) for _ in candidates]

    result = await solve(Refine(verifier=Agrees()), Learns())
    assert result.stop_reason == "diminishing"


async def test_refine_stops_when_a_round_changes_nothing():
    learner = Learns("The answer is 48.")
    result = await solve(Refine(verifier=Checks("49"), rounds=5), learner)
    assert result.stop_reason == "diminishing"
    assert len(learner.seen) == 2


async def test_chains_are_revised_each_and_vote_with_what_they_end_with():
    learner = Learns()
    result = await solve(ReviseChains(chains=3, rounds=1, verifier=Checks("49")), learner)
    assert result.votes == {"49": 3}
    assert len(learner.seen) == 4  # one wave of three, and a revision of each


async def test_chains_without_rounds_are_a_plain_vote():
    one = await solve(ReviseChains(chains=8, rounds=0), model(right=0.5))
    every = await solve("best-of-n(n=8, verifier=symbolic)", model(right=0.5))
    assert one.votes == every.votes


async def test_anything_nests_in_anything():
    text = "refine(fallback(route(hard=revise-chains(chains=2)), race(direct, cot)), rounds=1)"
    assert str(plugins.strategy_text(text)) == text
    spent = model(right=0.5)
    result = await solve(text, spent, budget="tokens=3000")
    assert result.text
    assert spent.books.prompt_tokens + spent.books.completion_tokens <= 3000
    assert math.isfinite(result.usage.seconds)
