"""Answers that want calculus (``\\int``, ``\\sum``, ``\\lim``): worked out by math-verify in a process apart.

The process is started at the first such answer, killed when it takes longer than `LIMIT`, and started again when
next needed. It works for every thread, needs no signal in this process, and cannot outlive its limit even when
this process is killed: its own alarm, kept by the kernel, ends it. What it returns is read by the same grammar as
any answer, so that equality stays equality of keys; what it cannot do is equal to the same text only.
"""

from __future__ import annotations

import atexit
import json
import os
import re
import subprocess
import sys
import threading
from contextlib import suppress
from functools import partial

import msgspec
from anyio import to_thread

from outthink.answers.expression import expression
from outthink.core.candidate import Answer, Candidate

LIMIT, START = 2.0, 15.0
"""Seconds for one answer, and for the process to come up (once)."""
_WANTED = re.compile(r"\\(?:i?int|sum|prod|lim|det|gcd|lcm|max|min|begin\{vmatrix\})(?![A-Za-z])")
_BRACKETED = re.compile(r"\{[^{}]*\}|\([^()]*\)|\[[^\[\]]*\]")
_SEVERAL = re.compile(r"[=<>;:]|\\text|\\(?:leq?|geq?|neq?|pm)(?![A-Za-z])|,\s")
_DEEPEST = 10
_REMEMBERED = 2048
_GIVEN_UP = 3
"""After so many time-outs in a row nothing more is tried in this process."""


def worked_out(answer: Answer, limit: float = LIMIT) -> Answer:
    """The answer under the key of its value, where that takes sympy and can be had; else the answer as it is.

    Returns within about ``limit`` seconds (the first time, after the start of the process too), from any thread.
    """
    if not _wanted(answer):
        return answer
    key = _solver.key_of(answer.text, limit)
    return answer if key is None else msgspec.structs.replace(answer, key=key)


def same(one: Answer, other: Answer) -> bool:
    """Whether two answers are the same answer: an equivalence, as equality of keys is."""
    return one.key == other.key or worked_out(one).key == worked_out(other).key


async def resolved(candidate: Candidate) -> Candidate:
    """The candidate with its answer worked out, in a thread where that takes long; ready at once for nearly all."""
    answer = candidate.answer
    if answer is None or not _wanted(answer):
        return candidate
    found = await to_thread.run_sync(partial(worked_out, answer), abandon_on_cancel=True)
    return candidate if found is answer else msgspec.structs.replace(candidate, answer=found)


def _wanted(answer: Answer) -> bool:
    """Whether this is one formula, not understood, with a sign that sympy can work out."""
    if answer.key[:1] != "?" or answer.kind not in ("expression", "number"):
        return False
    return bool(_WANTED.search(answer.text)) and not _SEVERAL.search(_outside(answer.text))


def _outside(text: str) -> str:
    """What is outside brackets, where ``=`` and commas mean several answers (and not a sum from ``k=1``)."""
    for _ in range(_DEEPEST):
        text = _BRACKETED.sub("", text)
    return text


class _Solver:
    """The process and what it has found; one question at a time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._found: dict[str, str | None] = {}
        self._process: subprocess.Popen[bytes] | None = None
        self._owner = 0
        self._late = 0

    def key_of(self, text: str, limit: float) -> str | None:
        """The key of a text's value, None where there is none to be had in time."""
        if text in self._found:
            return self._found[text]
        if not self._lock.acquire(timeout=limit + START):
            return None
        try:
            if text not in self._found and self._late < _GIVEN_UP:
                self._remember(text, self._ask(text, limit))
            return self._found.get(text)
        finally:
            self._lock.release()

    def _remember(self, text: str, value: str | None) -> None:
        if len(self._found) >= _REMEMBERED:
            del self._found[next(iter(self._found))]
        key = expression(value)[1] if value else ""
        self._found[text] = key if key and key[0] not in "?~w" else None

    def _ask(self, text: str, limit: float) -> str | None:
        try:
            process = self._running()
            line = _exchange(process, json.dumps({"text": text, "limit": limit}), limit)
        except OSError:
            line = b""
        self._late = 0 if line else self._late + 1
        if not line:  # it was too slow, or is gone
            self.stop()
            return None
        value: str | None = json.loads(line)
        return value

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None or self._owner != os.getpid() or self._process.poll() is not None:
            self.stop()
            code = "import sys; sys.path[:] = sys.argv[1:]; from outthink.answers.sympy_process import serve; serve()"
            command = [sys.executable, "-I", "-c", code, *filter(None, sys.path)]
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
            self._owner = os.getpid()
            atexit.unregister(self.stop)
            atexit.register(self.stop)
            _exchange(self._process, "", START)
        return self._process

    def stop(self) -> None:
        """End the process, if it is ours (a fork does not own it)."""
        process, self._process = self._process, None
        if process is not None and self._owner == os.getpid():
            process.kill()
            process.wait()
            for pipe in filter(None, (process.stdin, process.stdout)):
                with suppress(OSError):  # of a question that was not taken any more
                    pipe.close()


def _exchange(process: subprocess.Popen[bytes], line: str, limit: float) -> bytes:
    """One line there (none for the greeting) and one back; empty when it took longer, and the process is gone."""
    assert process.stdin is not None
    assert process.stdout is not None
    timer = threading.Timer(limit, process.kill)
    timer.daemon = True
    timer.start()
    try:
        if line:
            process.stdin.write(line.encode() + b"\n")
            process.stdin.flush()
        return process.stdout.readline()
    finally:
        timer.cancel()


_solver = _Solver()
