"""A bench on a pool: every sample graded once, then every strategy over many orders of them, in two processes.

Blocks of rows are written in the order of the questions, so that a bench that was killed goes on at the row where it
was, and ends with the same bytes.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import AsyncGenerator, Sequence
from contextlib import AsyncExitStack, ExitStack, aclosing, closing
from pathlib import Path
from typing import Any

import anyio
import msgspec

from outthink import plugins
from outthink.batch.files import LineWriter
from outthink.batch.progress import Progress, Report
from outthink.batch.spread import spread
from outthink.bench.apart import Workers
from outthink.bench.block import Block, Dealing, Done, dealt
from outthink.bench.deck import Deck
from outthink.bench.grading import Grader
from outthink.bench.plan import REPEATS, Asked, Plan, check_held_out, checked_strategies, opened, samples_wanted
from outthink.bench.recording import recorded
from outthink.bench.results import (
    CURVES,
    GRADES,
    QUESTIONS,
    ROWS,
    SHOWN,
    Graded,
    QuestionRow,
    Shown,
    as_lines,
    encode,
    put,
    read_lines,
)
from outthink.bench.rows import Row
from outthink.bench.summary import Data
from outthink.core.errors import InputError
from outthink.core.usage import Budget
from outthink.engine.ledger import Ledger
from outthink.models.pool import PoolRow, PoolText, numbered_pool, pool_text

WORKERS = 2
HERE = 2000
"""Runs up to which starting processes would take longer than the runs."""
GRADING = 32
"""Questions of which programs are run side by side; the sandbox runs as many programs as there are processors."""


class Pool(msgspec.Struct, frozen=True):
    """A pool that may be benched: its rows, each as data too, in the same order."""

    text: PoolText
    rows: tuple[PoolRow, ...]
    data: tuple[Row, ...]

    @property
    def size(self) -> int:
        """Samples that every question has."""
        return min(len(row.samples) for row in self.rows)


def read(source: str, remedy: str = "bench them apart", graded: bool = True) -> Pool:
    """A pool by its path or its model text. Raises `InputError` naming the line where its rows do not go together, and
    for one without gold unless ``graded`` is false."""
    text = pool_text(source)
    numbered = numbered_pool(text.path)
    rows = tuple(row for _, row in numbered)
    data = tuple(recorded(row, f"the pool {text.path}, line {number}", graded) for number, row in numbered)
    for (number, row), asked in zip(numbered, data, strict=True):
        other = differs(rows[0], row, data[0], asked)
        if other:
            raise InputError(f"the pool {text.path}, line {number}: {row.id!r} {other} line {numbered[0][0]}; {remedy}")
        if not row.samples:
            raise InputError(f"the pool {text.path}, line {number}: {row.id!r} has no samples; record some")
    return Pool(text, rows, data)


def differs(first: PoolRow, row: PoolRow, first_data: Row, data: Row) -> str:
    """How a row does not go with the first one; empty where it does."""
    if data.kind != first_data.kind:
        return f"asks for a {data.kind}, not for a {first_data.kind} as"
    asked = first.fingerprint.prompt if not row.choices else None  # choices are listed in the prompt
    told = row.fingerprint.differs(msgspec.structs.replace(first.fingerprint, prompt=asked, version=""))
    return f"was recorded with {told} as" if told else ""


def planned(source: str, pool: Pool, asked: Asked) -> Plan:
    """The plan of a bench on a pool. Raises `InputError` for what cannot be replayed."""
    path = pool.text.path
    if asked.models:
        raise InputError(f"the pool {path} holds what its model said; leave out --model, or bench a data set")
    if asked.budget.seconds is not None:
        raise InputError(f"the pool {path} has no seconds to limit; use tokens, completion_tokens, usd or calls")
    strategies = checked_strategies(asked.strategies)
    mark = pool.rows[0].fingerprint
    model = mark.model or path.stem
    price = asked.prices.get(model)
    if asked.budget.usd is not None and price is None:
        raise InputError(f"a usd budget needs the price of {model}; give it by --price")
    check_held_out(strategies, (row.id for row in pool.rows), (model,))
    for text in strategies:
        wanted, least = samples_wanted(plugins.strategy(text)), min(pool.rows, key=lambda row: len(row.samples))
        if wanted > len(least.samples):
            raise InputError(
                f"{text} takes {wanted} samples, and the pool {path} holds {len(least.samples)} of {least.id!r}; "
                "lower n, or record more with outthink sample"
            )
    shared = {name: value for name, value in msgspec.structs.asdict(mark).items() if value not in (None, "")}
    if not pool.text.checked:
        shared["check"] = "off"
    if pool.text.each_prompt:
        shared["prompts"] = "each"
    digest = hashlib.sha256(b"".join(map(encode, pool.rows))).hexdigest()
    return Plan(
        data=Data(str(path), len(pool.rows), digest),
        kind="pool",
        strategies=strategies,
        models=(model,),
        repeats=asked.repeats or REPEATS,
        seed=asked.seed,
        budget=str(asked.budget),
        prices={} if price is None else {model: price},
        source=shared,
    )


async def bench_pool(source: str, folder: Path, asked: Asked, report: Report) -> Plan:
    """Replay strategies over a pool into a folder, all but the summary. Raises `InputError`."""
    pool = read(source)
    plan = planned(source, pool, asked)
    dealing = Dealing.of(plan, pool.text, pool.size, asked.unsafe)
    progress = Progress(ledger=Ledger(Budget()), whole=2 * len(pool.rows))
    async with Grader(unsafe=asked.unsafe) as grader:
        await _tried(dealing, pool, grader)
        opened(folder, plan)
        with ExitStack() as files:
            grades, rows, curves = (
                files.enter_context(closing(LineWriter(str(folder / name), go_on=True, remedy="")))
                for name in (GRADES, ROWS, CURVES)
            )
            graded = await _grade(pool, grades, grader, progress, report)
            blocks = [
                Block(row, data, found.grades) for row, data, found in zip(pool.rows, pool.data, graded, strict=True)
            ]
            await _Writing(dealing, rows, curves, progress, report).run(blocks, grader)
    put(folder / QUESTIONS, as_lines(map(_question, pool.rows, pool.data, graded)))
    return plan


async def _tried(dealing: Dealing, pool: Pool, grader: Grader) -> None:
    """One order of the first question by every strategy: what a pool cannot give is told before anything is done."""
    few = msgspec.structs.replace(dealing, repeats=1, families={})
    await dealt(few, Block(pool.rows[0], pool.data[0], []), grader)


async def _grade(pool: Pool, writer: LineWriter, grader: Grader, progress: Progress, report: Report) -> list[Graded]:
    """Every sample's grade, those of an earlier run kept."""
    done = list(read_lines(Path(writer.path), Graded))
    progress.begun = progress.done = len(done)
    waiting = list(zip(pool.rows, pool.data, strict=True))[len(done) :]

    async def work(item: tuple[PoolRow, Row]) -> Graded:
        await anyio.lowlevel.checkpoint()
        return await _graded(*item, grader)

    def land(found: Graded) -> None:
        writer.write(encode(found))
        done.append(found)
        progress.done += 1
        report(progress)

    items = _each(waiting)
    async with aclosing(items):
        await spread(items, work, land, concurrency=GRADING, ordered=True)
    return done


