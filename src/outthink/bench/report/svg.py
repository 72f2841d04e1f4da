"""Drawing in SVG: elements and axes.

Colours are the style sheet's (classes ``c0`` … ``c7``), so that a drawing follows the reader's colour scheme.
Lengths are pixels of the drawing. Knows nothing of strategies.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from markupsafe import Markup, escape

from outthink.bench.report.wording import MINUS

LETTER = 7.2
"""Width of a letter of the plots' text, 12 pixels high: an upper bound of the mean in common sans-serif fonts."""


def tag(name: str, *inside: str | Markup, **attributes: str | float) -> Markup:
    """An element; text is escaped. ``class_`` is ``class``, other underscores are hyphens."""
    written = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{_number(value) if isinstance(value, (int, float)) else escape(value)}"'
        for key, value in attributes.items()
    )
    content = Markup("").join(inside)
    return Markup(f"<{name}{written}>{content}</{name}>" if inside else f"<{name}{written}/>")


def _number(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")


def drawing(width: float, height: float, label: str, *inside: Markup, class_: str = "") -> Markup:
    """A whole drawing; ``label`` is what a screen reader says."""
    return tag(
        "svg", *inside, class_=class_, role="img", aria_label=label,
        viewBox=f"0 0 {_number(width)} {_number(height)}", width=width, height=height,
    )  # fmt: skip


def svg_file(width: float, height: float, label: str, style: str, *inside: Markup) -> str:
    """The text of a file that holds one drawing and its own style sheet."""
    whole = tag(
        "svg", tag("style", Markup(style)), *inside, xmlns="http://www.w3.org/2000/svg", role="img", aria_label=label,
        viewBox=f"0 0 {_number(width)} {_number(height)}", width=width, height=height,
    )  # fmt: skip
    return f"{whole}\n"


def text(x: float, y: float, words: str, class_: str = "", anchor: str = "start") -> Markup:
    return tag("text", words, x=x, y=y, class_=class_, text_anchor=anchor)


def line(x1: float, y1: float, x2: float, y2: float, class_: str) -> Markup:
    return tag("line", x1=x1, y1=y1, x2=x2, y2=y2, class_=class_)


def path(points: list[tuple[float, float]], class_: str, closed: bool = False) -> Markup:
    """A line through points, or the area inside them."""
    steps = " ".join(f"{'L' if place else 'M'}{_number(x)} {_number(y)}" for place, (x, y) in enumerate(points))
    return tag("path", d=f"{steps} Z" if closed else steps, class_=class_)


def mark(x: float, y: float, shape: int, class_: str, size: float = 4.5) -> Markup:
    """A circle, square, diamond or triangle, in turn."""
    if shape % 4 == 0:
        return tag("circle", cx=x, cy=y, r=size, class_=class_)
    corners = {
        1: [(-1, -1), (1, -1), (1, 1), (-1, 1)],
        2: [(0, -1.3), (1.3, 0), (0, 1.3), (-1.3, 0)],
        3: [(0, -1.3), (1.2, 1), (-1.2, 1)],
    }[shape % 4]
    return path([(x + size * dx, y + size * dy) for dx, dy in corners], class_, closed=True)


@dataclass(frozen=True, slots=True)
class Axis:
    """Values from ``low`` to ``high`` onto pixels from ``start`` to ``end``."""

    low: float
    high: float
    start: float
    end: float
    log: bool = False

    def at(self, value: float) -> float:
        """The pixel of a value; one outside stands at the edge."""
        low, high, here = (math.log(x) if self.log else x for x in (self.low, self.high, max(value, self._floor)))
        part = min(1.0, max(0.0, (here - low) / (high - low)))
        return self.start + part * (self.end - self.start)

    @property
    def _floor(self) -> float:
        return self.low if self.log else -math.inf

    def ticks(self, most: int) -> list[float]:
        """Round values inside, at most so many."""
        return log_ticks(self.low, self.high, most) if self.log else round_ticks(self.low, self.high, most)


def share_axis(values: list[float], start: float, end: float, ticks: int = 6) -> Axis:
    """An axis of shares around values in [0, 1], ending on round ones and never beyond 0 and 1."""
    low, high = min(values, default=0.0), max(values, default=1.0)
    pad = max(0.02, (high - low) * 0.06, (0.1 - high + low) / 2)
    step = _step(low - pad, high + pad, ticks)
    bottom, top = math.floor((low - pad) / step + 1e-9) * step, math.ceil((high + pad) / step - 1e-9) * step
    return Axis(max(0.0, bottom), min(1.0, top), start, end)


def log_axis(values: list[float], start: float, end: float) -> Axis:
    """A logarithmic axis around values above 0, with room at both ends."""
    low, high = min(values, default=1.0), max(values, default=10.0)
    room = max(1.3, (high / low) ** 0.06, 2.6 * (low / high) ** 0.5)
    return Axis(low / room, high * room, start, end, log=True)


def _step(low: float, high: float, most: int) -> float:
    raw = (high - low) / most
    power = 10 ** math.floor(math.log10(raw))
    return next(power * size for size in (1, 2, 5, 10) if power * size >= raw * (1 - 1e-9))


def round_ticks(low: float, high: float, most: int) -> list[float]:
    step = _step(low, high, most)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [round(place * step, 10) for place in range(first, last + 1)]


def log_ticks(low: float, high: float, most: int) -> list[float]:
    """Of 1, 2, 5 times powers of ten, of powers alone, or of every second one: the first that are not too many."""
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for digits, every in (((1, 2, 5), 1), ((1, 3), 1), ((1,), 1), ((1,), 2), ((1,), 3)):
        found = [digit * 10.0**power for power in powers[::every] for digit in digits]
        inside = [value for value in found if low <= value <= high]
        if len(inside) <= most:
            return inside
    return []


def tick_words(value: float) -> str:
    """``500``, ``2k``, ``1.5M``."""
    for size, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{value / size:g}{unit}"
    return f"{value:g}"


def frame(x: Axis, y: Axis, x_title: str, y_title: str, x_words: dict[float, str]) -> Markup:
    """Grid, ticks and titles. ``y`` is an axis of shares; ``x_words`` are the ticks of ``x``."""
    left, right, bottom, top = x.start, x.end, y.start, y.end
    drawn: list[Markup] = []
    for value in y.ticks(6):
        drawn.append(line(left, y.at(value), right, y.at(value), "grid"))
        drawn.append(text(left - 6, y.at(value) + 4, f"{value * 100:g}".replace("-", MINUS), "tick", "end"))
    for value, words in x_words.items():
        drawn.append(line(x.at(value), bottom, x.at(value), bottom + 4, "axis"))
        drawn.append(text(x.at(value), bottom + 17, words, "tick", "middle"))
    drawn.append(line(left, bottom, right, bottom, "axis"))
    drawn.append(text((left + right) / 2, bottom + 34, x_title, "title", "middle"))
    drawn.append(text(left - 30, top - 12, y_title, "title"))
    return Markup("").join(drawn)
