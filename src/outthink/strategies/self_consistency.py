"""Self-consistency (Wang et al., 2022, arXiv:2203.11171): sample n chains of thought, return the majority answer.

Stops early, without changing the answer, once the runner-up can no longer catch up.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import msgspec

from outthink.answers import Votes, resolved
from outthink.core.candidate import Candidate, Result, StopReason
from outthink.core.events import Voted
from outthink.core.problem import Problem, SamplingParams
from outthink.core.protocols import Run
from outthink.strategies.cot import CHAIN_TOKENS, prompted
from outthink.strategies.hopeless import checked, given_up, surest
from outthink.strategies.ranges import MOST, in_range
from outthink.strategies.rescue import rescued
from outthink.strategies.results import asked_for, elected, single, with_kind


@dataclass(frozen=True, slots=True)
class SelfConsistency:
    """Sample n chains of thought and return the majority answer."""

    n: int = 8
    temperature: float = 0.7
    width: int = 8
    stop_below: float | None = None
    paper: ClassVar[str] = "arXiv:2203.11171"

    def __post_init__(self) -> None:
        in_range(
            "self-consistency", n=(self.n, 1, MOST), width=(self.width, 1, MOST), temperature=(self.temperature, 0, 2)
        )
        checked("self-consistency", self.stop_below)

    async def solve(self, problem: Problem, run: Run) -> Result:
        problem, wanted = with_kind(problem), asked_for(problem, most=self.n)
        params = SamplingParams(temperature=self.temperature, max_tokens=CHAIN_TOKENS)
        votes, seen, hopeless, n = Votes(), list[Candidate](), list[Candidate](), self.n
        if problem.answer_kind in ("auto", "text"):  # the first candidate tells whether there is a vote
            first = await resolved(await run.sample(await prompted(problem, run), params))
            if first.answer is None and wanted == 1:
                return single(first, run, "unscorable")
            if first.answer is None:  # as many texts as were asked for, without a vote
                n = wanted
            else:
                problem = msgspec.structs.replace(problem, answer_kind=first.answer.kind)
            self._count(first, votes, seen, run)
        asked = await prompted(problem, run)
        params = msgspec.structs.replace(params, stop_below=self.stop_below)
        async with run.fan_out(asked, params, n - len(seen), width=self.width, first=len(seen)) as samples:
            async for candidate in samples:
                if given_up(candidate, self.stop_below):
                    hopeless.append(candidate)
                else:
                    candidate = await resolved(await rescued(asked, candidate, run))
                    self._count(candidate, votes, seen, run, more=samples.landed > 0)
                voters = self.n - len(hopeless)
                if not samples.landed and votes.seen >= wanted and votes.decided(voters):  # it cannot be caught
                    break  # leaving the block cancels what is in flight
        voters = self.n - len(hopeless)
        stop: StopReason = "settled" if votes.seen < voters and votes.decided(voters) else run.ended_by or "exhausted"
        return elected(votes, stop) or single(seen[0] if seen else surest(hopeless), run)

    def _count(self, candidate: Candidate, votes: Votes, seen: list[Candidate], run: Run, more: bool = False) -> None:
        seen.append(candidate)
        votes.add(candidate)
        if not more:  # what landed together is shown together
            run.emit(Voted(votes=votes.counts(), seen=votes.seen, n=self.n))
