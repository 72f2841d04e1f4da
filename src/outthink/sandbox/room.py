"""The sandbox's face: run a program, or hold it against tests it cannot reach."""

from __future__ import annotations

import os
import secrets
from collections.abc import Sequence
from typing import Any

import anyio
import msgspec
from anyio import to_thread

from outthink.core.errors import InputError, SandboxError
from outthink.core.execution import Ended, Failure, Level, Limits, Outcome, Tested, Verdict
from outthink.sandbox.asserts import Call, Test, taken_apart
from outthink.sandbox.restricted import Restricted
from outthink.sandbox.warm import Channel, Lost, Ran, Talk, Warm, run_in, start

_COMPARING = Limits(seconds=10.0)
_TRIES = 2


class _Said(msgspec.Struct):
    """A line from a program's process: one of these, and as untrue as the program likes."""

    ran: bool = False
    refused: str = ""
    key: str = ""
    value: str | None = None
    error: Failure | None = None


class _Comparison(msgspec.Struct):
    passed: bool
    shown: str


class _Compared(msgspec.Struct):
    """The one line from a checker's process, which no program has touched."""

    compared: list[_Comparison]


class Sandbox:
    """Runs untrusted Python, each program in a process of its own, forked from a warm parent::

        async with Sandbox() as sandbox:
            outcome = await sandbox.run("print(input())", stdin="hello")
            verdict = await sandbox.check("def f(x): return x + 1", ["assert f(1) == 2"])

    ``limits`` hold for each program unless a call gives its own; at most ``concurrency`` run at a time (None: one a
    processor). ``level``: this one and no other (None: the best there is). Raises `InputError` on entering where this
    machine cannot hold untrusted code, unless ``unsafe``: then it runs with limits only, and every outcome says
    ``none`` for its level. ``quick``: `check` tries a restricted interpreter first, and believes it where all passes.
    """

    def __init__(
        self,
        *,
        limits: Limits | None = None,
        level: Level | None = None,
        quick: bool = False,
        unsafe: bool = False,
        concurrency: int | None = None,
    ) -> None:
        self._limits = limits or Limits()
        self._levels: list[Level] = [level] if level else ["namespaces", "landlock", *(["none"] if unsafe else [])]
        self._slots = concurrency or os.cpu_count() or 1
        self._restricted = Restricted(self._slots) if quick else None
        self._limiter: anyio.CapacityLimiter | None = None
        self._starting = anyio.Lock()
        self._warm: Warm | None = None
        self._level: Level = "none"

    async def __aenter__(self) -> Sandbox:
        self._limiter = anyio.CapacityLimiter(self._slots)
        if self._restricted is not None:
            await self._restricted.__aenter__()
        await self._started(None)
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._warm is not None:
            parent, self._warm = self._warm, None
            with anyio.CancelScope(shield=True):
                await to_thread.run_sync(parent.close)
        if self._restricted is not None:
            with anyio.CancelScope(shield=True):
                await self._restricted.__aexit__()

    async def run(self, code: str, stdin: str = "", limits: Limits | None = None) -> Outcome:
        """Run a program as ``__main__`` and return what it printed and how it ended; its errors are not raised."""
        job = {"do": "run", "name": "__main__", "setup": "", "code": code}

        async def talk(channel: Channel) -> None:
            await channel.send(job)
            await channel.line()

        ran = await self._ran(limits or self._limits, stdin, talk)
        return _outcome(ran, self._level, [_read(line) for line in ran.lines])

    async def check(
        self, code: str, tests: Sequence[str], setup: str = "", limits: Limits | None = None, stdin: str = ""
    ) -> Verdict:
        """Run a program, then the tests, in order: what they call in its process, what they compare in another.

        ``tests``: assert statements (and statements between them; see `outthink.sandbox.asserts`). ``setup`` is
        trusted and runs first on both sides; what the tests expect never enters the program's process. Raises
        `InputError` for tests that cannot be taken apart.
        """
        ready = taken_apart(tests, setup)
        bounds = limits or self._limits
        if self._restricted is not None and (verdict := await self._quickly(code, ready, setup, bounds)) is not None:
            return verdict
        calls = [(secrets.token_hex(8), call) for test in ready for call in test.calls]
        job = {"do": "call", "name": "program", "setup": setup, "code": code}

        async def talk(channel: Channel) -> None:
            await channel.send(job)
            said = _read(await channel.line())
            if said is None or not said.ran:
                return
            await channel.send([{"key": k, "text": c.text, "statements": c.statements} for k, c in calls])
            for _ in calls:
                await channel.line()

        ran = await self._ran(bounds, stdin, talk)
        said = [_read(line) for line in ran.lines]
        outcome = _outcome(ran, self._level, said, len(calls) + 1)
        values = {
            call: one for (key, call), one in zip(calls, said[1:], strict=False) if one is not None and one.key == key
        }
        return Verdict(tuple(await self._judged(ready, values, setup, outcome)), self._level, outcome)

    async def _quickly(self, code: str, tests: Sequence[Test], setup: str, limits: Limits) -> Verdict | None:
        """The verdict of the restricted interpreter where the program fits it and passes; None: ask the fences."""
        assert self._restricted is not None
        calls = [call for test in tests for call in test.calls]
        values = await self._restricted.values(setup, code, calls, limits)
        if values is None:
            return None
        said = {call: _Said(value=value) for call, value in zip(calls, values, strict=True)}
        outcome = Outcome("ok", "interpreter")
        verdict = Verdict(tuple(await self._judged(tests, said, setup, outcome)), "interpreter", outcome)
        return verdict if verdict.passed else None

    async def _judged(
        self, tests: Sequence[Test], values: dict[Call, _Said], setup: str, outcome: Outcome
    ) -> list[Tested]:
        """The tests' verdicts: what has all its values is compared, the rest has failed."""
        judged = [_unanswered(test, values, outcome) for test in tests]
        asked = [place for place, test in enumerate(tests) if judged[place] is None and test.sides]
        job = {"do": "compare", "setup": setup, "tests": [_comparable(tests[place], values) for place in asked]}
        compared = await self._compare(job) if asked else []
        for place, one in zip(asked, compared, strict=True):
            reason = one.shown if one.passed else f"{one.shown or 'not so'}"
            judged[place] = Tested(tests[place].source, one.passed, reason)
        return [found or Tested(test.source, True) for found, test in zip(judged, tests, strict=True)]

    async def _compare(self, job: dict[str, Any]) -> list[_Comparison]:
        """Compare in a process that no program has touched; what that cannot do in time has failed."""

        async def talk(channel: Channel) -> None:
            await channel.send(job)
            await channel.line()

        ran = await self._ran(_COMPARING, "", talk)
        try:
            compared = msgspec.json.decode(ran.lines[0], type=_Compared).compared
        except (IndexError, msgspec.DecodeError, RecursionError):
            compared = []
        if len(compared) != len(job["tests"]):
            return [_Comparison(False, "the values could not be compared in time")] * len(job["tests"])
        return compared

    async def _ran(self, limits: Limits, stdin: str, talk: Talk) -> Ran:
        """One process, once more with a new parent where that was lost."""
        if self._limiter is None:
            raise InputError("enter the sandbox first: async with Sandbox() as sandbox")
        async with self._limiter:
            lost: Warm | None = None
            for _ in range(_TRIES):
                parent = await self._started(lost)
                try:
                    ran = await run_in(parent, limits, stdin, talk)
                except Lost:
                    lost = parent
                    continue
                refused = ran.report.message if ran.report.cause == "refused" else _refusal(ran.lines)
                if refused:
                    raise SandboxError(f"the sandbox could not be closed around a program: {refused}")
                return ran
        raise SandboxError("the sandbox's process was lost twice: is this machine out of memory?")

    async def _started(self, lost: Warm | None) -> Warm:
        """The warm parent, started anew where it is ``lost``."""
        async with self._starting:
            if self._warm is lost:
                if lost is not None:
                    await to_thread.run_sync(lost.close)
                    self._warm = None
                self._warm = await to_thread.run_sync(start, self._levels)
                self._level = self._warm.level
            assert self._warm is not None
            return self._warm


