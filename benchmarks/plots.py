"""The plots of README and docs, drawn from what `results.py` benched: accuracy against tokens, one panel a pool."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from markupsafe import Markup

from outthink.bench.report.labels import place_labels
from outthink.bench.report.svg import (
    LETTER,
    Axis,
    frame,
    line,
    log_axis,
    mark,
    path,
    share_axis,
    svg_file,
    tag,
    text,
    tick_words,
)

WIDTH, HEIGHT, COLUMNS = 460.0, 320.0, 2
_STYLE = """
svg { font: 12px system-ui, sans-serif; background: #fff; fill: #333 }
.grid { stroke: #e6e6e6 } .axis { stroke: #888 } .tick, .title { fill: #666 } .name { font-weight: 600 }
.curve { fill: none; stroke-width: 1.6 } .interval { stroke-width: 1.4; opacity: 0.55 }
.limit { stroke: #999; stroke-dasharray: 3 3 }
.s0 { stroke: #777 } .f0 { fill: #777 } .s1 { stroke: #0b63ce } .f1 { fill: #0b63ce }
.s2 { stroke: #b2541a } .f2 { fill: #b2541a } .s3 { stroke: #2a8a4a } .f3 { fill: #2a8a4a }
@media (prefers-color-scheme: dark) {
  svg { background: #16181c; fill: #ddd } .grid { stroke: #2c3036 } .tick, .title { fill: #9aa }
  .s0 { stroke: #9a9a9a } .f0 { fill: #9a9a9a } .s1 { stroke: #6aa9ff } .f1 { fill: #6aa9ff }
  .s2 { stroke: #f0a06a } .f2 { fill: #f0a06a } .s3 { stroke: #63c787 } .f3 { fill: #63c787 }
}
"""


class Dot(NamedTuple):
    """A mean number of tokens, an accuracy with the ends of its interval, and what stands beside it ('' for none)."""

    tokens: float
    right: float
    low: float
    high: float
    words: str = ""


class Series(NamedTuple):
    """Dots of one colour (0 to 3), joined by a line where there are several."""

    name: str
    colour: int
    dots: Sequence[Dot]


class Panel(NamedTuple):
    """One pool. ``limits``: accuracies that lie across, each with its words."""

    title: str
    series: Sequence[Series]
    limits: dict[str, float]


def figure(panels: Sequence[Panel], label: str) -> str:
    """An SVG file of panels side by side."""
    rows = -(-len(panels) // COLUMNS)
    columns = min(COLUMNS, len(panels))
    drawn = [
        tag("g", _panel(panel), transform=f"translate({place % COLUMNS * WIDTH:g} {place // COLUMNS * HEIGHT:g})")
        for place, panel in enumerate(panels)
    ]
    return svg_file(columns * WIDTH, rows * HEIGHT, label, _STYLE, *drawn)


def _panel(panel: Panel) -> Markup:
    dots = [dot for series in panel.series for dot in series.dots]
    y = share_axis([*(end for dot in dots for end in (dot.low, dot.high)), *panel.limits.values()], HEIGHT - 46, 44)
    x = log_axis([dot.tokens for dot in dots], 46, WIDTH - 24)
    drawn = [
        text(14, 18, panel.title, "name"),
        frame(x, y, "tokens a question (log scale)", "right, %", {tick: tick_words(tick) for tick in x.ticks(7)}),
        *(_limit(words, value, x, y) for words, value in panel.limits.items()),
        *(_series(series, x, y) for series in panel.series),
        *_names(panel, x, y),
    ]
    return Markup("").join(drawn)


def _limit(words: str, value: float, x: Axis, y: Axis) -> Markup:
    across = line(x.start, y.at(value), x.end, y.at(value), "limit")
    return Markup("").join([across, text(x.start + 4, y.at(value) - 4, words, "title")])


def _series(series: Series, x: Axis, y: Axis) -> Markup:
    places = [(x.at(dot.tokens), y.at(dot.right)) for dot in series.dots]
    drawn = [path(places, f"curve s{series.colour}")] if len(places) > 1 else []
    for dot, (across, up) in zip(series.dots, places, strict=True):
        drawn.append(line(across, y.at(dot.low), across, y.at(dot.high), f"interval s{series.colour}"))
        said = f"{series.name} {dot.words}: {dot.right:.1%} [{dot.low:.1%}, {dot.high:.1%}] at {dot.tokens:,.0f} tokens"
        drawn.append(tag("g", tag("title", said), mark(across, up, series.colour, f"f{series.colour}", 4)))
    return Markup("").join(drawn)


def _names(panel: Panel, x: Axis, y: Axis) -> list[Markup]:
    """The words of single dots and the names of lines at their last dots, where they hide nothing."""
    told = [(series.name if len(series.dots) > 1 else series.dots[0].words, series) for series in panel.series]
    anchors = [(x.at(series.dots[-1].tokens), y.at(series.dots[-1].right)) for _, series in told]
    marks = [(x.at(dot.tokens), y.at(dot.right)) for series in panel.series for dot in series.dots]
    taken = [(across - 5, up - 5, across + 5, up + 5) for across, up in marks]
    area = (x.start, y.end - 8, x.end + 20, y.start - 4)
    boxes = place_labels(anchors, [LETTER * len(words) for words, _ in told], taken, area)
    return [
        text(box[0], box[3] - 4, words, f"name f{series.colour}")
        for (words, series), box in zip(told, boxes, strict=True)
    ]
