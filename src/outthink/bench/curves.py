"""Scaling curves of a pool: accuracy and tokens as samples grow. Needs numpy and scipy (extra ``bench``)."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from outthink.bench.block import points
from outthink.bench.plan import Plan
from outthink.bench.results import CURVES, GRADES, Curves, Graded, read_lines
from outthink.bench.stats import Estimate, Resampling, majority_at_k, mean_estimate, oracle_at_k
from outthink.bench.summary import CurvePoint, Interval

Floats = NDArray[np.float64]
COARSE = Resampling(resamples=2000)
"""For the bands of curves, and savings against them, of which there are many."""
MAJORITY = "majority"
"""The fixed curve of a plain vote over k samples, all paid for."""


class Scaling(msgspec.Struct, kw_only=True):
    """A pool's curves; empty for a live bench.

    ``fixed``: by technique (tokens, accuracies), each points × questions, to read savings from. ``size``: samples that
    every question has, ``capped`` where some have more.
    """

    size: int | None = None
    capped: bool = False
    random: float | None = None
    oracle: float | None = None
    families: dict[str, list[CurvePoint]] = {}
    fixed: dict[str, tuple[Floats, Floats]] = {}
    random_curve: list[CurvePoint] = []
    oracle_curve: list[CurvePoint] = []
    majority_curve: list[CurvePoint] = []


def scaling(folder: Path, plan: Plan, clusters: Sequence[str]) -> Scaling:
    """The curves of a bench on a pool."""
    if plan.kind != "pool":
        return Scaling()
    pool = list(read_lines(folder / GRADES, Graded))
    size = min(len(one.grades) for one in pool)
    sizes = points(size)
    tokens = np.array([[one.prompt_tokens + k * _mean(one.tokens) for one in pool] for k in sizes])
    chance = np.array([_mean(one.grades) for one in pool])
    best = _table(pool, sizes, lambda one, k: oracle_at_k(one.grades[:size], k))
    votes = _table(pool, sizes, lambda one, k: majority_at_k(one.answers[:size], one.grades[:size], k))
    families, fixed = _families(folder, clusters)
    fixed[MAJORITY] = tokens, votes
    return Scaling(
        size=size,
        capped=any(len(one.grades) > size for one in pool),
        random=float(chance.mean()),
        oracle=float(best[-1].mean()),
        families=families,
        fixed=fixed,
        random_curve=_curve(sizes, tokens, np.stack([chance] * len(sizes)), clusters),
        oracle_curve=_curve(sizes, tokens, best, clusters),
        majority_curve=_curve(sizes, tokens, votes, clusters),
    )


def _families(
    folder: Path, clusters: Sequence[str]
) -> tuple[dict[str, list[CurvePoint]], dict[str, tuple[Floats, Floats]]]:
    """The curves of replayed techniques, and what they are made of."""
    every = list(read_lines(folder / CURVES, Curves))
    fixed: dict[str, tuple[Floats, Floats]] = {}
    curves: dict[str, list[CurvePoint]] = {}
    for name, found in every[0].points.items():
        sizes = [n for n, _, _ in found]
        tokens, right = (
            np.array(
                [[one.points[name][place][part] for one in every] for place in range(len(sizes))], dtype=np.float64
            )
            for part in (1, 2)
        )
        fixed[name] = tokens, right
        curves[name] = _curve(sizes, tokens, right, clusters)
    return curves, fixed


def _table(pool: Sequence[Graded], sizes: Sequence[int], value: Callable[[Graded, int], float]) -> Floats:
    """A value of each question at each size: points × questions."""
    return np.array([[value(one, k) for one in pool] for k in sizes])


def _curve(sizes: Sequence[int], tokens: Floats, right: Floats, clusters: Sequence[str]) -> list[CurvePoint]:
    curve: list[CurvePoint] = []
    for k, spent, values in zip(sizes, tokens, right, strict=True):
        found = mean_estimate(values, clusters=clusters, how=COARSE)
        curve.append((k, float(spent.mean()), found.value, *ends(found)))
    return curve


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def ends(found: Estimate) -> Interval:
    """The ends of an interval, None where it is unbounded."""
    return finite(found.low), finite(found.high)


def finite(value: float) -> float | None:
    """The value, None where it is unbounded."""
    return value if math.isfinite(value) else None
