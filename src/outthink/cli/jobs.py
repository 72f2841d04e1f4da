"""Running a job of many rows: signals, progress on standard error, and the line it leaves behind."""

from __future__ import annotations

import sys
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

import anyio
import typer
from rich.console import Console
from rich.progress import BarColumn, TaskID, TextColumn
from rich.progress import Progress as Bar

from outthink.batch.progress import Progress, Report
from outthink.cli.interrupts import interrupts
from outthink.core.groups import task_group

T = TypeVar("T")
EVERY = 10.0
"""Seconds between two lines of progress where there is no terminal."""
REDRAW = 0.1


def run_job(what: str, job: Callable[[Report], Awaitable[T]]) -> T:
    """Run a job under signals, showing how many of ``what`` are done, and at the end what it came to.

    Raises `typer.Exit` with status 130 when it was interrupted.
    """
    ended: list[T] = []
    shown = _Shown(what)

    async def under_signals() -> None:
        async with task_group() as group:
            group.start_soon(interrupts, group.cancel_scope)
            ended.append(await job(shown.take))
            group.cancel_scope.cancel()

    try:
        anyio.run(under_signals)
    finally:
        shown.close()
    if not ended:
        print("outthink: interrupted; what is finished is kept", file=sys.stderr)
        raise typer.Exit(130)
    if shown.last is not None:
        print(_told(shown.last, what), file=sys.stderr)
    return ended[0]


class _Shown:
    """Progress as it is shown: a bar on a terminal, else a line now and then; never more often than it is read."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._next = 0.0
        self._every = EVERY
        self.last: Progress | None = None
        self._bar: Bar | None = None
        self._task: TaskID | None = None
        if sys.stderr.isatty():
            self._every = REDRAW
            self._bar = Bar(BarColumn(24), TextColumn("{task.description}"), console=Console(stderr=True))
            self._task = self._bar.add_task(what, total=None)
            self._bar.start()

    def take(self, progress: Progress) -> None:
        self.last = progress
        now = time.monotonic()
        if now < self._next:
            return
        first, self._next = not self._next, now + self._every
        if self._bar is None and not first:
            print(self._line(progress), file=sys.stderr, flush=True)
        elif self._bar is not None and self._task is not None:
            self._bar.update(
                self._task, description=self._line(progress), completed=progress.done, total=progress.whole
            )

    def _line(self, progress: Progress) -> str:
        left = "" if progress.left is None else f" · {_time(progress.left)} left"
        return f"{_told(progress, self._what)}{left}"

    def close(self) -> None:
        if self._bar is not None:
            self._bar.stop()


def _told(progress: Progress, what: str) -> str:
    """Rows, tokens, dollars and time, on one line."""
    rows, errors, usage = progress.rows, progress.errors, progress.usage
    parts = [f"{rows:,} {what}{'' if rows == 1 else 's'}"]
    if errors:
        parts.append(f"{errors:,} error{'' if errors == 1 else 's'}")
    if progress.kept:
        parts.append(f"{progress.kept:,} kept from before")
    parts.append(f"{usage.tokens:,} tokens")
    if usage.usd:
        parts.append(f"${usage.usd:.4f}")
    billed = progress.ledger.billed.tokens
    if billed < usage.tokens:
        parts.append(f"{usage.tokens - billed:,} of them from the cache")
    return " · ".join((*parts, _time(progress.seconds)))


def _time(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
