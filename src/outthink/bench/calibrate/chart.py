"""Accuracy against tokens on the held-out questions, as one SVG file: every fixed N, the policy, the oracle."""

from __future__ import annotations

from markupsafe import Markup

from outthink.bench.calibrate.held_out import HeldOut
from outthink.bench.report.svg import (
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

WIDTH, HEIGHT = 640.0, 400.0
_STYLE = """
svg { font: 12px system-ui, sans-serif; background: #fff; fill: #333 }
.grid { stroke: #e4e4e4 } .axis { stroke: #888 } .tick, .title { fill: #666 }
.fixed { fill: none; stroke: #888; stroke-width: 1.5 } .dot { fill: #888 }
.policy { fill: #0b63ce } .interval { stroke: #0b63ce; stroke-width: 2 }
.oracle { fill: none; stroke: #2a8a4a; stroke-width: 2 }
.name { font-weight: 600 }
@media (prefers-color-scheme: dark) {
  svg { background: #16181c; fill: #ddd } .grid { stroke: #2c3036 } .tick, .title { fill: #9aa }
  .policy { fill: #6aa9ff } .interval { stroke: #6aa9ff } .oracle { stroke: #63c787 }
}
"""


def chart(held: HeldOut, title: str, answer: str) -> str:
    """The file's text. ``answer``: how the answer of N samples is found (their vote, or the first that passes)."""
    points = [(tokens, accuracy) for accuracy, tokens in held.fixed.values()]
    ours, ideal = (held.tokens, held.accuracy.value), (held.ideal[1], held.ideal[0])
    ends = [end for end in (held.accuracy.low, held.accuracy.high) if 0 <= end <= 1]
    y = share_axis([*(point[1] for point in (*points, ours, ideal)), *ends], HEIGHT - 46, 52)
    x = log_axis([point[0] for point in (*points, ours, ideal)], 46, WIDTH - 30)
    drawn = [
        tag("rect", x=0, y=0, width=WIDTH, height=HEIGHT, style="fill: transparent"),
        text(16, 20, title, "name"),
        frame(x, y, "new tokens a question (log scale)", "right, %", {v: tick_words(v) for v in x.ticks(10)}),
        path([(x.at(tokens), y.at(accuracy)) for tokens, accuracy in points], "fixed"),
        *(_fixed(n, point, x, y) for n, point in zip(held.fixed, points, strict=True)),
        text(WIDTH - 30, 20, f"grey: {answer} of N samples", "title", "end"),
        tag("g", tag("title", f"oracle: {_said(*ideal)}"), mark(x.at(ideal[0]), y.at(ideal[1]), 2, "oracle", 6)),
        text(x.at(ideal[0]) + 11, y.at(ideal[1]) + 4, "oracle", "title"),
        *([line(x.at(ours[0]), y.at(min(ends)), x.at(ours[0]), y.at(max(ends)), "interval")] if ends else []),
        tag("g", tag("title", f"the policy: {_said(*ours)}"), mark(x.at(ours[0]), y.at(ours[1]), 0, "policy", 6)),
        text(x.at(ours[0]) - 11, y.at(ours[1]) - 8, "the policy", "policy name", "end"),
    ]
    return svg_file(WIDTH, HEIGHT, title, _STYLE, *drawn)


def _fixed(n: int, point: tuple[float, float], x: Axis, y: Axis) -> Markup:
    here, there = x.at(point[0]), y.at(point[1])
    return tag(
        "g",
        tag("title", f"N = {n}: {_said(*point)}"),
        mark(here, there, 0, "dot", 3),
        text(here, there + 17, str(n), "tick", "middle"),
    )


def _said(tokens: float, accuracy: float) -> str:
    return f"{accuracy:.1%} at {tokens:,.0f} tokens"
