"""What calibration fits, on data planted with a known truth."""

from __future__ import annotations

import numpy as np
import pytest

from outthink.adaptive import gate_fit, hazard_fit, posterior_fit
from outthink.adaptive.drift import Drifts
from outthink.adaptive.gate_fit import Singles
from outthink.adaptive.hazard import Hazard, Solvable
from outthink.adaptive.hazard_fit import Trials
from outthink.adaptive.posterior import Evidence, posterior
from outthink.adaptive.posterior_fit import Recorded
from outthink.adaptive.state import State


def trials(law: Solvable, questions: int, samples: int, seed: int = 0) -> tuple[list[list[bool]], list[list[bool]]]:
    draw = np.random.default_rng(seed)
    chance = np.where(draw.random(questions) < law.hopeless, 0.0, draw.beta(law.alpha, law.beta, questions))
    right = draw.random((questions, samples)) < chance[:, None]
    passed = draw.random((questions, samples)) < np.where(right, law.recall, law.false_pass)
    return right.tolist(), passed.tolist()


def test_the_law_of_solvable_questions_is_recovered() -> None:
    truth = Solvable(alpha=2.0, beta=3.0, hopeless=0.2, recall=0.9, false_pass=0.15)
    found = hazard_fit.fit(*trials(truth, 1500, 24))
    assert found.alpha == pytest.approx(2.0, rel=0.15)
    assert found.beta == pytest.approx(3.0, rel=0.15)
    assert found.hopeless == pytest.approx(0.2, abs=0.04)
    assert found.recall == pytest.approx(0.9, abs=0.01)
    assert found.false_pass == pytest.approx(0.15, abs=0.01)


def test_without_hopeless_questions_none_are_found() -> None:
    found = hazard_fit.fit(*trials(Solvable(alpha=3.0, beta=2.0, hopeless=0.0), 800, 16))
    assert found.hopeless < 0.01


def test_trials_are_the_hazard_rule_itself_asked_program_by_program() -> None:
    law = Solvable(alpha=0.6, beta=1.2, hopeless=0.3, recall=0.9, false_pass=0.3)
    right, passed = trials(law, 20, 10)
    tokens = np.random.default_rng(1).integers(10, 90, (20, 10)).tolist()
    replay = Trials(right, passed, tokens, orders=5, limit=10)
    for rule in (Hazard(0.002, solvable=law), Hazard(0.0001, solvable=law), Hazard(0.0, solvable=law)):
        last = replay.stops(rule)
        for place, order in np.ndindex(last.shape):
            for n in range(10):
                spent = float(replay.tokens[place, order, n])
                state = State((), n + 1, 10, spent, passed=int(replay.passes[place, order, n]))
                if n == 9 or rule.stop(state).stop:
                    assert last[place, order] == n
                    break


def test_the_answer_of_trials_is_the_first_that_passes() -> None:
    replay = Trials([[True, False]] * 2, [[True, False]] * 2, [[5, 7]] * 2, orders=20, limit=2)
    assert replay.fixed(2).right == pytest.approx([1.0, 1.0])
    assert replay.fixed(2).tokens == pytest.approx([12.0, 12.0])
    assert 0 < replay.fixed(1).right.mean() < 1
    with pytest.raises(ValueError, match="2 samples and 3"):
        Trials([[True, False]], [[True, False]], [[5, 7]], limit=3)


def singles(questions: int, seed: int, *, apart: float, easy: float = 0.6) -> Singles:
    """Easy questions: one sample in 400 is wrong, the vote never. Others: half are right, the vote in two of three.

    ``apart``: how far the log probabilities of easy ones lie above, in standard deviations."""
    draw = np.random.default_rng(seed)
    simple = draw.random(questions) < easy
    right = draw.random((questions, 12)) < np.where(simple, 0.9975, 0.5)[:, None]
    full = np.where(simple, 1.0, (draw.random(questions) < 2 / 3).astype(float))
    values = draw.normal(size=right.shape) + apart * simple[:, None]
    noise = draw.normal(size=right.shape)
    return Singles({"low": values, "mean": noise}, right.astype(float), full, np.arange(questions))


def passed(gate: gate_fit.Gate, data: Singles) -> np.ndarray:
    return data.measures[gate.measure] >= gate.least


def test_a_gate_lets_the_easy_pass_as_precisely_as_the_vote_on_questions_it_has_not_seen() -> None:
    gate = gate_fit.fit(singles(500, 0, apart=8.0), loss=0.01)
    assert gate is not None
    assert gate.measure == "low"
    fresh = singles(4000, 1, apart=8.0)
    passing = passed(gate, fresh)
    assert 0.4 < passing.mean() < 0.7
    assert fresh.right[passing].mean() == pytest.approx(gate.precision, abs=0.01)
    assert fresh.right[passing].mean() > (fresh.full[:, None] * passing).sum() / passing.sum() - 0.01


def test_a_floor_for_the_gate_is_kept_on_questions_it_has_not_seen() -> None:
    under = 0
    for seed in range(10):
        gate = gate_fit.fit(singles(300, seed, apart=3.0), floor=0.9)
        assert gate is not None
        fresh = singles(3000, 100 + seed, apart=3.0)
        under += fresh.right[passed(gate, fresh)].mean() < 0.9
    assert under <= 1


@pytest.mark.parametrize("floor", [None, 0.95])
def test_words_that_tell_nothing_open_no_gate(floor: float | None) -> None:
    found = [gate_fit.fit(singles(200, seed, apart=0.0, easy=0.5), floor=floor, loss=0.01) for seed in range(12)]
    assert found == [None] * 12


def test_a_gate_needs_log_probabilities_and_more_than_a_handful_of_questions() -> None:
    data = singles(40, 0, apart=8.0)
    unknown = {"low": np.full(data.right.shape, np.nan)}
    assert gate_fit.fit(Singles(unknown, data.right, data.full, data.index), floor=0.5) is None
    assert gate_fit.fit(singles(12, 0, apart=8.0), loss=0.01) is None


def test_more_votes_never_count_against_an_answer_whatever_was_recorded() -> None:
    """On questions where the majority is mostly wrong, unbounded weights would prefer the answer given least."""
    draw = np.random.default_rng(0)
    recorded = []
    for _ in range(60):
        keys = draw.choice(["trap", "gold", "x"], 16, p=[0.6, 0.3, 0.1])
        recorded.append(Recorded(tuple(Evidence(str(key)) for key in keys), "gold"))
    weights = posterior_fit.fit(recorded)
    assert weights.log_count >= 0
    assert weights.share >= 0
    for n in range(2, 12):
        items = [Evidence("a")] * n + [Evidence("b")] * (n - 1)
        assert posterior(items, weights).leader == "a"


def test_drift_is_remembered_by_policy_and_for_so_many() -> None:
    drifts = Drifts(most=2)
    first = drifts.of("a")
    first.add(0.5, True)
    assert drifts.of("a") is first
    assert drifts.of("b") is not first
    drifts.of("a")
    drifts.of("c")  # b, which nobody asked for since, goes
    assert drifts.of("a") is first
    assert len(drifts._known) == 2
