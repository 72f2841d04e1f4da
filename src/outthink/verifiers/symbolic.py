"""Symbolic: the arithmetic a chain states, done again. Costs no tokens.

Each statement such as ``3.5 * 8 = 28`` is evaluated exactly and held against what the chain says it is, to the
digits it says it in (``2 / 3 = 0.67`` is right). The measure is the share of statements that hold; ``steps`` has
one value a statement, the first 0.0 being the first false step. A chain that states nothing readable is passed over.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from outthink.core.candidate import Candidate, Score
from outthink.core.problem import Problem
from outthink.core.protocols import Run
from outthink.verifiers.arithmetic import Statement, statements


@dataclass(frozen=True, slots=True)
class Symbolic:
    """Whether the arithmetic that a chain states holds, statement by statement; costs no tokens."""

    alone: ClassVar[bool] = True

    async def score(self, problem: Problem, candidates: Sequence[Candidate], run: Run) -> list[Score]:
        return [self._one(found.text) for found in candidates]

    def _one(self, text: str) -> Score:
        found = statements(text)
        if not found:
            return Score(verifier="symbolic")
        steps = tuple(1.0 if one.holds else 0.0 for one in found)
        first = next((one for one in found if not one.holds), None)
        return Score(
            verifier="symbolic",
            raw=sum(steps) / len(steps),
            steps=steps,
            critique=None if first is None else _told(first),
        )


def _told(false: Statement) -> str:
    return f"{false.text} does not hold: {false.left} is {false.value}"
