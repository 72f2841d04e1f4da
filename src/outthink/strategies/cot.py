"""Chain of thought: have the model work step by step before it answers, and say the answer so it can be read.

Few-shot (Wei et al., 2022, arXiv:2201.11903): worked examples as earlier turns, which also keep a small
model's chains short. Zero-shot (Kojima et al., 2022, arXiv:2205.11916): an instruction after the question.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import msgspec

from outthink.core.candidate import Result
from outthink.core.problem import Message, Problem, SamplingParams
from outthink.core.protocols import Run
from outthink.strategies.prompts import AS_THEY_CAME, SHOTS, few_shot, zero_shot
from outthink.strategies.ranges import in_range
from outthink.strategies.rescue import rescued
from outthink.strategies.results import asked_for, single, with_kind

SHORT_DEADLINE = 30.0
"""Seconds left under which a prompt carries two worked examples instead of four: reading takes time too."""
CHAIN_TOKENS = 400
"""The most new tokens a chain may take, unless the caller says otherwise."""


async def prompted(problem: Problem, run: Run, shots: int | None = None) -> Problem:
    """The problem as a chain-of-thought prompt for its answer kind.

    ``shots`` None: the built-in examples, left out when they would take more than a quarter of the budget, and
    where the kind is not known (``auto``). Open text, JSON and tool calls are left as they came: the caller said
    what form they have.
    """
    if problem.answer_kind in AS_THEY_CAME:
        return problem
    if shots is None and problem.answer_kind == "auto":
        shots = 0
    hurried = (left := run.time_left()) is not None and left < SHORT_DEADLINE
    wanted = shots if shots is not None else 2 if hurried else SHOTS
    with_examples = few_shot(problem, wanted)
    if wanted and (shots is not None or await affords(with_examples, run)):
        return msgspec.structs.replace(problem, messages=with_examples)
    return msgspec.structs.replace(problem, messages=zero_shot(problem))


async def affords(messages: Sequence[Message], run: Run) -> bool:
    """Whether a prompt takes at most a quarter of the tokens left."""
    left = run.tokens_left()
    return left == math.inf or 4 * await run.prompt_tokens(messages) <= left


@dataclass(frozen=True, slots=True)
class ChainOfThought:
    """One chain of thought; shots=0 is zero-shot, the default as many worked examples as the budget allows."""

    shots: int | None = None
    temperature: float = 0.0
    paper: ClassVar[str] = "arXiv:2201.11903"

    def __post_init__(self) -> None:
        in_range("cot", shots=(self.shots or 0, 0, SHOTS), temperature=(self.temperature, 0, 2))

    async def solve(self, problem: Problem, run: Run) -> Result:
        params = SamplingParams(temperature=self.temperature, max_tokens=CHAIN_TOKENS, logprobs=True)
        asked_for(problem, most=1)
        asked = await prompted(with_kind(problem), run, self.shots)
        return single(await rescued(asked, await run.sample(asked, params), run), run)
