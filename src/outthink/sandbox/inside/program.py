"""What a program's process does: run the code, and answer calls with data. Also what a checker's process does.

The channel carries lines of JSON. In: a job, then (for a program that is asked for values) the calls, which are sent
only once the program's own code has ended, each with a random key its answer repeats. Everything that leaves here is
untrusted: the code under test shares this interpreter and may have changed anything in it.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import linecache
import os
import sys
import threading
import traceback
import types
from collections.abc import Callable
from typing import Any, TextIO, TypeVar

from outthink.sandbox.inside import payload

T = TypeVar("T")
_LEFT = ("SystemExit", "SystemExit: None", "SystemExit: 0")
"""A program's exits that are no errors."""
_SHOWN, _TRACE = 300, 4000
"""Characters of a value or message, and of a traceback, that are told."""


def work(asked: TextIO, channel: TextIO) -> None:
    """One job, from what is asked to the answers."""
    job = json.loads(asked.readline())
    _streams()
    if job["do"] == "compare":
        _tell(channel, {"compared": _compared(job)})
        return
    module = types.ModuleType(job["name"])
    sys.modules[job["name"]] = module
    for text, name in ((job["setup"], "<setup>"), (job["code"], "<program>")):
        error = _executed(text, name, module.__dict__)
        if error is not None and not (job["do"] == "run" and error["message"] in _LEFT):
            _tell(channel, {"error": error})
            return
    if job["do"] == "run":
        error = _ended()
        _tell(channel, {"error": error} if error else {"ran": True})
        return
    _tell(channel, {"ran": True})
    for call in json.loads(asked.readline()):
        _tell(channel, {"key": call["key"], **_called(call, module.__dict__)})


def _streams() -> None:
    for number, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        setattr(sys, name, open(number, mode, encoding="utf-8", errors="backslashreplace", closefd=False))  # noqa: SIM115
        setattr(sys, f"__{name}__", getattr(sys, name))


def _executed(text: str, name: str, scope: dict[str, Any]) -> dict[str, str] | None:
    """Run statements in a namespace; what went wrong, or None."""
    linecache.cache[name] = (len(text), None, text.splitlines(keepends=True), name)
    return _attempt(lambda: exec(compile(text, name, "exec", dont_inherit=True), scope))[1]


def _ended() -> dict[str, str] | None:
    """End as an interpreter does: threads first, then what was registered for the exit."""

    def end() -> None:
        for thread in threading.enumerate():
            if thread is not threading.current_thread() and not thread.daemon:
                thread.join()
        atexit._run_exitfuncs()  # pyright: ignore[reportPrivateUsage]

    return _attempt(end)[1]


def _called(call: dict[str, Any], scope: dict[str, Any]) -> dict[str, Any]:
    """One call's value as JSON text; a call of statements is worth None."""
    if call["statements"]:
        error = _executed(call["text"], "<test>", scope)
        return {"value": "null"} if error is None else {"error": error}
    compiled = compile(call["text"], "<test>", "eval", dont_inherit=True)
    value, error = _attempt(lambda: payload.dumps(eval(compiled, scope)))
    return {"value": value} if error is None else {"error": error}


def _attempt(work: Callable[[], T]) -> tuple[T | None, dict[str, str] | None]:
    """What the work returns, or what it raised, whatever that is: code that is not trusted runs in it."""
    try:
        return work(), None
    except BaseException as error:  # noqa: BLE001
        return None, _told(error)


def _told(error: BaseException) -> dict[str, str]:
    """An exception as text, with the end of its traceback."""
    trace = error.__traceback__
    while trace is not None and not trace.tb_frame.f_code.co_filename.startswith("<"):
        trace = trace.tb_next  # frames of this module are none of the program's business
    told = {"type": type(error).__name__[:80], "message": type(error).__name__[:80], "traceback": ""}
    with contextlib.suppress(BaseException):  # an exception may raise when it is written out
        told["message"] = traceback.format_exception_only(type(error), error)[-1].strip()[:_SHOWN]
        told["traceback"] = "".join(traceback.format_exception(type(error), error, trace))[-_TRACE:]
    return told


def _tell(channel: TextIO, what: dict[str, Any]) -> None:
    channel.write(json.dumps(what) + "\n")
    channel.flush()


def finish() -> None:
    """Write out what was printed, and end without the warm parent's own clean-up."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError, AttributeError):
            stream.flush()
    os._exit(0)


def _compared(job: dict[str, Any]) -> list[dict[str, Any]]:
    """Each test of trusted text, with the values it was given in the place of calls."""
    scope: dict[str, Any] = {"__name__": "tests"}
    exec(compile(job["setup"], "<setup>", "exec", dont_inherit=True), scope)
    return [_comparison(test, scope) for test in job["tests"]]


def _comparison(test: dict[str, Any], scope: dict[str, Any]) -> dict[str, Any]:
    def values() -> dict[str, Any]:
        return scope | {name: payload.loads(json.loads(text)) for name, text in test["values"].items()}

    held, error = _attempt(lambda: bool(eval(test["text"], values())))
    if error is not None:
        return {"passed": False, "shown": error["message"]}
    if held is True:
        return {"passed": True, "shown": ""}
    shown, _ = _attempt(lambda: _sides(test["sides"], values()))
    return {"passed": False, "shown": shown or ""}


def _sides(sides: list[str], scope: dict[str, Any]) -> str:
    """The sides of a comparison that failed, with their values."""
    texts = [repr(eval(side, scope)) for side in sides]
    return " vs ".join(text if len(text) <= _SHOWN else text[:_SHOWN] + "…" for text in texts)
