"""Two candidates side by side, in both orders, and tournaments of such matches.

A judge prefers a place (Zheng et al., 2023, arXiv:2306.05685); over both orders that preference cancels. The
tournaments know no judge: they play matches of places, and are told the probability that the first one wins, None where
nobody could tell.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

Match = tuple[int, int]
Play = Callable[[Sequence[Match]], Awaitable[list[float | None]]]


def mean_of_orders(first: float | None, second: float | None) -> float | None:
    """The probability that x wins, from that of the answer shown first in (x, y) and in (y, x).

    One order alone tells as much of the place as of the answer, and counts for nothing.
    """
    return None if first is None or second is None else round((first + 1 - second) / 2, 9)  # so that even is even


async def knockout(n: int, play: Play) -> list[float | None]:
    """Single elimination, n - 1 matches: the share of rounds won (an even one is half), and within it the mean win
    probability; in [0, 1]. The earlier place goes on where a match is even, or nobody could tell.
    """
    rounds = (n - 1).bit_length()
    won, told = [0.0] * n, [list[float]() for _ in range(n)]
    alive = list(range(n))
    while len(alive) > 1:
        matches = list(zip(alive[::2], alive[1::2], strict=False))
        chances = await play(matches)
        if all(chance is None for chance in chances):
            break
        through: list[int] = []
        for (one, other), chance in zip(matches, chances, strict=True):
            through.append(one if chance is None or chance >= 0.5 else other)
            if chance is not None:
                told[one].append(chance)
                told[other].append(1 - chance)
                won[one] += (chance > 0.5) + 0.5 * (chance == 0.5)
                won[other] += (chance < 0.5) + 0.5 * (chance == 0.5)
        for place in alive[2 * len(matches) :]:  # one too many for this round
            through.append(place)
            won[place] += 1
        alive = through
    return [
        (won[place] + sum(chances) / len(chances)) / (rounds + 1) if chances else None
        for place, chances in enumerate(told)
    ]


async def pivot(n: int, play: Play) -> list[float | None]:
    """Everyone against the first, n - 1 matches at once: the win probability against it, its own 0.5."""
    chances = await play([(0, other) for other in range(1, n)])
    against = [None if chance is None else 1 - chance for chance in chances]
    return [None if all(chance is None for chance in against) else 0.5, *against]
