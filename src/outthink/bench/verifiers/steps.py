"""Finding the first wrong step of labelled solutions: the ProcessBench protocol (Zheng et al., 2024, arXiv:2412.06559).

A row has ``question``, ``steps`` and ``label``, the place of its first wrong step from 0, or -1. A step is called wrong
where its measure is under a threshold; F1 is the harmonic mean of the accuracies on rows with and without a wrong step.
A verifier that is ``stepwise`` is asked once about a solution, any other about each beginning of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from outthink.api import Engine
from outthink.bench.stats import Estimate, mean_estimate
from outthink.bench.verifiers.ask import Inquiry, ask
from outthink.bench.verifiers.fit import folds
from outthink.core.candidate import Candidate, Score
from outthink.core.errors import InputError
from outthink.core.problem import Problem
from outthink.core.protocols import Verifier

BETWEEN = "\n\n"


class Solution(msgspec.Struct, frozen=True):
    """A solution in steps. ``label``: the place of its first wrong step from 0, -1 for none."""

    question: str
    steps: tuple[str, ...]
    label: int
    id: str = ""


class StepReport(msgspec.Struct, frozen=True, kw_only=True):
    """``f1`` with thresholds chosen on other rows; ``erroneous`` and ``correct``: the accuracies it is made of.
    ``constant_f1``: the best that one answer to every row reaches (0: it is right on one kind of row only).
    ``coin_f1``: the best expectation without looking: call some rows right at random, else name the commonest step.
    ``tokens`` and ``seconds``: a step."""

    verifier: str
    rows: int
    f1: float
    erroneous: Estimate | None
    correct: Estimate | None
    thresholds: tuple[float, ...]
    constant_f1: float
    coin_f1: float
    abstained: float
    tokens: float
    seconds: float
    warnings: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        return msgspec.to_builtins(self)


def read_solutions(path: str) -> list[Solution]:
    """The rows of a step file. Raises `InputError` naming the line."""
    try:
        lines = Path(path).expanduser().read_bytes().split(b"\n")
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror}); check the path") from error
    found: list[Solution] = []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            row = msgspec.json.decode(line, type=Solution)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise InputError(f"{path} line {number}: {error}; a row has question, steps and label") from error
        if not row.steps or not -1 <= row.label < len(row.steps):
            raise InputError(f"{path} line {number}: label {row.label} names none of its {len(row.steps)} steps")
        found.append(row)
    if not found:
        raise InputError(f"{path} holds no rows")
    return found


def is_step_file(path: str) -> bool:
    """Whether the first row of a file has steps, as labelled solutions do."""
    try:
        with Path(path).expanduser().open("rb") as lines:
            first = msgspec.json.decode(next((line for line in lines if line.strip()), b"{}"), type=dict[str, Any])
    except (OSError, msgspec.DecodeError, UnicodeDecodeError):
        return False  # what reads it will say what is wrong
    return "steps" in first and "label" in first


async def evaluate_steps(
    engine: Engine, verifier: Verifier, name: str, rows: Sequence[Solution], *, seed: int = 0
) -> StepReport:
    """How well a verifier finds the first wrong step."""
    inquiries = [_inquiry(row, getattr(verifier, "stepwise", False)) for row in rows]
    answered = await ask(engine, verifier, inquiries)
    measures = [_measures(one, scores) for one, scores in zip(inquiries, answered.scores, strict=True)]
    steps = sum(map(len, measures))
    labels = np.array([row.label for row in rows])
    where = folds([row.question for row in rows], seed, 2)
    found = np.zeros(len(rows), dtype=np.int64)
    thresholds: list[float] = []
    for fold in (0, 1):
        out: list[int] = np.flatnonzero(where == fold).tolist()
        others: list[int] = np.flatnonzero(where != fold).tolist()
        threshold = best_threshold([measures[i] for i in others], labels[others].tolist())
        thresholds.append(threshold)
        found[out] = [first_wrong(measures[i], threshold) for i in out]
    right = (found == labels).astype(np.float64)
    wrong = labels >= 0
    constant, coin = _blind(labels.tolist())
    return StepReport(
        verifier=name,
        rows=len(rows),
        f1=f1(found.tolist(), labels.tolist()),
        erroneous=_mean(right[wrong].tolist(), [row.question for row in rows if row.label >= 0]),
        correct=_mean(right[~wrong].tolist(), [row.question for row in rows if row.label < 0]),
        thresholds=tuple(thresholds),
        constant_f1=constant,
        coin_f1=coin,
        abstained=float(np.mean([value is None for own in measures for value in own])),
        tokens=answered.usage.tokens / steps,
        seconds=answered.seconds / steps,
        warnings=tuple(answered.warnings),
    )


def _inquiry(row: Solution, stepwise: bool) -> Inquiry:
    """The whole solution and then each beginning of it, as candidates of their own that are scored alone; the whole is
    enough where a stepwise verifier tells of as many steps as there are."""
    beginnings = [BETWEEN.join(row.steps[: place + 1]) for place in range(len(row.steps))]
    candidates = [
        Candidate(
            index=place,
            message={"role": "assistant", "content": text},
            text=text,
            finish="stop" if place == len(beginnings) - 1 else "length",
            tokens=len(text) // 4,
            model="",
        )
        for place, text in enumerate(beginnings)
    ]
    last = len(beginnings) - 1
    return Inquiry(
        Problem.of(row.question),
        candidates,
        [[place] for place in (last, *range(last))],
        lambda scores: stepwise and len(scores[0].steps) == len(beginnings),
    )


def _measures(inquiry: Inquiry, scores: Sequence[Sequence[Score]]) -> Sequence[float | None]:
    """The measures of a solution's steps: those told of the whole where they are enough, else what each beginning is
    worth."""
    (whole,), *beginnings = scores
    if inquiry.enough((whole,)):
        return whole.steps
    return [*(one.worth for (one,) in beginnings), whole.worth]


def first_wrong(measures: Sequence[float | None], threshold: float) -> int:
    """The first step whose measure is under the threshold, -1 for none; a step that is not told counts as right."""
    return next((place for place, value in enumerate(measures) if value is not None and value < threshold), -1)


def f1(found: Sequence[int], labels: Sequence[int]) -> float:
    """The harmonic mean of the accuracies on rows with and without a wrong step; that of one kind if it is alone."""
    parts = [
        [said == label for said, label in zip(found, labels, strict=True) if (label >= 0) == wrong]
        for wrong in (True, False)
    ]
    shares = [sum(part) / len(part) for part in parts if part]
    return 0.0 if 0.0 in shares or not shares else len(shares) / sum(1 / share for share in shares)


def best_threshold(measures: Sequence[Sequence[float | None]], labels: Sequence[int], most: int = 100) -> float:
    """The threshold of highest F1 on these rows, among quantiles of their measures."""
    known = [value for own in measures for value in own if value is not None]
    if not known:
        return 0.0
    tried = sorted({float(value) for value in np.quantile(known, np.linspace(0, 1, most))})
    return max(tried, key=lambda threshold: f1([first_wrong(own, threshold) for own in measures], labels))


def _blind(labels: Sequence[int]) -> tuple[float, float]:
    """The F1 of the best constant answer, and the best expected one of a coin between -1 and the commonest step."""
    wrong = [label for label in labels if label >= 0]
    constant = max(f1([answer] * len(labels), labels) for answer in {-1, *wrong})
    if not wrong or len(wrong) == len(labels):
        return constant, constant
    share = max(wrong.count(step) for step in set(wrong)) / len(wrong)
    tried: list[float] = np.linspace(0.01, 0.99, 99).tolist()
    return constant, max(2 * p * (1 - p) * share / (p + (1 - p) * share) for p in tried)


def _mean(values: Sequence[float], clusters: Sequence[str]) -> Estimate | None:
    return mean_estimate(values, clusters=clusters) if values else None
