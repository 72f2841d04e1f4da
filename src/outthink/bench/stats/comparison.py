"""Two strategies on the same questions: difference in accuracy, ratio of tokens, and whether they may be ranked."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from outthink.bench.stats.intervals import Clusters, Estimate, Resampling, bootstrap, by_cluster, shared, wilson
from outthink.bench.stats.significance import detectable_difference, discordant, mcnemar, sign_flip

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Comparison:
    """a against b. ``accuracy_diff``: a minus b. ``token_ratio``: a's mean tokens over b's.

    ``p``: sign-flip permutation test of the accuracies. ``mcnemar_p``: where both were run once on every question.
    ``detectable``: the smallest difference in accuracy that this bench finds with power 0.8.
    """

    accuracy_diff: Estimate
    token_ratio: Estimate
    p: float
    mcnemar_p: float | None
    detectable: float

    def ranks(self, p_adjusted: float, level: float = 0.95) -> bool:
        """Whether one may be called better: significant after correction, and not below what can be detected."""
        return p_adjusted <= 1 - level and abs(self.accuracy_diff.value) >= self.detectable


def compare(
    a: tuple[ArrayLike, ArrayLike],
    b: tuple[ArrayLike, ArrayLike],
    *,
    clusters: Clusters = None,
    how: Resampling = Resampling(),
) -> Comparison:
    """Compare (accuracies, tokens) of two strategies, each one value a question in the same order."""
    ours, theirs = np.asarray(a[0], dtype=np.float64), np.asarray(b[0], dtype=np.float64)
    once = bool(np.all(np.isin(ours, (0, 1))) and np.all(np.isin(theirs, (0, 1))))
    return Comparison(
        accuracy_diff=accuracy_difference(ours, theirs, clusters=clusters, how=how),
        token_ratio=token_ratio(a[1], b[1], clusters=clusters, how=how),
        p=sign_flip(ours - theirs, clusters=clusters, seed=how.seed),
        mcnemar_p=mcnemar(*discordant(ours, theirs)) if once and shared(clusters) is None else None,
        detectable=detectable_difference(ours - theirs, clusters=clusters, level=how.level),
    )


def mean_estimate(values: ArrayLike, *, clusters: Clusters = None, how: Resampling = Resampling()) -> Estimate:
    """The mean over questions (of means over repeats or orders of replay) with its bootstrap interval."""
    column = np.asarray(values, dtype=np.float64)
    return bootstrap(np.stack([column, np.ones_like(column)]), _ratio, clusters=clusters, how=how)


def accuracy_estimate(right: ArrayLike, *, clusters: Clusters = None, how: Resampling = Resampling()) -> Estimate:
    """Mean accuracy with its interval: Wilson's for single runs of questions that stand alone, else the bootstrap's."""
    values = np.asarray(right, dtype=np.float64)
    if shared(clusters) is None and np.all(np.isin(values, (0, 1))):
        return wilson(float(values.sum()), len(values), how.level)
    return mean_estimate(values, clusters=clusters, how=how)


def accuracy_difference(
    a: ArrayLike, b: ArrayLike, *, clusters: Clusters = None, how: Resampling = Resampling()
) -> Estimate:
    """Mean accuracy of a minus that of b, paired by question, with its bootstrap interval.

    Where few questions differ, resampling alone claims too much: a difference not met among them is not ruled out. So
    two questions more are resampled, one for each side, that differ as much as those that do (the fourth root of the
    mean fourth power, which leans to the largest; a whole question where none differs). For single runs this is the
    adjustment of Bonett and Price, 2012; for means over repeats its measure was chosen by ``benchmarks/coverage.py``.
    """
    ours, theirs = _paired(a, b)
    differences = ours - theirs
    sums = by_cluster(differences, clusters)[0]
    some: Floats = sums[sums != 0]
    size = float(np.mean(np.power(some, 4))) ** 0.25 if len(some) else 1.0
    padded = np.concatenate([differences, [size, -size]])
    grouped = None if clusters is None else [*((cluster,) for cluster in clusters), 1, -1]
    found = mean_estimate(padded, clusters=grouped, how=how)
    return Estimate(float(np.mean(differences)), found.low, found.high)


def log_token_ratio(
    a: ArrayLike, b: ArrayLike, *, clusters: Clusters = None, how: Resampling = Resampling()
) -> Estimate:
    """The natural log of a's mean tokens over b's, paired by question, with its bootstrap interval."""
    ours, theirs = _paired(a, b)
    if np.any(ours < 0) or np.any(theirs < 0) or not ours.sum() > 0 or not theirs.sum() > 0:
        raise ValueError("a ratio of tokens needs counts above 0 on both sides")
    return bootstrap(np.stack([ours, theirs]), _log_ratio, clusters=clusters, how=how)


def token_ratio(a: ArrayLike, b: ArrayLike, *, clusters: Clusters = None, how: Resampling = Resampling()) -> Estimate:
    """a's mean tokens over b's; the interval is that of the log, carried back."""
    found = log_token_ratio(a, b, clusters=clusters, how=how)
    return Estimate(*(float(np.exp(end)) for end in found))


def _paired(a: ArrayLike, b: ArrayLike) -> tuple[Floats, Floats]:
    ours, theirs = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    if ours.shape != theirs.shape or ours.ndim != 1:
        raise ValueError(f"paired values need one a question on both sides, not {ours.shape} and {theirs.shape}")
    return ours, theirs


def _ratio(sums: Floats) -> Floats:
    return sums[:, 0] / sums[:, 1]


def _log_ratio(sums: Floats) -> Floats:
    with np.errstate(divide="ignore"):
        return np.log(sums[:, 0]) - np.log(sums[:, 1])
