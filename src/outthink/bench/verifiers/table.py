"""The rows that a probe is fitted on: features of the steps of whole pools and of smaller draws, with their labels.

``outcome``: every step is labelled by whether its chain ended right. ``siblings``: a step that arrives at new numbers
by the mean grade of all the question's samples that arrive at them too (Monte Carlo completion, as in Math-Shepherd,
with the samples there are); others keep the label of the step before, the first the question's mean grade.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from outthink.bench.verifiers.graded import Graded
from outthink.verifiers.chains import Step, chain
from outthink.verifiers.features import FEATURES, rows_of

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Labels = Literal["outcome", "siblings"]
LABELS: tuple[Labels, ...] = get_args(Labels)
SIZES = (2, 4, 8, 16)
"""Sizes of the draws beside the whole pool, so that a probe knows sets of any size."""
Completed = Mapping[tuple[str, int], Sequence[float]]
"""By question and sample: the share of completions from each step that ended right."""


@dataclass(frozen=True, slots=True)
class Table:
    """One row a step. ``question`` and ``sample`` say whose; ``last``: its chain's last step; ``whole``: of the whole
    pool, not of a draw. Each question weighs the same, and in it last steps as much as all others together."""

    x: Floats
    y: Floats
    weight: Floats
    question: Ints
    sample: Ints
    last: NDArray[np.bool_]
    whole: NDArray[np.bool_]

    def columns(self, names: Sequence[str]) -> Floats:
        """The features of these names."""
        return self.x[:, [FEATURES.index(name) for name in names]]


def table(
    questions: Sequence[Graded], labels: Labels = "outcome", completed: Completed | None = None, seed: int = 0
) -> Table:
    """All rows of all questions."""
    random = np.random.default_rng(seed)
    x: list[list[float]] = []
    kept: list[tuple[float, float, int, int, bool, bool]] = []
    for place, question in enumerate(questions):
        known = _labels(question, labels, completed or {})
        draws = _draws(len(question.candidates), random)
        share = 1.0 / sum(map(len, draws))
        for number, draw in enumerate(draws):
            drawn = [question.candidates[i] for i in draw]
            for sample, rows in zip(draw, rows_of(question.text, drawn), strict=True):
                for step, row in enumerate(rows):
                    last = step == len(rows) - 1
                    weight = share * (1.0 if last else 1.0 / (len(rows) - 1))
                    x.append([row[name] for name in FEATURES])
                    kept.append((known[sample][step], weight, place, sample, last, number == 0))
    y, weight, owner, sample, last, whole = (np.array(column) for column in zip(*kept, strict=True))
    return Table(np.array(x), y, weight * WEIGHT, owner, sample, last.astype(bool), whole.astype(bool))


WEIGHT = 4.0
"""Rows that one question counts for: more than one sample, fewer than all, which are much alike."""


def _draws(n: int, random: np.random.Generator) -> list[list[int]]:
    """All samples first, then one draw of each smaller size."""
    smaller: list[list[int]] = [random.permutation(n)[:size].tolist() for size in SIZES if size < n]
    return [list(range(n)), *smaller]


def _labels(question: Graded, labels: Labels, completed: Completed) -> list[Sequence[float]]:
    """The label of each step of each sample; a chain's last step has its outcome."""
    chains = [chain(question.text, found.text) for found in question.candidates]
    if labels == "outcome":
        found: list[Sequence[float]] = [[grade] * len(c) for c, grade in zip(chains, question.grades, strict=True)]
    else:
        found = _by_siblings(chains, question.grades)
    for sample, steps in enumerate(chains):
        shares = completed.get((question.row.id, sample))
        if shares is not None and len(shares) == len(steps):
            found[sample] = [*shares[:-1], question.grades[sample]]
    return found


def _by_siblings(chains: Sequence[Sequence[Step]], grades: Sequence[float]) -> list[Sequence[float]]:
    reached: dict[str, list[float]] = {}
    for steps, grade in zip(chains, grades, strict=True):
        for number in {number for step in steps for number in step.results}:
            reached.setdefault(number, []).append(grade)
    labelled: list[Sequence[float]] = []
    for steps, grade in zip(chains, grades, strict=True):
        value, own = float(np.mean(grades)), list[float]()
        for step in steps:
            if step.results:
                value = min(float(np.mean(reached[number])) for number in step.results)
            own.append(value)
        labelled.append([*own[:-1], grade])
    return labelled
