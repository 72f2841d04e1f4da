"""A strategy that asks before each further wave whether it is worth it, and a model that finds some questions hard."""

from dataclasses import dataclass

from outthink.adaptive.state import State
from outthink.adaptive.value import knowledge_gradient
from outthink.answers import Votes
from outthink.core.errors import BudgetExhausted
from outthink.core.problem import SamplingParams
from outthink.models.script import Script
from outthink.strategies.results import elected


@dataclass(frozen=True, slots=True)
class Waves:
    """``first`` samples, then waves by knowledge gradient, as long as they are worth it."""

    first: int = 3
    most: int = 32

    async def solve(self, problem, run):
        votes, size, stop, tokens = Votes(), self.first, "exhausted", 0
        while size:
            try:
                async with run.fan_out(problem, SamplingParams(max_tokens=60), size, first=votes.seen) as samples:
                    async for candidate in samples:
                        votes.add(candidate)
                        tokens += candidate.tokens
            except BudgetExhausted:
                if not votes.seen:
                    raise
            counts = tuple(votes.counts().values())
            state = State(counts, votes.seen - sum(counts), self.most, tokens)
            wave = knowledge_gradient(state)
            size = wave.size if wave.gain > 0 and run.ended_by is None else 0
            prompt = 1.5 * tokens / votes.seen  # of the fake's questions, which it bills with every request
            if size and not await run.worth_it(wave.gain, size * state.each + prompt):
                size, stop = 0, "diminishing"
        return elected(votes, run.ended_by or stop)


@dataclass(frozen=True)
class Mixed(Script):
    """Easy questions are always answered right, hopeless ones always in one and the same wrong way; medium ones are
    right in ``accuracy`` of samples and else wrong in a few ways. Chains differ in length."""

    def is_right(self, prompt, seed):
        if "easy" in prompt:
            return True
        return "hopeless" not in prompt and super().is_right(prompt, seed)

    def _text(self, prompt, seed):
        chain = "so " * (self._draw(prompt, seed, "length") % self.words)
        if "hopeless" in prompt:
            return f"{chain}The answer is 9999."
        return chain + super()._text(prompt, seed)
