"""Fitting heads and curves: logistic regression, boosted trees, isotonic and Platt scaling, by scikit-learn.

What is fitted comes back as plain numbers (`outthink.verifiers.heads`) and is checked against scikit-learn's own
predictions. Losses are in nats; ``weight`` counts rows; labels may be soft, in [0, 1].
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

from outthink.core.errors import InputError
from outthink.verifiers.heads import LEAF, Curve, Isotonic, Linear, Platt, Tree, Trees

Floats = NDArray[np.float64]
T = TypeVar("T")
Ints = NDArray[np.int64]
HeadKind = Literal["linear", "trees"]
HEADS: tuple[HeadKind, ...] = ("linear", "trees")
FOLDS = 5
TREES = 40
_EDGE = 1e-6


def sklearn(module: str) -> Any:
    """A module of scikit-learn. Raises `InputError` with the remedy where it is not installed."""
    try:
        return import_module(f"sklearn.{module}")
    except ImportError as error:
        raise InputError(
            "fitting a verifier needs scikit-learn; install it with: pip install 'outthink[train]'"
        ) from error


def folds(groups: Sequence[Hashable], seed: int, count: int = FOLDS) -> Ints:
    """The fold of each row: rows of one group share one, and folds hold about as many groups."""
    names = list(dict.fromkeys(groups))
    shuffled = np.random.default_rng(seed).permutation(len(names))
    place = {name: int(shuffled[i]) % count for i, name in enumerate(names)}
    return np.array([place[group] for group in groups])


def parted(items: Sequence[T], groups: Sequence[Hashable], share: float, seed: int) -> tuple[list[T], list[T]]:
    """The items to fit on and those held out, at least ``share`` of them; items of one group stay together."""
    if not share:
        return list(items), []
    parts = folds(groups, seed, 1000).tolist()
    ranked = sorted(range(len(items)), key=lambda place: parts[place])
    held = {groups[place] for place in ranked[: round(share * len(items))]}
    apart: tuple[list[T], list[T]] = ([], [])
    for item, group in zip(items, groups, strict=True):
        apart[group in held].append(item)
    return apart


def fit_head(kind: HeadKind, rows: Floats, labels: Floats, weight: Floats) -> Linear | Trees:
    """A head fitted on rows with (soft) labels."""
    x = np.concatenate([rows, rows])
    y = np.repeat([1, 0], len(rows))
    w = np.concatenate([weight * labels, weight * (1 - labels)])
    kept = w > 0
    if len(np.unique(y[kept])) == 1:
        return Linear((0.0,) * rows.shape[1], 5.0 if y[kept][0] else -5.0)
    return _linear(x[kept], y[kept], w[kept]) if kind == "linear" else _trees(x[kept], y[kept], w[kept])


def _linear(x: Floats, y: Ints, w: Floats, strength: float = 0.3) -> Linear:
    centre = np.average(x, axis=0, weights=w)
    spread = np.sqrt(np.average((x - centre) ** 2, axis=0, weights=w))
    spread = np.where(spread > 1e-9, spread, 1.0)
    model = sklearn("linear_model").LogisticRegression(C=strength, max_iter=1000)
    model.fit((x - centre) / spread, y, sample_weight=w)
    weights = model.coef_[0] / spread
    return Linear(tuple(map(float, weights)), float(model.intercept_[0] - weights @ centre))


def _trees(x: Floats, y: Ints, w: Floats) -> Trees:
    model = sklearn("ensemble").HistGradientBoostingClassifier(
        max_iter=TREES,
        learning_rate=0.1,
        max_depth=3,
        min_samples_leaf=40,
        l2_regularization=5.0,
        early_stopping=False,
        random_state=0,
    )
    with import_module("threadpoolctl").threadpool_limits(1):  # threads would wait for each other on a busy machine
        model.fit(x, y, sample_weight=w)
    base = float(np.ravel(model._baseline_prediction)[0])
    found = Trees(base, tuple(_tree(one[0].nodes) for one in model._predictors))
    some = x[:: max(1, len(x) // 50)]
    if not np.allclose([found.log_odds(row.tolist()) for row in some], model.decision_function(some), atol=1e-6):
        raise InputError("this scikit-learn keeps its trees in an unknown form; install scikit-learn 1.4 to 1.9")
    return found


def _tree(nodes: Any) -> Tree:
    """One tree from scikit-learn's table of nodes."""
    leaf = nodes["is_leaf"].astype(bool)
    return Tree(
        feature=tuple(np.where(leaf, LEAF, nodes["feature_idx"].astype(np.int64)).tolist()),
        threshold=tuple(np.where(leaf, 0.0, nodes["num_threshold"]).tolist()),
        left=tuple(np.where(leaf, 0, nodes["left"].astype(np.int64)).tolist()),
        right=tuple(np.where(leaf, 0, nodes["right"].astype(np.int64)).tolist()),
        value=tuple(np.where(leaf, nodes["value"], 0.0).tolist()),
    )


