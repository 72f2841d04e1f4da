"""Data sets from wherever they are: JSON lines, reasoning-gym tasks, the hub. One row in, one `Row` out.

A JSON row has ``question`` (or chat ``messages``) and ``answer``, and may have ``id``, ``grader``, ``choices``,
``tests`` (with ``test_imports``), ``context`` or ``contexts``, ``aliases`` and ``cluster``; all others are kept as
extras. Where ``grader`` is missing it is read off the row.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, cast

import msgspec

from outthink.answers import canonical
from outthink.bench.gym import gym_rows
from outthink.bench.hub import HUB, hub_fields
from outthink.bench.infer import infer_grader
from outthink.bench.questions import Contexts, Fields, choices_of, paragraphs_of, public_test, question_of
from outthink.bench.rows import (
    GYM,
    KIND_OF_GRADER,
    LISTED,
    NONE,
    WITHOUT_GOLD,
    DataSet,
    Row,
    check_grader,
    content_fingerprint,
    without_repeats,
)
from outthink.core.errors import InputError
from outthink.core.problem import ANSWER_KINDS, Message, Problem

_OWN = {"id", "question", "messages", "answer", "kind", "answer_kind", "grader", "choices", "cluster"}
_OWN_LARGE = {"tests", "test_imports", "context", "contexts", "samples"}


def load(
    source: str | os.PathLike[str],
    *,
    grader: str | None = None,
    contexts: Contexts = "inline",
    graded: bool = True,
) -> DataSet:
    """A data set by the path of a JSON lines file, ``reasoning-gym:TASK?size=…&seed=…`` or ``hub:OWNER/NAME?…``.

    ``grader`` is used for rows that name none; a row that still has none, or no answer, is an error unless ``graded``
    is false: then its grader is ``none``. Raises `InputError` naming the file, the line and the remedy.
    """
    if grader is not None:
        check_grader(grader)
    source = os.fspath(source)
    read = partial(row_of, grader=grader, contexts=contexts, graded=graded)
    if source.startswith(GYM):
        rows = without_repeats(gym_rows(source), source)
        return DataSet(source, rows, content_fingerprint(rows))
    if source.startswith(HUB):
        rows = _rows(hub_fields(source), source, "row", read)
        return DataSet(source, rows, content_fingerprint(rows))
    try:
        data = Path(source).read_bytes()
    except OSError as error:
        raise InputError(f"cannot read {source}: {error.strerror}; give the path of a JSON lines file") from error
    rows = _rows(_lines(data, source), source, "line", read)
    return DataSet(source, rows, hashlib.sha256(data).hexdigest())


def _lines(data: bytes, source: str) -> Iterator[tuple[int, Fields]]:
    """The objects of JSON lines with their line numbers; blank lines are skipped."""
    lines = data.removeprefix(b"\xef\xbb\xbf").split(b"\n")
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            fields: object = msgspec.json.decode(line)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            last = number == len(lines)  # no newline follows: the writer was stopped
            remedy = "the file ends in the middle of this row; finish or remove it" if last else "correct this row"
            raise InputError(f"{source} line {number} is not JSON ({error}); {remedy}") from error
        if not isinstance(fields, dict):
            raise InputError(f'{source} line {number} is not an object; give each row as {{"question": …}}')
        yield number, cast(Fields, fields)


def _rows(
    numbered: Iterator[tuple[int, Fields]], source: str, unit: str, read: Callable[[Fields, str], Row]
) -> tuple[Row, ...]:
    """Rows of numbered fields. Ids are all given or all made from the questions."""
    rows: list[Row] = []
    places: dict[str, int] = {}
    named: bool | None = None
    for number, fields in numbered:
        where = f"{source} {unit} {number}"
        has_id = fields.get("id") is not None
        named = has_id if named is None else named
        if named != has_id:
            missing = "has no id though others have" if named else "has an id though others have none"
            raise InputError(f"{where} {missing}; give every row an id, or none")
        row = read(fields, where)
        if row.id in places:
            again = f"id {row.id!r} was used by {unit} {places[row.id]}"
            raise InputError(f"{where}: {again}; " + ("make ids differ" if named else "remove the repeated question"))
        places[row.id] = number
        rows.append(row)
    return without_repeats(rows, source)


def row_of(
    fields: Fields,
    where: str = "the row",
    *,
    grader: str | None = None,
    contexts: Contexts = "inline",
    graded: bool = True,
) -> Row:
    """One row from its fields. ``where`` begins the message of the `InputError` that a bad row raises."""
    if (kind := fields.get("kind") or fields.get("answer_kind") or "auto") not in ANSWER_KINDS:
        raise InputError(f"{where}: answer kind {kind!r} does not exist; use {', '.join(ANSWER_KINDS)}")
    name = _grader_of(fields, grader, where, graded)
    messages = _messages(fields, name, where, contexts)
    tests = _texts(fields, "tests", where)
    given = fields.get("id")
    identity = _identity(messages) if given is None or given == "" else str(given)
    row = Row(
        id=identity,
        problem=Problem(
            id=identity,
            messages=messages,
            answer_kind=KIND_OF_GRADER.get(name) or (kind if name in (LISTED, NONE) or kind != "auto" else "literal"),
            choices=choices_of(fields) if name == "choice" else (),
            context=paragraphs_of(fields) if contexts == "apart" else (),
            tests=public_test(fields) if name == "tests" else None,
        ),
        answer=_gold(fields, name, where),
        grader=name,
        tests=(*_texts(fields, "test_imports", where), *tests) if tests else (),
        cluster=str(fields.get("cluster") or identity),
        extras={key: value for key, value in fields.items() if key not in _OWN | _OWN_LARGE},
    )
    _check(row, where)
    return row


def _grader_of(fields: Fields, grader: str | None, where: str, graded: bool) -> str:
    name = fields.get("grader") or grader or infer_grader(fields)
    if not graded and (name is None or (fields.get("answer") is None and name not in WITHOUT_GOLD)):
        return NONE
    if name is None:
        known = ", ".join(KIND_OF_GRADER)
        raise InputError(f'{where}: nothing tells how to compare the answer; give "grader" or --grader one of {known}')
    try:
        return check_grader(str(name))
    except InputError as error:
        raise InputError(f"{where}: {error}") from error


def _messages(fields: Fields, grader: str, where: str, contexts: Contexts) -> tuple[Message, ...]:
    if "messages" in fields:
        given: object = fields["messages"]
        if not isinstance(given, list) or not all(isinstance(one, dict) for one in cast(list[object], given)):
            raise InputError(f'{where}: "messages" takes a list of chat messages with role and content')
        return tuple(cast(list[Message], given))
    if not str(fields.get("question") or fields.get("numbers") or "").strip():
        raise InputError(f'{where} has no "question"; give its text')
    try:
        text = question_of(fields, grader, contexts)
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"{where}: its fields make no question ({error!r}); correct them") from error
    return ({"role": "user", "content": text},)


def _identity(messages: tuple[Message, ...]) -> str:
    """An id that stays with a question wherever its row stands."""
    return "q-" + hashlib.sha256(msgspec.json.encode(messages, order="sorted")).hexdigest()[:16]


def _gold(fields: Fields, grader: str, where: str) -> str:
    """The gold answer as text; optional where tests or numbers decide. A whole number for a choice counts from 0."""
    gold: Any = fields.get("answer")
    if grader == "choice" and type(gold) is int and 0 <= gold < len(choices_of(fields)):
        return choices_of(fields)[gold][1]
    if gold in (None, "") and grader in WITHOUT_GOLD:
        return ""
    if gold is None or not str(gold).strip():
        raise InputError(f'{where} has no "answer"; give the right answer, or remove the row')
    return str(gold)


def _texts(fields: Fields, name: str, where: str) -> tuple[str, ...]:
    """A field that holds a text or a list of texts."""
    given: object = fields.get(name) or ()
    if isinstance(given, str):
        return (given,)
    texts = cast(list[object], given) if isinstance(given, list | tuple) else [None]
    if not all(isinstance(one, str) for one in texts):
        raise InputError(f'{where}: "{name}" takes a text or a list of texts')
    return tuple(cast(list[str], texts))


def _check(row: Row, where: str) -> None:
    """Raises `InputError` for a row that no answer could get right."""
    if not row.problem.question.strip():
        raise InputError(f"{where}: no user message has text; give the question")
    if row.grader == "tests" and not row.tests:
        raise InputError(f'{where}: the grader tests needs "tests", a list of Python statements')
    if row.grader == LISTED and not isinstance(row.extras.get("right"), list):
        raise InputError(f'{where}: the grader listed needs "right", the marks of right texts')
    if row.grader == "game24" and not _is_numbers(row.extras.get("numbers")):
        raise InputError(f'{where}: the grader game24 needs "numbers", a list of whole numbers')
    if row.grader in ("number", "choice", "boolean") and canonical(row.answer, row.kind, row.problem.choices) is None:
        remedy = "correct it, or give another grader"
        raise InputError(f"{where}: the answer {row.answer[:60]!r} is not a {row.kind}; {remedy}")


def _is_numbers(given: object) -> bool:
    numbers = cast(list[object], given) if isinstance(given, list) else []
    return bool(numbers) and all(type(one) is int for one in numbers)
