"""Best-of-n (Cobbe et al., 2021, arXiv:2110.14168): sample n chains, have a verifier score them, keep the best.

Where answers can vote, candidates vote with their scores, so that one lucky score does not outbid five agreeing chains:
by the answer posterior, whose weights come with a fitted verifier, or by adding up (``aggregate=sum``, Li et al., 2023,
arXiv:2206.02336). ``max`` takes the single best candidate instead. ``pessimistic`` trusts the highest scores less the
larger ``pessimism`` is (in units of the scores), for large n and a verifier that can be fooled.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

import msgspec

from outthink.adaptive.pessimism import pessimistic
from outthink.adaptive.posterior import Weights
from outthink.answers import resolved
from outthink.core.candidate import WHOLE, Candidate, Result, Score, StopReason
from outthink.core.events import Warned
from outthink.core.problem import Problem, SamplingParams, prompt_fingerprint
from outthink.core.protocols import Run, Verifier
from outthink.strategies.cot import CHAIN_TOKENS, prompted
from outthink.strategies.ranges import MOST, in_range
from outthink.strategies.rescue import rescued
from outthink.strategies.results import asked_for, chosen, single, with_kind
from outthink.strategies.weighing import Fit, by_posterior, by_sum, worths


@dataclass(frozen=True, slots=True)
class BestOfN:
    """Sample n chains of thought, score them with a verifier, and return the best, equal answers added up."""

    n: int = 8
    verifier: Verifier | None = None
    temperature: float = 0.7
    aggregate: Literal["posterior", "sum", "max", "pessimistic"] = "posterior"
    pessimism: float = 0.2
    width: int = 8
    paper: ClassVar[str] = "arXiv:2110.14168"

    def __post_init__(self) -> None:
        in_range("best-of-n", n=(self.n, 1, MOST), width=(self.width, 1, MOST), temperature=(self.temperature, 0, 2))
        in_range("best-of-n", pessimism=(self.pessimism, 0.001, 1000))

    async def solve(self, problem: Problem, run: Run) -> Result:
        problem = with_kind(problem)
        asked_for(problem, most=self.n)
        top = int(getattr(self.verifier, "top_logprobs", 0))
        params = SamplingParams(temperature=self.temperature, max_tokens=CHAIN_TOKENS, logprobs=True, top_logprobs=top)
        candidates: list[Candidate] = []
        asked = await prompted(problem, run)
        async with run.fan_out(asked, params, self.n, width=self.width) as samples:
            async for candidate in samples:
                candidates.append(await resolved(await rescued(asked, candidate, run)))
        candidates.sort(key=lambda found: found.index)
        stop: StopReason = run.ended_by or "exhausted"
        if len(candidates) == 1:
            return single(candidates[0], run)
        scores = await run.score(problem, candidates, self.verifier)
        scores, weights = self._trusted(scores, problem, asked, run)
        return self._elected(candidates, scores, weights, run, stop) or chosen(
            *_usable(candidates, worths(scores)), stop
        )

    def _elected(
        self,
        candidates: Sequence[Candidate],
        scores: Sequence[Score],
        weights: Weights | None,
        run: Run,
        stop: StopReason,
    ) -> Result | None:
        """The winner where answers vote; None where they do not, or the single best was asked for."""
        if self.aggregate == "max":
            return None
        if self.aggregate == "posterior":
            return by_posterior(candidates, scores, weights, run, stop)
        own = worths(scores)
        return by_sum(candidates, own if self.aggregate == "sum" else pessimistic(own, self.pessimism), run, stop)

    def _trusted(
        self, scores: Sequence[Score], problem: Problem, asked: Problem, run: Run
    ) -> tuple[Sequence[Score], Weights | None]:
        """The scores, and the posterior's weights that were fitted with the verifier; without its probabilities and
        weights where it was fitted on another prompt or temperature."""
        fitted: Fit | None = getattr(self.verifier, "fitted", None)
        if fitted is None:
            return scores, None
        prompt = prompt_fingerprint(asked.messages, problem.question)
        temperature = float(problem.params.get("temperature", self.temperature))
        other = fitted.differs(prompt=prompt, temperature=temperature)
        if other is None:
            return scores, fitted.weights
        run.emit(Warned(message=f"the verifier was fitted on {other}; its scores are not taken for probabilities"))
        return [msgspec.structs.replace(score, value=None) for score in scores], None


def _usable(candidates: Sequence[Candidate], own: Sequence[float]) -> tuple[list[Candidate], list[float]]:
    """Candidates to choose from: those with an answer where some have one, else whole ones before cut ones."""
    answered = [i for i, found in enumerate(candidates) if found.answer is not None]
    whole = [i for i, found in enumerate(candidates) if found.finish in WHOLE]
    places = answered or whole or range(len(candidates))
    return [candidates[i] for i in places], [own[i] for i in places]
