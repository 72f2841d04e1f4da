"""Best-of-n (Cobbe et al., 2021, arXiv:2110.14168): sample n chains, have a verifier score them, keep the best.

How the best is chosen of candidates and scores is in `outthink.strategies.selection`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import ClassVar

import msgspec

from outthink.adaptive.posterior import Weights
from outthink.answers import resolved
from outthink.core.candidate import Candidate, Result, Score, StopReason
from outthink.core.errors import BadSpec
from outthink.core.events import Warned
from outthink.core.problem import Problem, SamplingParams, prompt_fingerprint
from outthink.core.protocols import Run, Verifier
from outthink.strategies.cot import CHAIN_TOKENS, prompted
from outthink.strategies.hopeless import checked, given_up, surest
from outthink.strategies.ranges import MOST, in_range
from outthink.strategies.rescue import rescued
from outthink.strategies.results import asked_for, single, with_kind
from outthink.strategies.selection import Aggregate, selected
from outthink.strategies.weighing import Fit


@dataclass(frozen=True, slots=True)
class BestOfN:
    """Sample n chains of thought, score them with a verifier, and return the best, equal answers added up.

    ``aggregate``: how, see `outthink.strategies.selection`. ``until_verified``: stop at the first wave in which a
    candidate passes (a worth of 1). ``stop_below``: give up chains whose least sure group falls below this mean log
    probability.
    """

    n: int = 8
    verifier: Verifier | None = None
    temperature: float = 0.7
    aggregate: Aggregate = "posterior"
    pessimism: float = 0.2
    width: int = 8
    until_verified: bool = False
    stop_below: float | None = None
    paper: ClassVar[str] = "arXiv:2110.14168"

    def __post_init__(self) -> None:
        in_range("best-of-n", n=(self.n, 1, MOST), width=(self.width, 1, MOST), temperature=(self.temperature, 0, 2))
        in_range("best-of-n", pessimism=(self.pessimism, 0.001, 1000))
        checked("best-of-n", self.stop_below)
        if self.until_verified and not getattr(self.verifier, "alone", False):
            raise BadSpec(
                "best-of-n: until_verified needs a verifier that looks at each candidate alone; add verifier=tests"
            )

    async def solve(self, problem: Problem, run: Run) -> Result:
        problem = with_kind(problem)
        asked_for(problem, most=self.n)
        params = SamplingParams(
            temperature=self.temperature,
            max_tokens=CHAIN_TOKENS,
            logprobs=True,
            top_logprobs=int(getattr(self.verifier, "top_logprobs", 0)),
            stop_below=self.stop_below,
        )
        asked, scores = await prompted(problem, run), dict[int, Score]()

        async def verified(found: list[Candidate]) -> bool:
            new = [candidate for candidate in found if candidate.index not in scores]
            told = await run.score(problem, new, self.verifier)
            scores.update((candidate.index, score) for candidate, score in zip(new, told, strict=True))
            return any(score.passed for score in told)

        candidates, passed = await chains(
            asked, run, self.n, params, self.width, enough=verified if self.until_verified else None
        )
        stop: StopReason = "verified" if passed else run.ended_by or "exhausted"
        if len(candidates) == 1:
            return single(candidates[0], run, stop)
        if any(candidate.index not in scores for candidate in candidates):
            await verified(candidates)
        ordered = [scores[candidate.index] for candidate in candidates]
        ordered, weights = self._trusted(ordered, problem, asked, run)
        return selected(
            problem, candidates, ordered, run, stop, aggregate=self.aggregate, weights=weights, pessimism=self.pessimism
        )

    def _trusted(
        self, scores: list[Score], problem: Problem, asked: Problem, run: Run
    ) -> tuple[list[Score], Weights | None]:
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


async def chains(
    asked: Problem,
    run: Run,
    n: int,
    params: SamplingParams,
    width: int,
    *,
    enough: Callable[[list[Candidate]], Awaitable[bool]] | None = None,
) -> tuple[list[Candidate], bool]:
    """``n`` chains of a prompted problem in order of index, their answers forced where they were cut, and worked out;
    fewer, and true, where one wave was ``enough``.

    Those that were given up are left out; where all were, the surest of them.
    """
    found: list[Candidate] = []
    hopeless: list[Candidate] = []
    done = False
    async with run.fan_out(asked, params, n, width=width) as samples:
        async for candidate in samples:
            if given_up(candidate, params.stop_below):
                hopeless.append(candidate)
            else:
                found.append(await resolved(await rescued(asked, candidate, run)))
            if enough is not None and found and not samples.landed and await enough(found):
                done = True
                break  # leaving the block cancels what is in flight
    return sorted(found or [surest(hopeless)], key=lambda candidate: candidate.index), done
