"""Where lettering goes so that it overlaps nothing. Lengths are pixels; knows nothing of what it says."""

from __future__ import annotations

import math
from collections.abc import Sequence

LINE = 15.0
"""Height of a line of the plots' text."""

Box = tuple[float, float, float, float]
"""Left, top, right, bottom."""


def spread(wanted: list[float], gap: float, low: float, high: float) -> list[float]:
    """Heights near those wanted, in the same order, no two nearer than the gap where there is room for that."""
    if not wanted:
        return []
    order = sorted(range(len(wanted)), key=lambda place: wanted[place])
    gap = min(gap, (high - low) / max(1, len(wanted) - 1))
    groups: list[tuple[float, list[int]]] = []  # centre, members: neighbours that touch move as one
    for place in order:
        groups.append((_inside(wanted[place], 1, gap, low, high), [place]))
        while len(groups) > 1 and _end(groups[-2], gap, 1) > _end(groups[-1], gap, -1) - gap + 1e-9:
            (one, ours), (other, theirs) = groups[-2], groups[-1]
            total = len(ours) + len(theirs)
            centre = (one * len(ours) + other * len(theirs)) / total
            groups[-2:] = [(_inside(centre, total, gap, low, high), ours + theirs)]
    found = [0.0] * len(wanted)
    for centre, members in groups:
        for place, member in enumerate(members):
            found[member] = centre + (place - (len(members) - 1) / 2) * gap
    return found


def _inside(centre: float, members: int, gap: float, low: float, high: float) -> float:
    half = (members - 1) * gap / 2
    return min(max(centre, low + half), high - half)


def _end(group: tuple[float, list[int]], gap: float, side: int) -> float:
    return group[0] + side * (len(group[1]) - 1) * gap / 2


def overlap(one: Box, other: Box) -> float:
    """The area that two boxes share."""
    wide = min(one[2], other[2]) - max(one[0], other[0])
    high = min(one[3], other[3]) - max(one[1], other[1])
    return max(0.0, wide) * max(0.0, high)


def place_labels(anchors: list[tuple[float, float]], widths: list[float], taken: list[Box], area: Box) -> list[Box]:
    """A box for a line of text beside each anchor, clear of what is taken and of each other where there is room.

    Places beside the anchor are tried first, then all of the area; of each, the nearest of those that touch least.
    """
    found: dict[int, Box] = {}
    for place in sorted(range(len(anchors)), key=lambda place: -widths[place]):  # the long ones have least choice
        (x, y), width = anchors[place], widths[place]
        blocked = (*taken, *found.values())
        best = _best(_beside(x, y, width), blocked, area)
        if best[0]:  # it touches something
            best = min(best, _best(_all_over(x, y, width, area), blocked, area))
        found[place] = best[2]
    return [found[place] for place in range(len(anchors))]


def _best(places: list[tuple[Box, float]], blocked: Sequence[Box], area: Box) -> tuple[float, float, Box]:
    """Of boxes with the price of standing there, the one that touches least, and of these the cheapest."""

    def touched(box: Box) -> float:
        outside = (box[2] - box[0]) * LINE - overlap(box, area)
        return sum(overlap(box, other) for other in blocked) + 3 * round(outside, 6)

    return min((touched(box), price, box) for box, price in places)


def _all_over(x: float, y: float, width: float, area: Box) -> list[tuple[Box, float]]:
    """Boxes in rows and columns of the area, with their distance from a point."""
    return [
        ((left, top, left + width, top + LINE), math.hypot(left + width / 2 - x, top + LINE / 2 - y))
        for left in _steps(area[0], area[2] - width, width / 4)
        for top in _steps(area[1], area[3] - LINE, LINE / 2)
    ]


def _steps(first: float, last: float, step: float) -> list[float]:
    return [first + i * step for i in range(int((last - first) / step) + 1)] if last > first else [first]


def _beside(x: float, y: float, width: float) -> list[tuple[Box, float]]:
    """Boxes around a point, with the price of standing there."""
    around: list[tuple[Box, float]] = []
    for far in (8, 20, 36, 56, 80, 110):
        for left, top in (
            (x + far, y - LINE / 2), (x + far / 2, y - LINE - far / 2), (x + far / 2, y + far / 2),
            (x - far - width, y - LINE / 2), (x - far / 2 - width, y - LINE - far / 2),
            (x - far / 2 - width, y + far / 2), (x - width / 2, y - LINE - far), (x - width / 2, y + far),
        ):  # fmt: skip
            around.append(((left, top, left + width, top + LINE), far + len(around) / 100))
    return around
