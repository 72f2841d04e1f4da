"""A chain of thought taken apart into steps, and what each step states: numbers it arrives at, arithmetic that holds.

A step is a line or a sentence; what holds neither a letter nor a digit belongs to the step before it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from outthink.answers.numbers import numbers_in
from outthink.verifiers.arithmetic import statements

MOST = 48
"""Steps that are told apart; what follows belongs to the last."""
_LONGEST = 20_000
_END = re.compile(r"\n+|(?<=[.!?])\s+(?=[A-Z\\$(\[*])")
_MARK = re.compile(r"\s*(?:[Ss]tep\s*)?\d{1,2}[.):]\s*")


@dataclass(frozen=True, slots=True)
class Step:
    """One step, text[start:end]. ``numbers``: all it states. ``results``: those that neither the question nor a step
    before it states. ``held`` and ``false``: its arithmetic statements that do and do not hold."""

    start: int
    end: int
    numbers: frozenset[str]
    results: frozenset[str]
    held: int
    false: int


@lru_cache(4096)
def chain(question: str, text: str) -> tuple[Step, ...]:
    """The steps of a text; one empty step for an empty text."""
    text = text[:_LONGEST]
    known = set(numbers_of(question))
    steps: list[Step] = []
    for start, end in spans(text):
        piece = text[start:end]
        numbers = frozenset(numbers_of(_unmarked(piece)))
        results = numbers - known
        known |= results
        holds = [one.holds for one in statements(piece)] if "=" in piece else []
        steps.append(Step(start, end, numbers, results, sum(holds), len(holds) - sum(holds)))
    return tuple(steps)


def spans(text: str) -> list[tuple[int, int]]:
    """Where the steps of a text begin and end."""
    found: list[tuple[int, int]] = []
    start = 0
    for end in (*(match.end() for match in _END.finditer(text)), len(text)):
        if end > start and not _MARK.fullmatch(text, start, end):
            if (found and not any(sign.isalnum() for sign in text[start:end])) or len(found) == MOST:
                found[-1] = (found[-1][0], end)
            else:
                found.append((start, end))
            start = end
    if found and found[-1][1] < len(text):
        found[-1] = (found[-1][0], len(text))
    return found or [(0, len(text))]


def _unmarked(piece: str) -> str:
    """A step without the number of its line (``2.``, ``Step 3:``)."""
    mark = _MARK.match(piece)
    return piece[mark.end() :] if mark else piece


@lru_cache(4096)
def numbers_of(text: str) -> tuple[str, ...]:
    """The numbers of a text without their signs: a minus before one may be a subtraction."""
    return tuple(number.lstrip("-") for number in numbers_in(text))
