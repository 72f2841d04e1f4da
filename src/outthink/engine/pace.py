"""Requests and tokens a minute, kept before a server has to refuse: one bucket each, filled steadily.

A bucket holds ten seconds' worth, so that a burst is possible and a minute's sum is passed by a sixth at most.
"""

from __future__ import annotations

import anyio

_BURST = 10.0


class Pace:
    """``rpm`` requests and ``tpm`` tokens a minute; None for no limit. First come, first served."""

    def __init__(self, rpm: float | None = None, tpm: float | None = None) -> None:
        self._requests = None if rpm is None else Bucket(rpm)
        self._tokens = None if tpm is None else Bucket(tpm)
        self._turn = anyio.Lock()

    async def take(self, tokens: int) -> None:
        """Wait until one request of about so many tokens may leave."""
        if self._requests is None and self._tokens is None:
            return
        async with self._turn:
            for bucket, amount in ((self._requests, 1.0), (self._tokens, float(tokens))):
                if bucket is not None:
                    await anyio.sleep(bucket.wait(amount))
                    bucket.level -= amount

    def settle(self, expected: int, actual: int) -> None:
        """Give back (or take) what a request cost less (or more) than was expected."""
        if self._tokens is not None:
            self._tokens.level += expected - actual


class Bucket:
    """``level`` units may be taken now; it may go below zero for one that is larger than the bucket."""

    def __init__(self, per_minute: float) -> None:
        self._rate = per_minute / 60
        self._most = max(1.0, self._rate * _BURST)
        self.level = self._most
        self._at = anyio.current_time()

    def wait(self, amount: float) -> float:
        """Seconds until ``amount`` (at most the bucket's size) is there."""
        now = anyio.current_time()
        self.level = min(self._most, self.level + (now - self._at) * self._rate)
        self._at = now
        return max(0.0, (min(amount, self._most) - self.level) / self._rate)
