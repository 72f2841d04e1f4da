"""One budget over many rows: tokens go to the rows where they gain most.

A row works in one of a fixed number of places. Before each wave but its first it gives its place up and offers what
the wave is expected to gain (`Run.worth_it`). A free place goes to a row not begun, else to the best offer of gain a
token that leaves what the first waves of the rows to come will take; offers that do not fit are refused. So no row
takes a second wave before all have had their first, and those refused are the lowest.

Where the input is longer than the `window` of rows begun, or comes as it pleases, offers meet one price as well, which
moves so that the budget lasts. The promise that the budget is kept is the ledger's; this only says who may ask it.
"""

from __future__ import annotations

import math
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import anyio

from outthink.adaptive.allocate import Market, Price
from outthink.batch.shares import Shares, Wave
from outthink.core.usage import Budget, Cost
from outthink.engine.ledger import Ledger

WINDOW = 512
"""Rows that may be begun and not ended; those that wait take memory, not places."""
SURE = 2.0
"""How many standard deviations above their expected cost are kept for first waves to come."""


def _tokens(cost: Cost) -> int:
    return cost.prompt_tokens + cost.completion_tokens


class Seat:
    """One row's place, its books inside the job's, and what it was offered and given.

    ``samples``: how many it took, told by whoever answers it.
    """

    def __init__(self, allocator: Allocator) -> None:
        self._allocator = allocator
        self.ledger = Ledger(Budget(), allocator.ledger)
        self.working = False
        self.first: float | None = None
        self.waves: list[Wave] = []
        self.samples = 0
        self._before = 0.0

    @property
    def spent(self) -> int:
        """Tokens charged to this row."""
        return _tokens(self.ledger.charged)

    async def worth_it(self, gain: float, tokens: float) -> bool:
        """See `outthink.core.protocols.Run.worth_it`."""
        return await self._allocator.decide(Offer(self, gain, max(1.0, tokens)))

    def due(self, first: float) -> float:
        """Tokens that the wave in work is expected to take yet; ``first``: what first waves take."""
        wave = self.waves[-1] if self.waves else None
        expected = first if wave is None else wave.tokens if wave.bought else 0.0
        return max(0.0, expected - (self.spent - self._before))

    def bought(self, wave: Wave) -> None:
        """A wave begins, or was refused."""
        self.waves.append(wave)
        self._before = self.spent

    def settled(self) -> None:
        """The wave in work is over: what it took is what it cost."""
        if self.first is None:
            self.first = float(self.spent)
        elif self.waves and self.waves[-1].bought:
            last = self.waves[-1]
            self.waves[-1] = Wave(last.gain, float(self.spent - self._before), True)
        self._before = self.spent


@dataclass(slots=True, eq=False)
class Offer:
    """A wave that a row would buy: what it gains, and the tokens it is expected to take."""

    seat: Seat
    gain: float
    tokens: float
    accepted: bool = False
    decided: anyio.Event = field(default_factory=anyio.Event)


@dataclass(slots=True)
class _Mean:
    """A running mean and spread (Welford); before the second value, the spread is taken for as large as the mean."""

    n: int = 0
    value: float = 0.0
    _squares: float = 0.0

    def add(self, value: float) -> None:
        self.n += 1
        before = value - self.value
        self.value += before / self.n
        self._squares += before * (value - self.value)

    def total(self, count: float) -> float:
        """What so many more will come to, `SURE` standard deviations above what is expected."""
        if not count or not self.n:
            return 0.0
        spread = math.sqrt(self._squares / (self.n - 1)) if self.n > 1 else self.value
        return count * self.value + SURE * spread * math.sqrt(count + count * count / self.n)


