"""Numbers in text: exact values, without floats and without blowing up on hostile input.

A percent sign, a currency and a unit are dropped: 12 % and 12 are the same answer, as graders of word
problems have it. A number of more than `DIGITS` digits is compared by its digits.
"""

from __future__ import annotations

import re
from fractions import Fraction

DIGITS = 60
"""More digits, or a larger exponent, than this is kept as text."""

_NUMBER = r"(?:\d{1,3}(?:,\d{3})+(?!\d)|\d+)(?:\.\d+)?|\.\d+"
_SIGNED = rf"(?<![\w.,])[-+]?\s?[$€£¥]?\s?(?:{_NUMBER})(?:[eE][-+]?\d{{1,6}}(?!\d))?"
NUMBER = re.compile(rf"(?P<top>{_SIGNED})(?:\s?/\s?(?P<bottom>\d+(?:\.\d+)?)(?![\d/]))?")
_CLOCK = re.compile(r"\b\d{1,2}:\d{2}(?::\d{2})?\b|\b\d{4}-\d{2}-\d{2}\b|\b\d{1,2}/\d{1,2}/\d{2,4}\b")
_FRACTION = re.compile(r"\\[dt]?frac\s*\{\s*(-?\s*[\d.,]+)\s*\}\s*\{\s*([\d.,]+)\s*\}")
_MIXED = re.compile(r"(?<![\w.])(-?\d+)\s+(\d+)\s?/\s?(\d+)(?![\d/])")
_SPACED = re.compile(r"(?<=\d)[\u00a0\u202f](?=\d{3}(?!\d))")
TYPED = {
    "−": "-",
    "–": "-",
    "\u00a0": " ",
    "\u202f": " ",
    "½": " 1/2",
    "¼": " 1/4",
    "¾": " 3/4",
    "⅓": " 1/3",
    "⅔": " 2/3",
}
"""Typeset signs and the plain ones that they stand for."""
_TYPED = str.maketrans(TYPED)
_UNITS = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen "
    "seventeen eighteen nineteen"
)
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety hundred"
_WORDS = {word: value for value, word in enumerate(_UNITS.split())} | {
    word: 10 * place for place, word in enumerate(_TENS.split(), start=2)
}


def numbers_in(text: str) -> list[str]:
    """The values of the numbers in a text, in order, as canonical text (``3/4``, ``12``, ``-0.5``)."""
    matches = NUMBER.finditer(_plain(text))
    return [value for match in matches if (value := _value(match["top"], match["bottom"]))]


def only_numbers(text: str) -> bool:
    """Whether there is nothing in a text but numbers and what separates them."""
    return re.fullmatch(r"[-\d.,;/\s$€£¥(){}\[\]\\]*", _plain(text)) is not None


def number_word(text: str) -> str | None:
    """The value of a lone number word (``twelve``, ``twenty-five``), or None."""
    parts = re.split(r"[\s-]+", text.strip().strip(".").lower())
    values = [_WORDS.get(part) for part in parts]
    if not values or None in values or len(values) > 2:
        return None
    tens, unit = (values[0] or 0, values[1] or 0) if len(values) == 2 else (values[0] or 0, 0)
    if len(values) == 2 and not (tens >= 20 and 0 < unit < 10):
        return None
    return str(tens + unit)


def _plain(text: str) -> str:
    text = (
        _SPACED.sub("", text)
        .translate(_TYPED)
        .replace("\\$", "$")
        .replace("\\,", "")
        .replace("{,}", ",")
        .replace("\\%", "%")
    )
    if "frac" in text:
        text = _FRACTION.sub(lambda m: f" {m[1].replace(' ', '')}/{m[2]} ", text)
    if "/" in text:
        text = _MIXED.sub(_mixed, text)
    return _CLOCK.sub(" ", text)


def _mixed(match: re.Match[str]) -> str:
    whole, top, bottom = match[1], match[2], match[3]
    if max(map(len, (whole, top, bottom))) > 9 or int(bottom) == 0 or int(top) >= int(bottom):
        return match[0]
    sign = -1 if whole.startswith("-") else 1
    value = int(whole) + sign * Fraction(int(top), int(bottom))
    return f"{value.numerator}/{value.denominator}"


def _value(top: str, bottom: str | None) -> str | None:
    """Canonical text of a number, or None for a division by zero."""
    digits = re.sub(r"[\s,$€£¥+]", "", top)
    mantissa, _, exponent = digits.lower().partition("e")
    if len(mantissa) > DIGITS or (exponent and abs(int(exponent)) > DIGITS) or len(bottom or "") > DIGITS:
        return digits
    value = Fraction(mantissa) * Fraction(10) ** int(exponent or 0)
    if bottom is not None:
        divisor = Fraction(bottom)
        if divisor == 0:
            return None
        value /= divisor
    return show(value)


def show(value: Fraction) -> str:
    """A fraction as a decimal where it ends within 12 places, else as ``a/b``."""
    if value.denominator == 1:
        return str(value.numerator)
    scaled = value * 10**12
    if scaled.denominator == 1:
        sign, digits = ("-" if scaled < 0 else ""), str(abs(scaled.numerator)).rjust(13, "0")
        return f"{sign}{digits[:-12]}.{digits[-12:].rstrip('0')}"
    return f"{value.numerator}/{value.denominator}"
