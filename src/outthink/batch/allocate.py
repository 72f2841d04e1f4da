"""One budget over many rows: tokens go to the rows where they gain most.

A row works in one of a fixed number of places. Before each wave but its first it gives its place up and offers what
the wave is expected to gain (`Run.worth_it`). A free place goes to a row not begun, else to the best offer of gain a
token that leaves what the first waves of the rows to come will take. So no row takes a second wave before all have had
their first, as far as they are known, and once the rest cannot serve all, the lowest offers are refused.

Where the input is longer than the `WINDOW` of rows begun, or comes as it pleases, it is a stream: each row puts an
equal part of what is left into a pot that waves are paid from, and offers meet one price as well, which moves so that
the budget lasts. That the budget is kept is the ledger's promise; this only says who may spend.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager

import anyio

from outthink.adaptive.allocate import Market, Price
from outthink.batch.seats import Mean, Offer, Seat, tokens_of
from outthink.batch.shares import Shares
from outthink.engine.ledger import Ledger

WINDOW = 512
"""Rows that may be begun and not ended; those that wait take memory, and no place."""

PART = 0.25
"""Of the tokens left for further waves, how many may be in work at once: those that come back may offer more than
those that wait, and what was spent meanwhile cannot be theirs."""
_ENDLESS = 1e15


class Allocator:
    """Places and tokens for the rows of one job. ``ledger``: the job's; ``places``: rows that may work at once.

    ``unread``: how many rows are still to come, None where nobody knows (then as many as have come). ``filling``: the
    input is there to be read, so that further waves may wait until the ``window`` is full. Say `ended` when it was.
    """

    def __init__(
        self,
        ledger: Ledger,
        places: int,
        *,
        window: int = WINDOW,
        unread: Callable[[], float | None] = lambda: None,
        filling: bool = False,
    ) -> None:
        self.ledger, self.window, self.shares = ledger, max(window, places), Shares()
        self._places, self._unread, self._filling = places, unread, filling
        self._ended = False
        self._fresh: dict[Seat, anyio.Event] = {}
        self._working: set[Seat] = set()
        self._begun = self._inside = self._met = 0
        self._market, self._offers, self._turn = Market(), dict[str, Offer](), 0
        self._first = Mean()
        self._pot = self._paid = 0.0
        self._price: Price | None = None

    @asynccontextmanager
    async def seat(self) -> AsyncGenerator[Seat]:
        """A place for one row, once there is one; it is free again after the block."""
        seat, turn = Seat(self.ledger, self._decide), anyio.Event()
        self._begun += 1
        self._inside += 1
        self._fresh[seat] = turn
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

    async def _decide(self, offer: Offer) -> bool:
        """Wait until an offer is accepted or refused; its row's place is another's meanwhile.

        A part of a row that waits with another part already is told at once, by whether there is room.
        """
        if offer.seat not in self._working:
            offer.accepted = offer.tokens <= self._most() - self._due()
            self._paid += offer.tokens if offer.accepted else 0.0
            offer.seat.decided(offer)
            return offer.accepted
        self._settle(offer.seat)
        self._turn += 1
        name = str(self._turn)
        self._offers[name] = offer
        self._market.offer(name, offer.rate)
        self._working.discard(offer.seat)
        self._serve()
        try:
            await offer.decided.wait()
        finally:
            if self._offers.pop(name, None) is not None:  # cancelled while it waited
                self._market.withdraw(name)
        return offer.accepted

    def _leave(self, seat: Seat) -> None:
        begun = self._fresh.pop(seat, None) is None
        self._inside -= 1
        self._settle(seat)
        self._working.discard(seat)
        if begun and self._price is not None:
            extra = seat.spent - (seat.first or 0.0)
            self._price = self._price.after(extra, max(1.0, self._pot / self._met))
        self.shares.add(seat.samples, seat.first or 0.0, seat.waves)
        self._serve()

    def _settle(self, seat: Seat) -> None:
        """A row's wave is over. After its first, the row puts its part into the pot."""
        first = seat.first is None
        self._paid += seat.settle()
        if first:
            self._met += 1
            if seat.spent:
                self._first.add(seat.spent)
            rows = self._begun - self._met + 1 + self._to_come()
            self._pot += max(0.0, (self._room() - self._due() - (self._pot - self._paid)) / rows)

    def _serve(self) -> None:
        """Give free places away, until there are none or nobody may have one."""
        while len(self._working) < self._places:
            if self._fresh:
                seat = next(iter(self._fresh))
                self._working.add(seat)
                self._fresh.pop(seat).set()
            elif not (self._offers and self._trade()):
                return

    def _trade(self) -> bool:
        """Decide on an offer; False where all have to wait, until the input is read or a wave in work has settled."""
        if self._filling and not self._ended and self._inside < self.window:
            return False
        name = self._market.take(0.0 if self._ended else self._going_rate())
        if name is not None:
            offer, due = self._offers[name], self._due()
            room = self._most()
            fits = offer.tokens <= room - due
            if fits and self._working and due + offer.tokens > PART * room:
                fits = False
            elif fits or (self._ended and offer.tokens > room):
                self._answer(name, fits)
                return True
            self._market.offer(name, offer.rate)  # what is in work may take less than it is expected to
        if self._working:
            return False
        self._answer(min(self._offers, key=lambda low: self._offers[low].rate), False)
        return True

    def _answer(self, name: str, accepted: bool) -> None:
        self._market.withdraw(name)
        offer = self._offers.pop(name)
        offer.accepted = accepted
        if accepted:
            self._paid += offer.tokens
            self._working.add(offer.seat)
        offer.seat.decided(offer)

    def _going_rate(self) -> float:
        """The price that offers of a stream must pass; at first, what clears those of the window."""
        if self._price is None:
            offers = [(offer.gain, offer.tokens) for offer in self._offers.values()]
            self._price = Price.clearing(offers, self._pot * len(offers) / self._met)
        return self._price.rate

    def _room(self) -> float:
        """Tokens not charged, without those for first waves to come."""
        return self._left() - self._first.total(len(self._fresh) + self._to_come())

    def _most(self) -> float:
        """Tokens for further waves, those in work included."""
        room = self._room()
        return room if self._ended else min(room, self._pot - self._paid + self._due())

    def _due(self) -> float:
        """Tokens that the waves in work are still expected to take."""
        return sum(seat.due(self._first.value) for seat in self._working)

    def _to_come(self) -> float:
        if self._ended:
            return 0.0
        unread = self._unread()
        return float(self._begun) if unread is None else unread

    def _left(self) -> float:
        """Tokens not charged; new tokens and dollars count for as many tokens as they went with so far."""
        used, limits = self.ledger.charged, self.ledger.budget
        left, spent = min(_ENDLESS, self.ledger.tokens_left(holding=False)), tokens_of(used)
        if limits.completion_tokens is not None and used.completion_tokens:
            left = min(left, (limits.completion_tokens - used.completion_tokens) * spent / used.completion_tokens)
        if limits.usd is not None and used.usd:
            left = min(left, (limits.usd - used.usd) * spent / used.usd)
        return left
