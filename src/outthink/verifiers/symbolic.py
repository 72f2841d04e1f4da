"""Symbolic: what can be checked by computing, exactly and without a model. Costs no tokens.

- Each arithmetic statement of a chain, such as ``3.5 * 8 = 28``, is evaluated and held against what the chain says it
  is, to the digits it says it in (``2 / 3 = 0.67`` is right). ``steps`` has one value a statement, the first 0.0 being
  the first false step.
- The answer is put back into the equations that the question states, where they can be read (`equations`).
- The answer is held against what such a number can be (`bounds`): counts, probabilities, ages, parts, units.

The measure is the share of statements that hold, and 0 for an answer that cannot be. Where the question's equations can
be read they alone decide: 1 for an answer that fits them, 0 for one that does not, or for none, and nothing is said of
one that is no rational number. Where there is nothing to check, nothing is said either.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import ClassVar

from outthink.answers.equations import CHECKABLE, Condition, condition
from outthink.answers.grammar import Unreadable
from outthink.core.candidate import Answer, Candidate, Score
from outthink.core.problem import Problem
from outthink.core.protocols import Run
from outthink.verifiers.arithmetic import Statement, statements
from outthink.verifiers.bounds import Bound, bounds

_RATIONAL = re.compile(r"-?\d{1,30}(?:\.\d{1,30}|/\d{1,30})?")


@dataclass(frozen=True, slots=True)
class Symbolic:
    """Whether the arithmetic a chain states holds, and its answer fits the question; costs no tokens."""

    alone: ClassVar[bool] = True

    async def score(self, problem: Problem, candidates: Sequence[Candidate], run: Run) -> list[Score]:
        question = problem.question
        limits, equations = bounds(question), condition(question)
        return [_score(found, limits, equations) for found in candidates]


def _score(candidate: Candidate, limits: Sequence[Bound], equations: Condition | None) -> Score:
    found = statements(candidate.text)
    steps = tuple(1.0 if one.holds else 0.0 for one in found)
    said = [_told(one) for one in found if not one.holds][:1]
    value = _rational(candidate.answer)
    broken = [one for one in limits if value is not None and not one.holds(value, candidate.text)]
    wrong = [f"{_shown(candidate)} cannot be: {one.must}" for one in broken]
    if equations is not None and not wrong:
        raw = _put_back(candidate, value, equations)
        if raw == 0.0 and value is not None:
            wrong = [f"{_shown(candidate)} does not fit {equations.text}"]
    else:
        raw = 0.0 if wrong else sum(steps) / len(steps) if steps else None
    return Score(verifier="symbolic", raw=raw, steps=steps, critique="; ".join(wrong + said) or None)


def _put_back(candidate: Candidate, value: Fraction | None, equations: Condition) -> float | None:
    if candidate.answer is None:
        return 0.0
    fits = None if value is None else _fits(equations, value, _shown(candidate))
    return None if fits is None else float(fits)


def _rational(answer: Answer | None) -> Fraction | None:
    if answer is None or answer.kind not in CHECKABLE or not _RATIONAL.fullmatch(answer.text):
        return None
    try:
        return Fraction(answer.text)
    except ZeroDivisionError:
        return None


def _fits(equations: Condition, value: Fraction, written: str) -> bool | None:
    """Whether a value fits, or one that is written as this when it is rounded to these digits; None: cannot tell."""
    try:
        if equations.fits(value):
            return True
        return "." in written and equations.near(value, Fraction(1, 10 ** len(written.rpartition(".")[2])))
    except Unreadable:  # too large to be worked out
        return None


def _shown(candidate: Candidate) -> str:
    return "" if candidate.answer is None else candidate.answer.text


def _told(false: Statement) -> str:
    return f"{false.text} does not hold: {false.left} is {false.value}"
