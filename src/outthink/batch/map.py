"""Answering a file of rows: each ends as one row of the output, whatever happens to it.

Deterministic, for a backend that repeats itself and rows that no limit or fault touched: everything but ``run_id``,
``seconds``, and what only says how it was paid for now (``billed``, ``cached``); with ``ordered`` the order too. A
server that counts several choices of one reply together leaves each one's ``tokens`` to be estimated or not.
"""

from __future__ import annotations

import math
from collections.abc import AsyncGenerator
from contextlib import aclosing, closing
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import msgspec

from outthink import plugins
from outthink.api import Engine
from outthink.batch.allocate import Allocator
from outthink.batch.files import LineReader, LineWriter, replace_file
from outthink.batch.progress import Progress, Report, silent
from outthink.batch.rows import Row, read_row
from outthink.batch.seen import Seen
from outthink.batch.spread import spread
from outthink.core.candidate import Result
from outthink.core.errors import BadProblem, InputError, OutthinkError, Refused, Unreachable
from outthink.core.problem import AnswerKind, Problem
from outthink.core.usage import Budget, Cost, Usage
from outthink.engine.context import Shared
from outthink.engine.ledger import Ledger

ROWS = 64
"""Rows worked on at once where neither the caller nor the model says."""
_encode = msgspec.json.Encoder().encode


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """How rows are answered. ``budget`` is each row's, ``total`` the whole job's; ``concurrency`` counts rows.

    ``ordered``: write in the order of the input. ``resume``: go on with an output that is there; its rows are
    finished, those with an error too, and what its answers cost counts towards ``total`` (what rows in work had cost
    when a run was killed is known only by the cache, which counts it again without buying it). ``retry``: except that
    rows which failed for no fault of their own (a server, a budget) are answered again, at the end.
    """

    strategy: str | None = None
    budget: Budget | None = None
    total: Budget = Budget()
    answer: AnswerKind = "auto"
    seed: int | None = None
    concurrency: int | None = None
    ordered: bool = False
    resume: bool = False
    retry: bool = False


class _Told(msgspec.Struct):
    """What is read of an error on resume."""

    type: str = ""
    line: int = 0


class _Written(msgspec.Struct):
    """What is read of an output row on resume."""

    id: str | int
    strategy: str = ""
    model: str = ""
    usage: Usage = Usage()
    error: _Told | None = None


async def map_file(engine: Engine, source: str, target: str, plan: Plan, report: Report = silent) -> Progress:
    """Answer the rows of one file into another (``-``: standard input, standard output).

    Raises `InputError` for what is wrong with the whole job (files, model, strategy, prices), and `ServerError`
    when the server cannot be used at all; what is wrong with a row is in its output row.
    """
    if plan.retry and plan.ordered:
        raise InputError("rows that are tried again come last, out of order; leave out ordered, or retry")
    line = await engine.line()
    if plan.strategy is not None:
        plugins.strategy(plan.strategy)
    for budget in (plan.total, plan.budget or Budget()):
        engine.check_price(budget, line.model)
    with closing(LineReader(source)) as reader:
        remedy = "go on with it by --resume, or name another file"
        if plan.retry:
            drop_failed(target)
        with closing(LineWriter(target, go_on=plan.resume, remedy=remedy)) as writer, closing(Seen()) as seen:
            ledger, places = Ledger(plan.total), plan.concurrency or line.model.slots or ROWS
            job = MapJob(engine, plan, Progress(ledger=ledger, whole=reader.size), seen, report, places)
            if plan.resume:
                job.keep(writer, line.model.name)
            rows = job.rows(reader)
            async with aclosing(rows):
                await spread(
                    rows,
                    job.answer,
                    lambda ended: job.land(ended, writer),
                    concurrency=places if job.allocator is None else job.allocator.window,
                    ordered=plan.ordered,
                )
    job.close()
    report(job.progress)
    return job.progress


def drop_failed(target: str) -> None:
    """Take the rows out of an output that failed for no fault of their own, at one stroke."""
    if not Path(target).is_file():
        return
    with closing(LineWriter(target, go_on=True, remedy="")) as held:
        kept = (line + b"\n" for number, line in enumerate(held.written(), 1) if _stays(target, number, line))
        replace_file(Path(target), kept, "it is as it was")


def _stays(path: str, number: int, line: bytes) -> bool:
    """Whether a row is answered, or its error is its own fault."""
    error = _read(path, number, line).error
    return error is None or error.type == BadProblem.__name__


def _read(path: str, number: int, line: bytes) -> _Written:
    try:
        return msgspec.json.decode(line, type=_Written)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path}, line {number}: {error}; it is not an output row") from error


