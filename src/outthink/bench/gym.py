"""Questions that reasoning-gym generates, and its own scorers, as far as these are safe.

Some of its scorers run what a model wrote as Python (``eval``, ``sympy.parse_expr``). Those are never called on an
answer: arithmetic puzzles are checked by `outthink.bench.arithmetic`, exact ones by equality, the rest is refused.
Library: https://github.com/open-thought/reasoning-gym (extra ``gym``; one of its dependencies is compiled).
"""

from __future__ import annotations

import difflib
import importlib
import inspect
import re
import sys
from collections.abc import Mapping
from functools import lru_cache
from typing import Any
from urllib.parse import parse_qsl

from outthink.answers import canonical
from outthink.bench.arithmetic import reaches
from outthink.bench.rows import GYM, Row
from outthink.core.errors import InputError, UnknownName, Unsupported
from outthink.core.problem import Problem

_RUNS_TEXT = re.compile(r"\b(?:eval|exec|parse_expr|sympify)\(")
_ARITHMETIC = {"countdown", "puzzle24"}
_EXACT = {"binary_matrix", "n_queens", "spiral_matrix", "string_insertion"}
_READ = {"bitwise_arithmetic", "codeio", "number_sorting", "propositional_logic"}
"""Scorers that run the puzzle's own text, never the answer's: safe where the puzzle was generated here."""

_LONGEST = 4000
_MISJUDGED = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    MemoryError,
    RecursionError,
    SyntaxError,
    TypeError,
    ValueError,
)
"""What scorers raise on answers they cannot read."""


def gym_rows(spec: str) -> tuple[Row, ...]:
    """The rows of ``reasoning-gym:TASK?size=…&seed=…`` (100 questions from seed 0 unless said otherwise).

    Other options are the task's own. Raises `InputError` where the library is missing or refuses them, `UnknownName`
    for a task that does not exist, `Unsupported` for one whose scorer would run the answer as code.
    """
    task, options = _parsed(spec)
    _check_safe(task, generated=True)
    entries = [_entry(spec, index) for index in range(len(_dataset(spec)))]
    numbers = all(_is_number(_gold(entry)) for entry in entries)
    return tuple(
        Row(
            id=(identity := f"{task}-{options['seed']}-{index}"),
            problem=Problem(
                id=identity,
                messages=({"role": "user", "content": entry["question"]},),
                answer_kind="number" if numbers else "literal",
            ),
            answer=_gold(entry),
            grader=f"{GYM}{task}",
            cluster=identity,
            extras={"spec": spec, "index": index, "difficulty": entry["metadata"].get("difficulty")},
        )
        for index, entry in enumerate(entries)
    )


def score(row: Row, answer: str) -> float:
    """1.0 for an answer that the task's own scorer holds wholly right, else 0.0."""
    answer = answer.strip()
    if not answer or len(answer) > _LONGEST:
        return 0.0
    task = row.grader.removeprefix(GYM)
    spec, index = row.extras.get("spec"), row.extras.get("index")
    if isinstance(spec, str) and isinstance(index, int):
        _check_safe(task, generated=True)
        return float(_same_number(row, answer) or _right(task, spec, _entry(spec, index), answer))
    _check_safe(task, generated=False)
    metadata: Any = row.extras.get("metadata") or {}
    entry = {"question": row.problem.question, "answer": row.answer, "metadata": metadata}
    return float(_right(task, f"{GYM}{task}?size=1", entry, answer))


def _same_number(row: Row, answer: str) -> bool:
    found = canonical(answer, "number") if row.kind == "number" else None
    gold = canonical(row.answer, "number")
    return found is not None and gold is not None and found.key == gold.key


def _right(task: str, spec: str, entry: Mapping[str, Any], answer: str) -> bool:
    if answer == _gold(entry).strip():
        return True
    if task in _ARITHMETIC:
        numbers, target = entry["metadata"].get("numbers") or (), entry["metadata"].get("target", 24)
        return reaches(answer, [int(number) for number in numbers], int(target))
    if task in _EXACT:
        return answer in entry["metadata"].get("valid_answers", ())
    try:
        return bool(_dataset(spec).score_answer(answer, entry) >= 1 - 1e-9)
    except _MISJUDGED:
        return False


def _gold(entry: Mapping[str, Any]) -> str:
    """The task's own answer; nothing where several are right and only its scorer can tell."""
    return str(entry["answer"] or "")


def _is_number(answer: str) -> bool:
    return re.fullmatch(r"\s*-?(?:0|[1-9]\d*)(?:\.\d+)?(?:/\d+)?\s*", answer) is not None


def _parsed(spec: str) -> tuple[str, dict[str, Any]]:
    task, _, query = spec.removeprefix(GYM).partition("?")
    return task, {"size": 100, "seed": 0} | {key: _value(text) for key, text in parse_qsl(query)}


def _value(text: str) -> int | float | bool | str:
    if text.lower() in ("true", "false"):
        return text.lower() == "true"
    for number in (int, float):
        try:
            return number(text)
        except ValueError:
            continue
    return text


def _library() -> Any:
    try:
        return importlib.import_module("reasoning_gym")
    except ImportError as error:
        raise InputError("reasoning-gym is not installed; run: pip install 'outthink[gym]'") from error


def _scorer(task: str) -> type:
    """The class whose scorer a task uses."""
    _library()
    known: dict[str, tuple[type, type]] = importlib.import_module("reasoning_gym.factory").DATASETS
    if task not in known:
        near = difflib.get_close_matches(task, known, n=3) or sorted(known)
        raise UnknownName(f"reasoning-gym has no task {task!r}; it has {', '.join(near)}", sorted(known))
    return next(one for one in known[task][0].__mro__ if "score_answer" in vars(one))


@lru_cache(maxsize=256)
def _check_safe(task: str, *, generated: bool) -> None:
    source = inspect.getsource(sys.modules[_scorer(task).__module__])
    safe = task in _ARITHMETIC or task in _EXACT or (generated and task in _READ)
    if not safe and _RUNS_TEXT.search(source):
        raise Unsupported(f"the scorer of {GYM}{task} would run answers as code; choose another task")


@lru_cache(maxsize=16)
def _dataset(spec: str) -> Any:
    task, options = _parsed(spec)
    _scorer(task)
    try:
        return _library().create_dataset(task, **options)
    except (AssertionError, TypeError, ValueError) as error:
        raise InputError(f"{spec}: reasoning-gym refuses these options ({error}); correct them") from error


@lru_cache(maxsize=4096)
def _entry(spec: str, index: int) -> dict[str, Any]:
    return _dataset(spec)[index]
