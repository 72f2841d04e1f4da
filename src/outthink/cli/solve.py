"""``outthink solve``: one question, live lines on a terminal, the answer on standard output."""

from __future__ import annotations

import json
import sys
import time
from functools import partial
from pathlib import Path
from typing import cast, get_args

import anyio
import typer

from outthink.answers import kind_of
from outthink.api import Engine
from outthink.cli import options
from outthink.cli.interrupts import interrupts
from outthink.cli.live import decision, follow, summary
from outthink.core.candidate import Result
from outthink.core.errors import BadProblem, BadSpec, InputError
from outthink.core.events import Decided
from outthink.core.groups import task_group
from outthink.core.problem import AnswerKind, Problem
from outthink.engine.log import EventLog, TraceFile

STARTED = time.monotonic() - time.process_time()
"""When this process began, near enough: so far it has done nothing but compute."""


def register(root: typer.Typer, summary: str) -> None:
    root.command("solve", help=summary)(solve)


def solve(
    question: str = typer.Argument("-", help="The question; - reads standard input."),
    model: str | None = options.MODEL,
    strategy: str | None = options.STRATEGY,
    budget: str | None = options.BUDGET,
    answer: str = options.ANSWER,
    context: list[Path] = typer.Option([], "--context", help="A text file to put before the question; repeatable."),
    tests: Path | None = typer.Option(None, "--tests", help="Assert statements that a program must pass, in a file."),
    seed: int | None = options.SEED,
    trace: Path | None = typer.Option(None, "--trace", help="Write every event to this file, as JSON lines."),
    as_json: bool = typer.Option(False, "--json", help="Print one JSON object."),
    timeout: float | None = options.TIMEOUT,
    concurrency: int = options.CONCURRENCY,
    no_cache: bool = options.NO_CACHE,
    unsafe_exec: bool = options.UNSAFE_EXEC,
    debug: bool = options.DEBUG,
) -> None:
    """Answer a question."""
    del debug  # read at the edge
    problem = _problem(question, answer, context, tests)
    engine = Engine(model, concurrency=concurrency, timeout=timeout, cache=not no_cache, unsafe_exec=unsafe_exec)
    ask = partial(_ask, problem, engine, strategy, budget, seed, trace, as_json)
    raise typer.Exit(anyio.run(ask))


def _problem(question: str, answer: str, context: list[Path], tests: Path | None) -> Problem:
    if answer not in get_args(AnswerKind):
        raise BadSpec(f"--answer {answer!r} does not exist; use {', '.join(get_args(AnswerKind))}")
    text = _standard_input() if question == "-" else question
    if not text.strip():
        raise BadProblem("the question is empty; give the text of a question")
    passages = [_read(path, "--context") for path in context]
    messages = ({"role": "user", "content": "\n\n".join([*passages, text.strip()])},)
    given = None if tests is None else _read(tests, "--tests")
    return Problem.of(Problem(messages=messages, answer_kind=cast("AnswerKind", answer), tests=given))


def _standard_input() -> str:
    try:
        return sys.stdin.buffer.read().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadProblem(f"standard input is not UTF-8 text ({error.reason} at byte {error.start}); mend it") from error


def _read(path: Path, option: str) -> str:
    try:
        return path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{option} {path}: cannot be read as text ({error}); name a UTF-8 text file") from error


async def _ask(
    problem: Problem,
    engine: Engine,
    strategy: str | None,
    budget: str | None,
    seed: int | None,
    trace: Path | None,
    as_json: bool,
) -> int:
    """Solve under signals and a live view, which ends before the answer is shown; returns the exit status."""
    results, logs = list[Result](), list[EventLog]()
    file = None if trace is None else TraceFile(trace)
    async with task_group() as group:
        group.start_soon(interrupts, group.cancel_scope)
        try:
            async with engine, task_group() as viewers:

                def watch(log: EventLog) -> None:
                    logs.append(log)
                    viewers.start_soon(follow, log)

                results.append(
                    await engine.solve(
                        problem,
                        strategy=strategy,
                        budget=budget,
                        seed=seed,
                        trace=file,
                        elapsed=time.monotonic() - STARTED,
                        watch=watch,
                    )
                )
        finally:
            if file is not None:
                file.close()
        group.cancel_scope.cancel()
    if not results:
        print("outthink: interrupted", file=sys.stderr)
        return 130
    _show(results[0], problem, as_json, logs[0])
    return _status(results[0], problem)


def _show(result: Result, problem: Problem, as_json: bool, log: EventLog) -> None:
    if as_json:
        print(json.dumps(result.to_dict(), ensure_ascii=False))
    else:
        print(shown(result, problem), flush=True)
        last = next((event for event in reversed(log.events) if isinstance(event, Decided)), None)
        if last is not None and last.action == "stop":
            print(decision(last), file=sys.stderr)
        print(summary(result), file=sys.stderr, flush=True)
    sys.stdout.flush()


def shown(result: Result, problem: Problem) -> str:
    """The answer where there is one to a question that has one, else the whole text."""
    voted = result.confidence_source in ("vote_share", "weighted_share") or kind_of(problem) != "text"
    return result.answer.text if result.answer is not None and voted else result.text


def _status(result: Result, problem: Problem) -> int:
    """3 when a limit came before any answer to a question that has one."""
    cut = result.stop_reason in ("budget", "deadline")
    return 3 if cut and result.answer is None and kind_of(problem) != "text" else 0
