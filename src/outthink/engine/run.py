"""The `Run` a strategy is given: asks turned into jobs, and children with limits of their own."""

from __future__ import annotations

import math
from collections.abc import AsyncGenerator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import anyio
import msgspec

from outthink.core.candidate import Candidate, Score
from outthink.core.errors import BudgetExhausted, InputError, SandboxError, ServerError, UnknownName
from outthink.core.events import Event
from outthink.core.execution import Outcome, Verdict
from outthink.core.problem import Message, Problem, SamplingParams
from outthink.core.protocols import EndedBy, Verifier
from outthink.core.usage import Budget, Role
from outthink.core.wire import Ask
from outthink.engine.call import Caller, Job
from outthink.engine.context import Limits, Line, RunContext
from outthink.engine.execution import executed
from outthink.engine.fan import FanOut, open_fan
from outthink.engine.ledger import Ledger
from outthink.engine.recall import recall

_OWN = ("n", "seed", "stream", "stream_options", "max_tokens")
"""Caller's parameters that the engine itself carries out."""


class EngineRun:
    """See `outthink.core.protocols.Run`."""

    def __init__(self, context: RunContext, limits: Limits, role: Role = "policy") -> None:
        self._context, self._limits = context, limits
        self._role: Role = role

    @property
    def ended_by(self) -> EndedBy | None:
        return self._limits.ended_by

    @property
    def model(self) -> str:
        return self._context.default

    async def sample(
        self,
        problem: Problem,
        params: SamplingParams = SamplingParams(),
        *,
        index: int = 0,
        model: str | None = None,
        final: bool = False,
    ) -> Candidate:
        return await self._one(self._caller(model), self._job(problem, params, index, 1, model, final))

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
        job = self._job(begun, params, index if parent is None else parent.index, 1, model)
        ask = msgspec.structs.replace(job.ask, continues=True, max_tokens=params.max_tokens)
        job = msgspec.structs.replace(job, ask=ask, said=said, parent=parent)
        return await self._one(self._caller(model), job)

    async def can_continue(self, model: str | None = None) -> bool:
        return await self._line(model).model.can_continue()

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
        return open_fan(self._caller(model), self._job(problem, params, first, n, model, final), width)

    @asynccontextmanager
    async def child(self, budget: Budget) -> AsyncGenerator[EngineRun]:
        ledger = Ledger(budget, self._limits.ledger)
        deadline = min(self._limits.deadline, anyio.current_time() + (budget.seconds or math.inf))
        yield EngineRun(self._context, Limits(ledger, self._context.log, deadline), self._role)

    async def score(
        self, problem: Problem, candidates: Sequence[Candidate], verifier: Verifier | None = None
    ) -> list[Score]:
        context = self._context
        if verifier is None and context.best_verifier is not None:
            verifier = context.best_verifier(problem)
        if verifier is None:
            raise InputError("this run has no verifier; name one")
        try:
            scores = await verifier.score(problem, candidates, EngineRun(context, self._limits, "verifier"))
        except (ServerError, BudgetExhausted, SandboxError) as error:
            name = type(verifier).__name__
            context.warn(f"the verifier {name} could not tell: {error}")
            return [Score(verifier=name) for _ in candidates]
        context.note_scores(candidates, scores)
        return scores

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
        line, ask = self._line(model), Ask(messages=tuple(messages))
        with anyio.CancelScope(deadline=self._limits.deadline):
            await self._context.count_prompt(line, ask)
        return self._context.prompt_bound(line, ask)

    def tokens_left(self) -> float:
        return self._limits.ledger.tokens_left()

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
        return Caller(self._context, self._limits, self._line(model), self._role)

    def _job(
        self, problem: Problem, params: SamplingParams, index: int, n: int, model: str | None, final: bool = False
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
            logprobs=bool(given.get("logprobs", params.logprobs or params.top_logprobs > 0)),
            top_logprobs=params.top_logprobs,
            thinking=params.thinking,
            params=merged,
        )
        line = self._line(model)
        ask = self._context.accepted(line, ask) if line.refuses else ask
        return Job(ask, problem, index, n, live=final and self._context.live)


def _defaults(params: SamplingParams) -> dict[str, Any]:
    named: dict[str, Any] = {
        "temperature": params.temperature,
        "top_p": params.top_p,
        "stop": params.stop or None,
    }
    return {name: value for name, value in named.items() if value is not None}