def _read(line: bytes) -> _Said | None:
    try:
        return msgspec.json.decode(line, type=_Said)
    except (msgspec.DecodeError, RecursionError):
        return None


def _refusal(lines: list[bytes]) -> str:
    """Why a process did not come to run its program. Only believed of a first line, before any program ran."""
    said = _read(lines[0]) if lines else None
    return said.refused if said is not None else ""


def _outcome(ran: Ran, level: Level, said: list[_Said | None], expected: int = 1) -> Outcome:
    ended, reason = _ended(ran, said, expected)
    error = next((one.error for one in said if one is not None and one.error is not None), None)
    if ended == "error" and error is not None:
        reason = error.message
        ended = "memory" if error.type == "MemoryError" else "error"
    report = ran.report
    text = [stream.decode("utf-8", "replace") for stream in (ran.stdout, ran.stderr)]
    return Outcome(ended, level, text[0], text[1], error, reason, report.seconds, report.cpu, report.memory)


def _ended(ran: Ran, said: list[_Said | None], expected: int) -> tuple[Ended, str]:
    cause, code = ran.report.cause, ran.report.code
    if ran.flooded:
        return "output", "it wrote more than it may"
    if cause in ("timeout", "memory", "disk", "threads"):
        return cause, "it took longer than it may" if cause == "timeout" else f"it took more {cause} than it may"
    if code in (-24, -9) and ran.report.cpu:  # SIGXCPU, then SIGKILL
        return "timeout", "it took more processor time than it may"
    if code < 0:
        return "killed", f"it was ended by signal {-code}"
    if any(one is None for one in said):
        return "killed", "it answered with what is no answer"
    if any(one is not None and one.error for one in said):
        return "error", ""
    if len(said) < expected:
        return "killed", f"it left early, with status {code}"
    return "ok", ""


def _unanswered(test: Test, values: dict[Call, _Said], outcome: Outcome) -> Tested | None:
    """The failure of a test that lacks a value, None where it has all."""
    for call in test.calls:
        said = values.get(call)
        if said is None:
            return Tested(test.source, False, outcome.reason or "it did not answer", outcome.error)
        if said.error is not None or said.value is None:
            reason = said.error.message if said.error else "it answered with what is no answer"
            return Tested(test.source, False, reason, said.error)
    return None


def _comparable(test: Test, values: dict[Call, _Said]) -> dict[str, Any]:
    given = {call.name: values[call].value for call in test.calls}
    return {"text": test.comparison, "sides": test.sides, "values": given}
