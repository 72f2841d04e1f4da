"""A formula's value at a fixed point: exact where it is rational, else to `PRECISION` digits, and never huge."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from fractions import Fraction
from functools import cache, partial
from typing import Any, TypeGuard, cast

from outthink.answers.grammar import Node, Unreadable

PRECISION, SHOWN = 220, 100
"""Decimal digits worked with, and compared. What is smaller than 10^-`SHOWN` is zero, or refused."""
_BITS, _MIXED_BITS = 20_000, 130
"""Bits of an exact value, and of one that meets an inexact one (so that it cannot be lost in it)."""
_LARGE, _LARGEST = 300.0, 60
"""The largest exponent of e, and of ten."""
_HUGE, NOISE = int(_LARGEST * 3.322), int(SHOWN * 3.322)
"""The same in bits: of the largest size, and of what is lost beside it."""
_INFINITE = float("inf")
_MOST_MARKS = 30
_BRANCHED = frozenset(("abs", "ln", "log", "arcsin", "arccos", "arctan", "floor", "ceil", "root", "pow"))


class TooLarge(Unreadable):
    """Understood, but too large to be worked out."""


def symbols_of(node: Node) -> set[str]:
    """The letters in a tree."""
    found: set[str] = set()
    todo = [node]
    while todo:
        part = todo.pop()
        if part[0] == "sym":
            found.add(part[1])
        else:
            todo += [cast(Node, child) for child in part[1:] if type(child) is tuple]
    return found


@cache
def context() -> Any:
    from mpmath.ctx_mp import MPContext  # pyright: ignore[reportMissingTypeStubs]

    made = MPContext()  # its own, so that its precision is nobody else's
    made.dps = PRECISION
    return made


@cache
def point(name: str, place: int) -> Any:
    """A letter's value: 0.5 to 2.5 with all digits, its sign by the place."""
    mp = context()
    digits = int.from_bytes(hashlib.shake_256(f"{place} {name}".encode()).digest(80), "big")
    value = mp.mpf(1) / 2 + mp.mpf(2) * digits / mp.mpf(2) ** 640
    return -value if place else value


def is_exact(value: Any) -> TypeGuard[Fraction]:
    """Whether a value is a fraction (by its type alone: an abstract class's ``isinstance`` takes ten times as long)."""
    return type(value) is Fraction


def number(value: Any) -> Any:
    """A value that is not exact any more. Raises `TooLarge` for one that could be lost in another."""
    if is_exact(value):
        if value.numerator.bit_length() > _MIXED_BITS or value.denominator.bit_length() > _MIXED_BITS:
            raise TooLarge("too many digits")
        whole = context().mpf(value.numerator)
        return whole if value.denominator == 1 else whole / value.denominator
    return value


class Evaluation:
    """Works a tree out at one point; ``marks`` collects the arguments of branched functions and their values."""

    def __init__(self, place: int, marks: list[tuple[Node, Any]] | None = None) -> None:
        self._place, self._marks = place, marks

    def __call__(self, node: Node) -> Any:
        if node[0] == "num":
            return node[1]
        if node[0] == "sym":
            return point(node[1], self._place)
        value = self._value(node)
        if is_exact(value):
            if value.numerator.bit_length() + value.denominator.bit_length() > _BITS:
                raise TooLarge("too many digits")
            return value
        return _cleared(value, node[0] in ("add", "fn"))

    def _value(self, node: Node) -> Any:
        kind = node[0]
        if kind == "const":
            return _constant(node[1])
        if kind == "neg":
            return -self(node[1])
        if kind == "deg":
            return number(self(node[1])) * context().pi / 180
        if kind == "fn":
            argument = self(node[2])
            self._mark(node[1], node[2], argument)
            if node[1] in ("floor", "ceil") and symbols_of(node[2]):
                raise Unreadable("two points say little about steps")
            return _apply(node[1], argument)
        return self._pair(kind, node[1], node[2])

    def _pair(self, kind: str, left: Node, right: Node) -> Any:
        one, other = self(left), self(right)
        if is_exact(one) is not is_exact(other) and kind in ("add", "mul", "div"):
            one, other = number(one), number(other)
        if kind == "add":
            return one + other
        if kind == "mul":
            return one * other if one and other else Fraction(0)
        if kind == "div":
            if not other:
                raise Unreadable("a division by zero")
            return one / other if one else Fraction(0)
        if kind == "binom":
            return _binomial(one, other)
        if kind == "root":
            self._mark("root", right, other)
            if not is_exact(one) or one.denominator != 1 or not 2 <= one <= 50:
                raise Unreadable("such a root")
            return _power(other, 1 / one)
        if not (is_exact(other) and other.denominator == 1):
            self._mark("pow", left, one)
        return _power(one, other)

    def _mark(self, function: str, argument: Node, value: Any) -> None:
        if self._marks is not None and function in _BRANCHED and symbols_of(argument):
            if len(self._marks) == _MOST_MARKS:
                raise TooLarge("too many branches")
            self._marks.append((argument, value))


