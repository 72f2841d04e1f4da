"""Grades of what was said: programs run in one sandbox, equal ones once."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AsyncExitStack
from types import TracebackType

import anyio

from outthink.answers import program_in
from outthink.bench.graders import grade
from outthink.bench.rows import Row
from outthink.core.candidate import Answer
from outthink.core.errors import InputError
from outthink.sandbox import Sandbox, Verdict

BY_ANSWER = ("math", "number", "choice", "boolean")
"""Graders that hold the answer a strategy gives against the gold; the others read its text."""


class Grader:
    """Grades answers; use it as ``async with Grader() as grader``. The sandbox is entered when a program comes.

    ``unsafe``: run programs even where this machine cannot hold them in (`Sandbox`).
    """

    def __init__(self, *, unsafe: bool = False) -> None:
        self._unsafe = unsafe
        self._passed: dict[tuple[tuple[str, ...], str], bool] = {}
        self._turns: dict[tuple[tuple[str, ...], str], anyio.Lock] = {}
        self._sandbox: Sandbox | None = None
        self._stack = AsyncExitStack()
        self._entering = anyio.Lock()

    async def __aenter__(self) -> Grader:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    async def graded(self, row: Row, text: str, answer: Answer | None) -> float:
        """The grade in [0, 1] of a final text and the answer that was taken from it.

        Raises `InputError` where a program is to be run and this machine cannot hold it in.
        """
        if row.grader in BY_ANSWER:
            return grade(row, answer)
        if row.grader != "tests":
            return grade(row, text)
        program = program_in(text)
        if program is None:
            return 0.0
        key = row.tests, program
        async with self._turns.setdefault(key, anyio.Lock()):
            if key not in self._passed:
                self._passed[key] = (await self.check(program, row.tests)).passed
        return float(self._passed[key])

    async def ready(self) -> None:
        """Enter the sandbox now, so that a machine without one is told before anything is spent."""
        await self._entered()

    async def check(self, code: str, tests: Sequence[str], setup: str = "") -> Verdict:
        """Hold a program against tests in the sandbox; see `Sandbox.check`."""
        return await (await self._entered()).check(code, tests, setup)

    async def _entered(self) -> Sandbox:
        async with self._entering:
            if self._sandbox is None:
                sandbox = Sandbox(unsafe=self._unsafe)
                try:
                    self._sandbox = await self._stack.enter_async_context(sandbox)
                except InputError as error:
                    raise InputError(f"programs are graded by running them, and {error} (--unsafe-exec)") from error
        return self._sandbox
