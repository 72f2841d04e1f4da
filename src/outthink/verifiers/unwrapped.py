"""Assertions out of the functions they are written in: ``def test_…():`` as pytest has them, and
``def check(candidate):`` with the ``check(f)`` that calls it."""

from __future__ import annotations

import ast
from collections.abc import Sequence


def unwrapped(statements: Sequence[ast.stmt]) -> list[ast.stmt]:
    """The statements, those of test functions in the place of the functions."""
    tested = dict(filter(None, map(_call, statements)))
    found: list[ast.stmt] = []
    for statement in statements:
        if isinstance(statement, ast.FunctionDef) and not statement.decorator_list:
            found += _body(statement, tested)
        elif (call := _call(statement)) is None or not _defines(statements, call[0]):
            found.append(statement)
    return found


def _call(statement: ast.stmt) -> tuple[str, str] | None:
    """The names in a statement such as ``check(f)``."""
    match statement:
        case ast.Expr(value=ast.Call(func=ast.Name(id=name), args=[ast.Name(id=given)], keywords=[])):
            return name, given
        case _:
            return None


def _defines(statements: Sequence[ast.stmt], name: str) -> bool:
    return any(isinstance(statement, ast.FunctionDef) and statement.name == name for statement in statements)


def _body(function: ast.FunctionDef, tested: dict[str, str]) -> list[ast.stmt]:
    """What a test function does, its parameter replaced by what is tested; another function as it is."""
    parameters = [part.arg for part in function.args.args]
    body = [part for part in function.body if not _is_docstring(part)]
    if not parameters and function.name.startswith("test"):
        return body
    if len(parameters) == 1 and function.name in tested:
        renamed = _Renamed(parameters[0], tested[function.name])
        return [renamed.visit(part) for part in body]
    return [function]


def _is_docstring(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)


class _Renamed(ast.NodeTransformer):
    def __init__(self, old: str, new: str) -> None:
        self._old, self._new = old, new

    def visit_Name(self, node: ast.Name) -> ast.Name:
        return ast.Name(self._new, node.ctx) if node.id == self._old else node