def log_odds(head: Linear | Trees, rows: Floats) -> Floats:
    """What a head says of each row; the same as its own `log_odds`, for many rows at once."""
    if isinstance(head, Linear):
        return rows @ np.array(head.weights) + head.bias
    return head.base + sum((_reached(tree, rows) for tree in head.trees), np.zeros(len(rows)))


def _reached(tree: Tree, rows: Floats) -> Floats:
    feature, threshold = np.array(tree.feature), np.array(tree.threshold)
    left, right = np.array(tree.left), np.array(tree.right)
    node = np.zeros(len(rows), dtype=np.int64)
    while np.any(under_way := feature[node] != LEAF):
        less = rows[np.arange(len(rows)), feature[node]] <= threshold[node]
        node = np.where(under_way, np.where(less, left[node], right[node]), node)
    return np.array(tree.value)[node]


def log_loss(probability: Floats, labels: Floats) -> Floats:
    """The loss of each row: minus the log of the probability that was given to what happened."""
    p = np.minimum(np.maximum(probability, _EDGE), 1 - _EDGE)
    return -(labels * np.log(p) + (1 - labels) * np.log1p(-p))


def probabilities(curve: Curve, raw: Floats) -> Floats:
    """What a curve makes of each raw score."""
    return np.array([curve.of(float(one)) for one in raw])


def fit_isotonic(raw: Floats, labels: Floats, weight: Floats) -> Isotonic:
    """The nearest rising curve, kept off 0 and 1 by as much as half a row in all."""
    model = sklearn("isotonic").IsotonicRegression(out_of_bounds="clip").fit(raw, labels, sample_weight=weight)
    edge = 0.5 / (len(raw) + 1)
    heights: Floats = np.minimum(np.maximum(model.y_thresholds_, edge), 1 - edge)
    return Isotonic(tuple(map(float, model.X_thresholds_)), tuple(map(float, heights)))


def fit_platt(raw: Floats, labels: Floats, weight: Floats) -> Platt:
    """The logistic curve that fits best, lightly held back."""
    head = _linear(*_hard(raw, labels, weight), strength=10.0)
    return Platt(head.weights[0], head.bias)


def _hard(raw: Floats, labels: Floats, weight: Floats) -> tuple[Floats, Ints, Floats]:
    rows = np.concatenate([raw, raw])[:, None]
    return rows, np.repeat([1, 0], len(raw)), np.concatenate([weight * labels, weight * (1 - labels)])


def fit_curve(raw: Floats, labels: Floats, weight: Floats, groups: Sequence[Hashable], seed: int) -> Worth:
    """Isotonic or Platt, whichever loses less on held-out groups, and what it gains over the base rate there."""
    where = folds(groups, seed)
    fits = {"isotonic": fit_isotonic, "platt": fit_platt}
    losses = {name: np.zeros(len(raw)) for name in (*fits, "base")}
    for fold in range(FOLDS):
        out, kept = where == fold, where != fold
        if not out.any() or len(np.unique(labels[kept] >= 0.5)) == 1:
            continue
        rate = float(np.average(labels[kept], weights=weight[kept]))
        losses["base"][out] = log_loss(np.full(int(out.sum()), rate), labels[out])
        for name, fit in fits.items():
            curve = fit(raw[kept], labels[kept], weight[kept])
            losses[name][out] = log_loss(probabilities(curve, raw[out]), labels[out])
    best = min(fits, key=lambda name: float(np.average(losses[name], weights=weight)))
    curve = fits[best](raw, labels, weight)
    gain, error = gained(losses["base"] - losses[best], weight, groups)
    falls = isinstance(curve, Platt) and curve.slope <= 0
    means = {name: float(np.average(loss, weights=weight)) for name, loss in losses.items()}
    return Worth(None if gain <= error or falls else curve, best, means, gain, error)


def gained(differences: Floats, weight: Floats, groups: Sequence[Hashable]) -> tuple[float, float]:
    """The mean of differences, and its standard error by groups."""
    names = {name: i for i, name in enumerate(dict.fromkeys(groups))}
    index = np.array([names[group] for group in groups])
    mean = float(np.average(differences, weights=weight))
    away: Floats = np.bincount(index, weight * (differences - mean), len(names)) / float(weight.sum())
    return mean, float(np.sqrt(float(np.sum(away**2)) * len(names) / max(1, len(names) - 1)))


@dataclass(frozen=True, slots=True)
class Worth:
    """A curve with what it was found worth on held-out groups; ``curve`` None where it gained less than one standard
    error over the base rate."""

    curve: Isotonic | Platt | None
    kind: str
    losses: dict[str, float]
    gain: float
    error: float

    def told(self) -> dict[str, Any]:
        """For the file's report."""
        return {
            "curve": None if self.curve is None else self.kind,
            "log_loss": self.losses[self.kind],
            "base_log_loss": self.losses["base"],
            "gain": self.gain,
            "gain_se": self.error,
        }
