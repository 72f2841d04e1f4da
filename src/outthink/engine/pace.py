"""Requests and tokens a minute, and what a server says is left of its own, kept before it has to refuse.

What left in the last minute is remembered, so that no sixty seconds, wherever they begin, hold more than the limits.
A call counts with its worst case from its turn on, and with its true cost once that is known.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager

import anyio

from outthink.core.wire import Quota, Rate

WINDOW = 60.0
"""Seconds over which requests and tokens are summed."""
TRAVEL = 0.25
"""Seconds that a call may take to be counted by the server."""
LONGEST = 120.0
"""Seconds until a server's quota is renewed that are waited; where it is longer, its refusal says so."""


class Turn:
    """One call's place in the minute: ``tokens`` counted for it, from the time ``at`` when it left (0: not yet).
    ``worst``: what they were before it was settled. ``told``: the server's own count includes it."""

    __slots__ = ("at", "tokens", "told", "worst")

    def __init__(self, tokens: int) -> None:
        self.tokens, self.worst, self.at, self.told = tokens, tokens, 0.0, False


class Allowance:
    """What is ``left`` of a server's quota: its count ``as_of`` a moment, less what it may not have counted by then;
    all of it from ``reset`` on. Servers count when they let a call in, and say so in its reply."""

    def __init__(self) -> None:
        self.left, self.count, self.limit = math.inf, math.inf, math.inf
        self.as_of, self.reset = -math.inf, math.inf

    def heard(self, quota: Quota, at: float) -> None:
        """The count of a call that left ``at``: the newest holds, and of those side by side the lowest."""
        if quota.reset > LONGEST:
            Allowance.__init__(self)
        elif at > self.as_of + TRAVEL or quota.left < self.count:
            self.count, self.limit = quota.left, quota.limit or math.inf
            self.as_of, self.reset = at, at + quota.reset + TRAVEL

    def renewed(self, now: float) -> bool:
        """Whether it has just been renewed."""
        if now < self.reset:
            return False
        self.count, self.as_of, self.reset = self.limit, self.reset - TRAVEL, math.inf
        return True

    def fits(self, amount: int, idle: bool) -> bool:
        """Whether so much is left; what is more than all of it goes when it is there and nothing is on its way."""
        return amount <= self.left or (idle and self.reset == math.inf)


class Pace:
    """``rpm`` requests and ``tpm`` tokens a minute; None for no limit. First come, first served.

    A call of more than ``tpm`` tokens leaves when nothing else was sent for a minute: the server will say.
    """

    def __init__(self, rpm: float | None = None, tpm: float | None = None) -> None:
        self._rpm, self._tpm = rpm or math.inf, tpm or math.inf
        self._requests, self._tokens = 0, 0  # of turns that are waiting to leave, too
        self._left: deque[Turn] = deque()
        self._open: set[Turn] = set()  # from their turn on until they are settled
        self._told = (Allowance(), Allowance())  # of requests and of tokens
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
            self._open.add(turn)
            self._requests += 1
            self._tokens += tokens
            self._use(1, tokens)
        try:
            yield turn
        finally:
            self._open.discard(turn)
            if not turn.at:
                self._requests -= 1
                self._tokens -= turn.tokens
                self._use(-1, -turn.tokens)
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

    def heard(self, rate: Rate, at: float, turn: Turn | None, others: int, tokens: int) -> None:
        """What a server said in its reply to a call that left ``at``, with so many ``others`` on their way.

        Those without a turn, from before it was known to say such things, are taken to be of ``tokens`` each.
        """
        for told, quota in zip(self._told, (rate.requests, rate.tokens), strict=True):
            if quota is not None and at + quota.reset + TRAVEL > anyio.current_time():  # else it is renewed by now
                told.heard(quota, at)
                if turn is not None:
                    turn.told = True
        self._recount()
        unknown = max(0, others - sum(one.at > 0 for one in self._open if one is not turn))
        self._use(unknown, unknown * tokens)
        self._freed.set()

    def _recount(self) -> None:
        """Take what the server may not have counted off its counts."""
        requests, tokens = self._told
        requests.left = requests.count - sum(1 for _ in self._uncounted(requests.as_of))
        tokens.left = tokens.count - sum(turn.worst for turn in self._uncounted(tokens.as_of))

    def _uncounted(self, as_of: float) -> Iterator[Turn]:
        yield from (turn for turn in self._open if not turn.at)
        yield from (turn for turn in self._since(as_of) if not turn.told)

    def _since(self, as_of: float) -> Iterator[Turn]:
        """The turns of calls that left when the server had counted so far, or shortly before."""
        for turn in reversed(self._left):
            if turn.at < as_of - TRAVEL:
                return
            yield turn

    def _use(self, requests: int, tokens: int) -> None:
        self._told[0].left -= requests
        self._told[1].left -= tokens

    def _fits(self, tokens: int) -> bool:
        self._forget()
        idle = not self._open
        told = all(one.fits(amount, idle) for one, amount in zip(self._told, (1, tokens), strict=True))
        return told and (not self._requests or (self._requests < self._rpm and self._tokens + tokens <= self._tpm))

    def _next(self) -> float:
        """Seconds until the oldest call is a minute old or a quota is renewed; infinite while neither is to come."""
        oldest = self._left[0].at + WINDOW if self._left else math.inf
        return min(oldest, *(told.reset for told in self._told)) - anyio.current_time()

    def _forget(self) -> None:
        now = anyio.current_time()
        renewed = [told.as_of for told in self._told if told.renewed(now)]
        if renewed:
            for turn in self._since(min(renewed)):
                turn.told = False  # what was told of it may have been of the quota before
            self._recount()
        while self._left and self._left[0].at + WINDOW <= now:
            gone = self._left.popleft()
            self._requests -= 1
            self._tokens -= gone.tokens
