"""Fan-out: many samples of one prompt, asked for in waves as they are pulled.

A wave is one request for several choices where the server can, else requests side by side. Nothing is
started before it is wanted: the next wave leaves when the last has landed and another candidate is asked for.
"""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import anyio
from anyio.abc import TaskGroup

from outthink.core.candidate import Candidate
from outthink.core.errors import BudgetExhausted, InputError, ServerError
from outthink.core.groups import task_group
from outthink.engine.call import ATTEMPTS, Caller
from outthink.engine.flight import Job
from outthink.engine.recall import recall

SHORT_DEADLINE = 30.0
"""Seconds left under which waves are sized by the time one sample takes."""


class FanOut:
    """The samples of one fan-out; see `outthink.core.protocols.Samples`."""

    def __init__(self, caller: Caller, job: Job, width: int, group: TaskGroup) -> None:
        self._caller, self._job, self._width, self._group = caller, job, width, group
        self._clock = caller.context.log.clock
        self._next = 0
        self._in_flight = 0
        self._ready: deque[Candidate] = deque()
        self._seen: set[int] = set()
        self._error: Exception | None = None
        self._wave_began = 0.0
        self._pace: float | None = None
        self._arrival: anyio.Event | None = None

    @property
    def landed(self) -> int:
        return len(self._ready)

    def __aiter__(self) -> FanOut:
        return self

    async def __anext__(self) -> Candidate:
        while not self._ready:
            if self._in_flight:
                self._arrival = anyio.Event()
                await self._arrival.wait()
                self._arrival = None
            elif not self._start_wave():
                if self._error is not None and not self._seen:
                    raise self._error
                if self._caller.limits.ended_by and not self._seen:  # it was over before this began
                    raise BudgetExhausted("nothing more can be bought", self._caller.limits.ended_by)
                raise StopAsyncIteration
        return self._ready.popleft()

    def _start_wave(self) -> bool:
        """Ask for the next wave; False when there is nothing more to ask for."""
        if self._next >= self._job.n or self._caller.limits.ended_by or _fatal(self._error):
            return False
        size = min(self._wave_width(), self._job.n - self._next)
        self._wave_began = self._clock()
        self._fetch(self._job.part(self._next, size))
        self._next += size
        return True

    def _wave_width(self) -> int:
        """Under a short deadline one sample goes first, and later waves are what its pace lets finish."""
        left = self._caller.limits.time_left()
        if left is None or left > SHORT_DEADLINE:
            return self._width
        if self._pace is None:
            return 1
        return max(1, min(self._width, int(left / max(self._pace, 1e-6))))

    def _fetch(self, job: Job) -> None:
        """Start a job: what the cache lacks of it, as one request or as many as the server's width asks for."""
        for part in recall(self._caller, job, self._land):
            # one of several choices in a stream cannot be stopped alone: those that may be, come apart
            width = self._caller.line.width(part.n) if part.stop_below is None else 1
            for start in range(0, part.n, width):
                self._in_flight += 1
                self._group.start_soon(self._call, part.part(start, min(width, part.n - start)))

    async def _call(self, job: Job) -> None:
        try:
            outcome = await self._caller.place(job, self._land)
            if outcome.error is not None:
                self._again(outcome.rest or job, outcome.error)
            elif outcome.rest is not None:
                self._fetch(outcome.rest)
        except BudgetExhausted as error:
            self._error = self._error or error
        except InputError as error:
            self._error = error
        finally:
            self._in_flight -= 1
            self._wake()

    def _again(self, job: Job, error: ServerError) -> None:
        """After the tries of one request: several choices go on in halves, a single one is lost."""
        missing = [i for i in range(job.n) if job.index + i not in self._seen]
        if not missing:
            return
        if error.retryable and job.n > 1 and job.attempts < ATTEMPTS:
            for part in job.halves() if len(missing) == job.n else [job.part(i, 1) for i in missing]:
                self._fetch(part)
            return
        self._error = error
        lost = ", ".join(str(job.index + i) for i in missing)
        self._caller.context.warn(f"sample {lost} was lost after {job.attempts} tries: {error}")

    def _land(self, found: Candidate) -> None:
        if self._pace is None:
            self._pace = self._clock() - self._wave_began
        self._seen.add(found.index)
        self._ready.append(found)
        self._wake()

    def _wake(self) -> None:
        if self._arrival is not None:
            self._arrival.set()


def _fatal(error: Exception | None) -> bool:
    """Whether asking for more samples cannot help."""
    return isinstance(error, InputError) or (isinstance(error, ServerError) and not error.retryable)


@asynccontextmanager
async def open_fan(caller: Caller, job: Job, width: int) -> AsyncGenerator[FanOut]:
    """A fan-out as a block: leaving it cancels what is in flight and waits until that is settled."""
    async with task_group() as group:
        yield FanOut(caller, job, width, group)
        group.cancel_scope.cancel()
