"""New inputs for a program from those in its tests: one value a time changed a little, and not out of its range.

What a right program does with a negative length is nobody's business: signs are kept, and nothing is emptied.
"""

from __future__ import annotations

import ast
import random
import zlib
from collections.abc import Callable, Sequence
from typing import Any

_TRIES = 20


def varied(calls: Sequence[ast.Call], count: int) -> list[str]:
    """At most ``count`` calls that are not among these, the same for the same calls."""
    texts = [ast.unparse(call) for call in calls]
    draw = random.Random(zlib.crc32("\n".join(texts).encode()))
    found: dict[str, None] = {}
    for _ in range(_TRIES * count if calls else 0):
        one = _varied(draw.choice(calls), draw)
        if one is not None and one not in texts:
            found[one] = None
        if len(found) == count:
            break
    return list(found)


def _varied(call: ast.Call, draw: random.Random) -> str | None:
    """The call with one of its values changed; None where there is nothing to change."""
    values = [(None, ast.literal_eval(arg)) for arg in call.args]
    values += [(keyword.arg, ast.literal_eval(keyword.value)) for keyword in call.keywords]
    if not values:
        return None
    place = draw.randrange(len(values))
    values[place] = (values[place][0], _changed(values[place][1], draw))
    shown = ", ".join(repr(value) if name is None else f"{name}={value!r}" for name, value in values)
    return f"{ast.unparse(call.func)}({shown})"


def _changed(value: Any, draw: random.Random) -> Any:
    change = _CHANGES.get(type(value))  # pyright: ignore[reportUnknownArgumentType]
    return value if change is None else change(value, draw)


def _number(value: int, draw: random.Random) -> int:
    size = abs(value)
    other = draw.choice(
        [size + 1, max(size - 1, min(size, 1)), 2 * size, size + draw.randint(2, 9), draw.randint(1, 9)]
    )
    return other if value >= 0 else -other


def _real(value: float, draw: random.Random) -> float:
    return draw.choice([value * 2, value / 2, value * 1.5, value * 10])


def _text(value: str, draw: random.Random) -> str:
    if not value:
        return value
    at, other = draw.randrange(len(value)), draw.choice(value)
    forms = [value[::-1], value[:at] + other + value[at:], value[:at] + other + value[at + 1 :], value + value]
    return draw.choice([*forms, value[:at] + value[at + 1 :]] if len(value) > 1 else forms)


def _items(value: list[Any], draw: random.Random) -> list[Any]:
    if not value:
        return value
    at = draw.randrange(len(value))
    changed = _changed(value[at], draw)
    forms = [[*value[:at], changed, *value[at + 1 :]], [*value, changed], [*value[:at], value[at], *value[at:]]]
    return draw.choice([*forms, value[::-1], value[:at] + value[at + 1 :]] if len(value) > 1 else forms)


def _pairs(value: dict[Any, Any], draw: random.Random) -> dict[Any, Any]:
    if not value:
        return value
    name = draw.choice(list(value))
    return {**value, name: _changed(value[name], draw)}


_CHANGES: dict[type, Callable[[Any, random.Random], Any]] = {
    bool: lambda value, draw: not value,
    int: _number,
    float: _real,
    str: _text,
    list: _items,
    tuple: lambda value, draw: tuple(_items(list(value), draw)),
    set: lambda value, draw: set(_items(sorted(value, key=repr), draw)),
    dict: _pairs,
}
