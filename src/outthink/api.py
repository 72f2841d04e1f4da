"""The library's face: `solve`, `solve_sync`, and `Engine` for many questions on models kept open."""

from __future__ import annotations

import asyncio
import math
import os
import secrets
from collections.abc import Callable
from functools import partial
from types import TracebackType

import anyio
import msgspec

from outthink import plugins
from outthink.adaptive.drift import Drifts
from outthink.core.candidate import Result
from outthink.core.errors import InputError, OutthinkError
from outthink.core.events import RunEnded, RunStarted
from outthink.core.execution import Limits as ProgramLimits
from outthink.core.problem import Problem
from outthink.core.protocols import Model, Strategy
from outthink.core.usage import Budget, Usage
from outthink.engine.cache import SampleCache, switched_off
from outthink.engine.context import Limits, Line, RewardLine, RunContext, Services, Shared
from outthink.engine.ledger import Ledger
from outthink.engine.log import EventLog, TraceFile
from outthink.engine.pace import Pace
from outthink.engine.run import EngineRun
from outthink.models.config import load_config, price_remedy
from outthink.models.paths import cache_file
from outthink.sandbox import LazySandbox

DEFAULT_MODEL = "qwen2.5-coder-0.5b"
DEFAULT_STRATEGY = "auto"
_LARGEST_SEED = 2**53 - 1


class Engine:
    """Models kept open for many runs; use it as ``async with Engine(...) as engine``.

    What is not given is what ``OUTTHINK_MODEL``, ``OUTTHINK_STRATEGY`` and ``OUTTHINK_BUDGET`` say, else the
    configuration file, else built in. ``model``: the default, by its text, by an alias of the configuration, or as an
    object of your own. ``concurrency``: calls in flight at one server (an embedded engine has its own slots).
    ``timeout``: seconds to wait for the first byte of a reply. ``cache``: use samples that were bought before
    (``OUTTHINK_CACHE=off`` turns it off everywhere). Code that a model wrote runs in one sandbox, opened when it is
    first needed: ``program_limits`` is what each program may use there; ``unsafe_exec`` lets programs run with nothing
    but these limits where this machine has no fences for them.
    """

    def __init__(
        self,
        model: str | Model | None = None,
        *,
        concurrency: int = 64,
        timeout: float | None = None,
        cache: bool = True,
        unsafe_exec: bool = False,
        program_limits: ProgramLimits | None = None,
    ) -> None:
        if concurrency < 1:
            raise InputError(f"concurrency takes a whole number above 0, not {concurrency}")
        if timeout is not None and not 0 < timeout < math.inf:
            raise InputError(f"the timeout takes seconds above 0, not {timeout:g}")
        self._concurrency, self._timeout = concurrency, timeout
        self._cache = SampleCache(cache_file()) if cache and not switched_off() else None
        self._sandbox = LazySandbox(program_limits, unsafe=unsafe_exec)
        self._drifts = Drifts()
        self._lines: dict[str, Line] = {}
        self._rewards: dict[str, RewardLine] = {}
        self.config = load_config()
        if model is not None and not isinstance(model, str):
            self._lines[model.name] = Line(model, concurrency)
            model = model.name
        self.model = model or os.environ.get("OUTTHINK_MODEL") or self.config.model or DEFAULT_MODEL
        self._opening = anyio.Lock()
        self._closed = False

    async def __aenter__(self) -> Engine:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._closed = True
        lines = (*self._lines.values(), *self._rewards.values())
        self._lines, self._rewards = {}, {}
        with anyio.CancelScope(shield=True):
            for line in lines:
                await line.model.aclose()
            await self._sandbox.aclose()
        if self._cache is not None:
            self._cache.close()

    async def line(self, model: str | None = None) -> Line:
        """A model by its text, opened at its first use. Raises `InputError` once the engine is closed."""
        text = model or self.model
        if text in self._lines and not self._closed:
            return self._lines[text]
        async with self._opening:
            if self._closed:
                raise InputError("this engine is closed; ask inside its async with block, or make another")
            if text not in self._lines:
                self._lines[text] = await self._open(text)
        return self._lines[text]

    async def _open(self, text: str) -> Line:
        alias = self.config.models.get(text)
        if alias is None:
            return Line(await plugins.model_opener(text)(text, timeout=self._timeout), self._concurrency)
        full = f"{alias.name or text}@{alias.endpoint}"
        model = await plugins.model_opener(full)(full, timeout=self._timeout, alias=alias)
        pace = Pace(alias.rpm, alias.tpm) if alias.paced else None
        return Line(model, self._concurrency, pace=pace, refuses=frozenset(alias.refuses))

    async def reward(self, model: str) -> RewardLine:
        """A reward model by its text or alias, opened at its first use; raises as `line`."""
        async with self._opening:
            if self._closed:
                raise InputError("this engine is closed; ask inside its async with block, or make another")
            if model not in self._rewards:
                alias = self.config.models.get(model)
                text = model if alias is None else f"{alias.name or model}@{alias.endpoint}"
                found = await plugins.reward_opener()(text, timeout=self._timeout, alias=alias)
                pace = Pace(alias.rpm, alias.tpm) if alias is not None and alias.paced else None
                self._rewards[model] = RewardLine(found, self._concurrency, pace=pace)
        return self._rewards[model]

    async def solve(
        self,
        problem: Problem | str,
        *,
        model: str | None = None,
        strategy: str | Strategy | None = None,
        budget: Budget | str | None = None,
        within: Shared | None = None,
        seed: int | None = None,
        trace: TraceFile | None = None,
        elapsed: float = 0.0,
        live: bool = False,
        watch: Callable[[EventLog], None] | None = None,
    ) -> Result:
        """Answer one problem inside a budget.

        ``strategy`` is an expression (``self-consistency(n=8)``) or an object of your own, ``budget`` limits or their
        text (``tokens=4000,seconds=20``), ``elapsed`` seconds of it that are gone already. ``within`` is a budget
        and a deadline that many runs share. ``live``: a sample that is bound to be the answer is streamed, and its
        pieces put on record (`Grew`). ``watch`` is handed the run's event log before anything happens.
        Raises `OutthinkError` only when there is nothing to return.
        """
        problem = Problem.of(problem)
        limits = self._budget(budget)
        if seed is not None and not 0 <= seed <= _LARGEST_SEED:
            raise InputError(f"the seed takes a whole number from 0 to {_LARGEST_SEED}, not {seed}")
        technique, text = self._technique(strategy)
        log = EventLog(trace)
        deadline = log.clock() + (limits.seconds or math.inf) - elapsed
        if watch is not None:
            watch(log)

        async def open_line(text: str | None) -> Line:
            line = await self.line(text)
            self.check_price(limits, line.model, text)
            return line

        services = Services(
            self._cache,
            plugins.find_verifier,
            open_line,
            self.reward,
            self._sandbox,
            None if within is None else within.seat,
            self._drifts,
        )
        context = RunContext(await open_line(model), log, 0 if seed is None else seed, services, live=live)
        ledger = Ledger(limits)
        if within is not None:
            ledger, deadline = Ledger(limits, within.ledger), min(deadline, within.deadline)
        run = EngineRun(context, Limits(ledger, log, deadline))
        return await _recorded(problem, technique, text, limits, run, context, ledger)

    def check_price(self, budget: Budget, model: Model, text: str | None = None) -> None:
        """Raises `InputError` for a usd budget on a model (opened by ``text``) whose price is not known."""
        if budget.usd is not None and model.price is None:
            remedy = price_remedy(self.config, text or self.model)
            raise InputError(f"a usd budget needs the price of {model.name}, which is not known; {remedy}")

    def _technique(self, strategy: str | Strategy | None) -> tuple[Strategy, str]:
        """A strategy and its text; an object of the caller's own goes by the name of its class."""
        if strategy is not None and not isinstance(strategy, str):
            return strategy, type(strategy).__name__
        text = strategy or os.environ.get("OUTTHINK_STRATEGY") or self.config.strategy or DEFAULT_STRATEGY
        return plugins.strategy(text), plugins.strategy_text(text)

    def _budget(self, budget: Budget | str | None) -> Budget:
        if budget is None:
            budget = os.environ.get("OUTTHINK_BUDGET") or self.config.budget or Budget()
        if isinstance(budget, Budget) and budget != Budget():
            budget = str(budget)  # its values are checked as those of a text are
        return Budget.parse(budget) if isinstance(budget, str) else budget


