"""Step values as one, by name, worked by hand; and what the verifiers hand on to the run."""

import pytest

from outthink import Problem, plugins
from outthink.core.candidate import Candidate
from outthink.core.errors import BadSpec
from outthink.verifiers.reward import OutcomeReward, ProcessReward, aggregated

pytestmark = pytest.mark.anyio
PROBLEM = Problem.of("What is 2 + 2?")


class Rates:
    """A run whose reward model says what it is told to."""

    def __init__(self, *values):
        self.values, self.asked = list(values), []

    async def rate(self, ask, model):
        self.asked.append((ask, model))
        return self.values


def said(text, index=0):
    return Candidate(index=index, message={}, text=text, finish="stop", tokens=1, model="m")


@pytest.mark.parametrize(
    ("how", "expected"), [("min", 0.5), ("product", 0.2), ("last", 0.8), ("mean", 0.6), ("max", None)]
)
def test_step_values_become_one_as_worked_by_hand(how, expected):
    if expected is None:
        with pytest.raises(BadSpec, match="aggregate takes min or product or last or mean, not max"):
            plugins.verifier(f'prm(model="m@http://h", aggregate={how})')
        return
    assert aggregated((0.5, 0.5, 0.8), how) == pytest.approx(expected)
    assert aggregated((), how) is None


@pytest.mark.parametrize(("how", "best"), [("min", 0), ("product", 1), ("last", 2), ("mean", 1)])
async def test_each_way_of_putting_them_together_chooses_its_own_candidate(how, best):
    run = Rates((0.6, 0.6, 0.6), (0.5, 1.0, 0.9), (0.1, 0.1, 1.0))
    verifier = plugins.verifier(f'prm(model="m@http://h", aggregate={how})')
    scores = await verifier.score(PROBLEM, [said("a", i) for i in range(3)], run)
    assert max(range(3), key=lambda i: scores[i].raw) == best
    assert [score.steps for score in scores] == run.values
    assert all(score.value is None for score in scores)  # not calibrated


async def test_an_outcome_reward_of_any_size_is_raw_and_no_answer_is_no_score():
    run = Rates((-3.25,), (), (12.0,))
    scores = await OutcomeReward("m@http://h").score(PROBLEM, [said("a", i) for i in range(3)], run)
    assert [(score.raw, score.value) for score in scores] == [(-3.25, None), (None, None), (12.0, None)]


async def test_the_run_is_asked_once_for_all_candidates_with_what_was_set():
    run = Rates((0.5,), (0.5,))
    verifier = ProcessReward("m@http://h", endpoint="plain", form="qwen-prm", split="line")
    await verifier.score(PROBLEM, [said("a"), said("b", 1)], run)
    ((ask, model),) = run.asked
    assert (model, ask.answers, ask.process) == ("m@http://h", ("a", "b"), True)
    assert (ask.endpoint, ask.form, ask.split, ask.messages) == ("plain", "qwen-prm", "line", PROBLEM.messages)
    assert await verifier.score(PROBLEM, [], run) == []
    assert len(run.asked) == 1


@pytest.mark.parametrize("name", ["prm", "reward"])
def test_a_reward_model_must_be_named(name):
    with pytest.raises(BadSpec, match="needs model"):
        plugins.verifier(name)
    for wrong in ("", "m@localhost:80", "two words", "http://localhost"):
        with pytest.raises(BadSpec, match=f"{name} needs a reward model, which '{wrong}' does not name; write"):
            plugins.verifier(f'{name}(model="{wrong}")')
    assert plugins.verifier(f'{name}(model="m@http://h")').alone
