"""``outthink bench``: strategies compared, on a data set or on recorded samples."""

from __future__ import annotations

import shlex
import sys
from functools import partial
from pathlib import Path
from typing import Any

import typer
from rich import box
from rich.console import Console
from rich.table import Table

from outthink.bench.plan import Asked, read_prices
from outthink.bench.results import SUMMARY
from outthink.bench.run import bench, is_pool
from outthink.bench.summary import Interval, Pair, StrategyFigures, Summary
from outthink.cli import complete, options
from outthink.cli.jobs import run_job
from outthink.core.errors import InputError
from outthink.core.usage import Budget

_STRATEGIES: Any = typer.Option(
    ...,
    "--strategy",
    "-s",
    help='For example "self-consistency(n=16)"; given once for each to compare.',
    autocompletion=complete.strategies,
)
_MODELS: Any = typer.Option(
    None, "--model", "-m", help="Given once for each; a pool has its own.", autocompletion=complete.models
)

_WIDE = 160
"""Columns of a table that no terminal holds."""


def register(root: typer.Typer, summary: str) -> None:
    root.command("bench", help=summary)(bench_)


def bench_(
    source: str = typer.Argument(
        ..., metavar="DATA|POOL", help="JSON lines with question and answer, reasoning-gym:TASK?size=…, or a pool."
    ),
    strategy: list[str] = _STRATEGIES,
    out: Path = typer.Option(..., "--out", "-o", help="A folder for rows and summary; what it holds is gone on with."),
    model: list[str] | None = _MODELS,
    repeats: int | None = typer.Option(None, "--repeats", help="Orders of a pool (100), or live runs of each (1)."),
    seed: int = typer.Option(0, "--seed", help="Of the first repeat."),
    price: Path | None = typer.Option(None, "--price", help="A table of dollars per million tokens, by model."),
    budget: str | None = typer.Option(None, "--budget", "-b", help="Of each run, for example tokens=4000."),
    grader: str | None = typer.Option(None, "--grader", help="How answers are compared, where the data do not say."),
    unsafe: bool = typer.Option(False, "--unsafe-exec", help="Run programs even where nothing holds them in."),
    json: bool = typer.Option(False, "--json", help="Print summary.json instead of tables."),
    timeout: float | None = options.TIMEOUT,
    concurrency: int | None = typer.Option(None, "--concurrency", help="Live runs side by side."),
    no_cache: bool = options.NO_CACHE,
    debug: bool = options.DEBUG,
) -> None:
    """Compare strategies."""
    del debug  # read at the edge
    options.above_zero(repeats=repeats, concurrency=concurrency)
    if not 0 <= seed < 2**40:
        raise InputError(f"--seed takes a whole number from 0 to {2**40 - 1}, not {seed}")
    asked = Asked(
        strategies=tuple(strategy),
        models=tuple(model or ()),
        repeats=repeats,
        seed=seed,
        budget=Budget() if budget is None else Budget.parse(budget),
        prices={} if price is None else read_prices(price),
        grader=grader,
        unsafe=unsafe,
        timeout=timeout,
        concurrency=concurrency,
        cache=not no_cache,
        command=shlex.join(["outthink", *sys.argv[1:]]),
    )
    ended = run_job("question" if is_pool(source) else "run", partial(bench, source, out, asked))
    if json:
        sys.stdout.write((out / SUMMARY).read_text())
        return
    show(ended, Console(highlight=False, width=None if sys.stdout.isatty() else _WIDE))
    failed = sum(figures.errors for figures in ended.strategies)
    if failed and ended.kind == "live":
        print(
            f"outthink: {failed} runs came to nothing; the command again tries those a server failed", file=sys.stderr
        )


def show(summary: Summary, console: Console) -> None:
    """A table of strategies, and a line for each difference that may be called one."""
    console.print(_table(summary))
    floor = [] if summary.random is None else [f"a random sample {_percent(summary.random)}"]
    if summary.oracle is not None:
        floor.append(f"the best of {summary.samples} {_percent(summary.oracle)}")
    if floor:
        console.print(f"{', '.join(floor)} %; {summary.repeats} orders of {summary.data.questions} questions")
    decided = [pair for pair in summary.pairs if pair.distinguishable]
    for pair in decided:
        console.print(_difference(pair), soft_wrap=True)
    open_ = [pair for pair in summary.pairs if not pair.distinguishable]
    if open_:
        least = [pair.detectable_difference for pair in open_]
        them = "The strategies" if not decided else "Other pairs"
        size = "any" if None in least else f"up to {_percent(max(filter(None, least)))} points"
        console.print(f"{them} cannot be told apart here: differences of {size} would go unseen.", soft_wrap=True)


def _table(summary: Summary) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 0, 0, 1))
    timed = any(one.seconds_p50 is not None for one in summary.strategies)
    priced = any(one.usd_mean is not None for one in summary.strategies)
    table.add_column("strategy", overflow="fold")
    for name, wanted in (("accuracy %", True), ("tokens", True), ("samples", True), ("$", priced), ("seconds", timed)):
        if wanted:
            table.add_column(name, justify="right", no_wrap=True)
    for one in summary.strategies:
        cells = [one.label, f"{_percent(one.accuracy)}  {_interval(one.accuracy_ci)}"]
        cells += [f"{one.tokens_mean:,.0f}", f"{one.samples_mean:.1f}"]
        cells += [_dollars(one)] if priced else []
        cells += [_seconds(one)] if timed else []
        table.add_row(*cells)
    return table


def _difference(pair: Pair) -> str:
    up = pair.accuracy_diff > 0
    better, worse = (pair.a, pair.b) if up else (pair.b, pair.a)
    low, high = pair.accuracy_diff_ci if up else _turned(pair.accuracy_diff_ci)
    line = f"{better} beats {worse} by {_percent(abs(pair.accuracy_diff))} points {_interval((low, high))}"
    if pair.token_ratio:
        line += f" at {pair.token_ratio if up else 1 / pair.token_ratio:.2f} times the tokens"
    return line


def _turned(ends: Interval) -> Interval:
    low, high = ends
    return None if high is None else -high, None if low is None else -low


def _percent(share: float) -> str:
    return f"{100 * share:.1f}"


def _interval(ends: Interval) -> str:
    low, high = (("?" if end is None else _percent(end)) for end in ends)
    return f"({low} to {high})"


def _dollars(one: StrategyFigures) -> str:
    return "?" if one.usd_mean is None else f"{one.usd_mean:.5f}"


def _seconds(one: StrategyFigures) -> str:
    return "?" if one.seconds_p50 is None else f"{one.seconds_p50:.2f}"
