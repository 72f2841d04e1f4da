"""The `Run` a strategy is given: asks turned into jobs, and children with limits of their own."""

from __future__ import annotations

import math
from collections.abc import AsyncGenerator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import anyio

from outthink.core.candidate import Candidate
from outthink.core.errors import UnknownName
from outthink.core.events import Event
from outthink.core.problem import Message, Problem, SamplingParams
from outthink.core.protocols import EndedBy
from outthink.core.usage import Budget
from outthink.core.wire import Ask
from outthink.engine.call import Caller, Job
from outthink.engine.context import Limits, Line, RunContext
from outthink.engine.fan import FanOut, open_fan
from outthink.engine.ledger import Ledger

_OWN = ("n", "seed", "stream", "stream_options", "max_tokens")
"""Caller's parameters that the engine itself carries out."""


class EngineRun:
    """See `outthink.core.protocols.Run`."""

    def __init__(self, context: RunContext, limits: Limits) -> None:
        self._context, self._limits = context, limits

    @property
    def ended_by(self) -> EndedBy | None:
        return self._limits.ended_by

    async def sample(
        self,
        problem: Problem,
        params: SamplingParams = SamplingParams(),
        *,
        index: int = 0,
        model: str | None = None,
        final: bool = False,
    ) -> Candidate:
        caller = self._caller(model)
        found: list[Candidate] = []
        job: Job | None = self._job(problem, params, index, 1, final)
        while job is not None and not found:
            outcome = await caller.place(job, found.append)
            if outcome.error is not None and not found:
                raise outcome.error
            job = outcome.rest
        return found[0]

    def fan_out(
        self,
        problem: Problem,
        params: SamplingParams,
        n: int,
        *,
        width: int = 8,
        first: int = 0,
        model: str | None = None,
        final: bool = False,
    ) -> AbstractAsyncContextManager[FanOut]:
        return open_fan(self._caller(model), self._job(problem, params, first, n, final), width)

    @asynccontextmanager
    async def child(self, budget: Budget) -> AsyncGenerator[EngineRun]:
        ledger = Ledger(budget, self._limits.ledger)
        deadline = min(self._limits.deadline, anyio.current_time() + (budget.seconds or math.inf))
        yield EngineRun(self._context, Limits(ledger, self._context.log, deadline))

    async def affords(self, messages: Sequence[Message]) -> bool:
        left = self._limits.ledger.tokens_left()
        if left == math.inf:
            return True
        line, ask = self._line(None), Ask(messages=tuple(messages))
        await self._context.count_prompt(line, ask)
        return 4 * self._context.prompt_bound(line, ask) <= left

    def time_left(self) -> float | None:
        return self._limits.time_left()

    def emit(self, event: Event) -> None:
        self._context.log.emit(event)

    def _line(self, model: str | None) -> Line:
        name = model or self._context.default
        line = self._context.lines.get(name)
        if line is None:
            known = tuple(self._context.lines)
            raise UnknownName(f"this run has no model {name!r}; it has {', '.join(known)}", known)
        return line

    def _caller(self, model: str | None) -> Caller:
        return Caller(self._context, self._limits, self._line(model))

    def _job(self, problem: Problem, params: SamplingParams, index: int, n: int, final: bool) -> Job:
        given = problem.params
        merged = {name: value for name, value in _defaults(params).items() if name not in given}
        merged.update((name, value) for name, value in given.items() if name not in _OWN)
        if problem.tools:
            merged["tools"] = problem.tools
        ask = Ask(
            messages=problem.messages,
            max_tokens=given.get("max_completion_tokens", given.get("max_tokens", params.max_tokens)),
            seed=given.get("seed", self._context.seed),
            logprobs=bool(given.get("logprobs", params.logprobs)),
            params=merged,
        )
        return Job(ask, problem, index, n, live=final and self._context.live)


def _defaults(params: SamplingParams) -> dict[str, Any]:
    named: dict[str, Any] = {
        "temperature": params.temperature,
        "top_p": params.top_p,
        "stop": params.stop or None,
    }
    return {name: value for name, value in named.items() if value is not None}
