"""Tests taken apart: what the program under test works out, and what is compared where it cannot reach.

``assert set(f(3)) == {1, 3}``: ``f(3)`` is worked out in the program's process, ``set(…) == {1, 3}`` in another, on
plain data. Names that Python or the setup knows (``set``, ``sorted``, ``abs``, ``math``) belong to the comparison,
even where the program defines them again (but a test of nothing else, ``assert sum(10, 15) == 6``, is of the
program's own ``sum``); the largest expressions that start with any other name belong to
the program: calls, attributes, indexes, with their arguments.

Statements without an assertion (``s = Stack()``) run in the program's process between the calls. An assertion inside
another statement, a lambda or a comprehension that asks the program for values by its own variables, and a test that
asks the program nothing cannot be taken apart: `InputError`, before anything runs.
"""

from __future__ import annotations

import ast
import builtins
from collections.abc import Sequence
from dataclasses import dataclass

from outthink.core.errors import InputError

_LONGEST = 200_000
_SCOPES = (ast.Lambda, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
_BUILTINS = frozenset(dir(builtins)) - {
    "breakpoint", "compile", "delattr", "eval", "exec", "exit", "globals", "input", "locals", "open", "quit", "vars",
    "__import__",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Call:
    """Something the program works out; ``name`` stands for its value. Statements are worth None."""

    text: str
    name: str
    statements: bool = False


@dataclass(frozen=True, slots=True)
class Test:
    """A test as written, the calls it needs, the comparison of their values, and its sides, to be shown."""

    source: str
    calls: tuple[Call, ...]
    comparison: str = "True"
    sides: tuple[str, ...] = ()


def taken_apart(tests: Sequence[str], setup: str = "") -> tuple[Test, ...]:
    """The tests, ready to run. Raises `InputError` naming the first that cannot be read or taken apart."""
    known = _BUILTINS | _bound(_parsed(setup, "the setup"))
    found: list[Test] = []
    for number, text in enumerate(tests, 1):
        tree = _parsed(text, f"test {number}")
        if not tree.body:
            raise InputError(f"test {number} is empty: write an assert statement")
        for place, statement in enumerate(tree.body):
            found.append(_test(statement, known, f"test {number}", f"_value_{number}_{place}"))
    if not any(test.sides for test in found):
        raise InputError("there is no assert statement among the tests: nothing would be checked")
    return tuple(found)


def _parsed(text: str, what: str) -> ast.Module:
    try:
        if len(text) > _LONGEST:
            raise ValueError("too long")
        return ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise InputError(f"{what} is not Python that can be read: {error}") from error


def _test(statement: ast.stmt, known: frozenset[str], what: str, name: str) -> Test:
    source = ast.unparse(statement)
    if not isinstance(statement, ast.Assert):
        if any(isinstance(node, ast.Assert) for node in ast.walk(statement)):
            raise InputError(f"{what} has an assertion inside another statement; write plain assert statements")
        return Test(source, (Call(source, name, statements=True),))
    split = _Split(known, what, name)
    own = _shadowed(statement.test)
    compared = split.asked(own) if own is not None else split.visit(statement.test)
    if own is not None:
        assert isinstance(statement.test, ast.Compare)
        compared = ast.Compare(compared, statement.test.ops, statement.test.comparators)
    if not split.calls:
        raise InputError(f"{what} asks the program for nothing: {source[:100]}")
    sides = [compared.left, *compared.comparators] if isinstance(compared, ast.Compare) else [compared]
    shown = tuple(ast.unparse(side) for side in sides)
    return Test(source, tuple(split.calls), ast.unparse(ast.fix_missing_locations(compared)), shown)


def _shadowed(test: ast.expr) -> ast.Call | None:
    """The call in a test such as ``assert sum(10, 15) == 6``, which has nothing else that the program could define."""
    if not (isinstance(test, ast.Compare) and isinstance(test.left, ast.Call) and isinstance(test.left.func, ast.Name)):
        return None
    if test.left.func.id not in _BUILTINS or any(not _plain(side) for side in [*test.left.args, *test.comparators]):
        return None
    return None if test.left.keywords else test.left


def _plain(node: ast.expr) -> bool:
    return not any(isinstance(part, (ast.Name, ast.Call, *_SCOPES)) for part in ast.walk(node))


class _Split(ast.NodeTransformer):
    """Replaces what the program works out by names for its values."""

    def __init__(self, known: frozenset[str], what: str, name: str) -> None:
        self.calls: list[Call] = []
        self._known, self._what, self._name = known, what, name
        self._inner: list[str] = []

    def asked(self, node: ast.AST) -> ast.expr:
        """The name of the value the program is asked for."""
        name = f"{self._name}_{len(self.calls)}"
        self.calls.append(Call(ast.unparse(node), name))
        return ast.Name(name, ast.Load())

    def visit(self, node: ast.AST) -> ast.expr:
        root = _root(node)
        if root is not None and root not in self._known and root not in self._inner:
            used = {part.id for part in ast.walk(node) if isinstance(part, ast.Name)}
            if used & set(self._inner):
                raise InputError(f"{self._what} asks the program for values by a variable of its own; write them out")
            return self.asked(node)
        if isinstance(node, _SCOPES):
            before = len(self._inner)
            self._inner += _own(node)
            self.generic_visit(node)
            del self._inner[before:]
            return node
        found = self.generic_visit(node)
        assert isinstance(found, ast.AST)
        return found  # type: ignore[return-value]


def _root(node: ast.AST) -> str | None:
    """The name a chain of calls, attributes and indexes starts with, None for anything else."""
    while isinstance(node, ast.Call | ast.Attribute | ast.Subscript | ast.Await):
        node = node.func if isinstance(node, ast.Call) else node.value
    return node.id if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) else None


def _own(node: ast.AST) -> list[str]:
    """The variables a lambda or comprehension brings."""
    if isinstance(node, ast.Lambda):
        return [part.arg for part in ast.walk(node.args) if isinstance(part, ast.arg)]
    return [part.id for part in ast.walk(node) if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store)]


def _bound(tree: ast.Module) -> frozenset[str]:
    """The names that a setup's statements bind at its top."""
    names: set[str] = set()
    for node in tree.body:
        if isinstance(node, ast.Import | ast.ImportFrom):
            names |= {(alias.asname or alias.name).partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names.add(node.name)
        else:
            names |= {
                part.id for part in ast.walk(node) if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store)
            }
    return frozenset(names)
