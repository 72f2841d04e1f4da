"""Accuracy against tokens, held against scipy and cases worked by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import isotonic_regression

from outthink.bench.stats import Resampling, iso_accuracy_saving, isotonic, pareto, tokens_for


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_isotonic_agrees_with_scipy(values):
    assert isotonic(values) == pytest.approx(isotonic_regression(values).x, abs=1e-9)


def test_isotonic_takes_many_curves_at_once():
    curves = np.random.default_rng(0).random((50, 6))
    assert isotonic(curves) == pytest.approx(np.stack([isotonic_regression(curve).x for curve in curves]))


def test_a_frontier_keeps_only_points_worth_their_tokens():
    points = [(400, 0.6), (100, 0.5), (200, 0.4), (100, 0.45), (800, 0.6), (900, 0.7)]
    assert pareto(points) == [(100, 0.5), (400, 0.6), (900, 0.7)]


@pytest.mark.parametrize(
    ("accuracy", "tokens"), [(0.3, 100), (0.4, 100), (0.5, 150), (0.6, 200), (0.65, 300), (0.7, 400), (0.71, np.inf)]
)
def test_tokens_for_an_accuracy_lie_on_the_straight_line_between_points(accuracy, tokens):
    assert tokens_for(accuracy, [100, 200, 400], [0.4, 0.6, 0.7]) == pytest.approx(tokens)


def test_a_dip_in_the_curve_is_smoothed_before_it_is_read():
    # 0.6 and 0.5 become 0.55 twice: 0.55 costs the cheaper of the two
    assert tokens_for(0.55, [100, 200, 400], [0.4, 0.6, 0.5]) == pytest.approx(200)


def bench(questions, seed, saving=4.0):
    """A fixed curve at N = 1, 2, 4, 8, 16 and a strategy as good as N = 8 at a fraction of its tokens."""
    random = np.random.default_rng(seed)
    chance = random.beta(2, 2, questions)
    each = random.lognormal(5, 0.3, questions)
    sizes = np.array([1, 2, 4, 8, 16])
    accuracies = np.stack([chance + (1 - chance) * 0.2 * np.log2(n) / 4 for n in sizes])
    noise = random.normal(0, 0.05, (6, questions))
    return (sizes[:, None] * each, accuracies + noise[:5]), (8 * each / saving, accuracies[3] + noise[5])


def test_a_saving_is_found_back_with_its_interval():
    fixed, strategy = bench(20_000, 0)
    assert iso_accuracy_saving(fixed, strategy, how=Resampling(resamples=200)).value == pytest.approx(4.0, rel=0.05)
    held = 0
    for seed in range(1, 101):
        found = iso_accuracy_saving(*bench(100, seed), how=Resampling(resamples=400, seed=seed))
        held += found.low <= 4.0 <= found.high
    assert held >= 88


def test_an_accuracy_that_the_curve_never_reaches_saves_without_bound():
    fixed, (tokens, accuracy) = bench(50, 3)
    found = iso_accuracy_saving(fixed, (tokens, accuracy + 0.5), how=Resampling(resamples=100))
    assert found == (np.inf, np.inf, np.inf)


def test_a_strategy_that_is_the_curve_itself_saves_nothing():
    (tokens, accuracies), _ = bench(200, 4)
    found = iso_accuracy_saving((tokens, accuracies), (tokens[2], accuracies[2]), how=Resampling(resamples=500))
    assert found.value == pytest.approx(1.0, abs=0.02)
    assert found.low <= 1.0 <= found.high


def test_shapes_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="points × questions"):
        iso_accuracy_saving(([1, 2], [0.1, 0.2]), ([1], [0.1]))
