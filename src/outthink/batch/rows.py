"""From a line of JSON to a problem; what is wrong with a line is said with its number."""

from __future__ import annotations

from typing import Any, cast

import msgspec

from outthink.batch.files import LONGEST, Line
from outthink.core.errors import BadProblem
from outthink.core.problem import AnswerKind, Message, Problem

_decode = msgspec.json.Decoder().decode


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """A row of the input: a problem, or the ``error`` it makes. ``id``: as it came, else the line's number as text."""

    id: str | int
    line: int
    size: int = 0
    problem: Problem | None = None
    error: BadProblem | None = None
    fields: dict[str, Any] = {}


class _Limits(msgspec.Struct):
    """The parameters that the engine itself reads; the others are the server's to judge."""

    max_tokens: int | None = None
    max_completion_tokens: int | None = None
    seed: int | None = None
    stop: str | list[str] | None = None


class _Fields(msgspec.Struct, kw_only=True):
    """What a row may hold, by type; other fields are nobody's business here."""

    id: str | int | None = None
    question: str | None = None
    messages: list[dict[str, Any]] | None = None
    answer_kind: AnswerKind | None = None
    kind: AnswerKind | None = None
    choices: tuple[str, ...] = ()
    context: str | tuple[str, ...] = ()
    tools: tuple[dict[str, Any], ...] = ()
    params: dict[str, Any] = {}


class _Message(msgspec.Struct):
    """The parts of a message that are read here; it is kept as it came."""

    role: str
    content: str | list[dict[str, Any]] | None = None


def read_row(line: Line, kind: AnswerKind = "auto") -> Row | None:
    """A line as a row, None for a blank one. ``kind``: the kind of answer where the row names none. Never raises."""
    if line.text is not None and not line.text.strip():
        return None
    known: str | int = str(line.number)
    fields: dict[str, Any] = {}
    try:
        fields = _object(line)
        if isinstance(fields.get("id"), (str, int)) and not isinstance(fields["id"], bool):
            known = fields["id"]
        problem = problem_of(fields, str(known), kind)
    except (BadProblem, msgspec.ValidationError) as error:
        told = BadProblem(f"line {line.number}: {error}")
        return Row(id=known, line=line.number, size=line.size, error=told, fields=fields)
    return Row(id=known, line=line.number, size=line.size, problem=problem, fields=fields)


def _object(line: Line) -> dict[str, Any]:
    if line.text is None:
        raise BadProblem(f"it is longer than {LONGEST >> 20} MiB; shorten it")
    try:
        found = _decode(line.text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadProblem(f"it is not JSON ({error}); write one object a line") from error
    if not isinstance(found, dict):
        raise BadProblem('it is not an object; write a row as {"question": …}')
    return cast("dict[str, Any]", found)


def problem_of(fields: dict[str, Any], name: str, kind: AnswerKind) -> Problem:
    """The problem that a row's fields make. Raises `BadProblem`, or msgspec's error naming the field."""
    row = msgspec.convert(fields, _Fields)
    if row.params:
        msgspec.convert(row.params, _Limits)
    if (row.question is None) == (row.messages is None):
        raise BadProblem("it needs a question or messages, one of them")
    messages: list[Message] = row.messages or [{"role": "user", "content": row.question}]
    if row.messages:
        msgspec.convert(row.messages, list[_Message])
    passages = (row.context,) if isinstance(row.context, str) else row.context
    return Problem.of(
        Problem(
            messages=tuple(_with_context(messages, passages)),
            id=name,
            answer_kind=row.answer_kind or row.kind or kind,
            choices=row.choices,
            tools=row.tools,
            params=row.params,
        )
    )


def _with_context(messages: list[Message], passages: tuple[str, ...]) -> list[Message]:
    """The passages before the text of the last message."""
    if not passages:
        return messages
    before, last = "\n\n".join(passages), messages[-1]
    content: Any = last.get("content")
    if isinstance(content, list):
        told: Any = [{"type": "text", "text": before}, *cast("list[Any]", content)]
    else:
        told = f"{before}\n\n{content or ''}"
    return [*messages[:-1], {**last, "content": told}]
