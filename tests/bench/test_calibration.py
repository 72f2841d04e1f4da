"""Calibration figures, worked by hand and against predictors whose calibration is known."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from outthink.bench.stats import brier, ece, ece_if_calibrated, reliability, wilson


def test_a_reliability_curve_by_hand():
    curve = reliability([0.1, 0.2, 0.8, 0.9], [0, 1, 1, 1], bins=2)
    found = np.array([(b.confidence, b.accuracy, b.questions) for b in curve])
    assert found == pytest.approx(np.array([(0.15, 0.5, 2), (0.85, 1.0, 2)]))
    assert (curve[0].accuracy, curve[0].low, curve[0].high) == wilson(1, 2)
    assert ece([0.1, 0.2, 0.8, 0.9], [0, 1, 1, 1], bins=2) == pytest.approx((0.35 + 0.15) / 2)


def test_brier_by_hand():
    assert brier([1.0, 0.5, 0.0], [1, 1, 1]) == pytest.approx((0 + 0.25 + 1) / 3)


@given(st.lists(st.tuples(st.sampled_from([0.0, 0.3, 0.5, 1.0]), st.booleans()), min_size=1, max_size=40), st.randoms())
def test_equal_confidences_share_a_bin_so_that_order_does_not_matter(rows, random):
    shuffled = random.sample(rows, len(rows))
    one, other = (([c for c, _ in found], [float(r) for _, r in found]) for found in (rows, shuffled))
    assert ece(*one, bins=3) == pytest.approx(ece(*other, bins=3))
    curve = reliability(*one, bins=3)
    assert sum(found.questions for found in curve) == len(rows)
    assert [found.confidence for found in curve] == sorted(found.confidence for found in curve)
    weighted = sum(abs(found.accuracy - found.confidence) * found.questions for found in curve) / len(rows)
    assert ece(*one, bins=3) == pytest.approx(weighted)


def test_bins_hold_about_the_same_number_of_questions():
    curve = reliability(np.linspace(0, 1, 1003), np.zeros(1003), bins=10)
    assert {found.questions for found in curve} <= {100, 101}
    assert len(curve) == 10


def test_a_calibrated_predictor_lies_inside_what_is_expected_of_one_and_an_overconfident_one_does_not():
    random = np.random.default_rng(0)
    inside = 0
    for bench in range(200):
        sure = random.beta(2, 1, 100)
        right = random.random(100) < sure
        expected = ece_if_calibrated(sure, draws=500, seed=bench)
        inside += expected.low <= ece(sure, right) <= expected.high
        assert expected.value > 0.03  # far from 0 on a hundred questions
    assert 0.9 <= inside / 200 <= 0.99
    sure = np.full(100, 0.95) - random.random(100) * 0.05
    assert ece(sure, random.random(100) < 0.7) > ece_if_calibrated(sure).high


def test_what_is_expected_shrinks_with_more_questions_and_repeats_by_seed():
    small, large = (ece_if_calibrated(np.linspace(0, 1, n), draws=300) for n in (50, 2000))
    assert large.value < small.value / 3
    assert small == ece_if_calibrated(np.linspace(0, 1, 50), draws=300)


@pytest.mark.parametrize(("confidence", "right"), [([], []), ([0.5], [0.5, 1]), ([1.2], [1]), ([0.5], [-1])])
def test_values_that_are_no_probabilities_are_refused(confidence, right):
    with pytest.raises(ValueError):
        ece(confidence, right)
