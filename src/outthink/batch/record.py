"""How samples for a pool are asked for: a technique's prompt and parameters, and no vote."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import msgspec

from outthink import plugins
from outthink.core.candidate import Result
from outthink.core.errors import InputError, Unsupported
from outthink.core.problem import Problem, SamplingParams, prompt_fingerprint
from outthink.core.protocols import Run
from outthink.strategies.cot import CHAIN_TOKENS, ChainOfThought, prompted
from outthink.strategies.direct import Direct
from outthink.strategies.self_consistency import SelfConsistency

TEMPERATURE = 0.7


class Recording(msgspec.Struct, frozen=True, kw_only=True):
    """How a pool is recorded. ``strategy`` lends its prompt: ``direct``, ``cot`` or ``self-consistency``.

    ``temperature`` and ``max_tokens`` None: the technique's own (0.7 where it would be greedy, one text n times).
    ``width``: samples of a question asked for at a time. ``concurrency`` counts questions.
    """

    n: int
    strategy: str = "self-consistency"
    temperature: float | None = None
    max_tokens: int | None = None
    width: int = 8
    concurrency: int | None = None


@dataclass(frozen=True, slots=True)
class Record:
    """The strategy that records: a technique's prompt, samples ``first`` to ``n`` - 1, and no vote.

    ``asked`` is told the prompt's fingerprint before anything is spent, and may refuse by raising.
    """

    n: int
    first: int
    width: int
    params: SamplingParams
    shots: int | None
    plain: bool
    asked: Callable[[str], None]

    async def solve(self, problem: Problem, run: Run) -> Result:
        prompt = problem if self.plain else await prompted(problem, run, self.shots)
        self.asked(prompt_fingerprint(prompt.messages, problem.question))
        if self.first < self.n:
            wanted = self.n - self.first
            async with run.fan_out(prompt, self.params, wanted, width=self.width, first=self.first) as samples:
                async for _ in samples:
                    pass
        return Result(answer=None, message={}, text="", stop_reason=run.ended_by or "exhausted")


def recorder(recording: Recording) -> Record:
    """The strategy that records so. Raises `InputError` for what cannot be recorded."""
    found = plugins.strategy(recording.strategy)
    shots, plain, temperature, max_tokens = None, False, TEMPERATURE, CHAIN_TOKENS
    if isinstance(found, ChainOfThought):
        shots, temperature = found.shots, found.temperature or TEMPERATURE
    elif isinstance(found, SelfConsistency):
        temperature = found.temperature
    elif isinstance(found, Direct):
        plain, max_tokens = True, None
    else:
        raise Unsupported(f"{recording.strategy} has no single prompt to record; use direct, cot or self-consistency")
    if recording.n < 1 or recording.width < 1:
        raise InputError(f"n and width take whole numbers above 0, not {recording.n} and {recording.width}")
    params = SamplingParams(
        temperature=temperature if recording.temperature is None else recording.temperature,
        max_tokens=recording.max_tokens or max_tokens,
        logprobs=True,
    )
    return Record(recording.n, 0, recording.width, params, shots, plain, lambda _: None)
