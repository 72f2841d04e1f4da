"""Places for rows that share one budget: what each has spent, and the waves it was offered and given."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import anyio

from outthink.batch.shares import Wave
from outthink.core.usage import Budget, Cost
from outthink.engine.ledger import Ledger

SURE = 2.0
"""How many standard deviations above what is expected are kept for first waves to come."""


def tokens_of(cost: Cost) -> int:
    return cost.prompt_tokens + cost.completion_tokens


class Seat:
    """One row's place: its books inside the job's, and its waves; see `outthink.core.protocols.Run.worth_it`.

    ``first``: tokens of the first wave, None until it is over. ``samples``: told by whoever answers the row.
    """

    def __init__(self, job: Ledger, decide: Callable[[Offer], Awaitable[bool]]) -> None:
        self.ledger = Ledger(Budget(), job)
        self.first: float | None = None
        self.waves: list[Wave] = []
        self.samples = 0
        self._decide = decide
        self._before = 0

    @property
    def spent(self) -> int:
        """Tokens charged to this row."""
        return tokens_of(self.ledger.charged)

    async def worth_it(self, gain: float, tokens: float) -> bool:
        return await self._decide(Offer(self, gain, max(1.0, tokens)))

    def decided(self, offer: Offer) -> None:
        """Note what became of an offer, and tell whoever waits for it."""
        self.waves.append(Wave(offer.gain, offer.tokens, offer.accepted))
        offer.decided.set()

    def due(self, first: float) -> float:
        """Tokens that the wave in work is still expected to take; ``first``: what first waves take."""
        expected = first if self.first is None else self.waves[-1].tokens if self._buying else 0.0
        return max(0.0, expected - (self.spent - self._before))

    def settle(self) -> float:
        """The wave in work is over: by how much it passed what was expected, nothing for a first one."""
        took, over = self.spent - self._before, 0.0
        if self.first is None:
            self.first = float(took)
        elif self._buying:
            wave = self.waves[-1]
            self.waves[-1] = wave._replace(tokens=float(took))
            over = took - wave.tokens
        self._before = self.spent
        return over

    @property
    def _buying(self) -> bool:
        return bool(self.waves) and self.waves[-1].bought


@dataclass(slots=True, eq=False)
class Offer:
    """A wave that a row would buy: what it gains, and the tokens it is expected to take."""

    seat: Seat
    gain: float
    tokens: float
    accepted: bool = False
    decided: anyio.Event = field(default_factory=anyio.Event)

    @property
    def rate(self) -> float:
        return self.gain / self.tokens


@dataclass(slots=True)
class Mean:
    """A running mean and spread (Welford's). Of a single value, the spread is taken to be as large."""

    n: int = 0
    value: float = 0.0
    _squares: float = 0.0

    def add(self, value: float) -> None:
        self.n += 1
        away = value - self.value
        self.value += away / self.n
        self._squares += away * (value - self.value)

    def total(self, count: float) -> float:
        """At most what so many more will come to: `SURE` standard deviations above what is expected."""
        if not count or not self.n:
            return 0.0
        spread = math.sqrt(self._squares / (self.n - 1)) if self.n > 1 else self.value
        return count * self.value + SURE * spread * math.sqrt(count + count * count / self.n)
