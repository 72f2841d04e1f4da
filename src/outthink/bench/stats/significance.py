"""Tests between two strategies on the same questions, and what a bench of this size can tell apart at all."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from outthink.bench.stats.intervals import Clusters, by_cluster

Floats = NDArray[np.float64]
_EXACT = 16
"""Up to so many clusters that differ, all their sign patterns are counted instead of drawn."""


def discordant(a: ArrayLike, b: ArrayLike) -> tuple[int, int]:
    """Questions that only ``a`` got right and that only ``b`` got right, each answered once (0 or 1)."""
    ours, theirs = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    if not np.all(np.isin(ours, (0, 1)) & np.isin(theirs, (0, 1))):
        raise ValueError("McNemar's test is for single runs, right or wrong; use sign_flip for means over repeats")
    return int(np.sum(ours > theirs)), int(np.sum(theirs > ours))


def mcnemar(only_a: int, only_b: int) -> float:
    """The exact two-sided p value of McNemar's test: min(1, 2 · P(Binomial(b + c, 1/2) ≤ min(b, c))).

    For single live runs only. Source: McNemar, 1947, in its exact (sign test) form.
    """
    total = only_a + only_b
    return min(1.0, 2 * float(special.bdtr(min(only_a, only_b), total, 0.5))) if total else 1.0


def sign_flip(differences: ArrayLike, *, clusters: Clusters = None, draws: int = 10_000, seed: int = 0) -> float:
    """The two-sided p value of the permutation test that flips the signs of differences, a cluster at a time.

    ``differences``: a minus b for each question. All patterns where at most 16 clusters differ, else ``draws`` of
    them, and then never under 1 / (draws + 1). Source: Fisher, 1935; Phipson and Smyth, 2010, for the added one.
    """
    sums = by_cluster(differences, clusters)[0]
    sums = sums[sums != 0]
    reached = abs(float(sums.sum())) - 1e-9 * float(np.abs(sums).sum())
    if len(sums) == 0:
        return 1.0
    if len(sums) <= _EXACT:
        patterns = np.array(list(itertools.product((-1.0, 1.0), repeat=len(sums))))
        return _beyond(patterns, sums, reached) / len(patterns)
    random = np.random.default_rng(seed)
    hits, done = 0, 0
    while done < draws:
        size = min(max(1, 2_000_000 // len(sums)), draws - done)
        signs: Floats = random.choice(np.array([-1.0, 1.0]), size=(size, len(sums)))
        hits += _beyond(signs, sums, reached)
        done += size
    return (hits + 1) / (draws + 1)


def _beyond(signs: Floats, sums: Floats, reached: float) -> int:
    """How many patterns of signs give a sum at least as far from 0."""
    far: NDArray[np.bool_] = np.abs(signs @ sums) >= reached
    return int(far.sum())


def holm(p_values: Sequence[float]) -> list[float]:
    """p values adjusted for there being several (family-wise error), in the order given. Source: Holm, 1979."""
    adjusted, worst = [0.0] * len(p_values), 0.0
    for rank, place in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        worst = max(worst, min(1.0, (len(p_values) - rank) * p_values[place]))
        adjusted[place] = worst
    return adjusted


def standard_error(differences: ArrayLike, clusters: Clusters = None) -> float:
    """The standard error of a mean of differences, clusters independent; never under one question's worth, 1/n,
    since a bench on which nothing differed has not shown that nothing can."""
    values = np.asarray(differences, dtype=np.float64)
    n = values.size
    sums = by_cluster(values - float(values.mean()), clusters)[0]
    units = len(sums)
    spread = float(np.sum(sums**2)) * units / (units - 1) if units > 1 else float("inf")
    return max(float(np.sqrt(spread)), 1.0) / n


def detectable_difference(
    differences: ArrayLike, *, clusters: Clusters = None, level: float = 0.95, power: float = 0.8
) -> float:
    """The smallest true difference that a bench of this size and spread finds with this power, in units of accuracy.

    (z of the level + z of the power) × the standard error of the mean difference.
    """
    z = float(special.ndtri(0.5 + level / 2) + special.ndtri(power))
    return z * standard_error(differences, clusters)
