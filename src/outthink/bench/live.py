"""A bench on a data set: every strategy on every model, run through the engine, each run kept as soon as it ends.

``runs.jsonl`` holds runs in the order they ended; the other files are made of it when all are there, in the order of
the data, so that a bench that was killed buys nothing again that had ended.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable, Mapping
from contextlib import aclosing, closing
from pathlib import Path
from typing import NamedTuple

import msgspec

from outthink.api import Engine
from outthink.batch.files import LineWriter
from outthink.batch.map import hopeless
from outthink.batch.progress import Progress, Report
from outthink.batch.spread import spread
from outthink.bench.block import with_result, with_usage
from outthink.bench.data import load
from outthink.bench.grading import Grader
from outthink.bench.plan import Asked, Plan, check_held_out, checked_strategies, opened
from outthink.bench.pools import question_row
from outthink.bench.results import (
    QUESTIONS,
    ROWS,
    RUNS,
    SHOWN,
    QuestionRow,
    Ran,
    RunRow,
    Shown,
    as_lines,
    encode,
    put,
    read_lines,
)
from outthink.bench.rows import DataSet, Row
from outthink.bench.summary import Data
from outthink.core.candidate import Result
from outthink.core.errors import (
    BudgetExhausted,
    BudgetTooSmall,
    ContextOverflow,
    InputError,
    OutthinkError,
    ServerError,
)
from outthink.core.events import RunEnded
from outthink.core.usage import Budget, Usage
from outthink.engine.context import Line, Shared
from outthink.engine.ledger import Ledger
from outthink.engine.log import EventLog

STRIDE = 10_000
"""Between the seeds of two repeats: more than a strategy takes samples."""
RUNS_AT_ONCE = 16
"""Runs side by side by default; two on an engine with slots, so that one is always waiting."""
_LEFT = (BudgetExhausted, BudgetTooSmall, ContextOverflow, ServerError)
"""What costs a run, but not the bench."""


class Item(NamedTuple):
    """One run that is to be made. ``text`` names the model as the caller does."""

    row: Row
    strategy: str
    model: str
    text: str
    repeat: int

    @property
    def key(self) -> tuple[str, str, str, int]:
        return self.row.id, self.model, self.strategy, self.repeat


async def bench_live(source: str, folder: Path, asked: Asked, report: Report) -> Plan:
    """Run strategies on a data set into a folder, all but the summary. Raises `InputError` for what is wrong with the
    whole bench, `ServerError` when a server cannot be used at all; what is wrong with a run is in its row."""
    data = load(source, grader=asked.grader)
    _of_one_kind(data)
    strategies = checked_strategies(asked.strategies)
    calls = max(64, asked.concurrency or 0)
    async with (
        Engine(None, concurrency=calls, timeout=asked.timeout, cache=asked.cache) as engine,
        Grader(unsafe=asked.unsafe) as grader,
    ):
        lines = {text: await engine.line(text) for text in asked.models or (engine.model,)}
        plan = _planned(data, strategies, lines, asked)
        check_held_out(strategies, (row.id for row in data.rows), plan.models)
        for line in lines.values():
            line.model.price = plan.prices.get(line.model.name, line.model.price)
            engine.check_price(asked.budget, line.model)
        if data.rows[0].grader == "tests":
            await grader.ready()
        opened(folder, plan)
        with closing(LineWriter(str(folder / RUNS), go_on=True, remedy="")) as writer:
            job = _Job(engine, grader, plan, asked, writer, report)
            items = job.waiting(data.rows, {line.model.name: text for text, line in lines.items()})
            concurrency = asked.concurrency or min(2 if line.model.slots else RUNS_AT_ONCE for line in lines.values())
            async with aclosing(items):
                await spread(items, job.run, job.land, concurrency=concurrency)
    finish(folder, plan, data.rows)
    return plan


def _of_one_kind(data: DataSet) -> None:
    """Raises `InputError` for a row that asks for another kind of answer than the first."""
    first = data.rows[0]
    for number, row in enumerate(data.rows, start=1):
        if row.kind != first.kind:
            raise InputError(
                f"{data.path} row {number} ({row.id}) asks for a {row.kind}, and row 1 for a {first.kind}; one "
                "accuracy over both would mean little: bench them apart"
            )


def _planned(data: DataSet, strategies: tuple[str, ...], lines: Mapping[str, Line], asked: Asked) -> Plan:
    models = [line.model for line in lines.values()]
    names = tuple(model.name for model in models)
    if len(set(names)) < len(names):
        raise InputError(f"two of the models are called {max(names, key=names.count)}; give each once")
    return Plan(
        data=Data(data.path, len(data.rows), data.fingerprint),
        kind="live",
        strategies=strategies,
        models=names,
        repeats=asked.repeats or 1,
        seed=asked.seed,
        budget=str(asked.budget),
        prices={name: price for name, price in asked.prices.items() if name in names},
        source={model.name: {"source": model.source, "parameters": model.parameters} for model in models},
    )


class _Job:
    """The runs of one bench."""

    def __init__(
        self, engine: Engine, grader: Grader, plan: Plan, asked: Asked, writer: LineWriter, report: Report
    ) -> None:
        self._engine, self._grader, self._plan, self._asked = engine, grader, plan, asked
        self._writer, self._report = writer, report
        ledger = Ledger(Budget())
        self._shared = Shared(ledger)
        self._usable = False
        self._done = {_key(ran.row) for ran in read_lines(Path(writer.path), Ran) if not ran.retry}
        kept = len(self._done)
        whole = plan.data.questions * len(plan.entries) * plan.repeats
        self.progress = Progress(ledger=ledger, whole=whole, kept=kept, done=kept, begun=kept)

    async def waiting(self, rows: Iterable[Row], texts: Mapping[str, str]) -> AsyncGenerator[Item]:
        """The runs that have not ended yet, a whole repeat before the next."""
        rows = list(rows)
        for repeat in range(self._plan.repeats):
            for strategy, model in self._plan.entries:
                for row in rows:
                    item = Item(row, strategy, model, texts[model], repeat)
                    if item.key not in self._done:
                        yield item

    async def run(self, item: Item) -> Ran:
        """One run, graded with what it sampled."""
        blank = RunRow(strategy=item.strategy, model=item.model, id=item.row.id, repeat=item.repeat, correct=0.0)
        logs: list[EventLog] = []
        try:
            result = await self._engine.solve(
                item.row.problem,
                model=item.text,
                strategy=item.strategy,
                budget=self._asked.budget,
                within=self._shared,
                seed=self._plan.seed + STRIDE * item.repeat,
                watch=logs.append,
            )
        except _LEFT as error:
            if not self._usable and hopeless(error):
                raise
            return _failed(blank, error, logs[-1] if logs else None)
        self._usable = True
        return await self._graded(item.row, blank, result)

    async def _graded(self, row: Row, blank: RunRow, result: Result) -> Ran:
        grader = self._grader
        done = with_result(blank, result, await grader.graded(row, result.text, result.answer))
        done = with_usage(done, len(result.candidates), result.usage, result.by_role)
        samples = [
            Shown(one.text, one.answer and one.answer.text, await grader.graded(row, one.text, one.answer), one.tokens)
            for one in result.candidates
        ]
        single = [
            shown.correct for one, shown in zip(result.candidates, samples, strict=True) if one.origin == "sample"
        ]
        return Ran(
            row=msgspec.structs.replace(done, seconds=result.usage.seconds),
            samples=samples[:SHOWN],
            graded=(len(single), sum(single)),
        )

    def land(self, ran: Ran) -> None:
        self._writer.write(encode(ran))
        progress = self.progress
        progress.rows += 1
        progress.done += 1
        progress.errors += ran.row.error is not None
        self._report(progress)


def _key(row: RunRow) -> tuple[str, str, str, int]:
    return row.id, row.model, row.strategy, row.repeat


def _failed(blank: RunRow, error: OutthinkError, log: EventLog | None) -> Ran:
    """A run that came to nothing. What a server failed is tried again when the bench is run again."""
    usage = Usage()
    if log is not None and log.events and isinstance(log.events[-1], RunEnded):
        usage = log.events[-1].usage
    row = with_usage(msgspec.structs.replace(blank, error=f"{type(error).__name__}: {error}"), 0, usage, {})
    return Ran(row=msgspec.structs.replace(row, seconds=usage.seconds), retry=isinstance(error, ServerError))


def finish(folder: Path, plan: Plan, rows: Iterable[Row]) -> None:
    """Make rows and questions of the runs, in the order of the data."""
    last = {_key(ran.row): ran for ran in read_lines(folder / RUNS, Ran)}
    runs: list[RunRow] = []
    questions: list[QuestionRow] = []
    for row in rows:
        own = [last[row.id, m, s, r] for s, m in plan.entries for r in range(plan.repeats)]
        runs += [ran.row for ran in own]
        seen = {(shown.text, shown.answer): shown for ran in own for shown in ran.samples}
        count = sum(ran.graded[0] for ran in own)
        difficulty = sum(ran.graded[1] for ran in own) / count if count else None
        questions.append(question_row(row, difficulty, list(seen.values())[:SHOWN]))
    put(folder / ROWS, as_lines(runs))
    put(folder / QUESTIONS, as_lines(questions))
