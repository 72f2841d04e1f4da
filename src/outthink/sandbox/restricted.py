"""The restricted interpreter (``pydantic-monty``, extra ``sandbox``) for programs that fit it: 1 ms instead of 10.

A subset of Python, in worker processes of its own, without files, network or clock. What it gives is believed only
where it gave every value; all else (what it lacks, an exception, a limit) is None, to be run again behind the fences.
A value comes as its ``repr`` and counts only as a literal, so programs that could make a ``repr`` lie (classes,
builtins defined again) do not fit.
"""

from __future__ import annotations

import ast
import builtins
import json
from collections.abc import Sequence
from typing import Any

from anyio import to_thread

from outthink.core.errors import InputError
from outthink.core.execution import Limits
from outthink.sandbox.asserts import Call

_LONGEST, _VALUE = 100_000, 20_000
"""Characters of a program that is tried here, and of one value."""


class Restricted:
    """A pool of restricted interpreters. Raises `InputError` on entering where the extra is not installed."""

    def __init__(self, processes: int) -> None:
        self._processes = processes
        self._pool: Any = None

    async def __aenter__(self) -> Restricted:
        try:
            import pydantic_monty
        except ImportError as error:
            raise InputError("quick=True needs the restricted interpreter: pip install 'outthink[sandbox]'") from error
        self._monty: Any = pydantic_monty
        pool = self._monty.Monty(max_processes=self._processes)  # its async twin aborts the process at exit
        self._pool = await to_thread.run_sync(pool.__enter__)
        return self

    async def __aexit__(self, *_: object) -> None:
        await to_thread.run_sync(self._pool.__exit__, None, None, None)

    async def values(self, setup: str, code: str, calls: Sequence[Call], limits: Limits) -> list[str] | None:
        """What each call is worth, as JSON text for `outthink.sandbox.inside.payload`; None: not to be had here."""
        if not _fits(setup, code):
            return None
        return await to_thread.run_sync(self._values, (setup, code), calls, limits, abandon_on_cancel=True)

    def _values(self, texts: tuple[str, str], calls: Sequence[Call], limits: Limits) -> list[str] | None:
        bounds = {
            "max_feed_duration_secs": limits.seconds,
            "max_memory": limits.memory,
            "max_total_sleep_secs": limits.seconds,
        }
        try:
            with self._pool.checkout(limits=bounds) as session:
                for text in texts:
                    self._fed(session, text, limits)
                return [self._value(session, call, limits) for call in calls]
        except (self._monty.MontyError, TimeoutError, ValueError, TypeError, RuntimeError):
            return None  # RuntimeError: what the pool says of an interpreter that ended

    def _value(self, session: Any, call: Call, limits: Limits) -> str:
        if call.statements:
            self._fed(session, call.text, limits)
            return "null"
        text = self._fed(session, f"repr(({call.text}))", limits)
        if not isinstance(text, str) or len(text) > _VALUE or not _is_literal(text):
            raise ValueError("not plain data")
        return json.dumps({"literal": text})

    def _fed(self, session: Any, text: str, limits: Limits) -> object:
        """One snippet; what it prints is bounded and dropped (what is graded here is values)."""
        said: object = session.feed_run(text, print_callback=self._monty.CollectString(limits.output))
        return said


def _fits(setup: str, code: str) -> bool:
    """Whether a program is plain enough to be believed here."""
    if len(setup) + len(code) > _LONGEST:
        return False
    try:
        tree = ast.parse(f"{setup}\n{code}")
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef):
            return False
        imported = (node.asname or node.name) if isinstance(node, ast.alias) else ""
        if imported == "*" or imported in _BUILTINS or _bound(node) in _BUILTINS:
            return False
    return True


def _bound(node: ast.AST) -> str | None:
    """The name that a node binds: a variable, a function, an exception or part of a pattern."""
    if isinstance(node, ast.Name):
        return None if isinstance(node.ctx, ast.Load) else node.id
    return getattr(node, "name", None)


_BUILTINS = frozenset(dir(builtins))


def _is_literal(text: str) -> bool:
    """Whether a text is a literal. It is read, not worked out: that is done in the checker's process."""
    try:
        tree = ast.parse(text, mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return all(isinstance(node, _LITERAL) for node in ast.walk(tree))


_LITERAL = (
    ast.Expression, ast.Constant, ast.List, ast.Tuple, ast.Set, ast.Dict, ast.UnaryOp, ast.USub, ast.BinOp, ast.Add,
    ast.Sub, ast.Load,
)  # fmt: skip
