"""Intervals, held against scipy, and against worlds whose truth is known."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest
from scipy.stats import bootstrap as scipy_bootstrap

from outthink.bench.stats import (
    Resampling,
    accuracy_difference,
    accuracy_estimate,
    bootstrap,
    compare,
    log_token_ratio,
    mean_estimate,
    token_ratio,
    wilson,
)


@given(st.integers(1, 300), st.data())
def test_wilson_agrees_with_scipy(n, data):
    right = data.draw(st.integers(0, n))
    level = data.draw(st.sampled_from([0.8, 0.95, 0.99]))
    expected = binomtest(right, n).proportion_ci(level, "wilson")
    assert wilson(right, n, level) == pytest.approx((right / n, expected.low, expected.high), abs=1e-9)


@pytest.mark.parametrize("method", ["percentile", "BCa"])
def test_bootstrap_agrees_with_scipy(method):
    values = np.random.default_rng(5).lognormal(0, 1, 60)
    how = Resampling(resamples=40_000, method=method.lower())
    ours = mean_estimate(values, how=how)
    theirs = scipy_bootstrap(
        (values,), np.mean, n_resamples=40_000, method=method, rng=np.random.default_rng(6)
    ).confidence_interval
    assert ours.low == pytest.approx(theirs.low, rel=0.01)
    assert ours.high == pytest.approx(theirs.high, rel=0.015)


def test_the_expanded_interval_of_a_mean_is_as_wide_as_students():
    values = np.random.default_rng(7).normal(3, 1, 12)
    found = mean_estimate(values, how=Resampling(resamples=50_000))
    half = 2.200985 * values.std(ddof=1) / np.sqrt(12)  # t of 11 degrees of freedom, from a table
    assert (found.high - found.low) / 2 == pytest.approx(half, rel=0.06)
    plain = mean_estimate(values, how=Resampling(resamples=50_000, method="percentile"))
    assert plain.high - plain.low < 0.9 * (found.high - found.low)


def test_clusters_of_copies_count_once():
    values = np.random.default_rng(8).normal(0, 1, 30)
    copies, clusters = np.repeat(values, 4), [f"source {i}" for i in range(30) for _ in range(4)]
    clustered, alone = mean_estimate(copies, clusters=clusters), mean_estimate(values)
    assert clustered == pytest.approx(alone)
    naive = mean_estimate(copies)
    assert naive.high - naive.low < 0.6 * (clustered.high - clustered.low)


def test_pairing_makes_a_difference_sharper_than_two_apart():
    random = np.random.default_rng(9)
    hard = random.random(100)
    a, b = (hard + random.normal(0, 0.02, 100) for _ in range(2))
    paired = accuracy_difference(a, b)
    assert paired.high - paired.low < 0.15 * (mean_estimate(a).high - mean_estimate(a).low)


def test_one_seed_gives_one_interval_and_another_gives_another():
    values = np.random.default_rng(10).random(40)
    assert mean_estimate(values) == mean_estimate(values)
    assert mean_estimate(values) != mean_estimate(values, how=Resampling(seed=1))


def test_a_token_ratio_turned_round_is_its_inverse():
    random = np.random.default_rng(11)
    a, b = random.lognormal(5, 1, 80), random.lognormal(6, 1, 80)
    there, back = token_ratio(a, b), token_ratio(b, a)
    assert there.value == pytest.approx(a.mean() / b.mean())
    assert (back.value, back.low, back.high) == pytest.approx(
        (1 / there.value, 1 / there.high, 1 / there.low), rel=1e-6
    )
    assert log_token_ratio(a, b).low == pytest.approx(np.log(there.low))


def test_strategies_that_never_differ_are_not_proven_equal():
    a = [1, 0] * 25
    found = accuracy_difference(a, a)
    assert found.value == 0
    assert found.low < -0.02 < 0.02 < found.high


def test_accuracy_of_single_runs_has_wilsons_interval_and_means_have_the_bootstraps():
    assert accuracy_estimate([1] * 9 + [0]) == wilson(9, 10)
    assert accuracy_estimate([0.5, 1, 0.25, 0]) == mean_estimate([0.5, 1, 0.25, 0])
    assert accuracy_estimate([1, 0, 1, 0], clusters="aabb") == mean_estimate([1, 0, 1, 0], clusters="aabb")


def test_clusters_of_one_are_no_clusters():
    a, b = [1, 0, 1, 1], [0, 0, 1, 0]
    alone, tokens = ["w", "x", "y", "z"], [5, 6, 7, 8]
    assert accuracy_estimate(a, clusters=alone) == wilson(3, 4)
    assert compare((a, tokens), (b, tokens), clusters=alone) == compare((a, tokens), (b, tokens))


def test_one_question_says_nothing_about_others():
    assert mean_estimate([0.5]) == (0.5, -np.inf, np.inf)
    with pytest.raises(ValueError, match="no questions"):
        bootstrap(np.zeros((2, 0)), lambda sums: sums[:, 0])


def test_unequal_lengths_and_clusters_are_refused():
    with pytest.raises(ValueError, match="one a question"):
        accuracy_difference([1, 0], [1])
    with pytest.raises(ValueError, match="2 clusters for 3"):
        mean_estimate([1, 0, 1], clusters=["a", "b"])
    with pytest.raises(ValueError, match="above 0"):
        token_ratio([0, 0], [1, 2])


def test_a_comparison_ranks_only_what_is_significant_and_detectable():
    random = np.random.default_rng(12)
    a = (random.random(200) < 0.8).astype(float)
    b = np.where(random.random(200) < 0.3, 0.0, a)
    found = compare((a, random.lognormal(5, 1, 200)), (b, random.lognormal(4, 1, 200)))
    assert found.accuracy_diff.low > 0.1
    assert found.mcnemar_p is not None
    assert found.mcnemar_p < 1e-6
    assert found.ranks(p_adjusted=found.p)
    assert not found.ranks(p_adjusted=0.2)
    averaged = compare((a * 0.5, np.ones(200)), (a * 0.5, np.ones(200)))
    assert averaged.mcnemar_p is None
    assert averaged.p == 1.0
    assert not averaged.ranks(p_adjusted=0.0)


def simulated(questions, samples, seed):
    """Per-question accuracies of two strategies whose true difference over all questions is 0.1."""
    random = np.random.default_rng(seed)
    base = random.beta(1.5, 1.5, questions) * 0.9
    lifts = random.choice([0.0, 0.3], size=questions, p=[2 / 3, 1 / 3])
    better = base + lifts * (1 - base / 0.9) / 0.5
    better = np.minimum(better, 1.0)
    return random.binomial(samples, better) / samples, random.binomial(samples, base) / samples


@pytest.mark.parametrize("samples", [1, 16])
def test_the_interval_of_a_difference_holds_the_truth_about_as_often_as_it_says(samples):
    far = simulated(1_000_000, 1, 1)
    truth = float(np.mean(far[0] - far[1]))
    held = 0
    for bench in range(400):
        found = accuracy_difference(*simulated(60, samples, 100 + bench), how=Resampling(resamples=800, seed=bench))
        held += found.low <= truth <= found.high
    assert 0.92 <= held / 400 <= 0.985


def test_the_interval_holds_where_only_few_questions_differ():
    held = 0
    for bench in range(400):
        random = np.random.default_rng(bench)
        gain = (random.random(60) < 0.03).astype(float)  # 3 % of questions, so that many benches meet one or none
        found = accuracy_difference(gain, np.zeros(60), how=Resampling(resamples=800, seed=bench))
        held += found.low <= 0.03 <= found.high
    assert held / 400 >= 0.93
