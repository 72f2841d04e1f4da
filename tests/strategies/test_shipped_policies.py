"""Policies that come with outthink: taken where they were fitted, and nowhere else."""

import pytest

from outthink import Engine, Problem
from outthink.adaptive.policy import UNCALIBRATED, Policy
from outthink.adaptive.stopping import Lead
from outthink.bench.plan import check_held_out
from outthink.core.errors import InputError
from outthink.core.events import Decided, Warned
from outthink.core.mark import Mark
from outthink.core.problem import prompt_fingerprint
from outthink.models.catalog import find
from outthink.models.fake import FakeModel
from outthink.models.script import Script
from outthink.strategies.policies import Named, shipped
from outthink.strategies.prompts import few_shot

pytestmark = pytest.mark.anyio
QUESTION = "How many legs have {} cats?"


def numbers():
    """The prompt that `auto` asks for numbers with."""
    problem = Problem(messages=({"role": "user", "content": QUESTION.format(7)},), answer_kind="number")
    return prompt_fingerprint(few_shot(problem, 4), problem.question)


@pytest.fixture
def ship(monkeypatch):
    def put(policy):
        monkeypatch.setattr("outthink.strategies.policies.shipped", lambda: (Named("shipped:one", policy),))
        monkeypatch.setattr("outthink.bench.plan.shipped", lambda: (Named("shipped:one", policy),))

    return put


def two_votes(**more):
    return Policy(
        rule=Lead(2), fingerprint=Mark(model="fake", prompt=numbers(), temperature=0.7), certified=True, limit=9, **more
    )


async def solve(technique, script=Script(accuracy=1, wrong=1), questions=1):
    logs = []
    async with Engine(FakeModel(script)) as engine:
        for k in range(7, 7 + questions):
            result = await engine.solve(QUESTION.format(k), strategy=technique, watch=logs.append)
    return result, [event for log in logs for event in log.events]


def told(events):
    return [event.action for event in events if isinstance(event, Decided) and event.action.startswith("go by")]


async def test_a_shipped_policy_is_used_where_it_was_fitted_unless_another_is_named(ship):
    ship(two_votes())
    taken, events = await solve("auto")
    assert (len(taken.candidates), told(events)) == (2, ["go by the policy shipped:one"])
    plain, events = await solve("auto(policy=off)")
    assert len(plain.candidates) > 2
    assert told(events) == []


@pytest.mark.parametrize("other", [{"model": "large"}, {"prompt": "beef"}, {"temperature": 1.0}])
async def test_elsewhere_the_uncalibrated_rules_hold_and_that_is_no_warning(ship, other):
    ship(two_votes())
    expected, _ = await solve("auto(policy=off)")
    mark = {"model": "fake", "prompt": numbers(), "temperature": 0.7}
    ship(Policy(rule=Lead(2), fingerprint=Mark(**(mark | other))))
    found, events = await solve("auto")
    assert len(found.candidates) == len(expected.candidates) > 2
    assert told(events) == ["go by the uncalibrated rules"]
    assert not [event for event in events if isinstance(event, Warned)]


async def test_effort_says_how_many_samples_a_shipped_policy_may_take(ship):
    ship(
        Policy(
            rule=Lead(999), fingerprint=Mark(model="fake", prompt=numbers(), temperature=0.7), certified=True, limit=9
        )
    )
    torn = Script(replies=[f"The answer is {n % 3}." for n in range(64)])
    for effort, most in (("low", 16), ("medium", 32)):
        found, _ = await solve(f"auto(effort={effort})", torn)
        assert len(found.candidates) == most
    assert len((await solve("auto", torn))[0].candidates) == 32


async def test_a_shipped_policy_whose_predictions_fail_is_set_aside(ship):
    ship(two_votes(agreement=0.99))
    _, events = await solve("auto", Script(accuracy=0.3), questions=88)
    (first, *_) = [event.message for event in events if isinstance(event, Warned)]
    assert "samples no longer agree as the policy shipped:one predicts" in first


def test_questions_that_a_shipped_policy_was_fitted_on_are_refused_to_its_model(ship):
    ship(two_votes(fitted=("q3",)))
    for text in ("auto", "auto(effort=low)", "fallback(direct, auto)"):
        with pytest.raises(InputError, match=r"shipped:one was fitted on 1 .* or with auto\(policy=off\)"):
            check_held_out([text], ["q1", "q3"], ["fake"])
        check_held_out([text], ["q1"], ["fake"])
        check_held_out([text], ["q3"], ["another"])
    check_held_out(["auto(policy=off)", "direct", "self-consistency(n=4)"], ["q3"], ["fake"])


def test_what_is_shipped_is_for_models_of_the_catalog_and_the_prompts_of_today():
    assert shipped()
    for name, policy in shipped():
        mark = policy.fingerprint
        assert find(mark.model).name == mark.model, name
        assert (mark.prompt, mark.temperature) == (numbers(), 0.7), name
        assert policy.fitted, name
        assert policy.certified, name
        assert policy.weights == UNCALIBRATED.weights, name
