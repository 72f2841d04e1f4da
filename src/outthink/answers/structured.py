"""JSON and tool calls as answers, equal by structure.

The order of keys and the way a number or a string is written make no difference; the order of a list, and of
calls, does.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from typing import Any, cast

from outthink.answers.fences import between, blocks
from outthink.core.candidate import Answer
from outthink.core.problem import Message

LONGEST = 100_000
"""Characters of a structured answer."""
_CALL = re.compile(r"<(/?)tool_call>")
_STARTS = 40
"""Brackets at which JSON in prose is looked for, from the end."""


class _Number(str):
    """A JSON number in its canonical text."""


def json_answer(text: str) -> Answer | None:
    """A JSON document as an answer, None for what is not one."""
    try:
        form = _canonical(_loads(text))
    except (ValueError, RecursionError):
        return None
    return Answer(form, "json", form)


def find_json(text: str, closed: bool) -> Answer | None:
    """The JSON a text gives: all of it, else its last fenced block that is JSON, else its last object or array.

    ``closed``: the text was cut, and only a closed block counts.
    """
    if not closed and (answer := json_answer(text)):
        return answer
    for language, block in reversed(blocks(text[-LONGEST:])):
        if language.lower() in ("", "json", "json5", "jsonc") and (answer := json_answer(block)):
            return answer
    if closed:
        return None
    return next((answer for part in _bracketed(text) if (answer := json_answer(part))), None)


def tool_calls(message: Message | None, text: str) -> Answer | None:
    """The tool calls of a message (or, where a server left them in its text, of that) by names and arguments."""
    given: Sequence[dict[str, Any]] = (message or {}).get("tool_calls") or ()
    calls = [call.get("function") for call in given] or _written_calls(text)
    return _calls_answer(calls) if calls else None


def calls_answer(text: str) -> Answer | None:
    """Tool calls written as JSON (one, or a list) as an answer."""
    calls = _written_calls(text)
    return _calls_answer(calls) if calls else None


def _written_calls(text: str) -> list[Any]:
    parts = between(_CALL, text[-LONGEST:]) or [text]
    calls: list[Any] = []
    for part in parts:
        try:
            found = _loads(part)
        except (ValueError, RecursionError):
            return []
        calls.extend(found if isinstance(found, list) else [found])  # pyright: ignore[reportUnknownArgumentType]
    return calls


def _calls_answer(calls: list[Any]) -> Answer | None:
    forms: list[str] = []
    for call in calls:
        if not isinstance(call, dict) or not isinstance(call.get("name"), str) or not call["name"]:  # pyright: ignore
            return None
        known = cast(dict[str, Any], call)
        arguments: Any = known["arguments"] if "arguments" in known else known.get("parameters")
        try:
            if isinstance(arguments, str) and not isinstance(arguments, _Number):
                arguments = _loads(arguments) if arguments.strip() else {}
            form = _canonical({} if arguments is None else arguments)
        except (ValueError, RecursionError):
            return None
        forms.append(f'{{"arguments":{form},"name":{json.dumps(call["name"], ensure_ascii=False)}}}')
    form = "[" + ",".join(forms) + "]"
    return Answer(form, "tool_call", form)


def _loads(text: str) -> Any:
    """JSON with its numbers kept exactly. Raises ValueError, RecursionError."""
    text = text.strip()
    if len(text) > LONGEST:
        raise ValueError("too long")
    return json.loads(text, parse_int=_number, parse_float=_number, parse_constant=_refuse)


def _refuse(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def _number(text: str) -> _Number:
    """A number's canonical text, by its value: ``1.0``, ``1e0`` and ``1`` are one."""
    mantissa, _, exponent = text.lower().partition("e")
    whole, _, decimals = mantissa.lstrip("-").partition(".")
    if len(exponent) > 9:
        raise ValueError("too large an exponent")
    digits = (whole + decimals).lstrip("0")
    power = int(exponent or "0") - len(decimals) + len(digits) - len(digits.rstrip("0"))
    digits = digits.rstrip("0")
    if not digits:
        return _Number("0")
    sign = "-" if mantissa.startswith("-") else ""
    if 0 <= power <= 20:
        return _Number(sign + digits + "0" * power)
    if -20 <= power < 0:
        digits = digits.rjust(1 - power, "0")
        return _Number(f"{sign}{digits[:power]}.{digits[power:]}")
    return _Number(f"{sign}{digits}e{power}")


def _canonical(value: Any) -> str:
    """JSON text with sorted keys and canonical numbers; a nested ``_Number`` or a plain Python number."""
    if isinstance(value, _Number):
        return str(value)
    if isinstance(value, dict):
        items: list[tuple[Any, Any]] = sorted(value.items())  # pyright: ignore
        return "{" + ",".join(f"{json.dumps(key, ensure_ascii=False)}:{_canonical(held)}" for key, held in items) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(_canonical, value)) + "]"  # pyright: ignore[reportUnknownArgumentType]
    if isinstance(value, int | float) and not isinstance(value, bool):
        return _number(repr(value))
    return json.dumps(value, ensure_ascii=False)


def _bracketed(text: str) -> Iterator[str]:
    """Parts of a text from a bracket to its partner, the last and widest first."""
    text, end = text[-LONGEST:], len(text)
    for _ in range(_STARTS):
        close = max(text.rfind("}", 0, end), text.rfind("]", 0, end))
        if close < 0:
            return
        start = _partner(text, close)
        if start is not None:
            yield text[start : close + 1]
        end = start if start is not None else close


def _partner(text: str, close: int) -> int | None:
    """Where the bracket at ``close`` opens, counting brackets of its kind outside strings."""
    opening, closing, depth, quoted = ("{", "}", 0, False) if text[close] == "}" else ("[", "]", 0, False)
    for place in range(close, -1, -1):
        char = text[place]
        if char == '"':
            quoted ^= not _escaped(text, place)
        elif not quoted:
            depth += (char == closing) - (char == opening)
            if depth == 0:
                return place
    return None


def _escaped(text: str, place: int) -> bool:
    """Whether an odd number of backslashes stands before a place."""
    start = place
    while start and text[start - 1] == "\\":
        start -= 1
    return (place - start) % 2 == 1
