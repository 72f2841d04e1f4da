"""Think: long internal thinking of a set length, then the answer (budget forcing: Muennighoff et al., 2025,
"s1: simple test-time scaling", arXiv:2501.19393).

The thinking is written between ``<think>`` and ``</think>``, by a reasoning model of its own accord, by a plain one
because it is told to. At ``max_tokens`` it is closed and the answer asked for; where it ends before ``min_tokens``, its
end is replaced by "Wait", at most ``waits`` times. It stays internal: the answer's text never holds it.

Needs a server that goes on from a given beginning. Where there is none, the thinking is capped as near as the server
can be told (its own thinking budget, or ``reasoning_effort``), and ``min_tokens`` cannot be kept.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import ClassVar

import msgspec

from outthink.core.candidate import Candidate, Result
from outthink.core.errors import BudgetExhausted
from outthink.core.events import Warned
from outthink.core.problem import Problem, SamplingParams
from outthink.core.protocols import Run
from outthink.core.usage import Budget
from outthink.strategies.cot import CHAIN_TOKENS
from outthink.strategies.prompts import instructed
from outthink.strategies.ranges import in_range
from outthink.strategies.rescue import CUE, can_be_forced
from outthink.strategies.results import asked_for, single, with_kind
from outthink.strategies.thoughts import CLOSE, OPEN, shown

WAIT = "\nWait,"
_SHARE, _ANSWER = 0.7, 64
"""The part of the time, and all but so many of the tokens, that thinking may take: the answer needs some too."""
_REASONING = re.compile(r"\br1\b|qwq|qwen-?3|think|reason|magistral|gpt-oss|\bo[1345]\b|glm-4\.[5-9]", re.I)
"""Names of models that think of their own accord."""
_PRIVATELY = "First think it through step by step between <think> and </think>; then give the answer only."


@dataclass(frozen=True, slots=True)
class Think:
    """Think internally for at least min_tokens and at most max_tokens, then answer; "Wait" where it ends too soon."""

    max_tokens: int = 1024
    min_tokens: int = 0
    waits: int = 2
    temperature: float = 0.6
    paper: ClassVar[str] = "arXiv:2501.19393"

    def __post_init__(self) -> None:
        in_range(
            "think",
            max_tokens=(self.max_tokens, 1, 10**9),
            min_tokens=(self.min_tokens, 0, self.max_tokens),
            waits=(self.waits, 0, 100),
            temperature=(self.temperature, 0, 2),
        )

    async def solve(self, problem: Problem, run: Run) -> Result:
        problem = with_kind(problem)
        asked_for(problem, most=1)
        asked = problem if _REASONING.search(run.model) else instructed(problem, _PRIVATELY)
        if not await run.can_continue():
            return await self._by_the_server(problem, run)
        left, longest = run.time_left(), self.max_tokens
        if run.tokens_left() != math.inf:  # the thinking is paid for twice: written once, and read for the answer
            room = run.tokens_left() - 2 * await run.prompt_tokens(asked.messages) - _ANSWER
            longest = max(1, min(longest, int(room / 2)))
        async with run.child(Budget(seconds=None if left is None else max(0.001, left * _SHARE))) as thinking:
            thought = await self._thought(asked, thinking, longest)
        answered = await self._answered(asked, thought, run)
        return single(answered, run, thinking.ended_by or "exhausted")

    async def _thought(self, problem: Problem, run: Run, longest: int) -> Candidate:
        """The thinking, from its opening mark on and not yet closed."""
        said, used, waited = OPEN, 0, 0
        thought: Candidate | None = None
        while True:
            params = SamplingParams(
                temperature=self.temperature, max_tokens=longest - used, stop=("</think>",), logprobs=True
            )
            try:
                thought = await run.continue_(problem, said, params, parent=thought)
            except BudgetExhausted:
                if thought is None:
                    raise
                return thought  # what there is of it; the answer may still fit
            used += thought.tokens
            said = thought.text.partition("</think>")[0].rstrip()
            if used >= min(self.min_tokens, longest) or waited >= self.waits or run.ended_by:
                return msgspec.structs.replace(thought, text=said)
            said, waited = said + WAIT, waited + 1

    async def _answered(self, problem: Problem, thought: Candidate, run: Run) -> Candidate:
        """The answer after the thinking: forced where an answer can vote and the thinking had to be cut."""
        cue = CUE.lstrip() if can_be_forced(problem) and thought.finish != "stop" else ""
        begun = thought.text + CLOSE + cue
        limit = problem.limit(CHAIN_TOKENS)
        params = SamplingParams(temperature=self.temperature, max_tokens=limit, logprobs=True)
        return shown(await run.continue_(problem, begun, params, parent=thought), problem)

    async def _by_the_server(self, problem: Problem, run: Run) -> Result:
        if self.min_tokens:
            run.emit(Warned(message=f"{run.model} cannot be made to go on thinking; min_tokens is not kept"))
        params = SamplingParams(temperature=self.temperature, logprobs=True, thinking=self.max_tokens)
        return single(await run.sample(problem, params), run)
