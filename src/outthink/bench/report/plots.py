"""Smaller plots of a bench: accuracy against samples, accuracy against confidence, differences.

Hover titles say what is drawn.
"""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from outthink.bench.report.labels import LINE, spread
from outthink.bench.report.records import Bin, Curve, Interval, Summary
from outthink.bench.report.standing import COLOURS, Contest, Entry, Standing
from outthink.bench.report.svg import (
    LETTER,
    Axis,
    drawing,
    frame,
    line,
    mark,
    path,
    share_axis,
    tag,
)
from outthink.bench.report.wording import abridged, count, share, share_between, signed, signed_between

WIDE, NARROW = 780.0, 370.0
Point = tuple[float, float]


def scaling(standing: Standing, names: Sequence[str], width: float, height: float, class_: str) -> Markup | None:
    """Accuracy against samples: the curves of these families, and the bounds of any choice among the samples."""
    families = {name: rows for name in names if (rows := _drawable(standing.summary.curves.get(name)))}
    bounds = {name: rows for name, rows in _bounds(standing.summary).items() if rows}
    if not (families or bounds) or len(_ks(standing.summary)) < 2:
        return None
    letters = 36 if width >= WIDE else 21
    longest = max(len(abridged(name, letters)) for name in (*families, *bounds))
    x, y = _axes(standing.summary, width - 16 - longest * LETTER, height)
    drawn = [frame(x, y, "samples a question", "right, %", _sample_ticks(x, standing.summary))]
    ends: list[tuple[float, float, str, str]] = []
    for name, points in bounds.items():
        drawn.append(_bound(name, points, x, y))
        ends.append((x.at(points[-1][0]), y.at(points[-1][1]), name, "name muted"))
    for name, rows in families.items():
        colour = _colour(standing, name)
        drawn.append(_family_curve(name, rows, x, y, colour))
        ends.append((x.at(rows[-1][0] or 1), y.at(rows[-1][2] or 0), name, f"name c{colour}"))
    drawn += _end_names(ends, x, y, letters)
    return drawing(width, height, "Accuracy against samples a question", *drawn, class_=class_)


def _axes(summary: Summary, right: float, height: float) -> tuple[Axis, Axis]:
    """Axes that hold every curve, so that plots beside each other have the same."""
    rows = [row for curve in summary.curves.values() for row in _drawable(curve)]
    bounds = [point for points in _bounds(summary).values() for point in points]
    values = [value for row in rows for value in row[2:5] if value is not None] + [value for _, value in bounds]
    ks = _ks(summary)
    return Axis(ks[0], max(ks[-1], ks[0] * 2), 42, right, log=True), share_axis(values, height - 46, 30)


def _ks(summary: Summary) -> list[float]:
    """Every number of samples that a curve has a point at, ascending."""
    bounds = [k for points in _bounds(summary).values() for k, _ in points]
    return sorted({*bounds, *(row[0] or 1 for curve in summary.curves.values() for row in _drawable(curve))})


def _bounds(summary: Summary) -> dict[str, list[Point]]:
    """What choosing among the samples is measured against."""
    return {
        "oracle": _bound_points(summary.oracle_curve),
        "majority": _bound_points(summary.majority_curve),
        "random choice": _bound_points(summary.random_curve),
    }


def _bound_points(curve: Curve | None) -> list[Point]:
    """(samples, accuracy) of rows that hold these alone, or tokens between them."""
    rows = [(row[0], row[1] if len(row) == 2 else row[2]) for row in curve or () if len(row) > 1]
    return [(k, accuracy) for k, accuracy in rows if k and accuracy is not None]


def _drawable(curve: Curve | None) -> Curve:
    """The rows that hold samples and accuracy."""
    return tuple(row for row in curve or () if len(row) > 2 and row[0] and row[2] is not None)


def _colour(standing: Standing, name: str) -> int:
    known = {entry.family: entry.colour for entry in standing.entries}
    known |= {entry.label: entry.colour for entry in standing.entries}
    return known.get(name, list(standing.summary.curves).index(name) % COLOURS)


def _bound(name: str, rows: Sequence[Point], x: Axis, y: Axis) -> Markup:
    title = f"{name}: {share(rows[-1][1])} of {count(rows[-1][0])} samples"
    return tag("g", tag("title", title), path([(x.at(k), y.at(v)) for k, v in rows], f"bound {name.split()[0]}"))


def _family_curve(name: str, rows: Sequence[Sequence[float | None]], x: Axis, y: Axis, colour: int) -> Markup:
    middle = [(x.at(row[0] or 1), y.at(row[2] or 0)) for row in rows]
    banded = [row for row in rows if len(row) > 4 and row[3] is not None and row[4] is not None]
    upper = [(x.at(row[0] or 1), y.at(row[4] or 0)) for row in banded]
    lower = [(x.at(row[0] or 1), y.at(row[3] or 0)) for row in banded]
    marks = [
        tag("g", tag("title", _curve_title(name, row)), mark(here, there, 0, "mark", 3))
        for row, (here, there) in zip(rows, middle, strict=True)
    ]
    band = [path([*upper, *reversed(lower)], "band", closed=True)] if len(banded) > 1 else []
    return tag("g", *band, path(middle, "line"), *marks, class_=f"c{colour}")


