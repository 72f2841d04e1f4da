"""Direct: one plain sample of the conversation as it came, the base that every technique is measured by."""

from __future__ import annotations

from dataclasses import dataclass

from outthink.core.candidate import Result
from outthink.core.problem import Problem, SamplingParams
from outthink.core.protocols import Run
from outthink.strategies.results import single, with_kind


@dataclass(frozen=True, slots=True)
class Direct:
    """One plain sample, the conversation as it came; the default for open text."""

    async def solve(self, problem: Problem, run: Run) -> Result:
        candidate = await run.sample(with_kind(problem), SamplingParams(logprobs=True))
        return single(candidate, run)
