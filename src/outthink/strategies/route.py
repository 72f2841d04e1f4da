"""Route: a few samples tell how hard a question is, and so which strategy is worth its price.

Difficulty by agreement of samples, as in compute-optimal scaling (Snell et al., 2024, arXiv:2408.03314): all agree,
more than half agree, or fewer.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from outthink.answers import Votes, resolved
from outthink.core.candidate import Candidate, Result
from outthink.core.errors import BudgetExhausted, BudgetTooSmall
from outthink.core.events import Voted
from outthink.core.problem import Problem, SamplingParams
from outthink.core.protocols import Run, Strategy
from outthink.strategies.cot import CHAIN_TOKENS, prompted
from outthink.strategies.ranges import in_range
from outthink.strategies.rescue import rescued
from outthink.strategies.results import asked_for, elected, single, with_kind
from outthink.strategies.self_consistency import SelfConsistency


@dataclass(frozen=True, slots=True)
class Route:
    """Take a few probes, and then the strategy for easy, medium or hard questions, by how far the probes agree.

    ``easy`` left out: where all probes agree, their answer is the answer. ``medium`` is a vote of 8, ``hard`` of 16
    unless given. Open text has no vote to tell by and goes
    the easy way.
    """

    easy: Strategy | None = None
    medium: Strategy | None = None
    hard: Strategy | None = None
    probes: int = 3
    temperature: float = 0.7
    paper: ClassVar[str] = "arXiv:2408.03314"

    def __post_init__(self) -> None:
        in_range("route", probes=(self.probes, 2, 64), temperature=(self.temperature, 0, 2))

    async def solve(self, problem: Problem, run: Run) -> Result:
        problem, medium = with_kind(problem), self.medium or SelfConsistency(n=8)
        if problem.answer_kind in ("auto", "text"):
            return await (self.easy or medium).solve(problem, run)
        asked_for(problem, most=1)
        votes, probes = await self._probed(problem, run)
        agreeing = votes.share() or 0.0
        if agreeing == 1.0 and votes.seen == self.probes and self.easy is None:
            return elected(votes, "settled") or await medium.solve(problem, run)
        if agreeing > 0.5:
            chosen = self.easy if agreeing == 1.0 and self.easy is not None else medium
        else:
            chosen = self.hard or SelfConsistency(n=16)
        try:
            return await chosen.solve(problem, run)
        except (BudgetExhausted, BudgetTooSmall):
            return elected(votes, run.ended_by or "budget") or single(probes[0], run)

    async def _probed(self, problem: Problem, run: Run) -> tuple[Votes, list[Candidate]]:
        asked, votes, probes = await prompted(problem, run), Votes(), list[Candidate]()
        params = SamplingParams(temperature=self.temperature, max_tokens=CHAIN_TOKENS)
        async with run.fan_out(asked, params, self.probes, width=self.probes) as samples:
            async for candidate in samples:
                probes.append(await resolved(await rescued(asked, candidate, run)))
                votes.add(probes[-1])
        run.emit(Voted(votes=votes.counts(), seen=votes.seen, n=self.probes))
        return votes, probes
