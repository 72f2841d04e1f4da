"""Fits the one-sample gate: the loosest threshold on a measure of log probabilities at which one sample is enough.

Needs numpy and scipy; loaded only for calibration. Arrays are questions × samples unless said otherwise.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

from outthink.adaptive.gate import Gate, Measure
from outthink.adaptive.portfolio_fit import lower

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
STEPS = 24
"""Thresholds that are tried of each measure: quantiles of what was recorded."""


@dataclass(frozen=True, slots=True)
class Singles:
    """Single samples and the votes they would stand for.

    ``measures``: each sample's value (NaN: unknown, or no answer), by measure. ``right``: whether it is right, 0 or 1.
    ``full``: accuracy of the full vote, a value a question. ``index``: each question's cluster, numbered from 0.
    """

    measures: Mapping[Measure, Floats]
    right: Floats
    full: Floats
    index: Ints


def fit(singles: Singles, *, floor: float | None = None, loss: float = 0.005, folds: int = 5) -> Gate | None:
    """The gate that lets most samples pass of those that qualify; None where none does.

    A gate qualifies where the lower end of the 95 % interval of its precision lies above ``floor``; without a floor,
    where that of its precision minus the accuracy of the full vote on the same questions (paired; each counts by the
    share of its samples that pass) lies above -``loss``. Both by clusters, and once more on questions that the
    threshold was not chosen on: the choice is made anew without each fold. ``precision`` is what they showed there.
    """
    tried = _Tried(singles, floor, loss)
    everything = np.arange(len(singles.full))
    chosen = tried.loosest(everything)
    if chosen is None:
        return None
    passing = np.zeros(singles.right.shape, dtype=np.bool_)
    for fold in range(folds):
        out = singles.index % folds == fold
        found = tried.loosest(np.flatnonzero(~out))
        if found is not None:
            passing[out] = tried.passes(*found)[out]
    if not tried.qualifies(passing, everything):
        return None
    measure, least = chosen
    return Gate(least=least, precision=float(singles.right[passing].mean()), measure=measure)


class _Tried:
    def __init__(self, singles: Singles, floor: float | None, loss: float) -> None:
        self._singles, self._floor, self._loss = singles, floor, loss
        self._thresholds: list[tuple[Measure, float]] = [
            (measure, float(value))
            for measure, values in singles.measures.items()
            if np.isfinite(values).any()
            for value in np.unique(np.nanquantile(values, np.linspace(0, 1, STEPS, endpoint=False)))
        ]

    def passes(self, measure: Measure, least: float) -> Bools:
        values = self._singles.measures[measure]
        return np.isfinite(values) & (values >= least)

    def loosest(self, rows: Ints) -> tuple[Measure, float] | None:
        """Of the thresholds that qualify on these questions, the one that lets most samples pass."""
        found = [(self.passes(*threshold)[rows].mean(), threshold) for threshold in self._thresholds]
        for share, threshold in sorted(found, key=lambda one: -float(one[0])):
            if share > 0 and self.qualifies(self.passes(*threshold), rows):
                return threshold
        return None

    def qualifies(self, passing: Bools, rows: Ints) -> bool:
        """Whether what passes is right often enough, on these questions."""
        kept = rows[passing[rows].any(axis=1)]
        if not len(kept):
            return False
        weight = passing[kept].mean(axis=1)
        right = (passing[kept] * self._singles.right[kept]).mean(axis=1)
        if self._floor is not None:
            return _wilson(float(right.sum() / weight.sum()), self._effective(weight, kept)) >= self._floor
        gain = (right - weight * self._singles.full[kept]) / weight.mean()
        return float(lower(gain, self._singles.index[kept])) > -self._loss

    def _effective(self, weight: Floats, rows: Ints) -> float:
        """How many clusters these weigh as (Kish): a question's samples are as good as one, at worst."""
        clusters = np.bincount(self._singles.index[rows], weight)
        return float(clusters.sum() ** 2 / np.sum(clusters**2))


def _wilson(share: float, n: float) -> float:
    """The lower end of Wilson's 95 % interval."""
    z = float(special.ndtri(0.975))
    spread = z * np.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return float((share + z * z / (2 * n) - spread) / (1 + z * z / n))
