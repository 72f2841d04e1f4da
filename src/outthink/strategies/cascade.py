"""Cascade: the cheapest model first, a bigger one only where its result is not good enough (FrugalGPT: Chen et al.,
2023, arXiv:2305.05176)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from outthink.core.candidate import Result
from outthink.core.errors import BadSpec
from outthink.core.problem import Problem
from outthink.core.protocols import Run, Strategy, Verifier
from outthink.strategies.parts import accepted, attempted, surest
from outthink.strategies.ranges import in_range
from outthink.strategies.self_consistency import SelfConsistency


@dataclass(frozen=True, slots=True)
class Cascade:
    """Ask each model in turn, and stop at the first result that the verifier (or its confidence) finds good enough.

    ``strategy``: what each does, a vote of four unless given. ``accept``: the least worth, a probability. A result
    that was accepted is never replaced; where none is, the last model's stands.
    """

    strategy: Strategy | None = None
    models: tuple[str, ...] = ()
    accept: float = 0.7
    verifier: Verifier | None = None
    paper: ClassVar[str] = "arXiv:2305.05176"

    def __post_init__(self) -> None:
        in_range("cascade", accept=(self.accept, 0, 1))
        if not self.models:
            raise BadSpec("cascade needs models, the cheapest first: cascade(models=[small, large])")

    async def solve(self, problem: Problem, run: Run) -> Result:
        strategy, found = self.strategy or SelfConsistency(n=4), list[Result]()
        for model in self.models:
            async with run.child(model=model) as child:
                result = await attempted(strategy, problem, child)
                if not isinstance(result, Result):
                    if model == self.models[-1] and not found:
                        raise result
                    continue
                found.append(result)
                if await accepted(result, problem, child, self.verifier, self.accept):
                    return result
            if run.ended_by:
                break
        return found[-1] if found[-1].answer is not None else surest(found)
