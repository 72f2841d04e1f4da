"""Averages over k-subsets of a pool, held against listing every subset."""

import math
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outthink.bench.stats import majority_at_k, oracle_at_k, pass_at_k, random_choice

pools = st.lists(
    st.sampled_from([(None, 0.0), ("right", 1.0), ("wrong", 0.0), ("other", 0.0), ("half", 0.5)]),
    min_size=1,
    max_size=9,
)


def vote(drawn):
    """The grade of the majority of drawn (answer, grade) pairs, ties split evenly, by plain counting."""
    counts = {}
    for answer, _ in drawn:
        if answer is not None:
            counts[answer] = counts.get(answer, 0) + 1
    most = max(counts.values(), default=0)
    grades = dict(drawn)
    leaders = [answer for answer, count in counts.items() if count == most]
    return sum(grades[answer] for answer in leaders) / len(leaders) if leaders else 0.0


def mean(values):
    values = list(values)
    return sum(values) / len(values)


@given(pools, st.data())
def test_maj_at_k_is_the_mean_over_every_subset(pool, data):
    k = data.draw(st.integers(1, len(pool)))
    listed = mean(vote(drawn) for drawn in combinations(pool, k))
    answers, grades = zip(*pool, strict=True)
    assert majority_at_k(answers, grades, k) == pytest.approx(listed, abs=1e-12)


@given(st.lists(st.sampled_from([0.0, 0.25, 1.0]), min_size=1, max_size=9), st.data())
def test_oracle_at_k_is_the_mean_of_the_best_over_every_subset(grades, data):
    k = data.draw(st.integers(1, len(grades)))
    assert oracle_at_k(grades, k) == pytest.approx(mean(map(max, combinations(grades, k))), abs=1e-12)


@given(st.integers(1, 30), st.data())
def test_pass_at_k_is_the_published_formula(n, data):
    right, k = data.draw(st.integers(0, n)), data.draw(st.integers(1, n))
    expected = 1 - math.comb(n - right, k) / math.comb(n, k)
    assert pass_at_k(n, right, k) == pytest.approx(expected, abs=1e-12)
    assert oracle_at_k([1.0] * right + [0.0] * (n - right), k) == pytest.approx(expected, abs=1e-12)


def test_pass_at_k_takes_questions_with_pools_of_different_sizes():
    assert pass_at_k([4, 8, 2], [1, 0, 2], 2) == pytest.approx([0.5, 0.0, 1.0])


def test_one_sample_makes_voting_and_the_oracle_a_random_choice():
    answers, grades = ["a", "b", None, "a", "c"], [1.0, 0.0, 0.0, 1.0, 0.0]
    assert majority_at_k(answers, grades, 1) == pytest.approx(random_choice(grades))
    assert oracle_at_k(grades, 1) == pytest.approx(random_choice(grades))


def test_the_whole_pool_is_one_vote_with_its_tie_split():
    assert majority_at_k(["a", "a", "b", "b", "c"], [1, 1, 0, 0, 0], 5) == pytest.approx(0.5)


def test_large_pools_neither_overflow_nor_lose_the_majority():
    answers = ["right"] * 1200 + ["wrong"] * 700 + [None] * 100
    grades = [1.0] * 1200 + [0.0] * 800
    assert majority_at_k(answers, grades, 64) > 0.98
    assert majority_at_k(answers, grades, 2) == pytest.approx(  # by hand: leads alone, or ties and is halved
        (math.comb(1200, 2) + 1200 * 100 + 1200 * 700 / 2) / math.comb(2000, 2)
    )


@pytest.mark.parametrize("k", [0, 4])
def test_k_outside_the_pool_is_refused(k):
    with pytest.raises(ValueError, match="samples of every question"):
        pass_at_k([3], [1], k)
    with pytest.raises(ValueError, match="3"):
        oracle_at_k([1, 0, 0], k)
    with pytest.raises(ValueError, match="3"):
        majority_at_k(["a", "b", "c"], [1, 0, 0], k)
