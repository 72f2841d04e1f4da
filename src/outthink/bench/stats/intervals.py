"""Intervals: Wilson's for one proportion, the bootstrap over questions for everything else."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

Floats = NDArray[np.float64]
Clusters = Sequence[Hashable] | None
"""The cluster of each question (`Row.cluster`), or None where all stand alone."""

Method = Literal["expanded", "percentile", "bca"]
_CHUNK = 2_000_000
"""Resampling counts held at once: 16 MB."""


@dataclass(frozen=True, slots=True)
class Resampling:
    """How an interval is made: its ``level``, and ``resamples`` draws from ``seed``.

    ``expanded`` is the percentile interval with its levels widened as Student's t with n - 1 degrees of freedom and
    the factor sqrt(n / (n - 1)) ask for (Hesterberg, 2015, arXiv 1411.5279, section 5.2); ``bca`` is Efron's (1987).
    ``benchmarks/coverage.py`` shows why ``expanded`` was chosen.
    """

    level: float = 0.95
    resamples: int = 10_000
    seed: int = 0
    method: Method = "expanded"


class Estimate(NamedTuple):
    """A value and the ends of its interval."""

    value: float
    low: float
    high: float


def wilson(right: float, n: int, level: float = 0.95) -> Estimate:
    """Wilson's score interval of a proportion: ``right`` of ``n`` independent questions, each answered once.

    Source: Wilson, 1927. Not for means over repeats or pools; these take `mean_estimate`.
    """
    if n < 1 or not 0 <= right <= n:
        raise ValueError(f"{right} right of {n} is not a proportion")
    z = float(special.ndtri(0.5 + level / 2))
    share = right / n
    middle, spread = share + z * z / (2 * n), z * np.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    scale = 1 + z * z / n
    low, high = float(middle - spread) / scale, float(middle + spread) / scale
    return Estimate(share, 0.0 if right == 0 else low, 1.0 if right == n else high)


def shared(clusters: Clusters) -> Clusters:
    """The clusters, or None where no two questions share one."""
    return None if clusters is None or len(set(clusters)) == len(clusters) else clusters


def by_cluster(values: ArrayLike, clusters: Clusters) -> Floats:
    """Sums over each cluster: from columns × questions to columns × clusters, in order of first appearance."""
    columns = np.atleast_2d(np.asarray(values, dtype=np.float64))
    if clusters is None:
        return columns
    if len(clusters) != columns.shape[1]:
        raise ValueError(f"{len(clusters)} clusters for {columns.shape[1]} questions; give one a question")
    places: dict[Hashable, int] = {}
    index = np.array([places.setdefault(cluster, len(places)) for cluster in clusters])
    sums: list[Floats] = [np.bincount(index, column, len(places)).astype(np.float64) for column in columns]
    return np.stack(sums)


def bootstrap(
    columns: ArrayLike,
    statistic: Callable[[Floats], Floats],
    *,
    clusters: Clusters = None,
    how: Resampling = Resampling(),
) -> Estimate:
    """A statistic of sums over questions, with the interval of a bootstrap that resamples questions (or clusters).

    ``columns``: columns × questions. ``statistic``: from sums, draws × columns, to values, draws. All columns of a
    question are drawn together, so comparisons are paired. With one question (or cluster) the interval is everything.
    """
    sums = by_cluster(columns, clusters)
    units = sums.shape[1]
    if units == 0:
        raise ValueError("no questions: there is nothing to estimate")
    value = float(statistic(sums.sum(axis=1)[None, :])[0])
    if units == 1:
        return Estimate(value, -np.inf, np.inf)
    draws = np.sort(np.concatenate([statistic(drawn) for drawn in _resampled(sums, how)]))
    tail = (1 - how.level) / 2
    if how.method == "bca":
        left_out = statistic(sums.sum(axis=1)[None, :] - np.transpose(sums))
        low, high = _bca(draws, value, left_out, tail)
    else:
        low = _expanded(tail, units) if how.method == "expanded" else tail
        high = 1 - low
    ends = np.quantile(draws, [low, high], method="nearest" if not np.all(np.isfinite(draws)) else "linear")
    return Estimate(value, float(ends[0]), float(ends[1]))


def _resampled(sums: Floats, how: Resampling) -> Iterator[Floats]:
    """Column sums of resampled clusters, draws × columns, some at a time."""
    random = np.random.default_rng(how.seed)
    units = sums.shape[1]
    share = np.full(units, 1 / units)
    done = 0
    while done < how.resamples:
        size = min(max(1, _CHUNK // units), how.resamples - done)
        yield random.multinomial(units, share, size=size) @ np.transpose(sums)
        done += size


def _expanded(tail: float, units: int) -> float:
    """The tail whose normal quantile is as far out as the t quantile, without the bootstrap's narrowness."""
    out = special.stdtrit(units - 1, tail) * np.sqrt(units / (units - 1))
    return float(special.ndtr(out))


def _bca(draws: Floats, value: float, left_out: Floats, tail: float) -> tuple[float, float]:
    """The levels of the bias-corrected and accelerated interval."""
    under, upto = np.searchsorted(draws, value, "left"), np.searchsorted(draws, value, "right")
    below = (int(under) + int(upto)) / (2 * len(draws))
    if not 0 < below < 1:
        return tail, 1 - tail
    bias = float(special.ndtri(below))
    away = np.subtract(left_out.mean(), left_out)
    spread = float(np.sum(away**2)) ** 1.5
    speed = float(np.sum(away**3)) / (6 * spread) if spread > 0 else 0.0

    def moved(quantile: float) -> float:
        shifted = bias + quantile
        return float(special.ndtr(bias + shifted / (1 - speed * shifted)))

    out = float(special.ndtri(tail))
    return moved(out), moved(-out)
