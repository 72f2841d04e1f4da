"""How many calls may be in flight at one model: a limit that gives way under congestion and grows back.

Additive increase, multiplicative decrease: halved at most once a second on 429, 503 and time-outs, and one
more after each full window of successes. First come, first served.
"""

from __future__ import annotations

from collections import deque

import anyio


class Limiter:
    """``ceiling`` permits at most. A request may take several (the choices it asks an engine's slots for)."""

    def __init__(self, ceiling: int) -> None:
        self.ceiling = ceiling
        self.limit = ceiling
        self.taken = 0
        self._queue: deque[tuple[int, anyio.Event]] = deque()
        self._successes = 0
        self._halved = float("-inf")

    async def acquire(self, permits: int = 1) -> None:
        """Take permits, waiting in line; more than the limit is taken when nothing else is in flight."""
        if not self._queue and self._fits(permits):
            self.taken += permits
            return
        turn = anyio.Event()
        place = (permits, turn)
        self._queue.append(place)
        taken = False
        try:
            await turn.wait()
            taken = True
        finally:
            if not taken and turn.is_set():
                self.release(permits)  # cancelled after the permits were handed over
            elif not taken:
                self._queue.remove(place)
                self._serve()

    def release(self, permits: int = 1) -> None:
        self.taken -= permits
        self._serve()

    def congested(self) -> None:
        """Halve the limit, at most once a second."""
        now = anyio.current_time()
        if now - self._halved >= 1.0:
            self._halved = now
            self.limit = max(1, self.limit // 2)
            self._successes = 0

    def succeeded(self) -> None:
        """Count a success; a window of them adds one permit back."""
        if self.limit < self.ceiling:
            self._successes += 1
            if self._successes >= self.limit:
                self._successes = 0
                self.limit += 1
                self._serve()

    def _fits(self, permits: int) -> bool:
        return self.taken == 0 or self.taken + permits <= self.limit

    def _serve(self) -> None:
        while self._queue and self._fits(self._queue[0][0]):
            permits, turn = self._queue.popleft()
            self.taken += permits
            turn.set()
