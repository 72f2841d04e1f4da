"""One question of a data set: what is asked, apart from what is right."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import msgspec

from outthink.core.errors import InputError, UnknownName
from outthink.core.problem import AnswerKind, Problem

KIND_OF_GRADER: dict[str, AnswerKind] = {
    "math": "expression",
    "number": "number",
    "choice": "choice",
    "boolean": "boolean",
    "span": "span",
    "literal": "literal",
    "tokens": "literal",
    "tests": "code",
    "game24": "literal",
}
"""The graders, and the kind of answer each reads. ``tokens`` compares lists of words, or of brackets."""

NONE = "none"
"""The grader of a row that only samples are wanted of: nothing tells what is right."""

LISTED = "listed"
"""The grader of a row that lists the texts that are right (`text_mark`), for pools that hold no data but their own."""

WITHOUT_GOLD = ("tests", "game24", LISTED, NONE)
"""Graders that need no gold answer."""

GYM = "reasoning-gym:"
"""What the name of a reasoning-gym grader or data set starts with."""


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """A question, its gold answer, and how the two are compared.

    ``problem`` is all that a strategy sees and never holds the gold ``answer``. ``tests``: Python statements run in
    order after a program, all of which must pass. ``cluster``: questions that share one are not independent
    (statistics resample them together); its own id for a question that stands alone. ``extras``: the row's other
    fields (level, task, aliases, numbers, …).
    """

    id: str
    problem: Problem
    answer: str
    grader: str
    tests: tuple[str, ...] = ()
    cluster: str
    extras: dict[str, Any] = {}

    @property
    def kind(self) -> AnswerKind:
        """What kind of answer is asked for."""
        return self.problem.answer_kind


class DataSet(msgspec.Struct, frozen=True):
    """The rows of one source. ``path`` is the source as it was named; ``fingerprint`` the SHA-256 of its bytes
    (of its questions and answers, where it is not a file)."""

    path: str
    rows: tuple[Row, ...]
    fingerprint: str


def check_grader(name: str) -> str:
    """The name of a grader that exists; raises `UnknownName` for others."""
    if name in KIND_OF_GRADER or name == LISTED or (name.startswith(GYM) and name != GYM):
        return name
    known = (*KIND_OF_GRADER, f"{GYM}TASK")
    raise UnknownName(f"grader {name!r} does not exist; use {', '.join(known)}", known)


def text_mark(text: str) -> str:
    """What stands for a text in a list of right ones: 16 hex digits."""
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


def content_fingerprint(rows: Sequence[Row]) -> str:
    """SHA-256 over the rows' ids, messages and answers, in order."""
    digest = hashlib.sha256()
    for row in rows:
        digest.update(msgspec.json.encode([row.id, row.problem.messages, row.answer], order="sorted"))
    return digest.hexdigest()


def without_repeats(rows: Sequence[Row], source: str) -> tuple[Row, ...]:
    """The rows as they are; raises `InputError` when two share an id or there is none."""
    if not rows:
        raise InputError(f"{source} has no rows; give it at least one question")
    seen: dict[str, int] = {}
    for place, row in enumerate(rows, start=1):
        if row.id in seen:
            raise InputError(f"{source} row {place}: id {row.id!r} was used by row {seen[row.id]}; make ids differ")
        seen[row.id] = place
    return tuple(rows)
