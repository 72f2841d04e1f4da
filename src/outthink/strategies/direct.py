"""Direct: one plain sample of the conversation as it came, the base that every technique is measured by."""

from __future__ import annotations

from dataclasses import dataclass

from outthink.core.candidate import Result
from outthink.core.problem import Problem, SamplingParams
from outthink.core.protocols import Run
from outthink.strategies.results import asked_for, single, with_kind


@dataclass(frozen=True, slots=True)
class Direct:
    """One plain sample, the conversation as it came. A caller's n is honoured as it is."""

    async def solve(self, problem: Problem, run: Run) -> Result:
        problem, params, n = with_kind(problem), SamplingParams(logprobs=True), asked_for(problem)
        if n == 1:
            return single(await run.sample(problem, params, final=True), run)
        async with run.fan_out(problem, params, n, width=n, final=True) as samples:
            found = [candidate async for candidate in samples]
        return single(min(found, key=lambda candidate: candidate.index), run)
