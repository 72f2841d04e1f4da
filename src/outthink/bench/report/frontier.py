"""Accuracy against tokens: each strategy with its interval, its technique's path through budgets, and its name.

Where names would not fit, numbers stand in their place. Hover titles say what is drawn.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from markupsafe import Markup

from outthink.bench.report.labels import Box, place_labels
from outthink.bench.report.plots import WIDE, Point, interval_ends
from outthink.bench.report.standing import Entry, Standing
from outthink.bench.report.svg import (
    LETTER,
    Axis,
    drawing,
    frame,
    line,
    log_axis,
    mark,
    path,
    share_axis,
    tag,
    text,
    tick_words,
)
from outthink.bench.report.wording import count, share, share_between, shortened


def frontier(standing: Standing, width: float) -> Markup | None:
    """Accuracy against mean tokens a question, each strategy with its interval; None where no tokens are known."""
    shown = [entry for entry in standing.entries if (entry.measured.tokens_mean or 0) > 0]
    if not shown:
        return None
    narrow = width < WIDE
    numbered = narrow or crowded(standing)
    height = 380.0 if narrow else 440.0
    curves = [(entry, _curve(standing, entry)) for entry in _one_a_family(shown)]
    along = [point for _, points in curves for point in points]
    heights = [end for entry in shown for end in (entry.measured.accuracy, *interval_ends(entry.measured.accuracy_ci))]
    y = share_axis([*heights, *(point[1] for point in along)], height - 46, 30)
    prices = [entry.measured.tokens_mean or 1.0 for entry in shown]
    x = log_axis([*prices, *(point[0] for point in along)], 42, width - (24 if numbered else 120))
    drawn = [
        frame(x, y, "mean tokens a question (log scale)", "right, %", _tick_texts(x, 5 if narrow else 10)),
        *([path(_steps(shown, x, y), "pareto")] if len(shown) > 1 else []),
        *(_models(standing, x) if len(standing.models) > 1 else []),
        *(path([(x.at(a), y.at(b)) for a, b in points], f"curve c{entry.colour}") for entry, points in curves),
        *(_point(entry, x, y) for entry in shown),
        *_names(shown, curves, x, y, numbered=numbered),
    ]
    return drawing(width, height, "Accuracy against tokens, one mark a strategy", *drawn, class_=_kind(narrow))


def crowded(standing: Standing) -> bool:
    """Whether names would not fit beside the marks, so that numbers stand there, and a key below."""
    names = [entry.measured.strategy for entry in standing.entries]
    return len(names) > 10 or max(map(len, names)) > 40


def _models(standing: Standing, x: Axis) -> list[Markup]:
    """Which mark is which model's, in a line above the plot."""
    here, drawn = x.start + 60, list[Markup]()
    for shape, model in enumerate(standing.models):
        drawn.append(mark(here, 14, shape, "mark", 4.5))
        drawn.append(text(here + 9, 18, shortened(model, 28), "title"))
        here += 30 + LETTER * min(28, len(model))
    return drawn


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
    ends = interval_ends(measured.accuracy_ci)
    title = f"{entry.label}: {share(measured.accuracy)} {share_between(measured.accuracy_ci)}, "
    return tag(
        "g",
        tag("title", f"{title}{count(measured.tokens_mean)} tokens a question"),
        *([line(here, y.at(min(ends)), here, y.at(max(ends)), "interval")] if ends else []),
        mark(here, there, entry.mark, "mark", 5),
        class_=f"c{entry.colour}",
    )


def _along(points: list[Point]) -> list[Point]:
    """Places on a line some pixels apart."""
    return [
        (a + (c - a) * step / 8, b + (d - b) * step / 8) for (a, b), (c, d) in pairwise(points) for step in range(8)
    ]


def _names(
    entries: Sequence[Entry], curves: Sequence[tuple[Entry, list[Point]]], x: Axis, y: Axis, *, numbered: bool
) -> list[Markup]:
    """Names (or numbers) beside the marks, with a thin line where one had to stand away from its mark."""
    words = [str(entry.number) if numbered else entry.measured.strategy for entry in entries]
    anchors = [(x.at(entry.measured.tokens_mean or 1.0), y.at(entry.measured.accuracy)) for entry in entries]
    taken: list[Box] = [(a - 7, b - 7, a + 7, b + 7) for a, b in anchors]
    for (a, _), entry in zip(anchors, entries, strict=True):
        if ends := interval_ends(entry.measured.accuracy_ci):
            taken.append((a - 3, y.at(max(ends)), a + 3, y.at(min(ends))))
    for _, points in curves:
        taken += [(a - 2, b - 2, a + 2, b + 2) for a, b in _along([(x.at(t), y.at(v)) for t, v in points])]
    area = (x.start + 2, y.end - 14, x.end + (22 if numbered else 118), y.start - 2)
    boxes = place_labels(anchors, [len(word) * LETTER + 4 for word in words], taken, area)
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


def _tick_texts(x: Axis, most: int) -> dict[float, str]:
    return {value: tick_words(value) for value in x.ticks(most)}


def _kind(narrow: bool) -> str:
    return "narrow" if narrow else "wide"
