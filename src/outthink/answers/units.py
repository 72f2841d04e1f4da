"""What stands beside a value: units, currencies, and words that only say what was counted.

A unit is part of an answer: ``5 cm``, ``5 m`` and ``5`` are three answers. Not units: a degree sign, a percent
sign, the dollar, and words for things counted (``18 integers``); nobody answers one question in those and others.
"""

from __future__ import annotations

import re

_SAME = {
    "mm": "millimeter millimetre",
    "cm": "centimeter centimetre",
    "m": "meter metre",
    "km": "kilometer kilometre",
    "in": "inch inches",
    "ft": "foot feet",
    "yd": "yard",
    "mi": "mile",
    "mg": "milligram",
    "g": "gram gm",
    "kg": "kilogram",
    "lb": "lbs pound",
    "oz": "ounce",
    "ml": "milliliter millilitre",
    "l": "liter litre",
    "s": "sec second",
    "min": "minute mins",
    "h": "hr hrs hour",
    "day": "",
    "week": "",
    "month": "",
    "year": "yr yrs",
    "mph": "",
    "km/h": "kph kmh",
    "m/s": "",
    "€": "euro eur",
    "£": "gbp",
    "¥": "yen",
    "cent": "¢",
    "°c": "celsius",
    "°f": "fahrenheit",
    "hz": "hertz",
    "j": "joule",
    "n": "newton",
    "w": "watt",
    "v": "volt",
    "kw": "kilowatt",
    "mol": "mole",
    "pa": "pascal",
    "rad": "radian",
}
_COUNTED = (
    "$ % ° degree degrees percent dollar dollars usd unit units way ways integer integers solution solutions value "
    "values number numbers time times point points people person persons student students item items"
)
_DROPPED = frozenset(_COUNTED.split())
_SINGULAR = {name: unit for unit, names in _SAME.items() for name in [unit, *names.split()]}
_NAMES = _SINGULAR | {f"{name}s": unit for name, unit in _SINGULAR.items() if len(name) > 2}
KNOWN = "|".join(sorted((re.escape(name) for name in _NAMES if len(name) > 1), key=len, reverse=True))
"""All names of units of more than one letter, as a pattern."""
_POWERS = {"square": "2", "sq": "2", "squared": "2", "cubic": "3", "cubed": "3", "cu": "3"}
_POWER = re.compile(r"\^\{?(\d)\}?")


def unit_of(text: str) -> str:
    """The canonical name of a unit; empty for words that are not part of the answer."""
    text = " ".join(text.lower().replace("\\", " ").replace(".", " ").replace(" per ", "/").split()).strip("{} ")
    power = ""
    if match := _POWER.search(text):
        power, text = match[1], _POWER.sub("", text)
    words: list[str] = []
    for word in text.replace("{", " ").replace("}", " ").split():
        if word in _POWERS:
            power = _POWERS[word]
        elif word not in _DROPPED:
            words.append("/".join(_NAMES.get(part, part) for part in word.split("/")))
    name = {"mi/h": "mph"}.get(" ".join(words), " ".join(words))
    return f"{name}^{power}" if power and name else name