async def _graded(row: PoolRow, data: Row, grader: Grader) -> Graded:
    deck = Deck(row)
    found = [deck.candidate(place, place, data.problem, None, False) for place in range(len(row.samples))]
    return Graded(
        id=row.id,
        prompt_tokens=row.prompt_tokens,
        grades=[await grader.graded(data, one.text, one.answer) for one in found],
        answers=[one.answer and one.answer.key for one in found],
        tokens=[one.tokens for one in found],
    )


def _question(row: PoolRow, data: Row, graded: Graded) -> QuestionRow:
    deck = Deck(row)
    shown = [deck.candidate(place, place, data.problem, None, False) for place in range(min(SHOWN, len(row.samples)))]
    samples = [
        Shown(one.text, one.answer and one.answer.text, grade, one.tokens)
        for one, grade in zip(shown, graded.grades, strict=False)
    ]
    return question_row(data, sum(graded.grades) / len(graded.grades), samples)


def question_row(data: Row, difficulty: float | None, samples: list[Shown]) -> QuestionRow:
    """A question with what was said to it."""
    return QuestionRow(
        id=data.id,
        question=data.problem.question,
        gold=data.answer or "\n".join(data.tests),
        grader=data.grader,
        kind=data.kind,
        cluster=data.cluster,
        difficulty=difficulty,
        samples=samples,
    )


async def _each(items: Sequence[Any]) -> AsyncGenerator[Any]:
    for item in items:
        yield item


class _Writing:
    """Blocks of rows on their way to the files, each question's after the one before it."""

    def __init__(
        self, dealing: Dealing, rows: LineWriter, curves: LineWriter, progress: Progress, report: Report
    ) -> None:
        self._dealing, self._rows, self._curves = dealing, rows, curves
        self._progress, self._report = progress, report
        self._row_lines = sum(1 for _ in rows.written())
        self._curve_lines = sum(1 for _ in curves.written())
        self._next = 0

    async def run(self, blocks: Sequence[Block], grader: Grader) -> None:
        """Deal every block that is not written. What runs programs, or is short, stays in this process."""
        size = self._dealing.runs
        self._next = min(self._row_lines // size, self._curve_lines)
        self._progress.kept = self._next
        self._progress.begun += self._next
        self._progress.done += self._next
        waiting = blocks[self._next :]
        programs = bool(waiting) and waiting[0].data.grader == "tests"
        apart = not programs and size * len(waiting) > HERE
        async with AsyncExitStack() as stack:
            workers = None
            if apart:
                count = min(WORKERS, os.cpu_count() or 1)
                workers = await stack.enter_async_context(Workers(self._dealing, count))

            async def work(block: Block) -> Done:
                if workers is not None:
                    return await workers.deal(block)
                await anyio.lowlevel.checkpoint()
                return await dealt(self._dealing, block, grader)

            items = await stack.enter_async_context(aclosing(_each(waiting)))
            side_by_side = 2 * WORKERS if apart else GRADING if programs else 1
            await spread(items, work, self._land, concurrency=side_by_side, ordered=True)

    def _land(self, done: Done) -> None:
        """Write a question's lines, but for those that are there."""
        if self._next >= self._curve_lines:
            self._curves.write(done.curves)
        there = max(0, self._row_lines - self._next * self._dealing.runs)
        rest = done.rows[there:]
        if rest:
            self._rows.write(b"\n".join(rest))
        self._next += 1
        self._progress.rows += 1
        self._progress.done += 1
        self._report(self._progress)
