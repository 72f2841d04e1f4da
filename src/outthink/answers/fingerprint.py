"""What a formula is worth: a key that is equal for equal formulas, however they are written.

A constant is worked out exactly where it is rational, else to `SHOWN` of `PRECISION` digits. A formula with
letters is worked out at two fixed points (every letter a positive number of that many digits in one, a negative
one in the other; Schwartz and Zippel's test): two different formulas of the size that is read agree there with a
chance that can be forgotten. Equality of keys is an equivalence by construction, unlike a pairwise test.

Two points cannot tell apart formulas that differ only in some region (``|x-100|`` and ``100-x``). So roots,
absolute values, logarithms and the like, of anything but a multiple of one letter, also put their arguments into
the key: such formulas merge only with those built from the same arguments.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from fractions import Fraction
from functools import cache
from typing import Any

from outthink.answers.grammar import Node, Unreadable
from outthink.answers.numbers import show

PRECISION, SHOWN = 170, 60
"""Decimal digits worked with, and compared."""
_BITS = 100_000
_LARGE = 300.0
_BRANCHED = frozenset(("abs", "ln", "log", "arcsin", "arccos", "arctan", "floor", "ceil", "root", "pow"))
_SHORT = 60


class TooLarge(Unreadable):
    """Understood, but too large to be worked out."""


def key_of(node: Node) -> str:
    """The key of a tree: a number as `numbers.show` has it, else a digest. Raises `Unreadable`."""
    marks: list[Node] = []
    value = _Evaluation(0, marks)(node)
    if isinstance(value, Fraction):
        return _exact(value)
    symbols = sorted(_symbols(node))
    if not symbols:
        snapped = _snapped(value)
        return "=" + _shown(value) if snapped is None else _exact(snapped)
    other = _Evaluation(1)(node)
    context = _context()
    if abs(context.convert(_number(other)) - value) < context.mpf(10) ** (-PRECISION + 60) * (1 + abs(value)) and (
        not marks
    ):
        snapped = _snapped(value)
        return "=" + _shown(value) if snapped is None else _exact(snapped)
    parts = [_shown(value), _shown(_number(other)), *_marked(marks)]
    return "e" + _digest("|".join(parts))


def ratio_key(node: Node, sided: bool) -> str:
    """A key of a tree that is equal for its multiples (its positive ones where ``sided``)."""
    marks: list[Node] = []
    one, other = _number(_Evaluation(0, marks)(node)), _number(_Evaluation(1)(node))
    if _tiny(one) or _tiny(other):
        raise Unreadable("nothing to compare")
    if not _symbols(node):
        raise Unreadable("a claim without letters")
    sign = ("+" if one.real > 0 else "-") if sided else ""
    return sign + _digest("|".join([_shown(other / one), *_marked(marks)]))


def is_constant(node: Node) -> bool:
    return not _symbols(node)


def _symbols(node: Node) -> set[str]:
    found: set[str] = set()
    todo = [node]
    while todo:
        part = todo.pop()
        if part[0] == "sym":
            found.add(part[1])
        else:
            todo.extend(child for child in part[1:] if isinstance(child, tuple))
    return found


def _exact(value: Fraction) -> str:
    if value.numerator.bit_length() + value.denominator.bit_length() > 4 * _SHORT:
        return "=" + _digest(f"{value.numerator:x}/{value.denominator:x}")
    return show(value)


def _digest(text: str) -> str:
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


@cache
def _context() -> Any:
    from mpmath.ctx_mp import MPContext  # pyright: ignore[reportMissingTypeStubs]

    context = MPContext()  # its own, so that its precision is nobody else's
    context.dps = PRECISION
    return context


@cache
def _point(name: str, place: int) -> Any:
    """A letter's value: 0.5 to 2.5 with all digits, its sign by the place."""
    context = _context()
    digits = int.from_bytes(hashlib.shake_256(f"{place} {name}".encode()).digest(80), "big")
    value = context.mpf(1) / 2 + context.mpf(2) * digits / context.mpf(2) ** 640
    return -value if place else value


