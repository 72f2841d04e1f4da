"""Fits the answer posterior: a ridge conditional logit on random prefixes of recorded questions (L-BFGS).

Needs numpy and scipy; loaded only for fitting.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

import msgspec
import numpy as np
from numpy.typing import NDArray
from scipy import optimize

from outthink.adaptive.posterior import Column, Evidence, Weights, column_features, grouped, silence
from outthink.core.errors import InputError

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
LEAST = 20
"""Questions without which there is nothing to fit."""
_BASE = 6
"""Coefficients that are not a column's: log_count, share, none, none_log, silent, cut."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """All the evidence of one recorded question, and the key of its right answer (gold, or a pseudo-label)."""

    evidence: tuple[Evidence, ...]
    gold: str | None


def fit(
    questions: Sequence[Recorded],
    *,
    columns: int = 0,
    prefixes: int = 8,
    longest: int = 64,
    ridge: float = 1.0,
    seed: int = 0,
) -> Weights:
    """Weights that make the posterior's probabilities true on random prefixes of these questions.

    ``prefixes`` a question, of 1 to ``longest`` candidates (log-uniform), drawn without replacement; every question
    weighs the same. ``ridge``: the penalty on squared distance from the uncalibrated weights (columns: from nothing),
    in questions. Raises `InputError` under 20 questions that have evidence.
    """
    usable = [question for question in questions if question.evidence]
    random = np.random.default_rng(seed)
    drawn = [_prefix(question, longest, random) for question in usable for _ in range(prefixes)]
    return fit_prefixes(drawn, columns=columns, each=prefixes, ridge=ridge)


def fit_prefixes(drawn: Sequence[Recorded], *, columns: int = 0, each: int = 1, ridge: float = 1.0) -> Weights:
    """`fit` on prefixes as they are, ``each`` of them a question: those on which a rule stopped, for instance."""
    drawn = [prefix for prefix in drawn if prefix.evidence]
    if len(drawn) < LEAST * each:
        raise InputError(
            f"{len(drawn) // each} recorded questions are too few to fit a posterior; record at least {LEAST}"
        )
    scales = _scales(drawn, columns)
    table = _table(drawn, scales)
    start = _start(columns)
    free = np.array([0.0 if place == 2 else ridge for place in range(len(start))])  # the level of "none" is free
    found = cast(Any, optimize).minimize(
        _loss, start, args=(table, start, free, each), jac=True, method="L-BFGS-B", bounds=_bounds(len(start))
    )
    return _weights(np.asarray(found.x, dtype=np.float64), scales)


@dataclass(frozen=True, slots=True)
class _Table:
    """Features of each answer (and of none, last) of each prefix; ``starts`` and ``segment`` part prefixes."""

    features: Floats
    starts: Ints
    segment: Ints
    right: Ints


def _scales(questions: Sequence[Recorded], columns: int) -> tuple[Column, ...]:
    """Centre and spread of each column over everything recorded."""
    found: list[Column] = []
    for place in range(columns):
        known = [
            score
            for question in questions
            for item in question.evidence
            if place < len(item.scores) and (score := item.scores[place]) is not None
        ]
        spread = float(np.std(known)) if known else 1.0
        found.append(Column(centre=float(np.mean(known)) if known else 0.0, scale=spread if spread > 1e-9 else 1.0))
    return tuple(found)


def _prefix(question: Recorded, longest: int, random: np.random.Generator) -> Recorded:
    most = min(longest, len(question.evidence))
    n = min(most, math.floor(math.exp(random.uniform(0, math.log(most + 1)))))
    order: list[int] = random.permutation(len(question.evidence))[:n].tolist()
    return Recorded(tuple(question.evidence[place] for place in order), question.gold)


def _table(drawn: Sequence[Recorded], scales: tuple[Column, ...]) -> _Table:
    rows: list[list[float]] = []
    starts: list[int] = []
    right: list[int] = []
    for prefix in drawn:
        starts.append(len(rows))
        groups = grouped(prefix.evidence)
        keys = list(groups)
        rows += [_answer_row(groups[key], len(prefix.evidence), scales) for key in keys]
        rows.append(_none_row(prefix.evidence, len(scales)))
        right.append(starts[-1] + (keys.index(prefix.gold) if prefix.gold in groups else len(keys)))
    sizes = np.diff([*starts, len(rows)])
    segment = np.repeat(np.arange(len(starts)), sizes)
    return _Table(np.array(rows), np.array(starts), segment, np.array(right))


def _answer_row(group: Sequence[Evidence], n: int, scales: tuple[Column, ...]) -> list[float]:
    scored = [value for place, column in enumerate(scales) for value in column_features(group, place, column)]
    return [math.log(len(group)), len(group) / n, 0.0, 0.0, 0.0, 0.0, *scored]


def _none_row(drawn: Sequence[Evidence], columns: int) -> list[float]:
    n = len(drawn)
    silent, cut = silence(drawn)
    return [0.0, 0.0, 1.0, math.log(n), silent / n, cut / n, *([0.0] * 3 * columns)]


def _start(columns: int) -> Floats:
    plain = Weights()
    base = [plain.log_count, plain.share, plain.none, plain.none_log, plain.silent, plain.cut]
    return np.array([*base, *([0.0] * 3 * columns)])


def _bounds(size: int) -> list[tuple[float | None, float | None]]:
    """More votes never count against an answer (the first two coefficients); the others are free."""
    return [(0.0 if place < 2 else None, None) for place in range(size)]


def _loss(weights: Floats, table: _Table, start: Floats, ridge: Floats, each: int) -> tuple[float, Floats]:
    """Minus the log likelihood in questions, with its penalty, and its gradient."""
    scores = table.features @ weights
    highest = np.maximum.reduceat(scores, table.starts)
    parts = np.exp(scores - highest[table.segment])
    whole = np.add.reduceat(parts, table.starts)
    away = weights - start
    loss = float(np.sum(highest + np.log(whole) - scores[table.right])) / each
    expected = (parts / whole[table.segment]) @ table.features - table.features[table.right].sum(axis=0)
    return loss + 0.5 * float(ridge @ away**2), expected / each + ridge * away


def _weights(found: Floats, scales: tuple[Column, ...]) -> Weights:
    base = [float(value) for value in found[:_BASE]]
    columns = tuple(
        msgspec.structs.replace(scale, best=float(best), mean=float(mean), total=float(total))
        for scale, (best, mean, total) in zip(
            scales, np.split(found[_BASE:], len(scales)) if scales else [], strict=True
        )
    )
    return Weights(*base, columns=columns, calibrated=True)
