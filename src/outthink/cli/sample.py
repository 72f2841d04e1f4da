"""``outthink sample``: samples of many questions, recorded as a pool."""

from __future__ import annotations

import sys

import msgspec
import typer

from outthink.api import Engine
from outthink.batch.progress import Report
from outthink.batch.record import Recording
from outthink.batch.sample import Recorded, sample
from outthink.bench.data import load
from outthink.bench.recording import to_record
from outthink.bench.rows import DataSet
from outthink.cli import options
from outthink.cli.jobs import run_job
from outthink.core.errors import InputError


def register(root: typer.Typer, summary: str) -> None:
    root.command("sample", help=summary)(sample_)


def sample_(
    data: str = typer.Argument(
        ..., metavar="DATA", help="A file of JSON lines with question and answer, or reasoning-gym:TASK?size=…&seed=…."
    ),
    pool: str = typer.Argument(..., metavar="POOL.jsonl", help="Written here; what it holds is kept and completed."),
    n: int = typer.Option(..., "--n", "-n", help="Samples of each question."),
    model: str | None = options.MODEL,
    strategy: str = typer.Option(
        "self-consistency", "--strategy", "-s", help="Whose prompt: direct, cot or self-consistency."
    ),
    temperature: float | None = typer.Option(None, "--temperature", help="The technique's own, or 0.7, unless given."),
    max_tokens: int | None = typer.Option(None, "--max-tokens", help="New tokens of a sample."),
    concurrency: int | None = typer.Option(None, "--concurrency", help="Questions worked on at once."),
    first: int = typer.Option(1, "--first", help="The first row to take, counting from 1."),
    limit: int | None = typer.Option(None, "--limit", help="How many rows to take."),
    grader: str | None = typer.Option(None, "--grader", help="How answers are compared, where the data do not say."),
    timeout: float | None = options.TIMEOUT,
    no_cache: bool = options.NO_CACHE,
    debug: bool = options.DEBUG,
) -> None:
    """Record a pool of samples."""
    del debug  # read at the edge
    options.above_zero(n=n, max_tokens=max_tokens, concurrency=concurrency, first=first, limit=limit)
    if temperature is not None and not 0 <= temperature <= 2:
        raise InputError(f"--temperature takes 0 to 2, not {temperature:g}")
    recording = Recording(
        n=n, strategy=strategy, temperature=temperature, max_tokens=max_tokens, concurrency=concurrency
    )
    rows = list(to_record(_part(load(data, grader=grader, graded=False), first, limit)))

    async def job(report: Report) -> Recorded:
        async with Engine(model, timeout=timeout, cache=not no_cache) as engine:
            return await sample(engine, rows, pool, recording, report)

    ended = run_job("question", job)
    if ended.failures:
        name, error = ended.failures[0]
        left = len(ended.failures)
        print(f"outthink: {left} not recorded, {name!r} first: {error}; run the command again", file=sys.stderr)
        raise typer.Exit(4)


def _part(data: DataSet, first: int, limit: int | None) -> DataSet:
    """The rows that were asked for. Raises `InputError` when there are none."""
    found = data.rows[first - 1 : None if limit is None else first - 1 + limit]
    if not found:
        raise InputError(f"there are no rows from row {first} on; lower --first, or name another file")
    return msgspec.structs.replace(data, rows=found)
