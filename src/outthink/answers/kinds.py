"""What kind of answer a problem asks for, read off the problem itself, without a model call.

Conservative: an ordinary chat turn is ``text``. Taking chat for a number costs samples; missing a number
costs only the vote.
"""

from __future__ import annotations

import re

from outthink.answers.equations import condition
from outthink.core.problem import AnswerKind, Problem

_OPTIONS = re.compile(r"(?:^|[\s(])\(?([A-Z])[).]\s+\S")
_PARENTHESISED = re.compile(r"\(([A-Z])\)\s*\S")
_BOOLEAN = re.compile(r"\b(?:yes or no|true or false|yes/no|true/false)\b", re.IGNORECASE)
_CHATTY = r"do you|does (?:it|this|that) (?:matter|mean)|of an?\b|should i\b|can i\b|sense"
_QUANTITIES = (
    "number|amount|total|sum|difference|product|price|cost|value|average|mean|median|area|perimeter|volume|distance|"
    "speed|length|width|height|probability|percentage|remainder|ratio|age|profit|quotient"
)
_ASKS_NUMBER = re.compile(
    rf"\bhow (?:many|much(?! (?:{_CHATTY}))|far|long|old|tall|heavy|fast|high)\b(?! is too\b)"
    rf"|\bwhat (?:is|was|are|will be|would be) the (?:\w+ ){{0,3}}(?:{_QUANTITIES})\b"
    r"|\bwhat (?:percentage|percent|fraction)\b",
    re.IGNORECASE,
)
_COMPUTE = re.compile(
    r"\b(?:calculate|compute|evaluate|what is|what's|solve for \w|find the value of)\b[^?.!\n]{0,30}\d",
    re.IGNORECASE,
)
_ARITHMETIC = re.compile(
    r"\d\s*(?:[-+*/^×÷%]|plus|minus|times|divided by|mod)\s*\(?-?\d|\bsolve for [a-z]\b|\d%? of \d",
    re.IGNORECASE,
)
_OPEN = re.compile(
    r"\b(?:write|explain|describe|discuss|list|suggest|recommend|translate|summari[sz]e|compare|essay|poem|story|"
    r"code|function|program|script|regex|tell me about|what do you think|advice|should i|can you|could you|why|"
    r"please help|tips|ideas|brainstorm|draft|email|letter|joke)\b",
    re.IGNORECASE,
)


def kind_of(problem: Problem) -> AnswerKind:
    """The kind of answer: what the caller said or gave, else what the question plainly asks for, else text."""
    if problem.answer_kind != "auto":
        return problem.answer_kind
    form: object = problem.params.get("response_format")
    if problem.tools:
        return "tool_call"
    if isinstance(form, dict) and form.get("type") in ("json_schema", "json_object"):  # pyright: ignore[reportUnknownMemberType]
        return "json"
    if problem.tests is not None:
        return "code"
    return "choice" if problem.choices else _read(problem.question)


def _read(question: str) -> AnswerKind:
    """The kind a question's words ask for."""
    text = question[-4000:]
    if _has_options(text):
        return "choice"
    if _OPEN.search(text):
        return "text"
    if _BOOLEAN.search(text):
        return "boolean"
    asks = "?" in text
    if _COMPUTE.search(text) and _ARITHMETIC.search(text):
        return "number"
    if condition(text) is not None:
        return "number"
    has_quantity = re.search(r"\d|\b(?:two|three|four|five|six|seven|eight|nine|ten|twelve|dozen|half|twice)\b", text)
    return "number" if asks and has_quantity and _ASKS_NUMBER.search(text) else "text"


def _has_options(text: str) -> bool:
    """At least two lettered options, in order from A."""
    for pattern in (_PARENTHESISED, _OPTIONS):
        labels = pattern.findall(text)
        if labels[:2] == ["A", "B"]:
            return True
    return False
