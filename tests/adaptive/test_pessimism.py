"""Pessimistic weights: of mean one, in the order of the scores, between the best alone and all alike."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outthink.adaptive.pessimism import pessimistic

SCORES = st.lists(st.floats(-10, 10), min_size=1, max_size=20)


@given(SCORES, st.floats(0.01, 100))
def test_the_weights_average_one_and_keep_the_order_of_the_scores(scores, beta):
    weights = pessimistic(scores, beta)
    assert sum(weights) / len(weights) == pytest.approx(1.0, rel=1e-6)
    assert all(weight >= 0 for weight in weights)
    ranked = [weight for _, weight in sorted(zip(scores, weights, strict=True))]
    assert ranked == sorted(ranked)


def test_towards_zero_the_best_alone_counts_and_far_off_all_count_alike():
    assert pessimistic([0.9, 0.2, 0.1], 0.01) == pytest.approx([3.0, 0.0, 0.0])
    assert pessimistic([0.9, 0.2, 0.1], 1e6) == pytest.approx([1.0, 1.0, 1.0], abs=1e-3)
    assert pessimistic([], 1.0) == []
