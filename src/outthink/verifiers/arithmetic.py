"""Arithmetic statements in running text, evaluated exactly with fractions; nothing is executed.

    statement = expression { "=" expression } with at least one sign between two numbers on some side
    expression = term { (+ | -) term } ;  term = power { (* | /) power } ;  power = factor [ ^ small whole number ]

Units, currency signs and words next to a number are passed over (``$0.5 * 12 pens = $6``).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise

from outthink.answers.numbers import show

LONGEST, MOST = 20_000, 100
"""Characters of a text, and statements in it, that are looked at."""
_NUMBER = r"(?:\d{1,3}(?:,\d{3})+|\d{1,15})(?:\.\d{1,12})?|\.\d{1,12}"
_SIGN = r"[-+*/^×÷−·]|\*\*"
_PIECE = rf"(?:{_NUMBER}|{_SIGN}|[()$€£]|\s|%)"
_SIDE = rf"(?:{_PIECE})+"
_TOKEN = re.compile(rf"\s*(?P<token>{_NUMBER}|\*\*|[-+*/^()%×÷−·])")
_SAME = str.maketrans({"×": "*", "÷": "/", "−": "-", "·": "*", "[": "(", "]": ")"})
_WORDS = re.compile(r"(?<=[\d)])\s*(?:[A-Za-z]{2,}(?:\s+[A-Za-z]{2,}){0,2})\s*(?=[-+*/×÷=)])")
"""Words of one letter are no words: ``11x + 6y = 0`` states nothing of 11 and 6."""
_DOUBTFUL = re.compile(r"\s/\s*\d+/\d|(?<![\d.,])0\d")
"""``28 / 1/5`` may divide by a fifth; ``0900 - 0130`` are times."""


@dataclass(frozen=True, slots=True)
class Statement:
    """``left = right`` as a text states it. ``value``: what the left side comes to, as text. ``holds``: whether the
    right side is that, to the digits it is given in."""

    text: str
    left: str
    value: str
    holds: bool


def statements(text: str) -> list[Statement]:
    """The arithmetic statements of a text, in order; what cannot be read is passed over."""
    found: list[Statement] = []
    for line in re.split(r"[\n;]|(?<=\d)[.,](?=\s|$)|(?<=\D)\.\s", _plain(text[:LONGEST])):
        if "=" not in line:
            continue
        for left, right in _equations(_WORDS.sub(" ", line)):
            statement = _statement(left, right)
            if statement is not None:
                found.append(statement)
                if len(found) == MOST:
                    return found
    return found


def _plain(text: str) -> str:
    """LaTeX and typeset signs as plain ones."""
    if "\\" in text:
        text = re.sub(r"\\[dt]?frac\s*\{([^{}]{1,40})\}\s*\{([^{}]{1,40})\}", r"((\1) / (\2))", text)
        text = re.sub(r"\\(?:text|mathrm|mathbf)\s*\{[^{}]{0,40}\}|\\[,!;:()\[\]$]|\\left|\\right", " ", text)
        text = text.replace("\\times", "*").replace("\\cdot", "*").replace("\\div", "/").replace("\\%", "%")
    return re.sub(r"(?<=[\d)])\s*x\s*(?=[($\d])", " * ", text.translate(_SAME))


def _equations(line: str) -> Iterator[tuple[str, str]]:
    """Neighbouring sides of a chain of equalities: the arithmetic next to each ``=``."""
    sides = line.split("=")
    for before, after in pairwise(sides):
        left = re.search(rf"(?:(?<![\w.,*/^+-])|^)(?:{_SIDE})$", before)
        right = re.match(rf"\s*-?\s*[$€£]?\s*(?:{_NUMBER})\s*%?(?!\s*(?:{_SIGN}|[\w(]))|{_SIDE}", after)
        if left is not None and right is not None:
            yield left[0].strip(), right[0].strip()


def _statement(left: str, right: str) -> Statement | None:
    if not re.search(rf"\d\)?\s*%?\s*(?:{_SIGN})\s*[($€£\d.-]", left):
        return None  # a lone number on the left states nothing
    if _DOUBTFUL.search(left) or _DOUBTFUL.search(right):
        return None
    try:
        value, claimed = evaluate(left), evaluate(right)
    except (ValueError, ZeroDivisionError):
        return None
    text = f"{' '.join(left.split())} = {' '.join(right.split())}"
    holds = _agrees(value, claimed, right)
    if not holds and "%" in left and "%" not in right:
        holds = _agrees(100 * value, claimed, right)  # said in percent, as the left side is
    return Statement(text, " ".join(left.split()), _shown(value), holds)


def _agrees(value: Fraction, claimed: Fraction, written: str) -> bool:
    """Equal, or equal when rounded (or cut) to the digits that are written."""
    if value == claimed:
        return True
    number = re.findall(_NUMBER, written)
    if len(number) != 1 or "." not in number[0]:
        return False
    unit = Fraction(1, 10 ** len(number[0].rpartition(".")[2]))
    return abs(value - claimed) < unit


def _shown(value: Fraction) -> str:
    text = show(value)
    return text if "/" not in text else f"{float(value):.6g}"


def evaluate(text: str) -> Fraction:
    """The exact value of an arithmetic expression. Raises `ValueError` for what it cannot read or is too large."""
    return Fraction(_Reader(re.sub(r"[$€£]", "", text)).whole())


Exact = int | Fraction
"""Whole numbers stay whole as long as they can, which is many times faster."""


class _Reader:
    def __init__(self, text: str) -> None:
        self.tokens: list[str] = []
        at = 0
        text = text.rstrip()
        while at < len(text):
            match = _TOKEN.match(text, at)
            if match is None:
                raise ValueError(f"{text[at:]!r} is not arithmetic")
            self.tokens.append(match["token"].replace(",", ""))
            at = match.end()
        self.at = 0
        self.depth = 0

    def whole(self) -> Exact:
        value = self.sum()
        if self.at != len(self.tokens):
            raise ValueError(f"{self.tokens[self.at]!r} is out of place")
        return value

    def peek(self) -> str:
        return self.tokens[self.at] if self.at < len(self.tokens) else ""

    def take(self) -> str:
        token = self.peek()
        self.at += 1
        return token

    def sum(self) -> Exact:
        value = self.product()
        while self.peek() in ("+", "-"):
            value = value + self.product() if self.take() == "+" else value - self.product()
        return value

    def product(self) -> Exact:
        value = self.power()
        while self.peek() in ("*", "/"):
            value = value * self.power() if self.take() == "*" else Fraction(value) / self.power()
        return value

    def power(self) -> Exact:
        value = self.factor()
        if self.peek() in ("^", "**"):
            self.take()
            exponent = self.factor()
            if exponent.denominator != 1 or not 0 <= exponent <= 20 or abs(value) > 10**6:
                raise ValueError("a power that is too large")
            value = value ** int(exponent)
        return value

    def factor(self) -> Exact:
        token = self.take()
        if token == "-":
            return -self.factor()
        if token == "(":
            self.depth += 1
            if self.depth > 20:
                raise ValueError("nested too deeply")
            value = self.sum()
            if self.take() != ")":
                raise ValueError("a bracket is not closed")
            self.depth -= 1
        elif token and (token[0].isdigit() or token[0] == "."):
            value = Fraction(token) if "." in token else int(token)
        else:
            raise ValueError(f"{token or 'nothing'!r} where a number should be")
        if self.peek() == "%":
            self.take()
            value = Fraction(value) / 100
        return value
