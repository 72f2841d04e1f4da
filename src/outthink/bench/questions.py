"""What is asked: the text of a question, made from a row's fields, in this one place.

Nothing here reads the gold answer. Instructions on how to think belong to strategies; only what a row cannot be
answered without stands here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

Fields = Mapping[str, Any]
Contexts = Literal["inline", "apart"]
"""Paragraphs go into the question's text, or only into `Problem.context`."""

_LABEL = re.compile(r"^\(?([A-Z])[).:]\s*")
_OPTION = re.compile(r"^\s*(\([A-Z]\) \S.*?)\s*$", re.MULTILINE)


def question_of(fields: Fields, grader: str, contexts: Contexts = "inline") -> str:
    """The text of the question in a row's fields. ``grader`` says which form of answer it must ask for."""
    for name, needed, wording in _WORDINGS:
        if name == grader and all(field in fields for field in needed):
            return wording(fields)
    question = str(fields["question"])
    choices = choices_of(fields)
    if choices and not all(choice in question for choice in choices):
        return "\n".join((question, *choices))
    paragraphs = paragraphs_of(fields)
    if paragraphs and contexts == "inline":
        return "\n\n".join((*paragraphs, f"Question: {question}"))
    return question


def choices_of(fields: Fields) -> tuple[str, ...]:
    """The choices, each behind its label: ``(A) one``. Read off the question where they stand only there."""
    given: Sequence[object] = fields.get("choices") or ()
    if not given:
        return tuple(_OPTION.findall(str(fields.get("question", ""))))
    return tuple(_labelled(str(choice), place) for place, choice in enumerate(given))


def _labelled(choice: str, place: int) -> str:
    own = _LABEL.match(choice)
    return f"({own[1] if own else chr(65 + place)}) {choice[own.end() :] if own else choice}"


def paragraphs_of(fields: Fields) -> tuple[str, ...]:
    """The passages that belong to a question: texts, or objects of ``title`` with ``text`` or ``sentences``."""
    given: Sequence[Any] = fields.get("contexts") or fields.get("context") or ()
    return (given,) if isinstance(given, str) else tuple(_paragraph(one) for one in given)


def _paragraph(one: Any) -> str:
    if isinstance(one, str):
        return one
    body = str(one["text"]) if "text" in one else " ".join(str(sentence).strip() for sentence in one["sentences"])
    return f"{one['title']}\n{body}" if one.get("title") else body


def public_test(fields: Fields) -> str | None:
    """The first assertion, with the imports it needs: the only test that is shown."""
    given: Sequence[object] = (*(fields.get("test_imports") or ()), *(fields.get("tests") or ()))
    tests = [str(test) for test in given]
    first = next((i for i, test in enumerate(tests) if test.lstrip().startswith("assert")), None)
    return None if first is None else "\n".join(tests[: first + 1])


def _program(fields: Fields) -> str:
    shown = public_test(fields)
    name = fields.get("entry_point")
    named = f" Name it {name}." if name else ""
    example = f"\nIt must pass this test:\n{shown}" if shown else ""
    return f"{fields['question']}{named} Answer with Python code.{example}"


def _output(fields: Fields) -> str:
    return f"{fields['code']}\n\nWhat does f({fields['input']}) return? Answer with a Python literal."


def _twenty_four(fields: Fields) -> str:
    numbers = ", ".join(map(str, fields["numbers"]))
    return (
        f"Use the numbers {numbers}, each exactly once, with + - * / and parentheses to obtain 24. "
        "Answer with the expression."
    )


def _first_wrong_step(fields: Fields) -> str:
    steps = "\n".join(f"Step {place}: {step}" for place, step in enumerate(fields["steps"]))
    return (
        f"Problem: {fields['question']}\n\nA solution:\n{steps}\n\n"
        "Which step is the first wrong one? Answer with its number, or -1 if no step is wrong."
    )


def _better_output(fields: Fields) -> str:
    return (
        f"Instruction: {fields['question']}\n\nOutput 1: {fields['output_1']}\n\nOutput 2: {fields['output_2']}\n\n"
        "Which output follows the instruction better? Answer with 1 or 2."
    )


_WORDINGS: tuple[tuple[str, tuple[str, ...], Callable[[Fields], str]], ...] = (
    ("tests", ("question", "tests"), _program),
    ("literal", ("code", "input"), _output),
    ("game24", ("numbers",), _twenty_four),
    ("number", ("question", "steps", "label"), _first_wrong_step),
    ("number", ("question", "output_1", "output_2"), _better_output),
)
"""Grader and fields that make a question of their own, and its wording; the first that fits."""
