"""What a formula is worth: a key that is equal for equal formulas, however they are written.

A constant is worked out exactly where it is rational, else to 100 of 220 digits. A formula with
letters is worked out at two fixed points (every letter a positive number of that many digits in one, a negative
one in the other; Schwartz and Zippel's test): two different formulas of the size that is read agree there with a
chance that can be forgotten. Equality of keys is an equivalence by construction, unlike a pairwise test.

Two points cannot tell apart formulas that differ only in some region (``|x-100|`` and ``100-x``). So roots,
absolute values, logarithms and the like, of anything but a multiple of one letter, also put their arguments into
the key: such formulas merge only with those built from the same arguments.
"""

from __future__ import annotations

import hashlib
from fractions import Fraction
from typing import Any

from outthink.answers.evaluate import NOISE, SHOWN, Evaluation, is_exact, number, point, size, symbols_of
from outthink.answers.grammar import Node, Unreadable
from outthink.answers.numbers import show

_WRITTEN = 240
"""Bits of a rational number whose key is its digits."""


def key_of(node: Node) -> str:
    """The key of a tree: a number as `numbers.show` has it, else a digest. Raises `Unreadable`."""
    marks: list[tuple[Node, Any]] = []
    value = Evaluation(0, marks)(node)
    has_letters = bool(symbols_of(node))
    if is_exact(value) and not has_letters:
        return _exact(value)
    shown = _shown(value)
    if has_letters:
        places = [shown, _shown(Evaluation(1)(node))]
        if marks or places[0] != places[1]:
            return "e" + _digest("|".join([*places, *_marked(marks)]))
    snapped = value if is_exact(value) else _snapped(value)  # a constant, though it may be written with letters
    return "=" + shown if snapped is None else _exact(snapped)


def ratio_key(node: Node, sided: bool) -> str:
    """A key of a tree that is equal for its multiples (its positive ones where ``sided``)."""
    marks: list[tuple[Node, Any]] = []
    one, other = number(Evaluation(0, marks)(node)), number(Evaluation(1)(node))
    if not one or not other or not symbols_of(node):
        raise Unreadable("a claim without letters")
    sign = ("+" if one.real > 0 else "-") if sided else ""
    return sign + _digest("|".join([_shown(other / one), *_marked(marks)]))


def _exact(value: Fraction) -> str:
    if value.numerator.bit_length() + value.denominator.bit_length() > _WRITTEN:
        return "=" + _digest(f"{value.numerator:x}/{value.denominator:x}")
    return show(value)


def _digest(text: str) -> str:
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def _shown(value: Any) -> str:
    """A value rounded to `NOISE` bits, its real and imaginary part each, a part that is lost in the other as zero."""
    value = number(value)
    parts = [value] if hasattr(value, "_mpf_") else [value.real, value.imag]
    least = max(map(size, parts)) - NOISE
    shown = [_rounded(part) if size(part) > least else "0" for part in parts]
    return shown[0] if shown[1:] in ([], ["0"]) else ",".join(shown)


def _rounded(value: Any) -> str:
    """A real number's odd mantissa and its exponent of two, in hexadecimal; not of zero."""
    negative, mantissa, exponent, bits = value._mpf_
    lost = max(bits - NOISE, 0)
    mantissa = int(mantissa) + (1 << lost >> 1) >> lost
    even = (mantissa & -mantissa).bit_length() - 1
    return f"{'-' if negative else ''}{mantissa >> even:x}p{exponent + lost + even}"


def _snapped(value: Any) -> Fraction | None:
    """The rational number of moderate size that a value is, if it is one."""
    if value.imag or abs(value.real) > 10**30:
        return None
    negative, mantissa, exponent, _ = value.real._mpf_
    exact = Fraction(-int(mantissa) if negative else int(mantissa)) * Fraction(2) ** int(exponent)
    near = exact.limit_denominator(10**12)
    return near if abs(exact - near) < Fraction(1, 10**SHOWN) else None


def _marked(marks: list[tuple[Node, Any]]) -> list[str]:
    """The arguments that two points cannot vouch for, as text that is equal for equal arguments."""
    kept: set[str] = set()
    letters: set[str] = set()
    for argument, value in marks:
        one, other = number(value), number(Evaluation(1)(argument))
        symbols = symbols_of(argument)
        letters |= symbols
        name = next(iter(symbols))
        if len(symbols) == 1 and _shown(one / point(name, 0)) == _shown(other / point(name, 1)):
            continue
        kept.add(_shown(other / one) if one else _shown(other))
    if not kept and len(letters) > 1:
        return sorted(letters)
    return sorted(kept | (letters if kept else set()))
