"""The tests that a problem holds: those it was given, else the examples that its question shows.

Examples: assert statements, doctests (``>>> f(1)`` and its value below), and lines such as ``f(1) == 2`` or
``f(1) -> 2`` whose two sides are a call and a value written out.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from textwrap import dedent

from outthink.answers.python import parsed
from outthink.core.errors import InputError
from outthink.core.problem import Problem, text_of
from outthink.sandbox.asserts import taken_apart
from outthink.verifiers.unwrapped import unwrapped

_LONGEST, _LINES, _MOST = 20_000, 12, 100
"""Characters of a question, lines of one assertion in it, and places where one may be, that are looked at."""
_ASSERTS = re.compile(r"^[ \t>*`-]*(?=assert\b)", re.MULTILINE)
_DOCTEST = re.compile(
    r"^[ \t]*>>>[ \t]*(?P<call>[^\n]+)\n(?P<more>(?:[ \t]*\.\.\.[^\n]*\n)*)[ \t]*(?P<value>(?!>>>)[^\n]+)$", re.M
)
_SHOWN = re.compile(
    r"(?P<call>\b[A-Za-z_]\w*\([^\n]{0,300}?\))[`\s]*(?:[-=]>|==?|→|➞|(?:should )?returns?|should be)[`\s]*"
    r"(?=(?P<value>[^\n]+))"
)
_ENDS = re.compile(r"[,.;]\s|\s(?:and|or|for|because|since|but|while|#)\b|`|\)|\s{2,}|\s#")
"""Where a value may end in a line that goes on."""


@dataclass(frozen=True, slots=True)
class Suite:
    """Statements to run in order, one a text, after the imports in ``setup``. ``unread``: what cannot be used."""

    tests: tuple[str, ...] = ()
    setup: str = ""
    unread: tuple[str, ...] = ()


def suite_of(problem: Problem) -> Suite:
    """The tests of a problem; none where it has none and its question shows none."""
    if problem.tests and problem.tests.strip():
        return suite(problem.tests)
    text = "\n".join(text_of(message) for message in problem.messages if message.get("role") == "user")[-_LONGEST:]
    return Suite(tuple(dict.fromkeys([*_asserted(text), *_examples(text)])))


def suite(text: str) -> Suite:
    """Statements, as a text holds them. A text that is not Python as a whole is read line by line."""
    text = dedent(text)
    texts = [text] if parsed(text, "exec") is not None else [line for line in text.split("\n") if line.strip()]
    tests, setup, unread = list[str](), list[str](), list[str]()
    for part in texts:
        tree = parsed(part, "exec")
        if not isinstance(tree, ast.Module):
            unread.append(part.strip())
            continue
        for statement in unwrapped(tree.body):
            one = ast.unparse(statement)
            if isinstance(statement, (ast.Import, ast.ImportFrom)):
                setup.append(one)
            elif readable(one, "\n".join(setup)):
                tests.append(one)
            else:
                unread.append(one)
    checks = any(is_assertion(test) for test in tests)
    return Suite(tuple(tests) if checks else (), "\n".join(setup), tuple(unread))


def is_assertion(statement: str) -> bool:
    """Whether a statement checks something, rather than preparing it."""
    return statement.startswith("assert ")


def readable(statement: str, setup: str = "") -> bool:
    """Whether the sandbox can hold a program against this statement."""
    try:
        taken_apart([statement if is_assertion(statement) else f"{statement}\nassert f()"], setup)
    except InputError:
        return False
    return True


def literal_call(text: str) -> ast.Call | None:
    """The call of a named function with values that are written out, None for anything else."""
    tree = parsed(text.strip(), "eval")
    call = tree.body if isinstance(tree, ast.Expression) else None
    if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Name):
        return None
    values = [*call.args, *(keyword.value for keyword in call.keywords)]
    return call if all(_is_literal(value) for value in values) else None


def calls_in(tests: Sequence[str]) -> list[ast.Call]:
    """The calls that tests make of a program, with values written out, in order."""
    found: list[ast.Call] = []
    for test in tests:
        tree = parsed(test, "exec")
        calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)] if tree is not None else []
        own = (literal_call(ast.unparse(call)) for call in calls)
        found += [call for call in own if call is not None and readable(f"assert {ast.unparse(call)}")]
    return found


def _is_literal(node: ast.expr) -> bool:
    try:
        ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError):
        return False
    return True


def _asserted(text: str) -> Iterator[str]:
    """Assertions that stand in a text, each from the beginning of a line to where it is whole."""
    for match in islice(_ASSERTS.finditer(text), _MOST):
        lines = text[match.end() :].split("\n", _LINES)[:_LINES]
        for end in range(1, len(lines) + 1):
            tree = parsed("\n".join(lines[:end]).rstrip("` \t"), "exec")
            if isinstance(tree, ast.Module):
                if readable(one := ast.unparse(tree.body[0])):
                    yield one
                break


def _examples(text: str) -> Iterator[str]:
    for match in islice(_DOCTEST.finditer(text), _MOST):
        more = re.sub(r"^[ \t]*\.\.\.", "", match["more"], flags=re.MULTILINE)
        if one := _example(f"{match['call']}\n{more}", match["value"]):
            yield one
    for line in text.split("\n"):
        if ">>>" not in line and not line.lstrip(" \t>*`-").startswith("assert"):
            for match in islice(_SHOWN.finditer(line), _MOST):
                if one := _example(match["call"], match["value"]):
                    yield one


def _example(call: str, value: str) -> str | None:
    """The test that an example makes, where both of its sides are what they should be."""
    asked = literal_call(call)
    if asked is None:
        return None
    whole = value.strip(" `\t").rstrip(".,; `")
    ends = [len(whole), *(match.start() for match in reversed(list(_ENDS.finditer(whole))))]
    for end in ends:  # the longest beginning that is a value
        tree = parsed(whole[:end].strip(), "eval")
        if isinstance(tree, ast.Expression) and _is_literal(tree.body):
            sign = "is" if isinstance(ast.literal_eval(tree.body), (bool, type(None))) else "=="
            test = f"assert {ast.unparse(asked)} {sign} {ast.unparse(tree.body)}"
            return test if readable(test) else None
    return None
