from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from outthink.adaptive.allocate import Market, Price, allocate
from outthink.adaptive.difficulty import Difficulty
from outthink.adaptive.drift import Drift
from outthink.adaptive.posterior import Evidence, Weights, posterior
from outthink.adaptive.state import State
from outthink.adaptive.value import Scores, knowledge_gradient, vote_probabilities, wave_gain

WEIGHTS = Weights(0.8, 0.5, -0.5, 0.1, 2.0, 2.0)


def test_votes_alone_have_the_probabilities_of_the_posterior() -> None:
    items = [Evidence(key) for key in "aaabbc"] + [Evidence(None)] * 2
    found = posterior(items, WEIGHTS)
    assert vote_probabilities((3, 2, 1), 2, WEIGHTS) == pytest.approx(list(found.probabilities.values()))


@pytest.mark.parametrize(
    ("counts", "silent", "size"), [((2, 1), 0, 2), ((3, 3, 1), 1, 4), ((1,), 0, 1), ((2, 2), 0, 8)]
)
def test_the_gain_of_a_wave_is_that_of_simulated_waves(counts: tuple[int, ...], silent: int, size: int) -> None:
    random = np.random.default_rng(0)
    second = counts[1] if len(counts) > 1 else 0
    rest = sum(counts) + silent - counts[0] - second
    shares = random.dirichlet((counts[0] + 1, second + 1, rest + 2), 4_000)
    votes = np.array([random.multinomial(size, share) for share in shares])
    gains = []
    for mine, theirs, others in votes:
        after = (counts[0] + mine, second + theirs, *counts[2:])
        found = vote_probabilities(after, silent + others, WEIGHTS)
        gains.append(max(0.0, found[1] - found[0]) if after[1] > after[0] else 0.0)
    assert wave_gain(counts, silent, size, WEIGHTS) == pytest.approx(np.mean(gains), abs=4 * np.std(gains) / 4_000**0.5)


def test_one_vote_cannot_turn_a_lead_of_two_but_a_wave_can() -> None:
    state = State((3, 1), tokens=400)
    assert wave_gain(state.counts, 0, 1) == 0
    wave = knowledge_gradient(state)
    assert wave.size > 2
    assert wave.rate == pytest.approx(wave.gain / (wave.size * 100))


def test_a_close_vote_is_worth_more_than_a_settled_one_and_nothing_is_worth_nothing() -> None:
    assert knowledge_gradient(State((2, 2), tokens=400)).rate > knowledge_gradient(State((9, 1), tokens=1000)).rate
    assert knowledge_gradient(State((2, 2), tokens=400, limit=4)).size == 0
    assert knowledge_gradient(State((2, 2), tokens=400, limit=6)).size <= 2
    assert knowledge_gradient(State((), silent=1, tokens=100)).gain > 0


@settings(max_examples=15)
@given(st.lists(st.floats(-3, 3), max_size=8), st.floats(-2, 4))
def test_expected_improvement_is_the_integral_over_the_predictive_t(scores: list[float], best: float) -> None:
    belief = Scores(0.2, 1.5, 2.5, 0.8).after(scores)
    freedom = 2 * belief.shape
    scale = math.sqrt(belief.scatter * (belief.strength + 1) / (belief.shape * belief.strength))
    expected = stats.t(freedom, belief.mean, scale).expect(lambda s: s - best, lb=best, ub=np.inf)
    assert belief.improvement(best) == pytest.approx(expected, rel=1e-3, abs=1e-6)


def test_a_belief_does_not_care_in_which_batches_scores_came() -> None:
    at_once = Scores().after([0.3, 1.2, -0.4])
    in_turn = Scores().after([0.3]).after([1.2, -0.4])
    assert (at_once.mean, at_once.scatter) == pytest.approx((in_turn.mean, in_turn.scatter))
    assert Scores().after([]) == Scores()


def best_by_force(problems: list[list[tuple[float, float]]], budget: float) -> float:
    best = 0.0
    for taken in itertools.product(*(range(len(steps) + 1) for steps in problems)):
        cost = sum(cost for steps, n in zip(problems, taken, strict=True) for _, cost in steps[:n])
        if cost <= budget:
            best = max(best, sum(gain for steps, n in zip(problems, taken, strict=True) for gain, _ in steps[:n]))
    return best


@given(
    st.lists(st.lists(st.floats(0.01, 1), min_size=1, max_size=4).map(lambda g: sorted(g, reverse=True)), max_size=4),
    st.integers(0, 10),
)
def test_diminishing_gains_of_equal_cost_are_shared_out_optimally(gains: list[list[float]], budget: int) -> None:
    problems = [[(gain, 1.0) for gain in steps] for steps in gains]
    taken = allocate(problems, budget)
    total = sum(gain for steps, n in zip(problems, taken, strict=True) for gain, _ in steps[:n])
    assert sum(taken) <= budget
    assert total == pytest.approx(best_by_force(problems, budget))


def test_a_worthless_first_step_is_taken_for_what_it_opens() -> None:
    assert allocate([[(0.0, 1.0), (0.9, 1.0)], [(0.3, 1.0)]], 2.0) == [2, 0]
    assert allocate([[(0.0, 1.0)], [(0.3, 1.0)]], 5.0) == [0, 1]  # nothing is spent on nothing


@given(st.lists(st.lists(st.tuples(st.floats(0, 1), st.floats(0.1, 3)), max_size=4), max_size=4), st.floats(0, 8))
def test_the_budget_is_never_passed(problems: list[list[tuple[float, float]]], budget: float) -> None:
    taken = allocate(problems, budget)
    spent = sum(cost for steps, n in zip(problems, taken, strict=True) for _, cost in steps[:n])
    assert spent <= budget + 1e-9


def test_a_market_serves_the_best_current_offer() -> None:
    market = Market()
    market.offer("a", 0.5)
    market.offer("b", 0.2)
    market.offer("a", 0.1)  # its worth fell
    assert [market.take(), market.take(), market.take()] == ["b", "a", None]
    market.offer("c", 0.1)
    assert market.take(least=0.2) is None


def test_a_price_makes_a_stream_spend_its_plan() -> None:
    random, price, spent = np.random.default_rng(0), Price(1e-6), []
    for _ in range(3000):
        worth = random.exponential(1e-3)
        cost = float(min(50, worth / price.rate / 20))  # buys more where it is worth more
        spent.append(cost)
        price = price.after(cost, planned=10)
    assert np.mean(spent[1000:]) == pytest.approx(10, rel=0.1)


def test_probes_are_binned_by_how_often_samples_should_be_right() -> None:
    difficulty = Difficulty()
    assert difficulty.bin(State((4,))) == "easy"
    assert difficulty.bin(State((2, 1, 1))) == "medium"
    assert difficulty.bin(State((1,), silent=7)) == "hard"
    assert difficulty.bin(State((), silent=4)) == "hard"
    assert difficulty.chance(State((4,))) > difficulty.chance(State((3, 1))) > difficulty.chance(State((2, 2)))


def test_drift_is_seen_and_chance_is_not() -> None:
    random = np.random.default_rng(0)
    calm, moved = Drift(), Drift()
    alarms = 0
    for _ in range(1500):
        expected = float(random.uniform(0.3, 0.95))
        calm.add(expected, bool(random.random() < expected))
        alarms += calm.drifted
        moved.add(expected, bool(random.random() < expected - 0.3))
    assert alarms == 0
    assert moved.drifted
    assert moved.gap == pytest.approx(-0.3, abs=0.08)
    assert not Drift().drifted
