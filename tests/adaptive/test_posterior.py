from __future__ import annotations

import doctest
import math

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from outthink.adaptive import posterior as module
from outthink.adaptive.posterior import Column, Evidence, Weights, logit, posterior, uncalibrated
from outthink.adaptive.posterior_fit import Recorded, fit
from outthink.core.errors import InputError

evidence = st.lists(
    st.builds(
        Evidence,
        st.sampled_from(["a", "b", "c", None]),
        st.tuples(st.none() | st.floats(-5, 5), st.none() | st.floats(-5, 5)),
        st.booleans(),
    ),
    max_size=40,
)
LEARNED = Weights(1.3, 0.7, -1.0, 0.3, 1.0, 2.0, (Column(0.5, 2.0, 0.4, 0.8, 0.3), Column(mean=-0.2)), True)


def test_the_docstring_example_holds() -> None:
    assert doctest.testmod(module).failed == 0


@given(evidence)
def test_probabilities_and_none_add_up_to_one_and_are_ranked(items: list[Evidence]) -> None:
    found = posterior(items, LEARNED)
    assert found.none + sum(found.probabilities.values()) == pytest.approx(1)
    assert list(found.probabilities.values()) == sorted(found.probabilities.values(), reverse=True)
    assert set(found.probabilities) == {item.key for item in items if item.key is not None}


@given(evidence, st.randoms(use_true_random=False))
def test_the_order_of_arrival_does_not_matter(items: list[Evidence], random: object) -> None:
    shuffled = list(items)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert posterior(shuffled, LEARNED).probabilities == pytest.approx(posterior(items, LEARNED).probabilities)


@given(evidence)
def test_it_is_the_softmax_of_the_published_features(items: list[Evidence]) -> None:
    keys = sorted({item.key for item in items if item.key is not None})
    if not keys:
        return
    n = len(items)
    logits = []
    for key in keys:
        group = [item for item in items if item.key == key]
        score = 1.3 * math.log(len(group)) + 0.7 * len(group) / n
        for place, column in enumerate(LEARNED.columns):
            known = [(x - column.centre) / column.scale for item in group if (x := item.scores[place]) is not None]
            if known:
                sum_scaled = sum(known) / len(group) ** 0.5
                score += column.best * max(known) + column.mean * np.mean(known) + column.total * sum_scaled
        logits.append(score)
    missing = [item for item in items if item.key is None]
    silent, cut = sum(item.whole for item in missing) / n, sum(not item.whole for item in missing) / n
    logits.append(-1.0 + 0.3 * math.log(n) + silent + 2 * cut)
    expected = np.exp(logits) / np.exp(logits).sum()
    found = posterior(items, LEARNED)
    assert [found.probabilities[key] for key in keys] + [found.none] == pytest.approx(list(expected))


def test_without_calibration_votes_count_as_they_are() -> None:
    found = posterior([Evidence("x")] * 3 + [Evidence("y")])
    assert found.probabilities["x"] == pytest.approx(3 * found.probabilities["y"])
    assert found.none == pytest.approx(0.5 / 4.5)


def test_nothing_answered_means_none_of_the_above() -> None:
    assert posterior([]).none == posterior([Evidence(None, whole=False)]).none == 1.0
    assert posterior([]).leader is None
    assert posterior([]).confidence == 0.0


def test_candidates_without_an_answer_make_us_less_sure() -> None:
    full = posterior([Evidence("x")] * 3)
    assert posterior([Evidence("x")] * 3 + [Evidence(None)]).confidence < full.confidence
    assert posterior([Evidence("x")] * 3 + [Evidence(None, whole=False)]).confidence < full.confidence


def test_a_score_outweighs_a_vote_where_it_says_so_and_an_unknown_one_is_neutral() -> None:
    bad, good = (logit(0.05),), (logit(0.95),)
    weights = uncalibrated(1)
    assert posterior([Evidence("x", bad), Evidence("x", bad), Evidence("y", good)], weights).leader == "y"
    assert posterior([Evidence("x", bad)] * 4, weights).none > 0.5
    unscored = posterior([Evidence("x", (None,)), Evidence("y")], weights)
    assert unscored.probabilities["x"] == unscored.probabilities["y"]


def test_a_logit_is_finite_at_the_ends() -> None:
    assert logit(1.0) == pytest.approx(-logit(0.0))
    assert 5 < logit(1.0) < 20
    assert logit(0.5) == 0


def test_weights_survive_json() -> None:
    assert msgspec.json.decode(msgspec.json.encode(LEARNED), type=Weights) == LEARNED


def simulated(n: int, seed: int, scored: float = 0.0) -> list[Recorded]:
    """Questions of mixed difficulty with 40 candidates each; a column of scores that parts right from wrong by
    ``scored`` standard deviations, and one of noise."""
    random = np.random.default_rng(seed)
    found = []
    for _ in range(n):
        chance = random.beta(1, 1)
        wrong = random.dirichlet([0.5] * 4) * (1 - chance)
        keys = random.choice(list("gwxyz"), 40, p=[chance, *wrong])
        found.append(
            Recorded(
                tuple(
                    Evidence(str(key), (float(random.normal(scored * (key == "g"))), float(random.normal())))
                    for key in keys
                ),
                "g",
            )
        )
    return found


def test_a_fitted_posterior_is_calibrated_on_new_questions_and_beats_the_plain_vote() -> None:
    weights = fit(simulated(300, 1), columns=0)
    random = np.random.default_rng(2)
    brier = {True: 0.0, False: 0.0}
    sure, right = [], []
    for question in simulated(600, 3):
        prefix = question.evidence[: int(random.integers(1, 17))]
        for fitted in (True, False):
            found = posterior(prefix, weights if fitted else Weights())
            brier[fitted] += (found.confidence - (found.leader == question.gold)) ** 2
        found = posterior(prefix, weights)
        sure.append(found.confidence)
        right.append(found.leader == question.gold)
    assert brier[True] < brier[False]
    assert np.mean(right) == pytest.approx(np.mean(sure), abs=0.06)  # three standard errors


def test_a_useful_column_is_found_and_a_useless_one_is_left_out() -> None:
    weights = fit(simulated(300, 4, scored=1.5), columns=2)
    useful, useless = weights.columns
    assert useful.best + useful.mean + useful.total > 0.5
    assert abs(useless.best) + abs(useless.mean) + abs(useless.total) < 0.5 * (useful.mean + useful.total + useful.best)
    assert weights.calibrated


def test_the_fit_is_a_stationary_point_and_the_same_for_a_seed() -> None:
    questions = simulated(60, 5)
    assert fit(questions, columns=2) == fit(questions, columns=2)
    assert fit(questions, seed=1) != fit(questions)
    free = fit(questions, ridge=1e-6)
    tied = fit(questions, ridge=1e6)
    assert abs(tied.log_count - 1) < 1e-3 < abs(free.log_count - 1)


def test_too_few_questions_say_how_many_are_needed() -> None:
    with pytest.raises(InputError, match=r"5 recorded questions.*at least 20"):
        fit(simulated(5, 6))
