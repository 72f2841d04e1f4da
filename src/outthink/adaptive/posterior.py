"""One probability for each distinct answer, and one for "none of these", from whatever evidence there is.

A conditional logit: the score of an answer a, of n candidates that gave it n_a times, is

    log_count · log n_a + share · n_a/n + Σ columns (best · max s + mean · mean s + total · Σ s / √n_a)

and that of none of the answers seen is ``none + none_log · log n + silent · (share without an answer) + cut · (share
cut short)``; the probabilities are their softmax. With counts alone it is a calibrated vote; each column of scores (a
verifier, a confidence) adds what calibration finds it worth, which may be nothing (`outthink.adaptive.posterior_fit`).

    >>> found = posterior([Evidence("12"), Evidence("12"), Evidence("7"), Evidence(None)])
    >>> found.leader, round(found.confidence, 2), round(found.none, 2)
    ('12', 0.52, 0.22)
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import msgspec


@dataclass(frozen=True, slots=True)
class Evidence:
    """What one candidate says: its answer's ``key`` (None: no answer), its ``scores``, and whether it is ``whole``.

    ``scores``: one for each column, higher is better, None for "cannot tell". Where a score is a probability, its
    `logit` is the better column. ``whole``: it was not cut short by a limit on tokens.
    """

    key: str | None
    scores: tuple[float | None, ...] = ()
    whole: bool = True


class Column(msgspec.Struct, frozen=True):
    """What a column of scores is worth. Scores count as (s - ``centre``) / ``scale``, so an unknown one is neutral."""

    centre: float = 0.0
    scale: float = 1.0
    best: float = 0.0
    mean: float = 0.0
    total: float = 0.0


class Weights(msgspec.Struct, frozen=True):
    """The coefficients. As they stand they are not calibrated: votes count as they are, and "none of these" weighs
    half a vote, more where candidates fail to answer. A column that is not in ``columns`` counts for nothing."""

    log_count: float = 1.0
    share: float = 0.0
    none: float = math.log(0.5)
    none_log: float = 0.0
    silent: float = 2.0
    cut: float = 2.0
    columns: tuple[Column, ...] = ()
    calibrated: bool = False


@dataclass(frozen=True, slots=True)
class Posterior:
    """``probabilities`` by answer, likeliest first, and ``none``: that no answer seen is right. They add up to 1."""

    probabilities: dict[str, float]
    none: float

    @property
    def leader(self) -> str | None:
        """The likeliest answer; of equals, the one seen first."""
        return next(iter(self.probabilities), None)

    @property
    def confidence(self) -> float:
        """The probability that the leader is right; 0 where nothing answered."""
        return next(iter(self.probabilities.values()), 0.0)


def uncalibrated(columns: int = 0) -> Weights:
    """Weights for votes and so many columns of `logit` scores, until there is a calibration.

    An answer weighs its votes times the odds that its mean score stands for.
    """
    return Weights(columns=(Column(mean=1.0),) * columns)


def logit(probability: float, edge: float = 1e-4) -> float:
    """log p / (1 - p), with p kept ``edge`` away from 0 and 1."""
    kept = min(max(probability, edge), 1 - edge)
    return math.log(kept / (1 - kept))


def posterior(evidence: Sequence[Evidence], weights: Weights = Weights()) -> Posterior:
    """What the evidence says, in any order of arrival. Without a single answer, ``none`` is 1."""
    groups = grouped(evidence)
    if not groups:
        return Posterior({}, 1.0)
    scores = {key: _score(group, len(evidence), weights) for key, group in groups.items()}
    none = _none_score(evidence, weights)
    highest = max(none, *scores.values())
    parts = {key: math.exp(score - highest) for key, score in scores.items()}
    rest = math.exp(none - highest)
    whole = rest + math.fsum(parts.values())
    ranked = sorted(parts.items(), key=lambda part: -part[1])
    return Posterior({key: part / whole for key, part in ranked}, rest / whole)


def grouped(evidence: Iterable[Evidence]) -> dict[str, list[Evidence]]:
    """The evidence by answer, in order of first appearance, without what does not answer."""
    groups: dict[str, list[Evidence]] = {}
    for item in evidence:
        if item.key is not None:
            groups.setdefault(item.key, []).append(item)
    return groups


def column_features(group: Sequence[Evidence], place: int, column: Column) -> tuple[float, float, float]:
    """Highest, mean and sum over √count of an answer's scores in one column; zeros where nothing was scored."""
    known = [
        (score - column.centre) / column.scale
        for item in group
        if place < len(item.scores) and (score := item.scores[place]) is not None
    ]
    if not known:
        return 0.0, 0.0, 0.0
    total = math.fsum(known)
    return max(known), total / len(known), total / math.sqrt(len(group))


def _score(group: Sequence[Evidence], n: int, weights: Weights) -> float:
    score = weights.log_count * math.log(len(group)) + weights.share * len(group) / n
    for place, column in enumerate(weights.columns):
        best, mean, total = column_features(group, place, column)
        score += column.best * best + column.mean * mean + column.total * total
    return score


def _none_score(evidence: Sequence[Evidence], weights: Weights) -> float:
    n = len(evidence)
    silent, cut = silence(evidence)
    return weights.none + weights.none_log * math.log(n) + weights.silent * silent / n + weights.cut * cut / n


def silence(evidence: Sequence[Evidence]) -> tuple[int, int]:
    """How many ended without an answer, and how many were cut short before one."""
    silent = sum(item.key is None and item.whole for item in evidence)
    return silent, sum(item.key is None and not item.whole for item in evidence)
