"""Parallel chains of sequential revisions (Snell et al., 2024, arXiv:2408.03314): ``chains`` × (1 + ``rounds``) calls,
whose split is the trade-off of parallel against sequential work as one parameter."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import msgspec

from outthink.answers import Votes, resolved
from outthink.core.candidate import Candidate, Result, StopReason
from outthink.core.errors import BudgetExhausted, ServerError
from outthink.core.events import Voted
from outthink.core.groups import task_group
from outthink.core.problem import Problem, SamplingParams
from outthink.core.protocols import Run, Verifier
from outthink.strategies.cot import CHAIN_TOKENS, prompted
from outthink.strategies.ranges import in_range
from outthink.strategies.rescue import rescued
from outthink.strategies.results import asked_for, chosen, elected, with_kind
from outthink.strategies.revising import Finding, improved


@dataclass(frozen=True, slots=True)
class ReviseChains:
    """Sample several chains, revise each of them in rounds, and vote over what they end with.

    Stops as soon as one chain passes its tests. ``chains=8, rounds=0`` is self-consistency, ``chains=1`` is refine.
    """

    chains: int = 4
    rounds: int = 1
    verifier: Verifier | None = None
    temperature: float = 0.7
    paper: ClassVar[str] = "arXiv:2408.03314"

    def __post_init__(self) -> None:
        in_range(
            "revise-chains",
            chains=(self.chains, 1, 256),
            rounds=(self.rounds, 0, 100),
            temperature=(self.temperature, 0, 2),
        )

    async def solve(self, problem: Problem, run: Run) -> Result:
        problem = with_kind(problem)
        asked_for(problem, most=1)
        asked = await prompted(problem, run)
        params = SamplingParams(temperature=self.temperature, max_tokens=CHAIN_TOKENS, logprobs=True)
        firsts: list[Candidate] = []
        async with run.fan_out(asked, params, self.chains, width=self.chains) as samples:
            async for candidate in samples:
                firsts.append(await resolved(await rescued(asked, candidate, run)))
        ends = await self._revised(problem, asked, sorted(firsts, key=lambda found: found.index), run)
        return _elected(ends, run)

    async def _revised(
        self, problem: Problem, asked: Problem, firsts: list[Candidate], run: Run
    ) -> list[tuple[Candidate, Finding]]:
        """The chains' best versions, in their order; after a passing one, only those that are there by then."""
        ends = {place: (first, Finding()) for place, first in enumerate(firsts)}
        async with task_group() as group:

            async def chain(place: int, first: Candidate) -> None:
                try:
                    best, found, _ = await improved(
                        problem,
                        asked,
                        first,
                        run,
                        rounds=self.rounds,
                        verifier=self.verifier,
                        temperature=self.temperature,
                        index=self.chains + place * self.rounds,
                    )
                except (BudgetExhausted, ServerError):
                    return
                ends[place] = best, found
                if found.passed:
                    group.cancel_scope.cancel()

            for place, first in enumerate(firsts):
                group.start_soon(chain, place, first)
        return [ends[place] for place in sorted(ends)]


def _elected(ends: list[tuple[Candidate, Finding]], run: Run) -> Result:
    """A chain that passes, else the vote, else the best by worth."""
    stop: StopReason = run.ended_by or "exhausted"
    passing = [best for best, found in ends if found.passed]
    votes = Votes()
    for best in passing or [best for best, _ in ends]:
        votes.add(best)
    run.emit(Voted(votes=votes.counts(), seen=votes.seen, n=len(ends)))
    result = elected(votes, stop)
    if result is not None:
        return msgspec.structs.replace(result, stop_reason="verified") if passing else result
    return chosen([best for best, _ in ends], [found.worth or 0.0 for _, found in ends], stop)
