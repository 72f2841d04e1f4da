"""Requests and tokens a minute, kept before a server has to refuse.

What left in the last minute is remembered, so that no sixty seconds, wherever they begin, hold more than the limits.
A call counts with its worst case from its turn on, and with its true cost once that is known.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import anyio

WINDOW = 60.0
"""Seconds over which requests and tokens are summed."""


class Turn:
    """One call's place in the minute: ``tokens`` counted for it, from the time ``at`` when it left (0: not yet)."""

    __slots__ = ("at", "tokens")

    def __init__(self, tokens: int) -> None:
        self.tokens, self.at = tokens, 0.0


class Pace:
    """``rpm`` requests and ``tpm`` tokens a minute; None for no limit. First come, first served.

    A call of more than ``tpm`` tokens leaves when nothing else was sent for a minute: the server will say.
    """

    def __init__(self, rpm: float | None = None, tpm: float | None = None) -> None:
        self._rpm, self._tpm = rpm or math.inf, tpm or math.inf
        self._requests, self._tokens = 0, 0  # of turns that are waiting to leave, too
        self._left: deque[Turn] = deque()
        self._line = anyio.Lock()
        self._freed = anyio.Event()

    @asynccontextmanager
    async def turn(self, tokens: int) -> AsyncGenerator[Turn]:
        """A call of at most so many tokens as a block; its turn is given back when the call never left."""
        async with self._line:
            while not self._fits(tokens):
                self._freed = anyio.Event()
                with anyio.move_on_after(self._next()):
                    await self._freed.wait()
            turn = Turn(tokens)
            self._requests += 1
            self._tokens += tokens
        try:
            yield turn
        finally:
            if not turn.at:
                self._requests -= 1
                self._tokens -= turn.tokens
                self._freed.set()

    def leave(self, turn: Turn) -> None:
        """The call is sent now."""
        turn.at = anyio.current_time()
        self._left.append(turn)

    def settle(self, turn: Turn, tokens: int) -> None:
        """The call cost so many tokens."""
        self._forget()
        if self._left and turn.at >= self._left[0].at:
            self._tokens += tokens - turn.tokens
            turn.tokens = tokens
            self._freed.set()

    def _fits(self, tokens: int) -> bool:
        self._forget()
        return not self._requests or (self._requests < self._rpm and self._tokens + tokens <= self._tpm)

    def _next(self) -> float:
        """Seconds until the oldest call is a minute old; infinite while all are still to leave."""
        return self._left[0].at + WINDOW - anyio.current_time() if self._left else math.inf

    def _forget(self) -> None:
        now = anyio.current_time()
        while self._left and self._left[0].at + WINDOW <= now:
            gone = self._left.popleft()
            self._requests -= 1
            self._tokens -= gone.tokens
