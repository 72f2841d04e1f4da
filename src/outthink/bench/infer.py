"""Which grader a row wants, where it does not say: by its fields, then by the look of its answer."""

from __future__ import annotations

import re
from collections.abc import Callable

from outthink.bench.questions import Fields, choices_of

_BY_TASK = {"dyck_languages": "tokens", "word_sorting": "tokens"}
_BY_KIND = {
    "number": "number",
    "expression": "math",
    "choice": "choice",
    "boolean": "boolean",
    "span": "span",
    "literal": "literal",
    "code": "tests",
}
_NUMBER = re.compile(r"\s*[-+]?\$?(?:\d+|\d{1,3}(?:,\d{3})+)(?:\.\d+)?(?:/\d+)?\s*%?\s*")
_LETTER = re.compile(r"\s*\(?[A-Z]\)?\s*")


def infer_grader(fields: Fields) -> str | None:
    """The grader of a row that names none, or None where nothing tells."""
    task, kind = fields.get("task"), fields.get("kind")
    if isinstance(kind, str) and kind in _BY_KIND:
        return _BY_KIND[kind]
    if isinstance(task, str) and task in _BY_TASK and "steps" not in fields:
        return _BY_TASK[task]
    for needed, grader in _BY_FIELDS:
        if all(name in fields for name in needed):
            return grader
    answer = str(fields.get("answer", ""))
    return next((grader for grader, fits in _BY_ANSWER if fits(answer, fields)), None)


_BY_FIELDS: tuple[tuple[tuple[str, ...], str], ...] = (
    (("tests",), "tests"),
    (("steps", "label"), "number"),
    (("output_1", "output_2"), "number"),
    (("code", "input"), "literal"),
    (("numbers",), "game24"),
    (("choices",), "choice"),
    (("contexts",), "span"),
    (("aliases",), "span"),
    (("level", "subject"), "math"),
)


def _is_number(answer: str, _: Fields) -> bool:
    return _NUMBER.fullmatch(answer) is not None


def _is_boolean(answer: str, _: Fields) -> bool:
    return answer.strip().lower() in ("yes", "no", "true", "false")


def _is_letter(answer: str, fields: Fields) -> bool:
    return _LETTER.fullmatch(answer) is not None and len(choices_of(fields)) > 1


_BY_ANSWER: tuple[tuple[str, Callable[[str, Fields], bool]], ...] = (
    ("number", _is_number),
    ("boolean", _is_boolean),
    ("choice", _is_letter),
)