def _cleared(value: Any, may_vanish: bool) -> Any:
    """A value without the noise of rounding; zero as the exact zero. Raises `TooLarge` for the huge and the tiny."""
    is_real = hasattr(value, "_mpf_")
    if is_real and -_HUGE <= size(value) < _HUGE:  # nearly always
        return value
    real, imaginary = size(value.real), size(value.imag)
    most = max(real, imaginary)
    if not most < _HUGE:
        raise TooLarge("too large")
    if most < -NOISE and may_vanish:
        return Fraction(0)
    if most < -_HUGE:
        raise TooLarge("too small")
    if imaginary < most - NOISE:
        return value.real
    return context().mpc(0, value.imag) if real < most - NOISE else value


def size(value: Any) -> float:
    """The exponent of two of a real number's size: that of zero is minus infinity, that of no number infinity."""
    _, mantissa, exponent, bits = value._mpf_
    if mantissa:
        return exponent + bits
    return _INFINITE if exponent else -_INFINITE


def _constant(name: str) -> Any:
    mp = context()
    if name == "i":
        return mp.mpc(0, 1)
    return +mp.pi if name == "pi" else +mp.e


def _power(base: Any, exponent: Any) -> Any:
    if is_exact(exponent) and exponent.denominator == 1:
        return _whole_power(base, int(exponent))
    if not base:
        raise Unreadable("a power of zero")
    mp = context()
    base = number(base)
    if is_exact(exponent):
        if base.imag == 0 and base.real < 0 and exponent.denominator % 2:  # the real root, as schools have it
            size = mp.power(-base.real, number(exponent))
            return -size if exponent.numerator % 2 else size
        if exponent == Fraction(1, 2):
            return mp.sqrt(base)
    exponent = number(exponent)
    if not abs(exponent * mp.log(abs(base))) < _LARGE or not abs(exponent) < _LARGE:
        raise TooLarge("too large a power")
    return mp.power(base, exponent)


def _whole_power(base: Any, exponent: int) -> Any:
    if exponent == 0 and base:
        return Fraction(1)
    if exponent <= 0 and not base:
        raise Unreadable("a power of zero")
    if is_exact(base):
        bits = base.numerator.bit_length() + base.denominator.bit_length()
        if abs(exponent) * bits > 2 * _BITS and abs(base) != 1:
            raise TooLarge("too large a power")
        return base**exponent if abs(base) != 1 else base ** (exponent % 2)
    if abs(exponent) > 400:
        raise TooLarge("too large a power")
    return base**exponent


def _binomial(n: Any, k: Any) -> Fraction:
    if not (is_exact(n) and is_exact(k)) or n.denominator != 1 or k.denominator != 1:
        raise Unreadable("such a binomial")
    if not 0 <= k <= n <= 1000:
        raise TooLarge("such a binomial")
    value = 1
    for i in range(int(min(k, n - k))):
        value = value * (int(n) - i) // (i + 1)
    return Fraction(value)


def _factorial(value: Any) -> Any:
    if is_exact(value):
        if value.denominator != 1 or not 0 <= value <= 1000:
            raise TooLarge("such a factorial")
        result = 1
        for i in range(2, int(value) + 1):
            result *= i
        return Fraction(result)
    return context().gamma(value + 1)


def _exp(value: Any) -> Any:
    if not abs(value) < _LARGE:
        raise TooLarge("too large an exponential")
    return context().exp(value)


def _logarithm(base: Any, value: Any) -> Any:
    """To a base that is neither e nor 10: a logarithm that names none may be either."""
    return context().log(value) / base


def _rounded(name: str) -> Callable[[Any], Any]:
    def function(value: Any) -> Any:
        if value.imag:
            raise Unreadable("rounding a complex number")
        return getattr(context(), name)(value.real)

    return function


@cache
def _functions() -> dict[str, Callable[[Any], Any]]:
    mp = context()
    base = mp.log(point("the base of a logarithm that names none", 0) + 1)
    functions: dict[str, Callable[[Any], Any]] = {
        name: getattr(mp, name)
        for name in ("sin", "cos", "tan", "cot", "sec", "csc", "sinh", "cosh", "tanh", "coth", "gamma")
    }
    return functions | {
        "arcsin": mp.asin,
        "arccos": mp.acos,
        "arctan": mp.atan,
        "ln": mp.log,
        "log": partial(_logarithm, base),
        "exp": _exp,
        "abs": abs,
        "floor": _rounded("floor"),
        "ceil": _rounded("ceil"),
    }


def _apply(name: str, value: Any) -> Any:
    if name == "factorial":
        return _factorial(value)
    if is_exact(value) and name == "abs":
        return abs(value)
    value = number(value)
    if name in ("sinh", "cosh", "tanh", "coth", "gamma", "sin", "cos", "tan", "cot", "sec", "csc") and (
        not abs(value) < (_LARGE if name not in ("sin", "cos", "tan") or value.imag else 10**12)
    ):
        raise TooLarge("too large an argument")
    try:
        return _functions()[name](value)
    except (ValueError, ZeroDivisionError, OverflowError) as error:
        raise Unreadable(f"{name} there") from error
