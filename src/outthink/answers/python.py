"""Python literals as answers: equal as Python's ``==`` has it, except that ``True`` is not ``1``."""

from __future__ import annotations

import ast
import re
import warnings
from fractions import Fraction
from typing import Any

from outthink.answers.fences import between, fenced
from outthink.core.candidate import Answer

LONGEST, DEPTH = 100_000, 100
"""Characters and levels of nesting of a literal or a program."""
_ANSWER_TAG = re.compile(r"\[(/?)ANSWER\]", re.IGNORECASE)
_GOES_ON = re.compile(
    r"(?=((?:\*\*|[`$])*))\1(?:[^\s.,;:]|[.,;:]\w|\s+(?:[-+*/%<>=|&]|(?:and|or|if|in|not)\b))", re.IGNORECASE
)
"""What follows a literal that is only the beginning of an expression, or of something else."""
_STRING = re.compile(r"'(?:[^'\\\n]|\\.)*'|\"(?:[^\"\\\n]|\\.)*\"")


def literal_answer(text: str) -> Answer | None:
    """A Python literal as an answer; of a test (``assert f(1) == 2``, ``f(1) == 2``) its right-hand side."""
    text = text.strip()
    tree = parsed(text.removeprefix("assert ").strip(), "eval")
    if not isinstance(tree, ast.Expression):
        return None
    node = tree.body
    if isinstance(node, ast.Compare) and len(node.ops) == 1 and isinstance(node.ops[0], ast.Eq):
        if not isinstance(node.left, ast.Call):
            return None
        node = node.comparators[0]
    try:
        value = ast.literal_eval(node)
        return Answer(repr(value), "literal", _literal_key(value))
    except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError, OverflowError):
        return None


def find_literal(boxed: str | None, tail: str | None, text: str, closed: bool) -> Answer | None:
    """The Python literal a text gives: tagged, boxed, behind a marker, else (unless ``closed``) its last line.

    What a box or marker holds and is no literal is an answer as it stands (a string without its quotes).
    """
    tags = between(_ANSWER_TAG, text)
    given = [part for part in (tags[-1] if tags else None, boxed, tail) if part and part.strip()]
    for part in given:
        if answer := _literal_in(part):
            return answer
    if given:
        stands = given[0].strip().split("\n")[0].strip("` ")
        stands = stands.removeprefix("**").removesuffix("**") if stands.startswith("**") else stands
        return Answer(stands, "literal", f"?{stands}") if stands else None
    lines = text.strip().split("\n")
    return None if closed else _literal_in(fenced(text) or lines[-1])


def _literal_in(text: str) -> Answer | None:
    """A literal at the start of a text: its first line, a fenced block, or up to the bracket that closes it."""
    text = text[:LONGEST].strip()
    line = text.split("\n")[0].strip().strip("*").strip()
    for part in (line.strip("`"), line.rstrip(".").strip("`$ "), fenced(text + "\n") or "", _enclosed(text)):
        if part and (answer := literal_answer(part)):
            return answer
    return None


def _enclosed(text: str) -> str:
    """From an opening bracket or quote at the start (after a sign of code) to where it closes, if it ends there."""
    text = text.lstrip("`* \n")
    end = _end(text)
    return text[:end] if end and not _GOES_ON.match(text, end) else ""


def _end(text: str) -> int:
    """Where the string or bracket that a text starts with ends, 0 where it does not."""
    if match := _STRING.match(text):
        return match.end()
    depth, place = 0, 0
    while place < len(text):
        if text[place] in "'\"":
            match = _STRING.match(text, place)
            place = match.end() if match else place + 1
            continue
        depth += (text[place] in "([{") - (text[place] in ")]}")
        place += 1
        if depth <= 0:
            return place if place > 1 else 0
    return 0


def _literal_key(value: Any) -> str:
    if isinstance(value, bool) or value is None or value is Ellipsis:
        return repr(value)
    if isinstance(value, int):
        return f"{value:x}" if abs(value) >= 10**15 else str(value)
    if isinstance(value, float):
        return _float_key(value)
    if isinstance(value, complex):
        parts = [_literal_key(value.real), _literal_key(value.imag)]
        return parts[0] if parts[1] == "0" else "+".join(parts) + "j"
    if isinstance(value, list | tuple):
        left, right = "[]" if isinstance(value, list) else "()"
        return left + ",".join(map(_literal_key, value)) + right  # pyright: ignore[reportUnknownArgumentType]
    if isinstance(value, set):
        return "{" + ",".join(sorted(map(_literal_key, value))) + "}"  # pyright: ignore[reportUnknownArgumentType]
    if isinstance(value, dict):
        pairs = sorted(f"{_literal_key(key)}:{_literal_key(held)}" for key, held in value.items())  # pyright: ignore
        return "dict{" + ",".join(pairs) + "}"
    return repr(value)


def _float_key(value: float) -> str:
    if value != value or value in (float("inf"), float("-inf")):
        return repr(value)
    exact = Fraction(value)
    return _literal_key(int(exact)) if exact.denominator == 1 else repr(value)


def parsed(text: str, mode: str) -> ast.AST | None:
    """A syntax tree, None for what is not Python or nests too deeply to be parsed safely."""
    try:
        return parse(text, mode)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def parse(text: str, mode: str = "exec") -> ast.AST:
    """A syntax tree. Raises `SyntaxError`; `ValueError`, `RecursionError` or `MemoryError` for what is too much."""
    if len(text) > LONGEST or _depth(text) > DEPTH:
        raise ValueError("it is too long, or nests too deeply")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of escapes and comparisons in text that is not ours
        return ast.parse(text, mode=mode)


def _depth(text: str) -> int:
    """How deeply brackets nest, those in strings included, and the longest run of signs."""
    depth = most = 0
    for char in re.sub(r"[^\[\](){}]", "", text):
        depth += 1 if char in "([{" else -1
        most = max(most, depth)
    signs = max((len(run) for run in re.findall(r"(?:[-+~]\s*|not\s+)+", text)), default=0)
    return max(most, signs)