class MapJob:
    """One job: what was met, what is finished, and the books that all rows share.

    A ``total`` that bounds tokens or dollars is shared out by gain (`outthink.batch.allocate`).
    """

    def __init__(self, engine: Engine, plan: Plan, progress: Progress, seen: Seen, report: Report, places: int) -> None:
        self.engine, self.plan, self.progress = engine, plan, progress
        self._seen, self._report = seen, report
        self._shared = Shared(progress.ledger, anyio.current_time() + (plan.total.seconds or math.inf))
        self.allocator: Allocator | None = None
        if plan.total.bounds_cost:
            regular = progress.whole is not None and not plan.ordered  # in order, the oldest row may hold the rest up
            self.allocator = Allocator(progress.ledger, places, unread=self._unread, filling=regular)
        self._lines = self._bytes = self._skipped = 0
        self._usable = False

    def _unread(self) -> float | None:
        """About how many rows are still to be read and answered, by the bytes of those that were."""
        if self.progress.whole is None:
            return None
        left = (self.progress.whole - self._bytes) * self._lines / max(1, self._bytes)
        return max(0.0, left - (self.progress.kept - self._skipped))

    def close(self) -> None:
        """Put on record how the budget was shared out."""
        self.progress.allocation = None if self.allocator is None else self.allocator.shares.summary()

    def keep(self, writer: LineWriter, model: str) -> None:
        """Take in what an earlier run wrote. Raises `InputError` when it was made in another way."""
        wanted = {"model": model}
        if self.plan.strategy is not None:
            wanted["strategy"] = plugins.strategy_text(self.plan.strategy)
        ledger = self._shared.ledger
        for number, line in enumerate(writer.written(), start=1):
            row = _read(writer.path, number, line)
            for what, value in wanted.items():
                if row.error is None and getattr(row, what) != value:
                    raise InputError(
                        f"{writer.path}, line {number} was made with {what} {getattr(row, what)}, not {value}; "
                        "ask as it was asked, or name another file"
                    )
            self._seen.add(_finished(row.id, row.error and row.error.line), number)
            used = row.usage
            ledger.charged += Cost(used.calls, used.prompt_tokens, used.completion_tokens, used.usd or 0.0)
            self.progress.kept += 1

    async def rows(self, reader: LineReader) -> AsyncGenerator[Row]:
        """The rows still to be answered, duplicates marked as errors."""
        progress = self.progress
        async for line in reader:
            self._lines, self._bytes = self._lines + 1, self._bytes + line.size
            row = read_row(line, self.plan.answer)
            if row is not None:
                row = self._checked(row)
            if row is not None:
                yield row
            else:
                progress.done += line.size
                progress.begun += line.size
        if self.allocator is not None:
            self.allocator.ended()

    def _checked(self, row: Row) -> Row | None:
        """The row, as an error if its id was met before; None if it is finished."""
        first = self._seen.add(f"id {row.id}", row.line) if row.fields else None
        if first is not None and row.error is None:
            error = BadProblem(f"line {row.line}: the id {row.id!r} is that of line {first} already; give it its own")
            row = msgspec.structs.replace(row, error=error)
        kept = self.progress.kept
        if kept and (
            self._seen.line(_finished(row.id, row.line)) is not None
            or (row.error is None and self._seen.line(_finished(row.id, None)) is not None)
        ):
            self._skipped += 1
            return None
        return row

    async def answer(self, row: Row) -> tuple[Row, dict[str, Any]]:
        """A row's output row."""
        if row.problem is None or row.error is not None:
            return row, _failed(row, row.error or BadProblem("there is no problem in it"))
        try:
            result = await self._solved(row.problem)
        except OutthinkError as error:
            if not self._usable and hopeless(error):
                raise
            return row, _failed(row, error)
        self._usable = True
        return row, {"id": row.id, **result.to_dict()}

    async def _solved(self, problem: Problem) -> Result:
        """A problem's result, inside what the rows share; where they compete for it, in a place of its own."""
        plan = self.plan
        solve = partial(self.engine.solve, problem, strategy=plan.strategy, budget=plan.budget, seed=plan.seed)
        if self.allocator is None:
            return await solve(within=self._shared)
        async with self.allocator.seat() as seat:
            result = await solve(within=Shared(seat.ledger, self._shared.deadline, seat))
            seat.samples = len(result.candidates)
            return result

    def land(self, ended: tuple[Row, dict[str, Any]], writer: LineWriter) -> None:
        """Write an output row and report."""
        row, told = ended
        writer.write(_encode(told))
        self.progress.rows += 1
        self.progress.errors += "error" in told
        self.progress.done += row.size
        self._report(self.progress)


def hopeless(error: OutthinkError) -> bool:
    """Whether an error, before anything has worked, means that nothing will."""
    return isinstance(error, Unreachable) or (isinstance(error, Refused) and error.status in (401, 403, 404))


def _failed(row: Row, error: OutthinkError) -> dict[str, Any]:
    return {"id": row.id, "error": {"type": type(error).__name__, "message": str(error), "line": row.line}}


def _finished(name: str | int, line: int | None) -> str:
    """The key of a finished row: an answer by its id, an error by its line too, since ids may be double."""
    return f"answered {name}" if line is None else f"failed {line} {name}"