def _curve_title(name: str, row: Sequence[float | None]) -> str:
    between = share_between((row[3], row[4])) if len(row) > 4 and row[3] is not None else ""
    return f"{name}, {count(row[0])} samples: {share(row[2])} {between}, {count(row[1])} tokens"


def _end_names(ends: list[tuple[float, float, str, str]], x: Axis, y: Axis, letters: int) -> list[Markup]:
    """Each line's name at the right, moved up or down so that none overlaps, and joined to its line's end."""
    heights = spread([end[1] for end in ends], LINE, y.end, y.start)
    drawn: list[Markup] = []
    for (here, there, name, class_), height in zip(ends, heights, strict=True):
        if abs(height - there) > 5 or here < x.end - 4:
            drawn.append(line(here + 4, there, x.end + 7, height, "leader"))
        drawn.append(tag("text", tag("title", name), abridged(name, letters), x=x.end + 9, y=height + 4, class_=class_))
    return drawn


def _sample_ticks(x: Axis, summary: Summary) -> dict[float, str]:
    """Powers of two that were measured, and the largest number."""
    ks = _ks(summary)
    wanted = [k for k in ks if k == ks[-1] or (k == round(k) and round(k).bit_count() == 1)]
    return {k: count(k) for k in wanted if k == ks[-1] or x.at(ks[-1]) - x.at(k) > 18}


def reliability(entry: Entry, side: float = 222.0) -> Markup | None:
    """Accuracy against confidence for one strategy: on the diagonal, confidence means what it says."""
    bins = entry.measured.reliability or ()
    if not bins:
        return None
    x, y = Axis(0, 1, 40, side - 8), Axis(0, 1, side - 44, 26)
    most = max(one.n for one in bins) or 1
    drawn = [
        frame(x, y, "confidence, %", "right, %", {value: f"{value * 100:g}" for value in (0, 0.25, 0.5, 0.75, 1)}),
        line(x.at(0), y.at(0), x.at(1), y.at(1), "diagonal"),
        path([(x.at(one.confidence), y.at(one.accuracy)) for one in bins], "line thin"),
        *(_bin(one, x, y, 2.5 + 4 * (one.n / most) ** 0.5, entry.mark) for one in bins),
    ]
    label = f"Reliability of the confidence of {entry.label}"
    return drawing(side, side, label, tag("g", *drawn, class_=f"c{entry.colour}"))


def _bin(one: Bin, x: Axis, y: Axis, size: float, shape: int) -> Markup:
    title = f"{count(one.n)} at confidence {share(one.confidence, 0)}: {share(one.accuracy, 0)} right"
    ends = [end for end in (one.lo, one.hi) if end is not None]
    here = x.at(one.confidence)
    bar = [line(here, y.at(min(ends)), here, y.at(max(ends)), "interval")] if len(ends) == 2 else []
    return tag("g", tag("title", title), *bar, mark(here, y.at(one.accuracy), shape, "mark", size))


def difference(contest: Contest, reach: float, width: float = 140.0) -> Markup:
    """A difference with its interval between -reach and +reach; what the bench cannot see is shaded."""
    x, middle = Axis(-reach, reach, 2, width - 2), 10.0
    ends = interval_ends(contest.between)
    unseen = contest.pair.detectable_difference or 0
    inside = [
        tag("title", f"{signed(contest.by)} points {signed_between(contest.between)}"),
        tag("rect", x=x.at(-unseen), y=1, width=x.at(unseen) - x.at(-unseen), height=18, class_="unseen"),
        line(x.at(0), 0, x.at(0), 20, "axis"),
        *([line(x.at(min(ends)), middle, x.at(max(ends)), middle, "interval")] if ends else []),
        mark(x.at(contest.by), middle, 0, "mark", 4),
    ]
    said = f"{signed(contest.by)} points {signed_between(contest.between)}"
    return drawing(width, 20, said, tag("g", *inside, class_="told" if contest.told else "unsure"))


def reach_of(contests: Sequence[Contest]) -> float:
    """The largest distance from 0 that a difference's interval, or what a bench cannot see, has."""
    ends = [
        abs(end)
        for one in contests
        for end in (*interval_ends(one.between), one.by, one.pair.detectable_difference or 0)
    ]
    return max(ends, default=0.0) * 1.05 or 0.1


def interval_ends(ends: Interval | None) -> list[float]:
    """The ends that exist."""
    return [end for end in ends or () if end is not None]
