"""Fallback: a strategy, and another where the first fails, comes to no answer, or is not sure enough."""

from __future__ import annotations

from dataclasses import dataclass

from outthink.core.candidate import Result
from outthink.core.problem import Problem
from outthink.core.protocols import Run, Strategy
from outthink.strategies.parts import accepted, attempted, part_of, surest
from outthink.strategies.ranges import in_range


@dataclass(frozen=True, slots=True)
class Fallback:
    """The first strategy's result; the second's where the first fails, has no answer, or less confidence than wanted.

    ``share``: the part of a budget that the first may spend.
    """

    first: Strategy
    second: Strategy
    confidence: float = 0.0
    share: float = 0.5

    def __post_init__(self) -> None:
        in_range("fallback", confidence=(self.confidence, 0, 1), share=(self.share, 0.01, 0.99))

    async def solve(self, problem: Problem, run: Run) -> Result:
        async with run.child(part_of(run, self.share)) as child:
            first = await attempted(self.first, problem, child)
            if isinstance(first, Result) and await accepted(first, problem, child, None, self.confidence):
                return first
        second = await attempted(self.second, problem, run)
        found = [result for result in (first, second) if isinstance(result, Result)]
        if not found:
            assert not isinstance(second, Result)
            raise second
        if isinstance(second, Result) and second.answer is not None:
            return second
        return surest(found)
