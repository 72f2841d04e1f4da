"""Exact arithmetic puzzles: does an expression use each number once and give the target? Nothing is evaluated."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from fractions import Fraction

_LONGEST = 200
_TOKEN = re.compile(r"\s*(\d{1,9}|[-+*/()])")
_SIGNS = (
    (r"\times", "*"),
    (r"\cdot", "*"),
    (r"\div", "/"),
    (r"\left", ""),
    (r"\right", ""),
    ("×", "*"),
    ("·", "*"),
    ("÷", "/"),
    ("−", "-"),
    ("–", "-"),
    ("[", "("),
    ("]", ")"),
)


def reaches(text: str, numbers: Sequence[int], target: int = 24) -> bool:
    """Whether the expression uses exactly these numbers and its exact value is the target.

    What follows an equals sign is not looked at. At most 200 characters of ``+ - * / ( )`` and whole numbers;
    anything else is False.
    """
    expression = _plain(text).partition("=")[0]
    if len(expression) > _LONGEST:
        return False
    try:
        reader = _Reader(expression)
        value = reader.sum()
    except (_Unreadable, ZeroDivisionError):
        return False
    return reader.ended and value == target and Counter(reader.used) == Counter(numbers)


def _plain(text: str) -> str:
    text = text.strip().strip("`$").strip()
    for sign, plain in _SIGNS:
        text = text.replace(sign, plain)
    return text.rstrip(".").strip()


class _Unreadable(ValueError):
    """The text is not an expression."""


class _Reader:
    """Recursive descent over tokens; its depth is bounded by the text's length."""

    def __init__(self, text: str) -> None:
        self.used: list[int] = []
        self._tokens: list[str] = []
        self._place, end = 0, 0
        while text[end:].strip():
            match = _TOKEN.match(text, end)
            if match is None:
                raise _Unreadable(text)
            self._tokens.append(match[1])
            end = match.end()

    @property
    def ended(self) -> bool:
        return self._place == len(self._tokens)

    def sum(self) -> Fraction:
        value = self._product()
        while sign := self._take("+", "-"):
            other = self._product()
            value = value + other if sign == "+" else value - other
        return value

    def _product(self) -> Fraction:
        value = self._factor()
        while sign := self._take("*", "/"):
            other = self._factor()
            value = value * other if sign == "*" else value / other
        return value

    def _factor(self) -> Fraction:
        if self._take("-"):
            return -self._factor()
        if self._take("("):
            value = self.sum()
            if not self._take(")"):
                raise _Unreadable("a parenthesis is not closed")
            return value
        if self.ended or not self._tokens[self._place].isdecimal():
            raise _Unreadable("a number is missing")
        number = int(self._tokens[self._place])
        self._place += 1
        self.used.append(number)
        return Fraction(number)

    def _take(self, *wanted: str) -> str:
        """The next token where it is one of these, else nothing."""
        if self.ended or self._tokens[self._place] not in wanted:
            return ""
        self._place += 1
        return self._tokens[self._place - 1]
