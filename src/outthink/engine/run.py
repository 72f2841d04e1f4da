"""The `Run` a strategy is given: asks turned into jobs, and children with limits of their own."""

from __future__ import annotations

import math
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import anyio
import msgspec

from outthink.adaptive.drift import Drift
from outthink.core.candidate import Candidate, Score
from outthink.core.errors import BudgetExhausted, InputError, ServerError
from outthink.core.events import Event, Warned
from outthink.core.execution import Outcome, Verdict
from outthink.core.problem import Message, Problem, SamplingParams
from outthink.core.protocols import EndedBy, Verifier
from outthink.core.usage import Budget, Role
from outthink.core.wire import Ask, RateAsk
from outthink.engine.call import Caller
from outthink.engine.context import Limits, Line, RunContext
from outthink.engine.execution import executed
from outthink.engine.fan import FanOut, open_fan
from outthink.engine.flight import Job
from outthink.engine.ledger import Ledger
from outthink.engine.rating import Rater, Values
from outthink.engine.recall import recall

_OWN = ("n", "seed", "stream", "stream_options", "max_tokens")
"""Caller's parameters that the engine itself carries out."""


class EngineRun:
    """See `outthink.core.protocols.Run`."""

    def __init__(self, context: RunContext, limits: Limits, role: Role = "policy", model: str | None = None) -> None:
        self._context, self._limits, self.model = context, limits, model or context.default
        self._role: Role = role

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
        parent: Candidate | None = None,
    ) -> Candidate:
        caller = await self._caller(model)
        job = self._job(caller.line, problem, params, index, 1, final)
        return await self._one(caller, job if parent is None else msgspec.structs.replace(job, parent=parent))

    async def continue_(
        self,
        problem: Problem,
        said: str,
        params: SamplingParams = SamplingParams(),
        *,
        parent: Candidate | None = None,
        index: int = 0,
        model: str | None = None,
    ) -> Candidate:
        begun = msgspec.structs.replace(problem, messages=(*problem.messages, {"role": "assistant", "content": said}))
        caller = await self._caller(model)
        job = self._job(caller.line, begun, params, index if parent is None else parent.index, 1)
        ask = msgspec.structs.replace(job.ask, continues=True, max_tokens=params.max_tokens)
        job = msgspec.structs.replace(job, ask=ask, said=said, parent=parent)
        return await self._one(caller, job)

    async def can_continue(self, model: str | None = None) -> bool:
        return await (await self._line(model)).model.can_continue()

    async def _one(self, caller: Caller, whole: Job) -> Candidate:
        """One candidate for a job of one sample."""
        found: list[Candidate] = []
        job = next(iter(recall(caller, whole, found.append)), None)
        while job is not None and not found:
            outcome = await caller.place(job, found.append)
            if outcome.error is not None and not found:
                raise outcome.error
            job = outcome.rest
        return found[0]

    @asynccontextmanager
    async def fan_out(
        self,
        problem: Problem,
        params: SamplingParams,
        n: int,
        *,
        width: int = 8,
        first: int = 0,
        model: str | None = None,
        final: bool = False,
    ) -> AsyncGenerator[FanOut]:
        caller = await self._caller(model)
        async with open_fan(caller, self._job(caller.line, problem, params, first, n, final), width) as samples:
            yield samples

    @asynccontextmanager
    async def child(self, budget: Budget = Budget(), *, model: str | None = None) -> AsyncGenerator[EngineRun]:
        ledger = Ledger(budget, self._limits.ledger)
        deadline = min(self._limits.deadline, anyio.current_time() + (budget.seconds or math.inf))
        yield EngineRun(self._context, Limits(ledger, self._context.log, deadline), self._role, model or self.model)

    async def score(
        self, problem: Problem, candidates: Sequence[Candidate], verifier: Verifier | str | None = None
    ) -> list[Score]:
        context = self._context
        if verifier is None or isinstance(verifier, str):
            if context.find_verifier is None:
                raise InputError(f"this run has no verifier {verifier or ''}; give one")
            verifier = context.find_verifier(verifier, problem)
        try:
            scores = await verifier.score(problem, candidates, EngineRun(context, self._limits, "verifier", self.model))
        except (ServerError, BudgetExhausted, InputError) as error:
            name = type(verifier).__name__
            context.warn(f"the verifier {name} could not tell: {error}")
            return [Score(verifier=name) for _ in candidates]
        context.note_scores(candidates, scores)
        return scores

    async def rate(self, ask: RateAsk, model: str) -> list[Values]:
        opened = self._context.reward
        if opened is None:
            raise InputError("this run has no reward models; use outthink.Engine")
        line = await opened(model)
        if self._limits.ledger.needs_price and line.model.price is None:
            raise InputError(f"a usd budget needs the price of {line.model.name}; give it an alias with one")
        return await Rater(self._context, self._limits, line, self._role).rate(ask)

    async def check(self, code: str, tests: Sequence[str], setup: str = "") -> Verdict:
        return await executed(
            self._context, self._limits, self._running, lambda sandbox: sandbox.check(code, tests, setup)
        )

    async def execute(self, code: str, stdin: str = "") -> Outcome:
        return await executed(self._context, self._limits, self._running, lambda sandbox: sandbox.run(code, stdin))

    @property
    def _running(self) -> Role:
        """The role that programs are counted under: a strategy's are tool calls."""
        return "tool" if self._role == "policy" else self._role

    async def prompt_tokens(self, messages: Sequence[Message], *, model: str | None = None) -> int:
        line, ask = await self._line(model), Ask(messages=tuple(messages))
        with anyio.CancelScope(deadline=self._limits.deadline):
            await self._context.count_prompt(line, ask)
        return self._context.prompt_bound(line, ask)

    async def worth_it(self, gain: float, tokens: float) -> bool:
        if self._context.seat is None:
            return True
        with anyio.CancelScope(deadline=self._limits.deadline) as scope:
            return await self._context.seat.worth_it(gain, tokens)
        if scope.cancelled_caught:
            self._limits.end("deadline", "the deadline has passed")
        return False

    def tokens_left(self) -> float:
        return self._limits.ledger.tokens_left()

    def time_left(self) -> float | None:
        return self._limits.time_left()

    def watch(self, policy: str) -> Drift:
        return self._context.drifts.of(policy)

    def emit(self, event: Event) -> None:
        if isinstance(event, Warned):
            self._context.warn(event.message)
        else:
            self._context.log.emit(event)

    async def _caller(self, model: str | None) -> Caller:
        return Caller(self._context, self._limits, await self._line(model), self._role)

    async def _line(self, model: str | None) -> Line:
        return await self._context.line(model or self.model)

    def _job(
        self, line: Line, problem: Problem, params: SamplingParams, index: int, n: int, final: bool = False
    ) -> Job:
        given = problem.params
        merged = {name: value for name, value in _defaults(params).items() if name not in given}
        merged.update((name, value) for name, value in given.items() if name not in _OWN)
        if params.stop and "stop" in given:  # both must hold: a technique's mark, and where the caller wants an end
            own = given["stop"]
            merged["stop"] = (*([own] if isinstance(own, str) else own), *params.stop)
        if problem.tools:
            merged["tools"] = problem.tools
        ask = Ask(
            messages=problem.messages,
            max_tokens=problem.limit(params.max_tokens),
            seed=given.get("seed", self._context.seed),
            logprobs=params.stop_below is not None
            or bool(given.get("logprobs", params.logprobs or params.top_logprobs > 0)),
            top_logprobs=params.top_logprobs,
            thinking=params.thinking,
            params=merged,
        )
        ask = self._context.accepted(line, ask) if line.refuses else ask
        return Job(ask, problem, index, n, live=final and self._context.live, stop_below=params.stop_below)


def _defaults(params: SamplingParams) -> dict[str, Any]:
    named: dict[str, Any] = {
        "temperature": params.temperature,
        "top_p": params.top_p,
        "stop": params.stop or None,
    }
    return {name: value for name, value in named.items() if value is not None}
