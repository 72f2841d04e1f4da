"""Where lettering goes so that it overlaps nothing. Lengths are pixels; knows nothing of what it says."""

from __future__ import annotations

import math

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

    Nearer places are tried first; the first that touches nothing is used, else the one that touches least.
    """
    found: dict[int, Box] = {}
    for place in sorted(range(len(anchors)), key=lambda place: -widths[place]):  # the long ones have least choice
        (x, y), width = anchors[place], widths[place]
        best, least = (x, y, x + width, y + LINE), math.inf
        for box, price in _beside(x, y, width):
            outside = width * LINE - overlap(box, area)
            touched = sum(overlap(box, other) for other in (*taken, *found.values())) + 3 * outside
            if touched * 10 + price < least:
                best, least = box, touched * 10 + price
        found[place] = best
    return [found[place] for place in range(len(anchors))]


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