def _number(value: Any) -> Any:
    if isinstance(value, Fraction):
        return _context().mpf(value.numerator) / value.denominator
    return value


def _tiny(value: Any) -> bool:
    return abs(value) < _context().mpf(10) ** -80


def _shown(value: Any) -> str:
    """A value to `SHOWN` digits, its real and imaginary part each, a part that is lost in the other as zero."""
    context = _context()
    size = abs(value)
    parts = [part if abs(part) > size * context.mpf(10) ** -80 else context.mpf(0) for part in (value.real, value.imag)]
    if _tiny(size):
        return "0"
    return ",".join(context.nstr(part, SHOWN) if part else "0" for part in parts)


def _snapped(value: Any) -> Fraction | None:
    """The rational number of moderate size that a value is, if it is one."""
    context = _context()
    if abs(value.imag) > context.mpf(10) ** -100 or abs(value.real) > 10**30:
        return None
    negative, mantissa, exponent, _ = value.real._mpf_
    exact = Fraction(-int(mantissa) if negative else int(mantissa)) * Fraction(2) ** int(exponent)
    near = exact.limit_denominator(10**12)
    return near if abs(exact - near) < Fraction(1, 10**100) else None


def _marked(marks: list[Node]) -> list[str]:
    """The arguments that two points cannot vouch for, as text that is equal for equal arguments."""
    kept: set[str] = set()
    letters: set[str] = set()
    for argument in marks:
        one, other = _number(_Evaluation(0)(argument)), _number(_Evaluation(1)(argument))
        symbols = _symbols(argument)
        letters |= symbols
        name = next(iter(symbols))
        if len(symbols) == 1 and _tiny(one / _point(name, 0) - other / _point(name, 1)):
            continue
        kept.add(_shown(other / one) if not _tiny(one) else _shown(other))
    if not kept and len(letters) > 1:
        return sorted(letters)
    return sorted(kept | (letters if kept else set()))


class _Evaluation:
    """Works a tree out at one point; ``marks`` collects the arguments of branched functions."""

    def __init__(self, place: int, marks: list[Node] | None = None) -> None:
        self._place, self._marks = place, marks

    def __call__(self, node: Node) -> Any:
        value = self._value(node)
        if isinstance(value, Fraction):
            if value.numerator.bit_length() + value.denominator.bit_length() > _BITS:
                raise TooLarge("too many digits")
        elif not abs(value) < _limit():
            raise TooLarge("too large")
        return value

    def _value(self, node: Node) -> Any:
        kind = node[0]
        if kind == "num":
            return node[1]
        if kind == "sym":
            return _point(node[1], self._place)
        if kind == "const":
            return _constant(node[1])
        if kind == "neg":
            return -self(node[1])
        if kind == "deg":
            return _number(self(node[1])) * _context().pi / 180
        if kind == "fn":
            self._mark(node[1], node[2])
            return _apply(node[1], self(node[2]))
        return self._pair(kind, node[1], node[2])

    def _pair(self, kind: str, left: Node, right: Node) -> Any:
        one, other = self(left), self(right)
        if not (isinstance(one, Fraction) and isinstance(other, Fraction)) and kind in ("add", "mul", "div"):
            one, other = _number(one), _number(other)
        if kind == "add":
            return one + other
        if kind == "mul":
            return one * other
        if kind == "div":
            if not other or (not isinstance(other, Fraction) and _tiny(other)):
                raise Unreadable("a division by zero")
            return one / other
        if kind == "binom":
            return _binomial(one, other)
        if kind == "root":
            self._mark("root", right)
            if not isinstance(one, Fraction) or one.denominator != 1 or not 2 <= one <= 50:
                raise Unreadable("such a root")
            return _power(other, 1 / one)
        if not (isinstance(other, Fraction) and other.denominator == 1):
            self._mark("pow", left)
        return _power(one, other)

    def _mark(self, function: str, argument: Node) -> None:
        if self._marks is not None and function in _BRANCHED and _symbols(argument):
            self._marks.append(argument)


@cache
def _limit() -> Any:
    return _context().mpf(10) ** _SHORT


