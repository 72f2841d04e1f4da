"""Ensemble: one strategy on several models at once; their answers vote with the shares they had (Jiang et al., 2023,
arXiv:2306.02561, without a ranker)."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import ClassVar

import msgspec

from outthink.core.candidate import Result
from outthink.core.errors import BadSpec
from outthink.core.groups import task_group
from outthink.core.problem import Problem
from outthink.core.protocols import Run, Strategy
from outthink.strategies.parts import Failure, attempted, part_of, surest


@dataclass(frozen=True, slots=True)
class Ensemble:
    """Run a strategy on several models at once and return the answer that has the largest share over all of them.

    Each model has one vote, split as its own samples were; only answers that some model elected can win.
    """

    strategy: Strategy
    models: tuple[str, ...] = ()
    paper: ClassVar[str] = "arXiv:2306.02561"

    def __post_init__(self) -> None:
        if len(self.models) < 2:
            raise BadSpec("ensemble needs two models or more: ensemble(self-consistency(n=4), models=[a, b])")

    async def solve(self, problem: Problem, run: Run) -> Result:
        results: dict[str, Result] = {}
        failed: list[Failure] = []
        part = part_of(run, 1 / len(self.models), side_by_side=True)
        async with task_group() as group:

            async def ask(model: str) -> None:
                async with run.child(part, model=model) as child:
                    result = await attempted(self.strategy, problem, child)
                if isinstance(result, Result):
                    results[model] = result
                else:
                    failed.append(result)

            for model in self.models:
                group.start_soon(ask, model)
        found = [results[model] for model in self.models if model in results]
        if not found:
            raise failed[0]
        return _merged(found, run) or surest(found)


def _merged(found: list[Result], run: Run) -> Result | None:
    """The elected answer with the largest mean share, None where no model elected one."""
    shares: defaultdict[str, float] = defaultdict(float)
    votes: defaultdict[str, int] = defaultdict(int)
    for result in found:
        whole = sum(result.votes.values())
        for answer, count in result.votes.items():
            shares[answer] += count / whole / len(found)
            votes[answer] += count
    answered = [result for result in found if result.answer is not None]
    if not answered:
        return None
    best = max(answered, key=lambda result: shares[str(result.answer)])
    return msgspec.structs.replace(
        best,
        confidence=shares[str(best.answer)],
        confidence_source="vote_share",
        votes=dict(sorted(votes.items(), key=lambda item: -item[1])),
        stop_reason=run.ended_by or "exhausted",
    )
