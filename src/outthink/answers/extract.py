"""Where the answer stands in a text: a box, a final-answer marker, or what the kind allows at the end."""

from __future__ import annotations

import re
from collections.abc import Sequence

from outthink.answers.canonical import bare, canonical
from outthink.answers.numbers import numbers_in
from outthink.core.candidate import Answer
from outthink.core.problem import AnswerKind

_MARKER = re.compile(
    r"(?:final answer|answer|result)\**\s*(?:\([^()\n]{0,40}\)\s*)?(?:is\s*:?|:|=)\**\s*|^####\s*",
    re.IGNORECASE | re.MULTILINE,
)
_BOX = re.compile(r"\\f?boxed?\s*\{|\\boxed\s*\{")
_SENTENCE_END = re.compile(r"(?<=[^\d\s])\.(?=\s+[A-Z])|(?<=\d)\.(?=\s+[A-Z])")
_NO_ANSWER = re.compile(r"\b(?:cannot|can't|can not|not enough|unknown|undetermined|impossible|none)\b", re.IGNORECASE)
_BOXES = 50
LONGEST = 200_000
"""Characters of a text that are looked at, from its end."""


def extract(text: str, kind: AnswerKind, choices: Sequence[str] = (), *, marked: bool = False) -> Answer | None:
    """The answer a text gives, None when it gives none.

    The last ``\\boxed{}``, else the last final-answer marker, else (unless ``marked``, for text that was cut
    short) what the kind allows at the end. ``auto`` reads boxes and markers only and finds the kind itself.
    """
    if kind in ("text", "code", "json", "tool_call"):
        return None
    text = text[-LONGEST:]
    for found in (_boxed(text), _behind_marker(text)):
        if found is not None:
            answer = _auto(found) if kind == "auto" else canonical(found, kind, choices)
            if answer is not None or _settles(found):
                return answer
    return None if marked or kind == "auto" else _at_end(text, kind, choices)


def _settles(found: str) -> bool:
    """Whether a marker's words say that there is no answer, or none to choose: then nothing else is read."""
    return bool(_NO_ANSWER.search(found)) or len(numbers_in(found)) > 1


def stated(text: str) -> str | None:
    """What stands in the last box, else behind the last final-answer marker, as it is written."""
    text = text[-LONGEST:]
    boxed = _boxed(text)
    return _behind_marker(text) if boxed is None else boxed


def _boxed(text: str) -> str | None:
    """What is inside the last box with balanced braces."""
    if "box" not in text:
        return None
    for match in reversed(list(_BOX.finditer(text))[-_BOXES:]):
        depth = 1
        for place in range(match.end(), min(len(text), match.end() + 2000)):
            depth += {"{": 1, "}": -1}.get(text[place], 0)
            if depth == 0:
                return text[match.end() : place]
    return None


def _behind_marker(text: str) -> str | None:
    """What follows the last marker, to the end of its sentence; the next line where its own is empty."""
    last = None
    for match in _MARKER.finditer(text):
        last = match
    if last is None:
        return None
    lines = [line.strip() for line in text[last.end() : last.end() + 2000].split("\n")]
    line = next((line for line in lines if line.strip("*\\[($ ")), "")
    return _SENTENCE_END.split(line)[0]


def _auto(found: str) -> Answer | None:
    """An answer of whatever kind it looks like; None for anything long."""
    text = bare(found).strip().rstrip(".")
    if len(text.split()) > 6:
        return None
    if re.fullmatch(r"\(?[A-Z]\)", text):
        return canonical(text, "choice")
    if text.lower() in ("yes", "no", "true", "false"):
        return canonical(text, "boolean")
    if len(numbers_in(found)) == 1 and not re.search(r"[a-z]{3,}.*[a-z]{3,}", text, re.IGNORECASE):
        return canonical(found, "number")
    return canonical(text, "span")


def _at_end(text: str, kind: AnswerKind, choices: Sequence[str]) -> Answer | None:
    lines = [line for line in text.strip().split("\n") if line.strip()]
    if not lines:
        return None
    last = lines[-1]
    if kind == "number":
        found = numbers_in(last[-2000:]) or numbers_in(text[-2000:])
        return canonical(found[-1], "number") if found else None
    if kind == "choice":
        lone = re.findall(r"\(([A-Z])\)", last) or re.findall(r"\b([A-Z])\b(?=[.)]?\W*$)", last)
        return canonical(f"({lone[-1]})" if lone else last, "choice", choices)
    if kind == "boolean":
        return canonical(last, "boolean") or canonical(lines[0], "boolean")
    short = len(last.split()) <= 12 and len(lines) == 1
    return canonical(last, kind, choices) if short else None
