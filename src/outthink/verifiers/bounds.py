"""What a number that answers a question cannot be: a negative or broken count, a probability above 1, a wrong unit.

Each check speaks only where the question plainly asks for such a number in its last question, and nothing in it
(averages, rates, ratios, other units) could make an unusual number right.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

from outthink.answers.extract import stated
from outthink.answers.units import unit_of

_THINGS = (
    "people|persons|children|kids|students|pupils|boys|girls|men|women|adults|teachers|workers|players|friends|guests|"
    "passengers|members|visitors|soldiers|animals|dogs|cats|cows|horses|chickens|sheep|pigs|birds|rabbits|ducks|"
    "books|stamps|marbles|coins|cards|tickets|stickers|pencils|pens|cars|bikes|bicycles|buses|trucks|toys|dolls|"
    "buttons|balloons|chairs|tables|windows|houses|rooms|seats|letters|digits|solutions|integers|factors|divisors|"
    "ways|subsets|triangles|games|songs|photos|pictures|questions|emails|employees|siblings|brothers|sisters"
)
_COUNT = re.compile(rf"\bhow many (?:more |fewer |other |different |total |whole )?(?:{_THINGS})\b", re.IGNORECASE)
_NO_COUNT = re.compile(
    r"\b(?:averag\w+|mean|expected|per|rate|ratio|approximately|about how|estimate\w*|percent\w*|fraction\w*|half|"
    r"thousands?|millions?|hundreds?|dozens?|pairs?|units? of|each (?:day|week|month|year|hour|minute)|every|"
    r"probability|in terms of|equivalent|full-time|negative)\b|%",
    re.IGNORECASE,
)
_CHANCE = re.compile(r"\bwhat(?: is|'s| was) the (?:probability|likelihood|chance) (?:that|of)\b", re.IGNORECASE)
_NO_CHANCE = re.compile(
    r"%|percent|express|form\b|\bm\s*\+\s*n\b|\bodds\b|\bratio\b|how many|relatively|\bsum\b|times|\bone in\b|\b1 in\b"
    r"|reciprocal|numerator|denominator|log|nearest|\bout of\b",
    re.IGNORECASE,
)
_AGE = re.compile(r"\bhow old (?:is|was|are|were|will|would)\b", re.IGNORECASE)
_PERSON = re.compile(
    r"\b(?:he|she|his|her|brother|sister|mother|father|son|daughter|uncle|aunt|cousin|friend|grand\w+|mom|dad)\b", re.I
)
_NO_PERSON = re.compile(
    r"\b(?:tree|house|building|company|turtle|tortoise|city|town|dynasty|rock|star|planet|earth|ago|days|weeks|months|"
    r"sum|total|combined|vampire|elf|wizard|dragon|bc|born)\b",
    re.IGNORECASE,
)
_PART = re.compile(
    rf"\bwhat (?:percent|percentage|per cent) of (?:the |his |her |their |all )?(?:\w+ )?(?:{_THINGS}) "
    r"(?:is|are|was|were|did|do|does|has|have|had|got|passed|failed|like|likes|liked|chose|prefer|preferred)\b",
    re.IGNORECASE,
)
_NO_PART = re.compile(
    r"\b(?:increase\w*|decrease\w*|more|less|than|change\w*|growth|profit|number of|compared)\b", re.I
)
_AMOUNT = re.compile(r"\bhow many (?P<unit>[a-z]+)\b", re.IGNORECASE)
_WITH_UNIT = re.compile(r"[\s$\\(]*-?[\d,]+(?:\.\d+)?\s*(?:\\text\{\s*)?(?P<unit>[A-Za-z]{3,})\}?[\s$.*)\\]*")
_KINDS = (
    ("s", "min", "h", "day", "week", "month", "year"),
    ("mm", "cm", "m", "km", "in", "ft", "yd", "mi"),
    ("mg", "g", "kg", "lb", "oz"),
    ("ml", "l"),
    ("$", "cent"),
)
OLDEST = 125
"""Years that nobody has lived."""


@dataclass(frozen=True, slots=True)
class Bound:
    """What an answer must be, in words, and a test of a value and the text that gives it: True where it may be."""

    must: str
    holds: Callable[[Fraction, str], bool]


def bounds(question: str) -> list[Bound]:
    """What a number must be to answer this question."""
    asks = _last_question(question)
    found: list[Bound] = []
    if _COUNT.search(asks) and not _NO_COUNT.search(asks):
        found.append(
            Bound("a count is a whole number, 0 or more", lambda value, _: value >= 0 and value.denominator == 1)
        )
    if _CHANCE.search(asks) and not _NO_CHANCE.search(question):
        found.append(Bound("a probability is in [0, 1]", lambda value, text: 0 <= value <= 1 or "%" in text))
    if _AGE.search(asks) and _PERSON.search(question) and not _NO_PERSON.search(question):
        found.append(Bound(f"an age is in [0, {OLDEST}] years", lambda value, _: 0 <= value <= OLDEST))
    if _PART.search(asks) and not _NO_PART.search(asks):
        found.append(Bound("a part is in [0, 100] percent", lambda value, _: 0 <= value <= 100))
    return found + _in_units(asks)


def _last_question(question: str) -> str:
    """The sentence that asks; all of a text that has no question mark asks for nothing here."""
    asking, mark, rest = question.rpartition("?")
    if not mark or re.search(r"[A-Za-z]{3,}", rest):  # what follows may say in which form to answer
        return ""
    if asking.count("?"):
        return ""  # several questions: which one is answered?
    return re.split(r"(?<=[.!?])\s+(?=[A-Z\"'$])", asking)[-1]


def _in_units(asks: str) -> list[Bound]:
    """The unit that a question asks for, where it is one of several in which such a thing is measured."""
    units = [_unit(match["unit"]) for match in _AMOUNT.finditer(asks)]
    kind = next((kind for kind in _KINDS if units and units[0] in kind), None)
    if kind is None or len(units) != 1:
        return []
    wanted = units[0]

    def holds(value: Fraction, text: str) -> bool:
        tail = stated(text)
        said = _WITH_UNIT.fullmatch(tail) if tail is not None else None
        unit = _unit(said["unit"]) if said is not None else ""
        return unit == wanted or unit not in kind

    return [Bound(f"the answer is asked for in {_AMOUNT.findall(asks)[0].lower()}", holds)]


def _unit(word: str) -> str:
    word = word.lower()
    return "$" if word in ("dollar", "dollars") else unit_of(word)