async def _recorded(
    problem: Problem,
    technique: Strategy,
    text: str,
    limits: Budget,
    run: EngineRun,
    context: RunContext,
    ledger: Ledger,
) -> Result:
    """Let a strategy run between its first and its last event, and complete its result from the books."""
    log, run_id = context.log, secrets.token_hex(6)
    log.emit(
        RunStarted(
            run_id=run_id,
            strategy=text,
            model=context.default,
            messages=problem.messages,
            answer_kind=problem.answer_kind,
            budget=limits,
            seed=context.seed,
        )
    )
    ended = RunEnded(stop_reason="cancelled", answer=None, confidence=None, usage=Usage(), charged=ledger.charged)
    try:
        result = await technique.solve(problem, run)
        ended.stop_reason, ended.confidence = result.stop_reason, result.confidence
        ended.answer = result.answer and result.answer.text
    except OutthinkError as error:
        ended.stop_reason, ended.error = None, str(error)
        raise
    finally:
        ended.usage, ended.charged = _total(ledger, log), ledger.charged
        log.emit(ended)
    return msgspec.structs.replace(
        result,
        candidates=tuple(sorted(context.candidates, key=lambda found: found.index)),
        usage=ended.usage,
        by_role=dict(ledger.by_role),
        billed=msgspec.structs.replace(ledger.billed, seconds=ended.usage.seconds),
        strategy=text,
        model=context.default,
        run_id=run_id,
    )


def _total(ledger: Ledger, log: EventLog) -> Usage:
    """All roles together, its seconds the run's wall-clock time."""
    return msgspec.structs.replace(sum(ledger.by_role.values(), Usage()), seconds=log.seconds)


async def solve(
    problem: Problem | str,
    *,
    model: str | None = None,
    strategy: str | None = None,
    budget: Budget | str | None = None,
    seed: int | None = None,
) -> Result:
    """Answer one problem; see `Engine.solve`. Opens the model and closes it again."""
    async with Engine(model) as engine:
        return await engine.solve(problem, strategy=strategy, budget=budget, seed=seed)


def solve_sync(
    problem: Problem | str,
    *,
    model: str | None = None,
    strategy: str | None = None,
    budget: Budget | str | None = None,
    seed: int | None = None,
) -> Result:
    """`solve` for code without an event loop. Raises `InputError` inside one."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        pass
    else:
        raise InputError(
            "solve_sync cannot run inside an event loop (a notebook has one); write: await outthink.solve(...)"
        )
    return anyio.run(partial(solve, problem, model=model, strategy=strategy, budget=budget, seed=seed))


__all__ = ["Engine", "solve", "solve_sync"]