class Allocator:
    """Places and tokens for the rows of one job. ``ledger``: the job's; ``places``: rows that may work at once.

    ``unread``: how many rows are still to come, None where nobody knows (then as many as have come); ``waiting``: the
    input is there to be read, so that it is worth waiting until the window is full. Say `ended` when it was.
    """

    def __init__(
        self,
        ledger: Ledger,
        places: int,
        *,
        window: int = WINDOW,
        unread: Callable[[], float | None] = lambda: None,
        waiting: bool = False,
    ) -> None:
        self.ledger, self.window, self.shares = ledger, max(window, places), Shares()
        self._free, self._unread, self._waiting = places, unread, waiting
        self._ended = False
        self._begun = 0
        self._inside: dict[Seat, anyio.Event | None] = {}
        self._fresh: dict[Seat, anyio.Event] = {}
        self._market, self._offers, self._turn = Market(), dict[str, Offer](), 0
        self._price: Price | None = None
        self._first = _Mean()

    @asynccontextmanager
    async def seat(self) -> AsyncGenerator[Seat]:
        """A place for one row, once there is one; it is free again after the block."""
        seat, turn = Seat(self), anyio.Event()
        self._begun += 1
        self._inside[seat] = self._fresh[seat] = turn
        self._serve()
        try:
            await turn.wait()
            yield seat
        finally:
            self._leave(seat)

    def ended(self) -> None:
        """There are no more rows to come."""
        self._ended = True
        self._serve()

    async def decide(self, offer: Offer) -> bool:
        """Wait until an offer is accepted or refused; the row's place is another's meanwhile."""
        seat = offer.seat
        self._settle(seat)
        self._turn += 1
        name = str(self._turn)
        self._offers[name] = offer
        self._market.offer(name, offer.gain / offer.tokens)
        self._rise(seat)
        self._serve()
        try:
            await offer.decided.wait()
        finally:
            if self._offers.pop(name, None) is not None:  # cancelled while it waited
                self._market.withdraw(name)
        return offer.accepted

    def _settle(self, seat: Seat) -> None:
        known = seat.first is not None
        seat.settled()
        if not known and seat.first:
            self._first.add(seat.first)

    def _sit(self, seat: Seat) -> None:
        if not seat.working:
            seat.working = True
            self._free -= 1

    def _rise(self, seat: Seat) -> None:
        if seat.working:
            seat.working = False
            self._free += 1

    def _leave(self, seat: Seat) -> None:
        self._fresh.pop(seat, None)
        del self._inside[seat]
        self._settle(seat)
        self._rise(seat)
        if self._price is not None and seat.first is not None:
            self._price = self._price.after(seat.spent - seat.first, max(1.0, self._planned()))
        self.shares.add(seat.samples, seat.first or 0.0, seat.waves)
        self._serve()

    def _serve(self) -> None:
        """Give free places away, until there are none or nobody may have one."""
        while self._free > 0:
            if self._fresh:
                seat = next(iter(self._fresh))
                self._sit(seat)
                self._fresh.pop(seat).set()
            elif not self._sell():
                return

    def _sell(self) -> bool:
        """Decide on the best offer; False where it has to wait, or there is none."""
        filling = not self._ended and len(self._inside) < self.window
        if not self._offers or (filling and self._waiting):
            return False
        name = self._market.take(0.0 if self._ended else self._going_rate())
        if name is None:
            for low in list(self._offers):
                self._market.withdraw(low)
                self._answer(low, False)
            return False
        offer, room = self._offers[name], self.room()
        due = sum(seat.due(self._first.value) for seat in self._inside if seat.working)
        if room - due < offer.tokens <= room:  # what is in work may yet take less than it is expected to
            self._market.offer(name, offer.gain / offer.tokens)
            return False
        self._answer(name, offer.tokens <= room)
        return True

    def _answer(self, name: str, accepted: bool) -> None:
        offer = self._offers.pop(name)
        offer.accepted = accepted
        offer.seat.bought(Wave(offer.gain, offer.tokens, accepted))
        if accepted:
            self._sit(offer.seat)
        offer.decided.set()

    def room(self) -> float:
        """Tokens left for further waves: what is not charged, without the first waves to come."""
        return self._left() - self._first.total(len(self._fresh) + self._to_come())

    def _to_come(self) -> float:
        if self._ended:
            return 0.0
        unread = self._unread()
        return float(self._begun) if unread is None else unread

    def _left(self) -> float:
        """Tokens left in the job; new tokens and dollars count as the tokens they were spent with so far."""
        used, limits = self.ledger.charged, self.ledger.budget
        left = self.ledger.tokens_left(holding=False)
        if limits.completion_tokens is not None and used.completion_tokens:
            rate = _tokens(used) / used.completion_tokens
            left = min(left, (limits.completion_tokens - used.completion_tokens) * rate)
        if limits.usd is not None and used.usd:
            left = min(left, (limits.usd - used.usd) * _tokens(used) / used.usd)
        return left

    def _planned(self) -> float:
        """Tokens that a row may take beyond its first wave, for the budget to last."""
        return self.room() / max(1.0, len(self._inside) + self._to_come())

    def _going_rate(self) -> float:
        if self._price is None:
            offers = [(offer.gain, offer.tokens) for offer in self._offers.values()]
            self._price = Price.clearing(offers, self._planned() * len(offers))
        return self._price.rate
