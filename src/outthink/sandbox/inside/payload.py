"""Values as data between processes that do not trust one another: exact builtin types, in JSON.

A subclass is reduced to the builtin type it derives from, so that nothing of its own (an ``__eq__`` that is always
true) comes along. What is no data (an object, a function) becomes an `Opaque`: it has a name and a truth, and equals
nothing but itself. An iterator arrives as an iterator over its items.
"""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportUnknownLambdaType=false
# Values of any type are this module's matter.

from __future__ import annotations

import ast
import json
from collections.abc import Callable, Iterator
from decimal import Decimal
from fractions import Fraction
from typing import Any

DEEPEST, MOST = 60, 200_000
"""Levels of nesting of a value, and items in it, that are carried."""
_PLAIN = 1 << 53


class TooMuch(ValueError):
    """A value that is too deep or too large to be carried."""


class Opaque:
    """A value that is not data: the name of its type, and whether it counts as true."""

    def __init__(self, kind: str, truth: bool) -> None:
        self.kind, self.truth = kind, truth

    def __bool__(self) -> bool:
        return self.truth

    def __repr__(self) -> str:
        return f"<{self.kind}: not plain data>"


def dumps(value: object) -> str:
    """A value as JSON text. Raises `TooMuch`; what the value's own code raises passes through."""
    return json.dumps(_Reducer().reduced(value, 0))


def loads(data: object) -> Any:
    """The value of what `json.loads` made of a text of `dumps`. Raises `ValueError` for what is no such text."""
    return _restored(data, 0)


class _Reducer:
    def __init__(self) -> None:
        self._left = MOST

    def reduced(self, value: Any, depth: int) -> object:
        self._left -= 1
        if depth > DEEPEST or self._left < 0:
            raise TooMuch(f"a value of more than {DEEPEST} levels or {MOST} items")
        if value is None or value is True or value is False:
            return value
        for kind, write in self._writers:
            if isinstance(value, kind):
                return write(self, value, depth + 1)
        if isinstance(value, Iterator):
            return {"iterator": self._items(value, depth + 1)}
        return {"opaque": type(value).__name__[:80], "truth": bool(value)}

    def _items(self, values: Any, depth: int) -> list[object]:
        return [self.reduced(value, depth) for value in values]

    def _int(self, value: Any, depth: int) -> object:
        value = int.__index__(value)
        return value if -_PLAIN < value < _PLAIN else {"int": hex(value)}

    def _float(self, value: Any, depth: int) -> object:
        return float.__add__(value, 0.0) if value else {"float": float.hex(value)}  # zero has a sign

    def _str(self, value: Any, depth: int) -> object:
        return str.__str__(value)

    def _list(self, value: Any, depth: int) -> object:
        return self._items(list.__iter__(value), depth)

    def _dict(self, value: Any, depth: int) -> object:
        return {"dict": [[self.reduced(key, depth), self.reduced(held, depth)] for key, held in dict.items(value)]}

    def _range(self, value: Any, depth: int) -> object:
        return {"range": [self.reduced(part, depth) for part in (value.start, value.stop, value.step)]}

    def _views(self, value: Any, depth: int) -> object:
        return {"iterator": self._items(iter(value), depth)}

    _writers: tuple[tuple[type, Callable[[Any, Any, int], object]], ...] = (
        (int, _int),
        (float, _float),
        (str, _str),
        (list, _list),
        (dict, _dict),
        (tuple, lambda self, value, depth: {"tuple": self._items(tuple.__iter__(value), depth)}),
        (set, lambda self, value, depth: {"set": self._items(set.__iter__(value), depth)}),
        (frozenset, lambda self, value, depth: {"frozenset": self._items(frozenset.__iter__(value), depth)}),
        (bytes, lambda self, value, depth: {"bytes": bytes.hex(value)}),
        (bytearray, lambda self, value, depth: {"bytearray": bytearray.hex(value)}),
        (complex, lambda self, value, depth: {"complex": [float.hex(value.real), float.hex(value.imag)]}),
        (Decimal, lambda self, value, depth: {"decimal": Decimal.__str__(value)}),
        (Fraction, lambda self, value, depth: {"fraction": [hex(value.numerator), hex(value.denominator)]}),
        (range, _range),
        (type({}.keys()), _views),
        (type({}.values()), _views),
        (type({}.items()), _views),
    )


def _restored(data: Any, depth: int) -> Any:
    if depth > DEEPEST + 2:
        raise ValueError("too deep")
    if data is None or isinstance(data, bool | int | float | str):
        return data
    if isinstance(data, list):
        return [_restored(item, depth + 1) for item in data]
    if not isinstance(data, dict):
        raise ValueError("not data")
    if set(data) == {"opaque", "truth"}:
        return Opaque(str(data["opaque"])[:80], data["truth"] is True)
    if len(data) != 1:
        raise ValueError("not data")
    ((kind, held),) = data.items()
    if kind not in _READERS:
        raise ValueError("not data")
    try:
        return _READERS[kind](_restored(held, depth + 1))
    except (TypeError, LookupError, ValueError, ArithmeticError, SyntaxError) as error:  # Decimal's are arithmetic
        raise ValueError("not data") from error


_READERS: dict[str, Callable[[Any], Any]] = {
    "int": lambda held: int(held, 16),
    "float": float.fromhex,
    "dict": lambda held: {key: value for key, value in held},  # noqa: C416
    "tuple": tuple,
    "set": set,
    "frozenset": frozenset,
    "bytes": bytes.fromhex,
    "bytearray": bytearray.fromhex,
    "complex": lambda held: complex(float.fromhex(held[0]), float.fromhex(held[1])),
    "decimal": lambda held: Decimal(str(held)),
    "fraction": lambda held: Fraction(int(held[0], 16), int(held[1], 16)),
    "range": lambda held: range(*held),
    "iterator": iter,
    "literal": ast.literal_eval,
}
