"""One call, whole: permit, hold, request, settlement, record; tried again where that may help.

Every token and second of a run is spent here and nowhere else.
"""

from __future__ import annotations

import random
from contextlib import nullcontext

import anyio
import msgspec

from outthink.core.candidate import Candidate
from outthink.core.errors import BudgetExhausted, Lacks, Overloaded, ServerError, TimedOut
from outthink.core.events import CallFailed
from outthink.engine.admit import admit
from outthink.engine.flight import Asker, Flight, Job, Land
from outthink.engine.ledger import STREAM_STEP, Want
from outthink.engine.pace import Turn

ATTEMPTS = 6
HALVE_AFTER = 2
"""Failures after which a request for several choices is tried again in halves."""
ENDLESS = 1024
"""New tokens of a choice that sets no limit of its own, where other runs spend from the same budget."""
_BACKOFF_FIRST, _BACKOFF_MOST, _PATIENCE = 0.1, 4.0, 30.0


class Outcome(msgspec.Struct, frozen=True):
    """What is left of a job after a call: ``rest`` to be asked for anew (with ``error`` if it failed)."""

    rest: Job | None
    error: ServerError | None = None


class Caller(Asker):
    """Makes the calls of one run (or child run) on one model."""

    async def place(self, job: Job, land: Land) -> Outcome:
        """Make one call, trying again as allowed; ``land`` takes each candidate as it ends.

        Raises `BudgetExhausted` when nothing fits any more, or the deadline came with nothing landed, and
        `InputError` for what no further try can mend.
        """
        self.limits.check_time()
        landed, failed = 0, ""

        def count(found: Candidate) -> None:
            nonlocal landed
            landed += 1
            land(found)

        with anyio.CancelScope(deadline=self.limits.deadline) if self.limits.timed else nullcontext():
            while True:
                try:
                    return Outcome(await self._attempt(job, count))
                except Lacks as error:
                    self.context.warn(f"{error}; asking without it")
                    if error.feature in ("n", "slots"):
                        return Outcome(job)
                except BudgetExhausted as error:
                    raise BudgetExhausted(f"{error}{failed}", error.reason) from error
                except ServerError as error:
                    failed = f"; the last call failed: {error}"
                    job = msgspec.structs.replace(job, attempts=job.attempts + 1)
                    delay = self._delay(job, error, landed)
                    if delay is None:
                        return Outcome(job, error)
                    await anyio.sleep(delay)
        ended = self.limits.end("deadline", f"the deadline came while a call was in flight{failed}")
        if not landed:
            raise ended
        return Outcome(None)

    def _delay(self, job: Job, error: ServerError, landed: int) -> float | None:
        """Seconds before the next try of the same request, None when it is not tried again."""
        if isinstance(error, (Overloaded, TimedOut)):
            self.line.limiter.congested()
        tries = HALVE_AFTER if job.n > 1 else ATTEMPTS
        final = not error.retryable or landed or job.attempts >= tries
        delay = None if final else backoff(job.attempts, error.retry_after)
        self.context.log.emit(
            CallFailed(call=self.context.calls, error=str(error), status=error.status, retry_in=delay)
        )
        return delay

    async def _attempt(self, job: Job, land: Land) -> Job | None:
        ledger, line, bounded = self.ledger, self.line, self.ledger.bounds_cost
        watched = job.stop_below is not None
        if bounded or watched:  # a stream that is stopped has no bill, and its prompt should be counted nonetheless
            await self.context.count_prompt(line, job.ask)
        prompt = self.context.prompt_bound(line, job.ask)
        streaming = (self.limits.timed or job.live or watched) and "stream" not in line.model.lacks
        if watched and not line.model.lacks.isdisjoint(("stream", "logprobs")):
            self.context.warn(f"{line.model.name} streams no log probabilities: no chain can be stopped by them")
        longest = job.ask.max_tokens
        if longest is None and bounded and ledger.shared:  # or one call would hold all that is left for the others
            longest = ENDLESS
        want = Want(
            prompt,
            job.n,
            longest,
            ledger.expected,
            line.model.price,
            STREAM_STEP if streaming and bounded else None,
        )
        if line.pace is None:
            return await self._fly(job, want, land, streaming)
        worst = prompt + job.n * (want.max_tokens or want.floor)
        async with line.pace.turn(worst) as turn:  # before permit and hold: what waits here locks up neither
            return await self._fly(job, want, land, streaming, turn)

    async def _fly(self, job: Job, want: Want, land: Land, streaming: bool, turn: Turn | None = None) -> Job | None:
        line = self.line
        permits = line.permits(job.n)  # these very ones are given back: a refusal may change what a call takes

        def told() -> bool:  # the server has told its limits while this waited: it needs a turn first
            return turn is None and line.pace is not None

        hold = await admit(self.limits, line.limiter, want, permits, final=not job.ask.continues, barred=told)
        if hold is None:
            return job
        flight = Flight(self, job, hold, want.prompt, land, turn)
        if line.pace and turn:
            line.pace.leave(turn)
        try:
            if streaming:
                await flight.stream()
            else:
                await flight.complete()
        finally:
            usage = flight.close()
            line.limiter.release(permits)
            if line.pace and turn:
                line.pace.settle(turn, usage.tokens)
        line.limiter.succeeded()
        left = job.n - flight.answered
        return job.part(flight.answered, left) if left > 0 else None


def backoff(attempt: int, retry_after: float | None) -> float:
    """Seconds to wait: what the server asked for (at most 30), else full jitter over 0.1 × 2^k up to 4."""
    if retry_after is not None:
        return min(retry_after, _PATIENCE)
    return random.uniform(0, min(_BACKOFF_MOST, _BACKOFF_FIRST * 2**attempt))
