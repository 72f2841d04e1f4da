"""Universal self-consistency (Chen et al., 2023, arXiv:2311.17311): a vote for answers that cannot be counted.

Sample n candidates, then have the model read all of them and name the one that agrees most with the others. One call
and one new token more than sampling; the choice is read from the log probabilities of its number. It is counted as a
verifier's, and where it cannot be had the first candidate is returned, which is said (``unscorable``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import msgspec

from outthink.answers import Votes
from outthink.answers.quoting import quoted, quoted_question
from outthink.answers.verdict import SAMPLED, asking, verdict
from outthink.core.candidate import WHOLE, Candidate, Result, Score
from outthink.core.events import Voted, Warned
from outthink.core.problem import Problem, SamplingParams
from outthink.core.protocols import Run
from outthink.strategies.best_of_n import chains
from outthink.strategies.cot import CHAIN_TOKENS, prompted
from outthink.strategies.ranges import in_range
from outthink.strategies.results import asked_for, elected, single, with_kind
from outthink.strategies.selection import best
from outthink.strategies.weighing import worths

MOST_READ = 9
"""Candidates that one call reads: their numbers are one digit, so one token."""


@dataclass(frozen=True, slots=True)
class UniversalSelfConsistency:
    """Sample n candidates and have the model name the one most consistent with the others; for open text too."""

    n: int = 4
    temperature: float = 0.7
    paper: ClassVar[str] = "arXiv:2311.17311"

    def __post_init__(self) -> None:
        in_range("universal-self-consistency", n=(self.n, 2, MOST_READ), temperature=(self.temperature, 0, 2))

    async def solve(self, problem: Problem, run: Run) -> Result:
        problem = with_kind(problem)
        asked_for(problem, most=self.n)
        params = SamplingParams(temperature=self.temperature, max_tokens=CHAIN_TOKENS, logprobs=True)
        candidates, _ = await chains(await prompted(problem, run), run, self.n, params, self.n)
        votes = Votes()
        for candidate in candidates:
            votes.add(candidate)
        run.emit(Voted(votes=votes.counts(), seen=votes.seen, n=self.n))
        whole = [found for found in candidates if found.finish in WHOLE] or candidates
        if votes.share() == 1 and len(candidates) > 1:
            return elected(votes, run.ended_by or "settled") or single(whole[0], run)
        if len({found.text for found in whole}) == 1:
            return single(whole[0], run, "settled" if len(whole) > 1 else "exhausted")
        told = worths(await run.score(problem, whole, MostConsistent()))
        result = best(whole, told, run, run.ended_by or "exhausted")
        return msgspec.structs.replace(result, votes=votes.counts())


@dataclass(frozen=True, slots=True)
class MostConsistent:
    """A verifier that reads all candidates (at most `MOST_READ`) at once: the probability that its choice is each."""

    alone: ClassVar[bool] = False

    async def score(self, problem: Problem, candidates: Sequence[Candidate], run: Run) -> list[Score]:
        listed = "\n\n".join(quoted(f"Answer {number}", one.text) for number, one in enumerate(candidates, start=1))
        labels = [str(number) for number in range(1, len(candidates) + 1)]
        ask = f"Which answer agrees most with the others? Say one number from 1 to {len(labels)}."
        said = await run.sample(*asking(f"{quoted_question(problem)}\n\n{listed}\n\n{ask}"))
        found = verdict(said, labels)
        if found is not None and found.sampled:
            run.emit(Warned(message=SAMPLED))
        return [Score(verifier="consistency", raw=found and found.shares[label]) for label in labels]
