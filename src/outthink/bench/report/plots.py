"""The plots of a bench: accuracy against tokens, accuracy against samples, confidence against accuracy, differences.

Each comes wide and narrow (for a telephone), and says in hover titles what it draws.
"""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from outthink.bench.report.records import Bin, Curve, Interval
from outthink.bench.report.standing import COLOURS, Contest, Entry, Standing
from outthink.bench.report.svg import (
    LETTER,
    LINE,
    Axis,
    Box,
    drawing,
    frame,
    line,
    log_axis,
    mark,
    path,
    place_labels,
    share_axis,
    spread,
    tag,
    text,
    tick_words,
)
from outthink.bench.report.wording import count, share, share_between, shortened, signed, signed_between

WIDE, NARROW = 780.0, 370.0
Point = tuple[float, float]


def frontier(standing: Standing, width: float) -> Markup | None:
    """Accuracy against mean tokens a question, each strategy with its interval; None where no tokens are known."""
    shown = [entry for entry in standing.entries if (entry.measured.tokens_mean or 0) > 0]
    if not shown:
        return None
    narrow = width < WIDE
    height = 380.0 if narrow else 440.0
    curves = [(entry, _curve(standing, entry)) for entry in _one_a_family(shown)]
    along = [point for _, points in curves for point in points]
    heights = [end for entry in shown for end in (entry.measured.accuracy, *_ends(entry.measured.accuracy_ci))]
    y = share_axis([*heights, *(point[1] for point in along)], height - 46, 30)
    prices = [entry.measured.tokens_mean or 1.0 for entry in shown]
    x = log_axis([*prices, *(point[0] for point in along)], 42, width - 12)
    drawn = [
        frame(x, y, "mean tokens a question (log scale)", "right, %", _tick_texts(x, 5 if narrow else 10)),
        path(_steps(shown, x, y), "pareto"),
        *(path([(x.at(a), y.at(b)) for a, b in points], f"curve c{entry.colour}") for entry, points in curves),
        *(_point(entry, x, y) for entry in shown),
        *_names(shown, x, y, numbered=narrow),
    ]
    return drawing(width, height, "Accuracy against tokens, one mark a strategy", *drawn, class_=_kind(narrow))


def _one_a_family(entries: Sequence[Entry]) -> list[Entry]:
    return list({entry.family: entry for entry in entries}.values())


def _curve(standing: Standing, entry: Entry) -> list[Point]:
    """The path of a strategy's family through prices, by whichever name the bench gave it."""
    table = standing.summary.frontier
    found = table.get(entry.family) or standing.of(entry, table) or ()
    points = [(tokens, accuracy) for tokens, accuracy in found if tokens and accuracy is not None]
    return sorted(points) if len(points) > 1 else []


def _steps(entries: Sequence[Entry], x: Axis, y: Axis) -> list[Point]:
    """The highest accuracy for at most so many tokens, as steps."""
    best, steps = -1.0, list[Point]()
    for entry in entries:
        here, accuracy = x.at(entry.measured.tokens_mean or 1.0), entry.measured.accuracy
        if accuracy > best:
            if steps:
                steps.append((here, steps[-1][1]))
            steps.append((here, y.at(accuracy)))
            best = accuracy
    return [*steps, (x.end, steps[-1][1])]


def _point(entry: Entry, x: Axis, y: Axis) -> Markup:
    measured = entry.measured
    here, there = x.at(measured.tokens_mean or 1.0), y.at(measured.accuracy)
    ends = _ends(measured.accuracy_ci)
    title = f"{entry.label}: {share(measured.accuracy)} {share_between(measured.accuracy_ci)}, "
    return tag(
        "g",
        tag("title", f"{title}{count(measured.tokens_mean)} tokens a question"),
        *([line(here, y.at(min(ends)), here, y.at(max(ends)), "interval")] if ends else []),
        mark(here, there, entry.mark, "mark", 5),
        class_=f"c{entry.colour}",
    )


def _names(entries: Sequence[Entry], x: Axis, y: Axis, *, numbered: bool) -> list[Markup]:
    """Names (or numbers) beside the marks, with a thin line where one had to stand away from its mark."""
    words = [str(entry.number) if numbered else shortened(entry.label, 40) for entry in entries]
    anchors = [(x.at(entry.measured.tokens_mean or 1.0), y.at(entry.measured.accuracy)) for entry in entries]
    taken: list[Box] = [(a - 7, b - 7, a + 7, b + 7) for a, b in anchors]
    for (a, _), entry in zip(anchors, entries, strict=True):
        if ends := _ends(entry.measured.accuracy_ci):
            taken.append((a - 3, y.at(max(ends)), a + 3, y.at(min(ends))))
    area = (x.start + 2, y.end - 14, x.end + 10, y.start - 2)
    boxes = place_labels(anchors, [len(word) * LETTER for word in words], taken, area)
    drawn: list[Markup] = []
    for (a, b), box, word, entry in zip(anchors, boxes, words, entries, strict=True):
        near = (min(max(a, box[0]), box[2]), min(max(b, box[1] + 3), box[3] - 3))
        if (near[0] - a) ** 2 + (near[1] - b) ** 2 > 18**2:
            drawn.append(line(a, b, *near, "leader"))
        left_of_mark = box[2] < a
        drawn.append(
            text(box[2] if left_of_mark else box[0], box[3] - 4, word, f"name c{entry.colour}",
                 "end" if left_of_mark else "start")
        )  # fmt: skip
    return drawn


