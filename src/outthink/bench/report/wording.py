"""Figures as words: one way to write a share, a difference, a ratio, a count.

Spaces inside a figure are no-break, so that a line never ends between a number and its unit.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable

from markupsafe import Markup, escape

from outthink.bench.report.records import Interval

NARROW, NO_BREAK = "\u202f", "\u00a0"
MINUS = "\u2212"
NOTHING = "–"
_UNBROKEN = 30
"""Letters of a name's part that stays on one line."""


def share(value: float | None, digits: int = 1) -> str:
    """A probability as ``48.1 %``."""
    return NOTHING if value is None else f"{value * 100:.{digits}f}{NARROW}%"


def signed(value: float | None) -> str:
    """A difference of shares in points, with its sign: ``+14.2``."""
    return NOTHING if value is None else _points(value)


def points(value: float | None) -> str:
    """The size of a difference of shares: ``14.2 points``."""
    return NOTHING if value is None else f"{number(value)}{NO_BREAK}points"


def number(value: float | None) -> str:
    """The size of a difference of shares in points: ``14.2``."""
    return NOTHING if value is None else f"{abs(value) * 100:.1f}"


def share_between(ends: Interval | None) -> str:
    """An interval of shares: ``[41.2, 55.0]``, in %."""
    return _between(ends, number)


def signed_between(ends: Interval | None) -> str:
    """An interval of differences in points: ``[−1.2, +3.4]``."""
    return _between(ends, _points)


def times(value: float | None) -> str:
    """A ratio: ``15.8×``; one that does not exist is infinite."""
    return "∞" if value is None or math.isinf(value) else f"{_three(value)}×"


def fold(value: float | None) -> str:
    """A ratio inside a sentence: ``15.8 times``."""
    return f"{times(value).removesuffix('×')}{NO_BREAK}times"


def times_between(ends: Interval | None) -> str:
    """An interval of ratios: ``[12.1, 19.0]``."""
    return _between(ends, _three)


def count(value: float | None) -> str:
    """A number of tokens, calls or samples: ``1,234``, and smaller ones with what matters of their fraction."""
    if value is None:
        return NOTHING
    return f"{value:,.0f}" if abs(value) >= 100 or value == round(value) else f"{value:.1f}"


def seconds(value: float | None) -> str:
    """A time: ``1.24 s``."""
    return NOTHING if value is None else f"{_three(value)}{NARROW}s"


def dollars(value: float | None) -> str:
    """An amount in US dollars to two significant places: ``$0.0012``."""
    if value is None:
        return NOTHING
    places = 2 if value == 0 or value >= 1 else 1 - math.floor(math.log10(abs(value)))
    return f"${value:,.{max(2, places)}f}"


def operations(value: float | None) -> str:
    """Floating-point operations by their power of ten: ``1.2 × 10¹²``."""
    if not value:
        return NOTHING if value is None else "0"
    power = math.floor(math.log10(abs(value)))
    raised = str(power).translate(str.maketrans("0123456789-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻"))
    return f"{value / 10**power:.1f}{NARROW}×{NARROW}10{raised}"


def probability(value: float | None) -> str:
    """A p-value: ``0.032`` or ``< 0.001``."""
    if value is None:
        return NOTHING
    return f"<{NARROW}0.001" if value < 0.001 else f"{value:.3f}" if value < 0.1 else f"{value:.2f}"


def small(value: float | None) -> str:
    """A calibration error or Brier score: ``0.082``."""
    return NOTHING if value is None else f"{value:.3f}"


def listed(names: list[str], word: str = "and") -> str:
    """``a, b and c``."""
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} {word} {names[-1]}" if names else ""


def shortened(text: str, length: int) -> str:
    """One line of at most so many characters."""
    line = " ".join(text[: length * 4].split())
    return line if len(line) <= length and len(text) <= length * 4 else line[: length - 1].rstrip() + "…"


def abridged(name: str, length: int) -> str:
    """A name of at most so many characters, cut in the middle: techniques differ at both ends."""
    if len(name) <= length:
        return name
    end = length // 2
    return f"{name[: length - end - 1]}…{name[-end:]}"


def quoted(name: str) -> str:
    """A strategy's name inside a sentence: Markdown's code, which `in_html` turns into HTML's."""
    return f"`{name.replace('`', chr(39))}`"


def in_html(sentence: str) -> Markup:
    """A sentence with quoted names as HTML; everything else is escaped."""
    parts = re.split(r"`([^`]*)`", sentence)
    return Markup("").join(named(part) if place % 2 else escape(part) for place, part in enumerate(parts))


def named(name: str) -> Markup:
    """A strategy's name as HTML that breaks between its arguments, not at a hyphen."""
    pieces = re.split(r"(?<=, )|(?<=\()(?=[\w.-]+\()|(?<= )(?=@ )", name)
    kept = (Markup("<span>{}</span>").format(piece) if len(piece) <= _UNBROKEN else escape(piece) for piece in pieces)
    return Markup("<code>{}</code>").format(Markup("<wbr>").join(kept))


_CONTROL: dict[int, int | str] = {
    **{code: 0x2400 + code for code in range(32) if chr(code) not in "\n\t"},
    127: 0x2421,
    **{code: f"[U+{code:04X}]" for code in (*range(0x202A, 0x202F), *range(0x2066, 0x206A))},
}
"""What would hide or reorder text."""


def visible(text: str) -> str:
    """Text of a model or a data set with its control characters shown; line ends become newlines."""
    return text.replace("\r\n", "\n").translate(_CONTROL)


def _between(ends: Interval | None, written: Callable[[float], str]) -> str:
    if ends is None:
        return ""
    low, high = (None if end is None or math.isinf(end) else end for end in ends)
    return f"[{NOTHING if low is None else written(low)},{NO_BREAK}{'∞' if high is None else written(high)}]"


def _points(value: float) -> str:
    """``+14.2``, ``−1.0``, and ``0.0`` without a sign."""
    written = f"{value * 100:+.1f}"
    return "0.0" if written[1:] == "0.0" else written.replace("-", MINUS)


def _three(value: float) -> str:
    """Three significant places, no more than needed to tell: ``0.123``, ``1.24``, ``15.8``, ``1,580``."""
    if math.isinf(value):
        return "∞"
    size = abs(value)
    return f"{value:,.0f}" if size >= 100 else f"{value:.1f}" if size >= 10 else f"{value:.2f}"
