"""Many problems, one budget: tokens go where they gain most.

`allocate` for problems that are all here, `Market` for waves whose worth changes as results come in, `Price` for a
stream that never ends.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import msgspec

Step = tuple[float, float]
"""What a further step on a problem gains, and what it costs."""


def allocate(problems: Sequence[Sequence[Step]], budget: float) -> list[int]:
    """How many of its steps each problem gets, so that the gain is greatest within ``budget``.

    Steps of a problem can only be taken in order; where a later one gains more a token than an earlier, they are
    weighed together. Best gain a token first, which is optimal for gains that diminish, up to the last step.
    """
    taken = [0] * len(problems)
    queue = [(-block[0], index, block) for index, steps in enumerate(problems) for block in _blocks(steps)[:1]]
    rest = [_blocks(steps)[1:] for steps in problems]
    heapq.heapify(queue)
    while queue:
        _, index, (_, cost, size) = heapq.heappop(queue)
        if cost > budget:
            continue  # it does not fit, and nor does what comes after it
        budget -= cost
        taken[index] += size
        if rest[index]:
            block = rest[index].pop(0)
            heapq.heappush(queue, (-block[0], index, block))
    return taken


def _blocks(steps: Sequence[Step]) -> list[tuple[float, float, int]]:
    """(rate, cost, steps) of the concave majorant, rates falling; steps without gain are left out at the end."""
    blocks: list[tuple[float, float, int]] = []
    for gain, cost in steps:
        block = (_rate(gain, cost), cost, 1)
        while blocks and block[0] > blocks[-1][0]:
            rate, spent, count = blocks.pop()
            block = (_rate(block[0] * block[1] + rate * spent, block[1] + spent), block[1] + spent, block[2] + count)
        blocks.append(block)
    while blocks and blocks[-1][0] <= 0:
        blocks.pop()
    return blocks


def _rate(gain: float, cost: float) -> float:
    return gain / max(cost, 1e-9)


@dataclass(slots=True)
class Market:
    """Problems waiting for their next wave, best gain a token first. Offer a problem again when its worth changed."""

    _queue: list[tuple[float, int, str]] = field(default_factory=list[tuple[float, int, str]])
    _rates: dict[str, tuple[float, int]] = field(default_factory=dict[str, tuple[float, int]])
    _turn: int = 0

    def offer(self, problem: str, rate: float) -> None:
        """A problem whose next wave gains ``rate`` a token; replaces what it offered before."""
        self._turn += 1
        self._rates[problem] = (rate, self._turn)
        heapq.heappush(self._queue, (-rate, self._turn, problem))

    def withdraw(self, problem: str) -> None:
        """A problem that offers nothing any more."""
        self._rates.pop(problem, None)

    def take(self, least: float = 0.0) -> str | None:
        """The problem to serve next, or None where none gains more than ``least`` a token."""
        while self._queue:
            rate, turn, problem = self._queue[0]
            if self._rates.get(problem) != (-rate, turn):
                heapq.heappop(self._queue)  # offered again since
                continue
            if -rate <= least:
                return None
            heapq.heappop(self._queue)
            del self._rates[problem]
            return problem
        return None


class Price(msgspec.Struct, frozen=True):
    """The price of a token in a stream: waves that gain less a token than ``rate`` are not bought.

    It rises by exp(``speed`` · overspending / plan) after each problem, so that spending settles at the plan.
    """

    rate: float
    speed: float = 0.1

    @classmethod
    def clearing(cls, offers: Sequence[Step], budget: float) -> Price:
        """The price at which these waves would take ``budget`` tokens; under all of them where they take less."""
        rate = 0.0
        for gain, cost in sorted(offers, key=lambda offer: -_rate(*offer)):
            rate = _rate(gain, cost)
            budget -= cost
            if budget < 0:
                return cls(max(rate, 1e-12))
        return cls(max(rate / 2, 1e-12))

    def after(self, spent: float, planned: float) -> Price:
        """The price once a problem for which ``planned`` tokens were meant took ``spent``."""
        change = max(-1.0, min(1.0, self.speed * (spent - planned) / planned))
        return msgspec.structs.replace(self, rate=self.rate * math.exp(change))
