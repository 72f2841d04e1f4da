"""Refine: a strategy's answer, criticised and revised (Self-Refine: Madaan et al., 2023, arXiv:2303.17651; with
feedback from outside where there is any: Chen et al., 2023, arXiv:2304.05128)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import msgspec

from outthink.core.candidate import Result
from outthink.core.problem import Problem
from outthink.core.protocols import Run, Strategy, Verifier
from outthink.strategies.cot import ChainOfThought, prompted
from outthink.strategies.parts import as_candidate, part_of
from outthink.strategies.ranges import in_range
from outthink.strategies.results import asked_for, single, with_kind
from outthink.strategies.revising import REVISIONS, improved


@dataclass(frozen=True, slots=True)
class Refine:
    """Revise an answer in rounds: by failing tests, false arithmetic, a verifier's critique, or a second look.

    ``strategy``: what answers first, one chain of thought unless given. Keeps the best version; one that passes its
    tests is never replaced.
    """

    strategy: Strategy | None = None
    rounds: int = 2
    verifier: Verifier | None = None
    temperature: float = 0.7
    paper: ClassVar[str] = "arXiv:2303.17651"

    def __post_init__(self) -> None:
        in_range("refine", rounds=(self.rounds, 1, 100), temperature=(self.temperature, 0, 2))

    async def solve(self, problem: Problem, run: Run) -> Result:
        problem = with_kind(problem)
        asked_for(problem, most=1)
        async with run.child(part_of(run, 0.6)) as child:
            result = await (self.strategy or ChainOfThought()).solve(problem, child)
        if result.answer is not None and problem.answer_kind == "auto":
            problem = msgspec.structs.replace(problem, answer_kind=result.answer.kind)
        asked, first = await prompted(problem, run), as_candidate(result, run)
        best, found, stop = await improved(
            problem,
            asked,
            first,
            run,
            rounds=self.rounds,
            verifier=self.verifier,
            temperature=self.temperature,
            others=list(result.votes),
            index=REVISIONS,
        )
        if best is first:
            return msgspec.structs.replace(result, stop_reason=stop)
        revised = single(best, run, stop)
        if found.worth is None or not 0 <= found.worth <= 1:
            return revised
        return msgspec.structs.replace(revised, confidence=found.worth, confidence_source="score")
