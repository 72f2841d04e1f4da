"""Whether confidence means what it says: reliability, expected calibration error, Brier score."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from outthink.bench.stats.intervals import Estimate, wilson

Floats = NDArray[np.float64]
BINS = 10


class Bin(NamedTuple):
    """Questions of similar confidence: means of confidence and accuracy, Wilson's interval of the latter, how many."""

    confidence: float
    accuracy: float
    low: float
    high: float
    questions: int


def reliability(confidence: ArrayLike, right: ArrayLike, bins: int = BINS) -> list[Bin]:
    """The reliability curve: at most ``bins`` bins of about equal mass, equal confidences never parted.

    ``confidence`` in [0, 1]; ``right`` in [0, 1], 0 or 1 for single runs.
    """
    sure, good = _checked(confidence, right)
    order = np.argsort(sure, kind="stable")
    found: list[Bin] = []
    for place in np.split(order, _edges(sure[order], bins)):
        share = wilson(float(good[place].sum()), len(place))
        found.append(Bin(float(sure[place].mean()), share.value, share.low, share.high, len(place)))
    return found


def ece(confidence: ArrayLike, right: ArrayLike, bins: int = BINS) -> float:
    """Expected calibration error: |accuracy - confidence| averaged over equal-mass bins by their size.

    Source: Naeini et al., 2015; equal mass as in Nixon et al., 2019. It is never 0 on a finite sample, and higher on
    a smaller one: judge it against `ece_if_calibrated`.
    """
    sure, good = _checked(confidence, right)
    order = np.argsort(sure, kind="stable")
    return float(_errors(sure[order], good[order][None, :], bins)[0])


def ece_if_calibrated(
    confidence: ArrayLike, bins: int = BINS, *, level: float = 0.95, draws: int = 2000, seed: int = 0
) -> Estimate:
    """The `ece` that a perfectly calibrated predictor with these confidences would show: its mean and its range.

    Outcomes are drawn as right with the probability that the confidence says. A measured error inside the range is
    no evidence of miscalibration.
    """
    sure = np.sort(_checked(confidence, confidence)[0])
    random = np.random.default_rng(seed)
    size = max(1, 2_000_000 // len(sure))
    errors = np.concatenate(
        [
            _errors(sure, (random.random((min(size, draws - done), len(sure))) < sure).astype(np.float64), bins)
            for done in range(0, draws, size)
        ]
    )
    low, high = np.quantile(errors, [(1 - level) / 2, (1 + level) / 2])
    return Estimate(float(errors.mean()), float(low), float(high))


def brier(confidence: ArrayLike, right: ArrayLike) -> float:
    """The mean squared distance of confidence from outcome (Brier, 1950). 0 is perfect, always saying 0.5 gets 0.25."""
    sure, good = _checked(confidence, right)
    return float(np.mean((sure - good) ** 2))


def _errors(sure: Floats, outcomes: Floats, bins: int) -> Floats:
    """The error of each row of outcomes, all in the order of ascending confidence."""
    starts = np.concatenate([[0], _edges(sure, bins)]).astype(np.int64)
    gaps = np.add.reduceat(outcomes - sure, starts, axis=1)
    return np.abs(gaps).sum(axis=1) / len(sure)


def _edges(ranked: Floats, bins: int) -> NDArray[np.int64]:
    """Where bins after the first start: at equal shares, moved past confidences that are equal."""
    wanted = (np.arange(1, bins) * len(ranked)) // bins
    wanted = wanted[wanted > 0]
    edges = np.unique(np.searchsorted(ranked, ranked[wanted - 1], side="right"))
    return edges[edges < len(ranked)]


def _checked(confidence: ArrayLike, right: ArrayLike) -> tuple[Floats, Floats]:
    sure, good = np.asarray(confidence, dtype=np.float64), np.asarray(right, dtype=np.float64)
    if sure.shape != good.shape or sure.ndim != 1 or len(sure) == 0:
        raise ValueError(f"calibration needs a confidence and an outcome a question, not {sure.shape} and {good.shape}")
    for name, values in (("confidences", sure), ("outcomes", good)):
        if not np.all((values >= 0) & (values <= 1)):
            raise ValueError(f"{name} must lie in [0, 1]")
    return sure, good
