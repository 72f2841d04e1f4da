"""Accuracy against tokens: which points are worth their price, and what reaching an accuracy costs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from outthink.bench.stats.intervals import Clusters, Estimate, Resampling, bootstrap

Floats = NDArray[np.float64]


def pareto(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """The points (tokens, accuracy) that no other beats: more tokens only for more accuracy. In order of tokens."""
    best: list[tuple[float, float]] = []
    for tokens, accuracy in sorted(points, key=lambda point: (point[0], -point[1])):
        if not best or accuracy > best[-1][1]:
            best.append((tokens, accuracy))
    return best


def isotonic(values: ArrayLike) -> Floats:
    """The nearest rising curve to the values along the last axis, by least squares with equal weights.

    By the max-min formula (Robertson et al., 1988), for many short curves at once.
    """
    curve = np.asarray(values, dtype=np.float64)
    points = curve.shape[-1]
    sums = np.concatenate([np.zeros((*curve.shape[:-1], 1)), np.cumsum(curve, axis=-1)], axis=-1)
    rising = np.empty_like(curve)
    for place in range(points):
        lengths = np.array([[end - start for end in range(place + 1, points + 1)] for start in range(place + 1)])
        blocks = sums[..., None, place + 1 :] - sums[..., : place + 1, None]  # … × starts × ends
        rising[..., place] = np.max(np.min(np.divide(blocks, lengths), axis=-1), axis=-1)
    return rising


def tokens_for(accuracy: ArrayLike, tokens: ArrayLike, accuracies: ArrayLike) -> Floats:
    """The fewest tokens at which a curve of fixed strategies reaches an accuracy; infinity where it never does.

    ``tokens`` and ``accuracies``: … × points in order of tokens; ``accuracy``: … . The curve is made to rise
    (`isotonic`), and is straight between points, as mixing two strategies at random is. An accuracy under its first
    point costs that point's tokens.
    """
    price, curve = np.asarray(tokens, dtype=np.float64), isotonic(accuracies)
    wanted = np.asarray(accuracy, dtype=np.float64)[..., None]
    reached = curve >= wanted - 1e-12
    after = np.argmax(reached, axis=-1)[..., None]
    before = np.maximum(after - 1, 0)
    low, high = np.take_along_axis(curve, before, -1), np.take_along_axis(curve, after, -1)
    cheap, dear = np.take_along_axis(price, before, -1), np.take_along_axis(price, after, -1)
    rise = np.where(high > low, high - low, 1.0)
    part = np.where(after > 0, np.minimum(np.maximum((wanted - low) / rise, 0.0), 1.0), 0.0)
    cost = cheap + part * (dear - cheap)
    return np.where(np.any(reached, axis=-1), cost[..., 0], np.inf)


def iso_accuracy_saving(
    fixed: tuple[ArrayLike, ArrayLike],
    strategy: tuple[ArrayLike, ArrayLike],
    *,
    clusters: Clusters = None,
    how: Resampling = Resampling(),
) -> Estimate:
    """How many times the strategy's tokens the fixed curve needs for the strategy's accuracy, with its interval.

    ``fixed``: (tokens, accuracies) of a technique at growing N, each points × questions, in order of N. ``strategy``:
    (tokens, accuracies), one a question. Everything is resampled by question together: curve, accuracy and tokens.
    Infinity means that the curve never gets there, and as an upper end, that a good part of resamples said so.
    """
    curve_tokens, curve = np.asarray(fixed[0], dtype=np.float64), np.asarray(fixed[1], dtype=np.float64)
    if curve.shape != curve_tokens.shape or curve.ndim != 2:
        raise ValueError(f"the fixed curve needs points × questions twice, not {curve_tokens.shape} and {curve.shape}")
    points = len(curve)
    own_tokens, own = (np.asarray(values, dtype=np.float64) for values in strategy)
    columns = np.concatenate([curve_tokens, curve, own_tokens[None], own[None], np.ones_like(own)[None]])

    def saving(sums: Floats) -> Floats:
        means = sums[:, :-1] / sums[:, -1:]
        needed = tokens_for(means[:, -1], means[:, :points], means[:, points : 2 * points])
        return needed / means[:, -2]

    return bootstrap(columns, saving, clusters=clusters, how=how)
