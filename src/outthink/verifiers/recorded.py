"""Recorded: the scores that a pool's samples came with, as a verifier of their own (a reward model's, say)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from outthink.core.candidate import Candidate, Score
from outthink.core.problem import Problem
from outthink.core.protocols import Run


@dataclass(frozen=True, slots=True)
class Recorded:
    """A score that the samples of a pool were recorded with, by its name."""

    name: str
    alone: ClassVar[bool] = True

    async def score(self, problem: Problem, candidates: Sequence[Candidate], run: Run) -> list[Score]:
        return [Score(verifier=self.name, raw=found.scores.get(self.name)) for found in candidates]