def _constant(name: str) -> Any:
    context = _context()
    if name == "i":
        return context.mpc(0, 1)
    return +context.pi if name == "pi" else +context.e


def _power(base: Any, exponent: Any) -> Any:
    if isinstance(exponent, Fraction) and exponent.denominator == 1:
        return _whole_power(base, int(exponent))
    if not base:
        raise Unreadable("a power of zero")
    context = _context()
    base = _number(base)
    if isinstance(exponent, Fraction):
        if base.imag == 0 and base.real < 0 and exponent.denominator % 2:  # the real root, as schools have it
            size = context.power(-base.real, _number(exponent))
            return -size if exponent.numerator % 2 else size
        if exponent == Fraction(1, 2):
            return context.sqrt(base)
    exponent = _number(exponent)
    if not abs(exponent * context.log(abs(base))) < _LARGE or not abs(exponent) < _LARGE:
        raise TooLarge("too large a power")
    return context.power(base, exponent)


def _whole_power(base: Any, exponent: int) -> Any:
    if exponent == 0 and base:
        return Fraction(1)
    if exponent <= 0 and (not base or (not isinstance(base, Fraction) and _tiny(base))):
        raise Unreadable("a power of zero")
    if isinstance(base, Fraction):
        bits = base.numerator.bit_length() + base.denominator.bit_length()
        if abs(exponent) * bits > 2 * _BITS and abs(base) != 1:
            raise TooLarge("too large a power")
        return base**exponent if abs(base) != 1 else base ** (exponent % 2)
    if abs(exponent) > 400:
        raise TooLarge("too large a power")
    return base**exponent


def _binomial(n: Any, k: Any) -> Fraction:
    if not (isinstance(n, Fraction) and isinstance(k, Fraction)) or n.denominator != 1 or k.denominator != 1:
        raise Unreadable("such a binomial")
    if not 0 <= k <= n <= 1000:
        raise TooLarge("such a binomial")
    value = 1
    for i in range(int(min(k, n - k))):
        value = value * (int(n) - i) // (i + 1)
    return Fraction(value)


def _factorial(value: Any) -> Any:
    if isinstance(value, Fraction):
        if value.denominator != 1 or not 0 <= value <= 1000:
            raise TooLarge("such a factorial")
        result = 1
        for i in range(2, int(value) + 1):
            result *= i
        return Fraction(result)
    return _context().gamma(value + 1)


def _exp(value: Any) -> Any:
    if not abs(value) < _LARGE:
        raise TooLarge("too large an exponential")
    return _context().exp(value)


def _rounded(name: str) -> Callable[[Any], Any]:
    def function(value: Any) -> Any:
        if value.imag:
            raise Unreadable("rounding a complex number")
        return getattr(_context(), name)(value.real)

    return function


@cache
def _functions() -> dict[str, Callable[[Any], Any]]:
    context = _context()
    base = context.log(_point("the base of a logarithm that names none", 0) + 1)
    functions = {
        name: getattr(context, name)
        for name in ("sin", "cos", "tan", "cot", "sec", "csc", "sinh", "cosh", "tanh", "coth", "gamma")
    }
    return functions | {
        "arcsin": context.asin,
        "arccos": context.acos,
        "arctan": context.atan,
        "ln": context.log,
        "log": lambda value: context.log(value) / base,  # base 10 or e: neither is assumed
        "exp": _exp,
        "abs": abs,
        "floor": _rounded("floor"),
        "ceil": _rounded("ceil"),
    }


def _apply(name: str, value: Any) -> Any:
    if name == "factorial":
        return _factorial(value)
    if isinstance(value, Fraction) and name == "abs":
        return abs(value)
    value = _number(value)
    if name in ("sinh", "cosh", "tanh", "coth", "gamma", "sin", "cos", "tan", "cot", "sec", "csc") and (
        not abs(value) < (_LARGE if name not in ("sin", "cos", "tan") or value.imag else 10**12)
    ):
        raise TooLarge("too large an argument")
    try:
        return _functions()[name](value)
    except (ValueError, ZeroDivisionError, OverflowError) as error:
        raise Unreadable(f"{name} there") from error
