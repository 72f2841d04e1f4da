"""``outthink map``: a file of questions in, a file of answers out."""

from __future__ import annotations

import os
import sys
from typing import cast

import typer

from outthink.api import Engine
from outthink.batch.map import ROWS, Plan, map_file
from outthink.batch.progress import Progress, Report
from outthink.cli import options
from outthink.cli.jobs import run_job
from outthink.core.errors import BadSpec, InputError
from outthink.core.problem import ANSWER_KINDS, AnswerKind
from outthink.core.usage import Budget


def register(root: typer.Typer, summary: str) -> None:
    root.command("map", help=summary)(map_)


def map_(
    source: str = typer.Argument(..., metavar="IN.jsonl", help="Rows with question or messages; - reads standard in."),
    target: str = typer.Argument(..., metavar="OUT.jsonl", help="One row for each; - writes standard output."),
    model: str | None = options.MODEL,
    strategy: str | None = options.STRATEGY,
    budget: str | None = typer.Option(None, "--budget", "-b", help="Of each row, for example tokens=4000,seconds=20."),
    total: str | None = typer.Option(
        None, "--total-budget", help="Of the whole job, for example usd=5; spent where it gains most."
    ),
    concurrency: int | None = typer.Option(None, "--concurrency", help="Rows worked on at once."),
    ordered: bool = typer.Option(False, "--ordered", help="Write in the order of the input, not as rows finish."),
    resume: bool = typer.Option(False, "--resume", help="Go on with OUT: what it holds is not answered again."),
    retry: bool = typer.Option(
        False, "--retry-errors", help="With --resume: try rows again that a server or a budget failed."
    ),
    answer: str = typer.Option("auto", "--answer", help="The kind of answer where a row names none."),
    seed: int | None = options.SEED,
    timeout: float | None = options.TIMEOUT,
    no_cache: bool = options.NO_CACHE,
    unsafe_exec: bool = options.UNSAFE_EXEC,
    debug: bool = options.DEBUG,
) -> None:
    """Answer a file of questions."""
    del debug  # read at the edge
    if answer not in ANSWER_KINDS:
        raise BadSpec(f"--answer {answer!r} does not exist; use {', '.join(ANSWER_KINDS)}")
    options.above_zero(concurrency=concurrency)
    if retry and not resume:
        raise InputError("--retry-errors goes with --resume; add it")
    budget = budget or os.environ.get("OUTTHINK_BUDGET")
    plan = Plan(
        strategy=strategy or os.environ.get("OUTTHINK_STRATEGY"),
        budget=None if budget is None else Budget.parse(budget),
        total=Budget() if total is None else Budget.parse(total),
        answer=cast("AnswerKind", answer),
        seed=seed,
        concurrency=concurrency,
        ordered=ordered,
        resume=resume,
        retry=retry,
    )

    async def job(report: Report) -> Progress:
        calls = max(ROWS, concurrency or 0)
        async with Engine(
            model, concurrency=calls, timeout=timeout, cache=not no_cache, unsafe_exec=unsafe_exec
        ) as engine:
            return await map_file(engine, source, target, plan, report)

    ended = run_job("row", job)
    if ended.allocation is not None and ended.allocation.bought + ended.allocation.refused:
        print(ended.allocation, file=sys.stderr)
