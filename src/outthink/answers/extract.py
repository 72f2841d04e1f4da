"""Where the answer stands in a text: a box, a final-answer marker, or what the kind allows at the end."""

from __future__ import annotations

import re
from collections.abc import Sequence

from outthink.answers.canonical import LONGEST as LONGEST_ANSWER
from outthink.answers.canonical import bare, canonical
from outthink.answers.numbers import numbers_in
from outthink.answers.programs import find_code
from outthink.answers.python import find_literal
from outthink.answers.structured import find_json, tool_calls
from outthink.core.candidate import Answer
from outthink.core.problem import AnswerKind, Message

_MARKER = re.compile(
    r"(?:final answer|answer|result)\**\s*(?:\([^()\n]{0,40}\)\s*)?(?:is\s*:?|:|=)\**\s*|^####\s*",
    re.IGNORECASE | re.MULTILINE,
)
_BOX = re.compile(r"\\f?boxed?\s*\{|\\boxed\s*\{")
_SENTENCE_END = re.compile(r"(?<=[^\d\s])\.(?=\s+[A-Z])|(?<=\d)\.(?=\s+[A-Z])")
_NO_ANSWER = re.compile(r"\b(?:cannot|can't|can not|not enough|unknown|undetermined|impossible|none)\b", re.IGNORECASE)
_FORMULA = re.compile(
    r"\\(?!text|\$|%|[,!;: ]|mbox|boxed)[A-Za-z{(\[]|[\^√π²³]|\d[a-z]\b|[a-z]\s?[-+*/=]\s?\S|^\W*[(\[{].*,.*[)\]}]"
)
_SET_APART = re.compile(r"(?<!\\)\$([^$\n]{1,1000})\$|\\\((.{1,1000}?)\\\)|\\\[(.{1,1000}?)\\\]")
_BOXES = 50
LONGEST = 200_000
"""Characters of a text that are looked at, from its end."""


def extract(
    text: str, kind: AnswerKind, choices: Sequence[str] = (), *, marked: bool = False, message: Message | None = None
) -> Answer | None:
    """The answer a text gives, None when it gives none. Never raises.

    The last ``\\boxed{}``, else the last final-answer marker, else (unless ``marked``, for text that was cut
    short) what the kind allows at the end. ``auto`` reads boxes and markers only and finds the kind itself. JSON
    and code are a fenced block, or stand alone; tool calls are those of the ``message``.
    """
    if kind == "text":
        return None
    if kind in ("json", "code", "tool_call"):
        return _structured(text, kind, marked, message)
    text = text[-LONGEST:]
    if kind == "literal":
        return find_literal(_boxed(text), _tail(text), text, marked)
    for found in (_boxed(text), _behind_marker(text)):
        if found is not None:
            answer = _auto(found) if kind == "auto" else _read(found, kind, choices)
            if answer is not None or _settles(found):
                return answer
    return None if marked or kind == "auto" else _at_end(text, kind, choices)


def _structured(text: str, kind: AnswerKind, marked: bool, message: Message | None) -> Answer | None:
    if kind == "tool_call":
        return None if marked else tool_calls(message, text)
    return find_json(text, marked) if kind == "json" else find_code(text, marked)


def _read(found: str, kind: AnswerKind, choices: Sequence[str]) -> Answer | None:
    return canonical(_formula_in(found) if kind == "expression" else found, kind, choices)


def _formula_in(found: str) -> str:
    """The formula a sentence gives where it sets exactly one apart (``$x^2$, because ...``), else the sentence."""
    parts = _SET_APART.findall(found)
    if len(parts) != 1:
        return found
    match = _SET_APART.search(found)
    rest = found[match.end() :] if match else ""
    return found if re.fullmatch(r"\s*[A-Za-z]*[\s.*]*", rest) else next(part for part in parts[0] if part)


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
        for place in range(match.end(), min(len(text), match.end() + LONGEST_ANSWER)):
            depth += {"{": 1, "}": -1}.get(text[place], 0)
            if depth == 0:
                return text[match.end() : place]
    return None


def _tail(text: str) -> str | None:
    """What follows the last marker."""
    last = None
    for match in _MARKER.finditer(text):
        last = match
    return None if last is None else text[last.end() :]


def _behind_marker(text: str) -> str | None:
    """What follows the last marker, to the end of its sentence; the next line where its own is empty."""
    tail = _tail(text)
    if tail is None:
        return None
    lines = [line.strip() for line in tail.split("\n")]
    line = next((line for line in lines if line.strip("*\\[($ ")), "")
    return _SENTENCE_END.split(line[: LONGEST_ANSWER + 1])[0]


def _auto(found: str) -> Answer | None:
    """An answer of whatever kind it looks like; None for anything long."""
    text = bare(found).strip().rstrip(".")
    if _FORMULA.search(found):
        answer = canonical(_formula_in(found), "expression")
        if answer is not None and answer.key[0] not in "?~w":
            return canonical(answer.text, "number") if answer.key == answer.text else answer
    if len(text.split()) > 6:
        return None
    if re.fullmatch(r"\(?[A-Z]\)", text):
        return canonical(text, "choice")
    if text.lower() in ("yes", "no", "true", "false"):
        return canonical(text, "boolean")
    if len(numbers_in(found)) == 1 and not re.search(r"[a-z]{3,}.*[a-z]{3,}", text, re.IGNORECASE):
        return canonical(found, "number")
    return canonical(text, "span")


def _end(text: str) -> str:
    """The last words of a text, none of them cut."""
    return text if len(text) <= LONGEST_ANSWER else re.sub(r"^\S*", "", text[-LONGEST_ANSWER:])


def _at_end(text: str, kind: AnswerKind, choices: Sequence[str]) -> Answer | None:
    lines = [line for line in text.strip().split("\n") if line.strip()]
    if not lines:
        return None
    last = lines[-1]
    if kind == "number":
        found = numbers_in(_end(last)) or numbers_in(_end(text))
        return canonical(found[-1], "number") if found else None
    if kind == "choice":
        last = last.replace(_boxed(last) or "\0", "")  # which has been read, and is no choice
        lone = re.findall(r"\(([A-Z])\)", last) or re.findall(r"\b([A-Z])\b(?=[.)]?\W*$)", last)
        return canonical(f"({lone[-1]})" if lone else last, "choice", choices)
    if kind == "boolean":
        return canonical(last, "boolean") or canonical(lines[0], "boolean")
    if kind == "expression" and (parts := _SET_APART.findall(last)):
        return canonical(next(part for part in parts[-1] if part), kind)
    short = len(last.split()) <= 12 and len(lines) == 1
    return canonical(last, kind, choices) if short else None
