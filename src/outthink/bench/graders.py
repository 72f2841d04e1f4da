"""Right or wrong: an answer held against a row's gold. Nothing a model wrote is run here; see `RunTests`."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Sequence
from typing import Protocol

from outthink.answers import canonical, extract, program_in
from outthink.answers.extract import stated
from outthink.bench import gym
from outthink.bench.arithmetic import reaches
from outthink.bench.rows import GYM, LISTED, Row, text_mark
from outthink.bench.squad import exact_match
from outthink.core.candidate import Answer
from outthink.core.errors import InputError

_LONGEST, _DEEPEST = 4000, 40
_FENCE = re.compile(r"```[ \t]*(?:[Pp]ython3?|py)?[ \t]*\n(.*?)(?:```|\Z)", re.DOTALL)
_BRACKETS = re.compile(r"[()\[\]{}<>\s]+")


class RunTests(Protocol):
    """Runs a program somewhere safe (`outthink.sandbox`) and says whether all tests passed.

    ``tests``: statements run in order after the program, in its namespace, out of its reach. A blocking call; a
    program that does not end, or ends early, has not passed::

        def run_tests(code: str, tests: Sequence[str]) -> bool: ...
    """

    def __call__(self, code: str, tests: Sequence[str]) -> bool: ...


def grade(row: Row, said: str | Answer | None, run_tests: RunTests | None = None) -> float:
    """1.0 where the answer is right, 0.0 where it is wrong or there is none.

    ``said`` is a model's whole text, or the `Answer` already taken from it. Raises `InputError` for a row with tests
    when there is nothing to run them.
    """
    if said is None:
        return 0.0
    if row.grader == "tests":
        if run_tests is None:
            raise InputError(f"row {row.id} is graded by running code; give a sandbox to run it in")
        return float(run_tests(_program(said), row.tests))
    if row.grader == LISTED:
        return float(text_mark(said.text if isinstance(said, Answer) else said) in row.extras["right"])
    if row.grader.startswith(GYM):
        return gym.score(row, _words(row, said))
    return float(_GRADERS[row.grader](row, said))


def same(found: Answer | None, gold: Answer | None) -> bool:
    """Whether two canonical answers are one: the only place where graders compare them."""
    return found is not None and gold is not None and found.key == gold.key


def _program(said: str | Answer) -> str:
    text = said.text if isinstance(said, Answer) else said
    found = program_in(text)
    return text if found is None else found


def _by_key(row: Row, said: str | Answer) -> bool:
    """Compare canonical forms in the row's kind."""
    choices = row.problem.choices
    if isinstance(said, Answer):
        found = said if said.kind == row.kind else canonical(said.text, row.kind, choices)
    else:
        found = extract(said, row.kind, choices)
    return same(found, canonical(row.answer, row.kind, choices))


def _span(row: Row, said: str | Answer) -> bool:
    return exact_match(_words(row, said), _golds(row)) == 1.0


def _golds(row: Row) -> tuple[str, ...]:
    return (row.answer, *map(str, row.extras.get("aliases") or ()))


def _literal(row: Row, said: str | Answer) -> bool:
    """Equal as Python literals, or as they are written. A literal may stand in backticks or before a full stop."""
    words = _words(row, said)
    gold = _value(row.answer)
    for form in (words, _undressed(words)):
        found = _value(form)
        if form == row.answer.strip() or (found is not None and gold is not None and found == gold):
            return True
    return False


def _undressed(words: str) -> str:
    """Without what stands around a value in prose: backticks, bold, dollars, a full stop."""
    return words.strip("`$ ").removeprefix("**").removesuffix("**").strip("`$ ").removesuffix(".").strip("`$ ")


def _value(text: str) -> tuple[object] | None:
    """The value of a literal (in a tuple, since None is one), or None. Bounded in length and depth."""
    text = text.strip()
    if len(text) > _LONGEST or _depth(text) > _DEEPEST:
        return None
    try:
        return (ast.literal_eval(text),)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return None


def _depth(text: str) -> int:
    """How deep brackets and signs nest, at most."""
    depth = deepest = 0
    for mark in text:
        depth += (mark in "([{") - (mark in ")]}")
        deepest = max(deepest, depth)
    return deepest + max(map(len, re.findall(r"[-+~]+", text.replace(" ", ""))), default=0)


def _tokens(row: Row, said: str | Answer) -> bool:
    return _listed(_words(row, said)) == _listed(row.answer)


def _listed(text: str) -> list[str]:
    """Brackets one by one; else the words, in lower case, whatever separates them."""
    bare = _undressed(text)
    if _BRACKETS.fullmatch(bare):
        return [mark for mark in bare if not mark.isspace()]
    return [word.strip("'") for word in re.findall(r"[^\s,;\[\]\"]+", bare.lower())]


def _game24(row: Row, said: str | Answer) -> bool:
    return reaches(_words(row, said), row.extras["numbers"])


def _words(row: Row, said: str | Answer) -> str:
    """The answer as it was written: in the box or behind the marker, else the only or last line."""
    if isinstance(said, Answer):
        return said.text
    if row.kind in ("span", "number"):
        answer = extract(said, row.kind)
        return "" if answer is None else answer.text
    found = stated(said)
    if found is not None and not found.startswith("```"):
        return found.strip()
    blocks = [str(block).strip() for block in _FENCE.findall(said)]
    if blocks or "\n" in row.answer:
        return blocks[-1] if blocks else said.strip()
    return next((line.strip() for line in reversed(said.split("\n")) if line.strip()), "")


_GRADERS: dict[str, Callable[[Row, str | Answer], bool]] = {
    "math": _by_key,
    "number": _by_key,
    "choice": _by_key,
    "boolean": _by_key,
    "span": _span,
    "literal": _literal,
    "tokens": _tokens,
    "game24": _game24,
}