def scaling(standing: Standing, names: Sequence[str], width: float, height: float, class_: str) -> Markup | None:
    """Accuracy against samples: the curves of these families, and the bounds of any choice among the samples."""
    summary = standing.summary
    families = {name: [row for row in summary.curves.get(name, ()) if _drawable(row)] for name in names}
    bounds = [
        ("oracle", _bound_points(summary.oracle_curve)),
        ("majority", _bound_points(summary.majority_curve)),
        ("random choice", _bound_points(summary.random_curve)),
    ]
    ks = [row[0] for rows in families.values() for row in rows if row[0]] + [k for _, rows in bounds for k, _ in rows]
    if not any(families.values()) or not ks:
        return None
    all_shown = [row for rows in summary.curves.values() for row in rows if _drawable(row)]
    values = [v for row in all_shown for v in row[2:5] if v is not None] + [v for _, rows in bounds for _, v in rows]
    longest = max(len(shortened(name, 26)) for name in (*names, *(name for name, rows in bounds if rows)))
    y = share_axis(values, height - 46, 30)
    x = Axis(min(ks), max(max(ks), min(ks) * 2), 42, width - 16 - longest * LETTER, log=True)
    ends: list[tuple[float, float, str, str]] = []
    drawn = [frame(x, y, "samples a question", "right, %", _sample_ticks(x, ks))]
    for name, rows in bounds:
        if rows:
            drawn.append(_bound(name, rows, x, y))
            ends.append((x.at(rows[-1][0]), y.at(rows[-1][1]), name, "name muted"))
    for name, rows in families.items():
        if rows:
            colour = _colour(standing, name)
            drawn.append(_family_curve(name, rows, x, y, colour))
            ends.append((x.at(rows[-1][0] or 1), y.at(rows[-1][2] or 0), name, f"name c{colour}"))
    drawn += _end_names(ends, x, y)
    label = "Accuracy against samples a question"
    return drawing(width, height, label, *drawn, class_=class_)


def _bound_points(curve: Curve | None) -> list[Point]:
    """(samples, accuracy) of rows that hold these alone, or tokens between them."""
    rows = [(row[0], row[1] if len(row) == 2 else row[2]) for row in curve or () if len(row) > 1]
    return [(k, accuracy) for k, accuracy in rows if k and accuracy is not None]


def _drawable(row: Sequence[float | None]) -> bool:
    return len(row) > 2 and bool(row[0]) and row[2] is not None


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


def _end_names(ends: list[tuple[float, float, str, str]], x: Axis, y: Axis) -> list[Markup]:
    """Each line's name at the right, moved up or down so that none overlaps, and joined to its line's end."""
    heights = spread([end[1] for end in ends], LINE, y.end, y.start)
    drawn: list[Markup] = []
    for (here, there, name, class_), height in zip(ends, heights, strict=True):
        if abs(height - there) > 5 or here < x.end - 4:
            drawn.append(line(here + 4, there, x.end + 7, height, "leader"))
        drawn.append(tag("text", tag("title", name), shortened(name, 26), x=x.end + 9, y=height + 4, class_=class_))
    return drawn


def _sample_ticks(x: Axis, ks: list[float]) -> dict[float, str]:
    """Powers of two that were measured, and the largest number."""
    wanted = sorted({k for k in ks if k == max(ks) or (k == round(k) and round(k).bit_count() == 1)})
    kept = [k for k in wanted if k == wanted[-1] or x.at(wanted[-1]) - x.at(k) > 18]
    return {k: count(k) for k in kept}


def reliability(entry: Entry, side: float = 232.0) -> Markup | None:
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


def difference(contest: Contest, reach: float, width: float = 190.0) -> Markup:
    """A difference with its interval between -reach and +reach; what the bench cannot see is shaded."""
    x, middle = Axis(-reach, reach, 2, width - 2), 10.0
    ends = _ends(contest.between)
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
    ends = [abs(end) for one in contests for end in (*_ends(one.between), one.by, one.pair.detectable_difference or 0)]
    return max(ends, default=0.0) * 1.05 or 0.1


def _ends(ends: Interval | None) -> list[float]:
    return [end for end in ends or () if end is not None]


def _tick_texts(x: Axis, most: int) -> dict[float, str]:
    return {value: tick_words(value) for value in x.ticks(most)}


def _kind(narrow: bool) -> str:
    return "narrow" if narrow else "wide"
