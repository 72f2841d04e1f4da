"""Best-of-n (Cobbe et al., 2021, arXiv:2110.14168): sample n chains, have a verifier score them, keep the best.

Where answers can vote, candidates vote with their scores (weighted best-of-n, Li et al., 2023, arXiv:2206.02336):
equal answers add up, so that one lucky score does not outbid five agreeing chains. ``aggregate=max`` takes the single
best candidate instead. A candidate the verifier cannot tell anything about counts as an average one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

import msgspec

from outthink.answers import Votes, resolved
from outthink.core.candidate import WHOLE, Candidate, Result, Score, StopReason
from outthink.core.events import Voted
from outthink.core.problem import Problem, SamplingParams
from outthink.core.protocols import Run, Verifier
from outthink.strategies.cot import CHAIN_TOKENS, prompted
from outthink.strategies.hopeless import checked, given_up, surest
from outthink.strategies.ranges import MOST, in_range
from outthink.strategies.rescue import rescued
from outthink.strategies.results import asked_for, chosen, elected, single, with_kind


@dataclass(frozen=True, slots=True)
class BestOfN:
    """Sample n chains of thought, score them with a verifier, and return the best, equal answers added up."""

    n: int = 8
    verifier: Verifier | None = None
    temperature: float = 0.7
    aggregate: Literal["sum", "max"] = "sum"
    width: int = 8
    stop_below: float | None = None
    paper: ClassVar[str] = "arXiv:2110.14168"

    def __post_init__(self) -> None:
        in_range("best-of-n", n=(self.n, 1, MOST), width=(self.width, 1, MOST), temperature=(self.temperature, 0, 2))
        checked("best-of-n", self.stop_below)

    async def solve(self, problem: Problem, run: Run) -> Result:
        problem = with_kind(problem)
        asked_for(problem, most=self.n)
        top = int(getattr(self.verifier, "top_logprobs", 0))
        params = SamplingParams(
            temperature=self.temperature,
            max_tokens=CHAIN_TOKENS,
            logprobs=True,
            top_logprobs=top,
            stop_below=self.stop_below,
        )
        candidates: list[Candidate] = []
        hopeless: list[Candidate] = []
        asked = await prompted(problem, run)
        async with run.fan_out(asked, params, self.n, width=self.width) as samples:
            async for candidate in samples:
                if given_up(candidate, self.stop_below):
                    hopeless.append(candidate)
                else:
                    candidates.append(await resolved(await rescued(asked, candidate, run)))
        candidates = candidates or [surest(hopeless)]
        candidates.sort(key=lambda found: found.index)
        stop: StopReason = run.ended_by or "exhausted"
        if len(candidates) == 1:
            return single(candidates[0], run)
        worths = weights(await run.score(problem, candidates, self.verifier))
        adds_up = self.aggregate == "sum" and min(worths) >= 0  # a reward below zero would count against its answer
        result = weighted(candidates, worths, run, stop) if adds_up else None
        return result or chosen(*_usable(candidates, worths), stop)


def weights(scores: Sequence[Score]) -> list[float]:
    """The worth of each candidate; where a verifier cannot tell, the mean of where it can (1 if nowhere)."""
    known = [score.worth for score in scores if score.worth is not None]
    mean = sum(known) / len(known) if known else 1.0
    return [mean if score.worth is None else score.worth for score in scores]


def weighted(
    candidates: Sequence[Candidate], worths: Sequence[float], run: Run, stop_reason: StopReason
) -> Result | None:
    """The answer whose candidates' worths add up to most, shown by its best candidate; None when nothing votes.

    The confidence is its share of all weight, that of candidates without an answer included.
    """
    votes = Votes()
    for candidate in candidates:
        votes.add(candidate)
    run.emit(Voted(votes=votes.counts(), seen=votes.seen, n=len(candidates)))
    worth = {candidate.index: value for candidate, value in zip(candidates, worths, strict=True)}
    classes = votes.classes()
    if not classes:
        return None
    total = [sum(worth[found.index] for found in group) for group in classes]
    best = classes[max(range(len(classes)), key=lambda i: (total[i], -i))]
    leader = max(best, key=lambda found: (worth[found.index], -found.index))
    whole = sum(worths)
    plain = elected(votes, stop_reason)
    share = sum(worth[found.index] for found in best) / whole if whole else 0.0
    return plain and msgspec.structs.replace(
        plain,
        answer=leader.answer,
        message=leader.message,
        text=leader.text,
        confidence=share,
        confidence_source="weighted_share",
    )


def _usable(candidates: Sequence[Candidate], worths: Sequence[float]) -> tuple[list[Candidate], list[float]]:
    """Candidates to choose from: those with an answer where some have one, else whole ones before cut ones."""
    answered = [i for i, found in enumerate(candidates) if found.answer is not None]
    whole = [i for i, found in enumerate(candidates) if found.finish in WHOLE]
    places = answered or whole or range(len(candidates))
    return [candidates[i] for i in places], [worths[i] for i in places]
