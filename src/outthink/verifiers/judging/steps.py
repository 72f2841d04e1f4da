"""Step by step: the judge writes a check of each step, and its yes or no is read where it stands.

Zhang et al., 2024, "Generative Verifiers" (arXiv:2408.15240); Khalifa et al., 2025, "ThinkPRM" (arXiv:2504.16828).
"""

from __future__ import annotations

import re
from typing import NamedTuple

from outthink.answers.verdict import verdict
from outthink.core.candidate import Candidate

MOST = 40
"""Steps of an answer that are numbered; the rest belong to the last."""
_LINE = re.compile(r"^\W*step\s+(\d{1,3})\b(.*?)\b(yes|no)\W*$", re.IGNORECASE | re.MULTILINE)
_YES_NO = ("yes", "no")

Steps = tuple[float | None, ...]


class Checked(NamedTuple):
    """``steps``: how likely each is right, None for those not looked at. ``raw``: that of the least likely, None when
    some were not looked at and none is wrong. ``critique``: what is said of the first wrong one."""

    raw: float | None
    steps: Steps
    critique: str | None


def steps_of(text: str) -> list[str]:
    """The steps of an answer: its paragraphs, or its lines where it is one paragraph."""
    for pattern in (r"\n\s*\n", r"\n"):
        parts = [part.strip() for part in re.split(pattern, text) if part.strip()]
        if len(parts) > 1:
            return [*parts[: MOST - 1], "\n".join(parts[MOST - 1 :])] if len(parts) > MOST else parts
    return [text.strip()]


def numbered(steps: list[str]) -> str:
    return "\n\n".join(f"Step {number}: {step}" for number, step in enumerate(steps, start=1))


def read_checks(said: Candidate, n: int) -> Checked:
    """What a judge's text says of ``n`` steps. Steps are read in order up to the first wrong one; a number that comes
    again, or out of order, is passed over."""
    found: list[float | None] = []
    critique = None
    for match in _LINE.finditer(said.text):
        if int(match[1]) != len(found) + 1 or len(found) == n:
            continue
        found.append(_probability(said, match.start(3), match[3].lower()))
        if found[-1] is not None and found[-1] < 0.5:
            critique = match[0].strip()
            break
    known = [step for step in found if step is not None]
    decided = critique is not None or (len(found) == n and len(known) == n)
    steps = (*found, *[None] * (n - len(found)))
    return Checked(min(known) if decided and known else None, steps, critique)


def _probability(said: Candidate, at: int, word: str) -> float | None:
    """How likely yes was where ``word`` begins in the text; by the word itself where no token begins there."""
    place = _token_at(said, at)
    if place is not None:
        found = verdict(said, _YES_NO, place)
        if found is not None and not found.sampled:
            return found.shares["yes"]
    return float(word == "yes")


def _token_at(said: Candidate, at: int) -> int | None:
    """The place of the token that holds a character of the text, where the tokens spell the text."""
    passed = 0
    for place, entry in enumerate(said.token_logprobs or ()):
        token = str(entry.get("token", ""))
        if not said.text.startswith(token, passed):
            return None
        passed += len(token)
        if passed > at:
            return place
    return None
