"""Tests between strategies, held against scipy and cases worked by hand."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest, permutation_test

from outthink.bench.stats import detectable_difference, discordant, holm, mcnemar, sign_flip


@given(st.integers(0, 60), st.integers(0, 60))
def test_mcnemar_is_the_exact_sign_test(only_a, only_b):
    total = only_a + only_b
    expected = binomtest(only_a, total, 0.5).pvalue if total else 1.0
    assert mcnemar(only_a, only_b) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize(("only_a", "only_b", "p"), [(0, 5, 0.0625), (1, 9, 0.021484375), (5, 5, 1.0), (0, 0, 1.0)])
def test_mcnemar_gives_known_p_values(only_a, only_b, p):
    assert mcnemar(only_a, only_b) == pytest.approx(p)


def test_discordant_counts_each_side_and_refuses_means():
    assert discordant([1, 1, 0, 0, 1], [1, 0, 1, 0, 0]) == (2, 1)
    with pytest.raises(ValueError, match="single runs"):
        discordant([0.5, 1], [0, 1])


@given(st.integers(0, 8), st.integers(0, 7))
def test_sign_flip_of_single_runs_is_mcnemar(only_a, only_b):
    differences = [1] * only_a + [-1] * only_b + [0] * 5
    assert sign_flip(differences) == pytest.approx(mcnemar(only_a, only_b))


def test_sign_flip_agrees_with_scipy_where_patterns_are_drawn():
    differences = np.random.default_rng(3).normal(0.3, 1.0, 40)
    drawn = permutation_test(
        (differences,), np.mean, permutation_type="samples", n_resamples=20_000, rng=np.random.default_rng(4)
    )
    assert sign_flip(differences, draws=20_000) == pytest.approx(drawn.pvalue, abs=0.01)


def test_sign_flip_turns_whole_clusters():
    differences = [0.5, 0.5, -0.25, 0.75, 0.25, 0.5]
    sums = [1.0, -0.25, 1.5]  # a b c: by hand
    every = [
        abs(sum(s * x for s, x in zip(signs, sums, strict=True))) for signs in itertools.product((1, -1), repeat=3)
    ]
    expected = np.mean(np.array(every) >= 2.25)
    assert sign_flip(differences, clusters=["a", "a", "b", "c", "c", "c"]) == pytest.approx(expected)


def test_a_drawn_p_value_is_never_zero():
    assert sign_flip([1.0] * 50, draws=999) == pytest.approx(1 / 1000)


def test_holm_steps_down_and_keeps_the_order_given():
    assert holm([0.04, 0.01, 0.03, 0.005]) == pytest.approx([0.06, 0.03, 0.06, 0.02])  # by hand
    assert holm([0.5, 0.9]) == pytest.approx([1.0, 1.0])
    assert holm([]) == []


def test_a_difference_of_the_detectable_size_is_found_at_the_stated_power():
    random = np.random.default_rng(0)
    size = detectable_difference(random.normal(0, 0.4, 200))
    assert size == pytest.approx((1.959964 + 0.841621) * 0.4 / np.sqrt(200), rel=0.15)
    found = [sign_flip(random.normal(size, 0.4, 200), draws=500, seed=i) <= 0.05 for i in range(300)]
    assert 0.68 < np.mean(found) < 0.92


def test_questions_that_share_a_source_tell_apart_less():
    shared = np.repeat(np.random.default_rng(1).normal(0, 0.4, 20), 5)
    clusters = np.repeat(np.arange(20), 5).tolist()
    assert detectable_difference(shared, clusters=clusters) > 1.8 * detectable_difference(shared)


def test_a_bench_without_any_difference_can_still_not_detect_less_than_one_question():
    assert detectable_difference([0.0] * 100) == pytest.approx(2.801585 / 100, rel=1e-6)
