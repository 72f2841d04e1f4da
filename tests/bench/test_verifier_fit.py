"""Fitting: what comes back as plain numbers is what scikit-learn says, and noise gets no weight."""

import numpy as np
import pytest
from sklearn.isotonic import IsotonicRegression

from outthink.bench.verifiers.fit import fit_curve, fit_head, fit_isotonic, fit_platt, folds, gained, log_loss, log_odds
from outthink.verifiers.heads import logistic

RANDOM = np.random.default_rng(5)


def drawn(shift, questions=60, n=8, seed=0):
    """Raw scores of right and wrong samples, ``shift`` apart, with their questions."""
    random = np.random.default_rng(seed)
    owner = np.repeat(np.arange(questions), n)
    right = (random.random(len(owner)) < 0.5).astype(float)
    return random.normal(shift * right, 1), right, np.full(len(owner), 1.0 / n), owner.tolist()


def test_the_isotonic_table_says_what_scikit_learn_predicts():
    raw, right, weight, _ = drawn(1.0)
    curve = fit_isotonic(raw, right, weight)
    oracle = IsotonicRegression(out_of_bounds="clip").fit(raw, right, sample_weight=weight)
    tried = np.linspace(-5, 5, 301)
    edge = 0.5 / (len(raw) + 1)
    ours = np.array([curve.of(one) for one in tried])
    assert np.max(np.abs(ours - oracle.predict(tried))) <= edge + 1e-9  # held off 0 and 1 by as much
    assert 0 < ours.min() < ours.max() < 1


def test_platt_finds_the_slope_that_was_planted():
    raw, right, weight, _ = drawn(1.5, questions=2000)
    curve = fit_platt(raw, right, weight)  # two normals of variance 1, 1.5 apart: log odds 1.5 x - 1.125
    assert (curve.slope, curve.intercept) == pytest.approx((1.5, -1.125), abs=0.1)


@pytest.mark.parametrize("kind", ["linear", "trees"])
def test_a_head_learns_soft_labels_and_says_the_same_one_row_at_a_time(kind, monkeypatch):
    monkeypatch.setattr("outthink.bench.verifiers.fit.TREES", 15)
    x = RANDOM.normal(size=(800, 2))
    truth = 1 / (1 + np.exp(-(2 * x[:, 0])))
    head = fit_head(kind, x, truth, np.ones(len(x)))
    odds = log_odds(head, x[:200])
    assert [head.log_odds(row) for row in x[:200].tolist()] == pytest.approx(odds.tolist(), abs=1e-9)
    assert np.mean(np.abs([logistic(one) for one in odds] - truth[:200])) < 0.12


def test_rows_of_one_question_are_never_on_both_sides():
    groups = [f"q{i}" for i in range(23) for _ in range(3)]
    where = folds(groups, seed=1)
    assert all(len({where[i] for i, name in enumerate(groups) if name == group}) == 1 for group in groups)
    assert sorted(np.bincount(where) // 3) == [4, 4, 5, 5, 5]


def test_noise_is_found_to_have_no_value_and_a_signal_to_have_its_own():
    noise, signal = fit_curve(*drawn(0.0), 0), fit_curve(*drawn(1.5), 0)
    assert noise.curve is None
    assert signal.curve is not None
    assert signal.gain > 5 * signal.error
    raw, right, weight, owner = drawn(1.5)
    assert fit_curve(-raw, right, weight, owner, 0).curve is None  # what falls is no measure of being right


def test_the_loss_of_a_sure_mistake_is_bounded():
    assert log_loss(np.array([0.0, 1.0, 0.5]), np.array([1.0, 1.0, 1.0])) == pytest.approx([13.8, 0.0, 0.693], abs=0.02)


def test_the_error_of_a_mean_goes_by_question():
    values = np.repeat([1.0, -1.0, 1.0, -1.0], 50)
    assert gained(values, np.ones(200), np.repeat(range(4), 50).tolist()) == pytest.approx((0.0, (1 / 3) ** 0.5))
