"""Race: two strategies at once; the first result that is good enough wins, and the other stops."""

from __future__ import annotations

from dataclasses import dataclass

from outthink.core.candidate import Result
from outthink.core.groups import task_group
from outthink.core.problem import Problem
from outthink.core.protocols import Run, Strategy, Verifier
from outthink.strategies.parts import Failure, accepted, attempted, part_of, surest
from outthink.strategies.ranges import in_range


@dataclass(frozen=True, slots=True)
class Race:
    """Run two strategies at once and take the first result that the verifier (or its confidence) finds good enough.

    Each may spend half of a budget. Where neither is good enough, the surer one is taken.
    """

    first: Strategy
    second: Strategy
    verifier: Verifier | None = None
    accept: float = 0.5

    def __post_init__(self) -> None:
        in_range("race", accept=(self.accept, 0, 1))

    async def solve(self, problem: Problem, run: Run) -> Result:
        found: list[Result] = []
        failed: list[Failure] = []
        winner: list[Result] = []
        half = part_of(run, 0.5, side_by_side=True)
        async with task_group() as group:

            async def enter(strategy: Strategy) -> None:
                async with run.child(half) as child:
                    result = await attempted(strategy, problem, child)
                    if not isinstance(result, Result):
                        failed.append(result)
                        return
                    found.append(result)
                    if await accepted(result, problem, child, self.verifier, self.accept):
                        winner.append(result)
                        group.cancel_scope.cancel()

            group.start_soon(enter, self.first)
            group.start_soon(enter, self.second)
        if not found:
            raise failed[0]
        return winner[0] if winner else surest(found)
