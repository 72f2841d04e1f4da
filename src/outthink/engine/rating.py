"""Asks to reward models: held, retried, settled and recorded as the calls that make text are."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import nullcontext
from typing import TypeVar

import anyio

from outthink.core.errors import ContextOverflow, Lacks, OutthinkError, Overloaded, Refused, ServerError, TimedOut
from outthink.core.events import CallFailed, CallSettled, CallStarted, Overdraft
from outthink.core.groups import task_group
from outthink.core.usage import Cost, Role, Usage
from outthink.core.wire import RateAsk, RateCall, Rating
from outthink.engine.admit import admit
from outthink.engine.call import ATTEMPTS, backoff
from outthink.engine.context import Limits, RewardLine, RunContext
from outthink.engine.ledger import Hold, Want
from outthink.engine.pace import Turn
from outthink.engine.settle import Ending, settle

_T = TypeVar("_T")
Values = tuple[float, ...]


class Rater:
    """Asks one reward model in one run (or child run)."""

    def __init__(self, context: RunContext, limits: Limits, line: RewardLine, role: Role) -> None:
        self.context, self.limits, self.line = context, limits, line
        self.role: Role = role

    async def rate(self, ask: RateAsk) -> list[Values]:
        """What each answer is worth; see `outthink.core.protocols.Run.rate`."""
        self.limits.check_time()
        said: dict[int, Rating] = {}
        failed: list[OutthinkError] = []
        calls: tuple[RateCall, ...] = ()
        with anyio.CancelScope(deadline=self.limits.deadline) if self.limits.timed else nullcontext() as scope:
            calls = await self._tried(lambda attempt: self.line.model.requests(ask))
            async with task_group() as group:
                for place, call in enumerate(calls):
                    group.start_soon(self._one, ask, place, call, said, failed)
        if scope is not None and scope.cancelled_caught:
            failed.append(self.limits.end("deadline", "the deadline came while a reward model was asked"))
        if failed and not said:
            raise failed[0]
        values = _merged(ask, calls, said)
        unrated = sum(not found for found in values)
        if unrated:
            why = f": {failed[0]}" if failed else ""
            self.context.warn(f"{self.line.model.name} did not rate {unrated} of {len(values)} answers{why}")
        return values

    async def _one(
        self, ask: RateAsk, place: int, call: RateCall, said: dict[int, Rating], failed: list[OutthinkError]
    ) -> None:
        try:
            said[place] = await self._tried(lambda attempt: self._asked(ask, call, attempt))
        except OutthinkError as error:  # the others may still be rated
            failed.append(error)

    async def _tried(self, make: Callable[[int], Awaitable[_T]]) -> _T:
        """Do it, again where that may help; the last failure is raised."""
        attempt = 1
        while True:
            try:
                return await make(attempt)
            except ServerError as error:
                if isinstance(error, (Overloaded, TimedOut)):
                    self.line.limiter.congested()
                final = not error.retryable or isinstance(error, Lacks) or attempt >= ATTEMPTS
                delay = None if final else backoff(attempt, error.retry_after)
                self.context.log.emit(
                    CallFailed(call=self.context.calls, error=str(error), status=error.status, retry_in=delay)
                )
                if delay is None:
                    raise
            await anyio.sleep(delay)
            attempt += 1

    async def _asked(self, ask: RateAsk, call: RateCall, attempt: int) -> Rating:
        pace, bound = self.line.pace, call.bound + self.line.margin
        want = Want(bound, 1, call.new_tokens, call.new_tokens, self.line.model.price)
        async with pace.turn(bound + call.new_tokens) if pace else nullcontext() as turn:
            # what has no room for this may still have room for a sample: the budget is not at its end by it
            hold = await admit(self.limits, self.line.limiter, want, final=False)
            if pace and turn:
                pace.leave(turn)
            return await self._flown(ask, call, attempt, hold, turn)

    async def _flown(self, ask: RateAsk, call: RateCall, attempt: int, hold: Hold, turn: Turn | None) -> Rating:
        context, line = self.context, self.line
        context.calls += 1
        number, began = context.calls, context.log.clock()
        ending = Ending(n=1, prompt=hold.worst.prompt_tokens, mean=0, arrived=0)
        context.log.emit(
            CallStarted(
                call=number,
                role=self.role,
                model=line.model.name,
                prompt=context.prompt_id(ask.messages),
                index=call.answers[0],
                n=len(call.answers),
                max_tokens=call.new_tokens,
                attempt=attempt,
                held=hold.worst,
            )
        )
        try:
            rating = await line.model.rate(call)
            ending.bill, ending.arrived = rating.bill, call.new_tokens
        except ServerError as error:
            ending.error = error
            raise
        except ContextOverflow as error:
            ending.error = Refused(str(error), 400)  # refused before any work
            raise
        finally:
            ending.seconds = context.log.clock() - began
            usage = self._settled(number, ending, hold)
            line.limiter.release()
            if line.pace and turn:
                line.pace.settle(turn, usage.tokens)
        line.limiter.succeeded()
        return rating

    def _settled(self, number: int, ending: Ending, hold: Hold) -> Usage:
        """Settle and record. Never awaits, so that cancellation cannot lose the books."""
        model, ledger, log = self.line.model, self.limits.ledger, self.context.log
        usage, charge = settle(ending, hold, model.price, model.parameters)
        ledger.settle(hold, charge, usage, self.role)
        if ending.bill is not None and ledger.bounds_cost and _tokens(charge) > _tokens(hold.worst):
            self.line.margin += max(0, charge.prompt_tokens - hold.worst.prompt_tokens)
            log.emit(Overdraft(call=number, held=hold.worst, actual=charge))
        log.emit(CallSettled(call=number, usage=usage, charged=ledger.charged, held=ledger.held))
        return usage


def _tokens(cost: Cost) -> int:
    return cost.prompt_tokens + cost.completion_tokens


def _merged(ask: RateAsk, calls: tuple[RateCall, ...], said: dict[int, Rating]) -> list[Values]:
    """The values of each answer in order, from all the requests that were about it; none where one is missing."""
    found: list[list[float]] = [[] for _ in ask.answers]
    missing: set[int] = set()
    for place, call in enumerate(calls):
        rating = said.get(place)
        for part, answer in enumerate(call.answers):
            values = () if rating is None else rating.values[part]
            found[answer] += values
            if not values:
                missing.add(answer)
    return [() if answer in missing else tuple(values) for answer, values in enumerate(found)]
