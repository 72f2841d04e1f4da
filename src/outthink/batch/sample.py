"""Recording pools: n samples a question, bought once through the engine and replayed ever after.

A row is appended when its question is whole, in the order of the data; a run that was killed goes on where it was, and
what it had bought comes from the cache. A pool holds samples of one model, one technique and one set of parameters.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable
from contextlib import aclosing, closing
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from outthink import __version__, plugins
from outthink.api import Engine
from outthink.batch.files import LineWriter, replace_file
from outthink.batch.map import hopeless
from outthink.batch.progress import Progress, Report, silent
from outthink.batch.record import Record, Recording, recorder
from outthink.batch.spread import spread
from outthink.core.candidate import Candidate, Result
from outthink.core.errors import (
    BudgetExhausted,
    ContextOverflow,
    InputError,
    OutthinkError,
    ServerError,
)
from outthink.core.events import CallSettled, Event, Recalled
from outthink.core.problem import Problem
from outthink.core.usage import Budget
from outthink.engine.context import Shared
from outthink.engine.ledger import Ledger
from outthink.engine.log import EventLog
from outthink.models.pool import Fingerprint, PoolRow, PoolSample, read_pool
from outthink.strategies.results import with_kind

QUESTIONS = 16
"""Questions worked on at once by default; two on an engine with slots, so that one is always waiting."""
_encode = msgspec.json.Encoder().encode


class Question(NamedTuple):
    """What to record samples for. ``answer`` is the gold and ``extra`` the rest of the data row: no model sees them."""

    id: str
    problem: Problem
    answer: Any
    extra: dict[str, Any]


class Recorded(msgspec.Struct):
    """What a recording came to: ``failures`` are the questions that are not whole, each with the reason."""

    progress: Progress
    failures: list[tuple[str, OutthinkError]] = []


async def sample(
    engine: Engine, questions: Iterable[Question], pool: str, recording: Recording, report: Report = silent
) -> Recorded:
    """Record a pool, or complete one. ``questions`` are read whole before anything is spent.

    Raises `InputError` for double ids and for a pool recorded in another way, `ServerError` when the server cannot be
    used at all; a question that cannot be made whole is left for another run.
    """
    wanted = _distinct(questions)
    model = (await engine.line()).model
    technique = recorder(recording)
    mark = Fingerprint(
        model=model.name,
        source=model.source,
        temperature=technique.params.temperature,
        max_tokens=technique.params.max_tokens,
        strategy=plugins.strategy_text(recording.strategy),
        version=__version__,
        parameters=model.parameters,
    )
    concurrency = recording.concurrency or (2 if model.slots else QUESTIONS)
    with closing(LineWriter(pool, go_on=True, remedy="")) as writer:
        lines = sum(1 for line in writer.written() if line.strip())
        there = _there(Path(pool), mark) if lines else {}
        job = _Job(engine, technique, mark, there, writer, report, len(wanted))
        waiting = _each(wanted)
        async with aclosing(waiting):
            await spread(waiting, job.record, job.land, concurrency=concurrency, ordered=True)
        if lines > len(there) or any(question.id in there for question in job.written):
            latest = (_encode(row) + b"\n" for row in read_pool(Path(pool)))  # longer rows replace those before them
            replace_file(Path(pool), latest, "the pool itself is whole, only larger than it need be")
    report(job.recorded.progress)
    return job.recorded


def _distinct(questions: Iterable[Question]) -> list[Question]:
    found = list(questions)
    met: dict[str, int] = {}
    for number, question in enumerate(found, start=1):
        if first := met.get(question.id):
            raise InputError(f"question {number} has the id {question.id!r} of question {first}; give it its own")
        met[question.id] = number
    return found


async def _each(questions: Iterable[Question]) -> AsyncGenerator[Question]:
    for question in questions:
        yield question


def _there(pool: Path, mark: Fingerprint) -> dict[str, PoolRow]:
    """What the pool holds. Raises `InputError` where it was recorded in another way."""
    rows = read_pool(pool)
    for row in rows:
        _compare(pool, row, mark)
    return {row.id: row for row in rows}


def _compare(pool: Path, row: PoolRow, mark: Fingerprint) -> None:
    """Refuse a row whose fingerprint is another."""
    if other := row.fingerprint.differs(mark):
        raise InputError(
            f"the pool {pool}, row {row.id!r}, was recorded with {other}; record as it was recorded, "
            "or into another file"
        )


class _Job:
    """One recording under way."""

    def __init__(
        self,
        engine: Engine,
        technique: Record,
        mark: Fingerprint,
        there: dict[str, PoolRow],
        writer: LineWriter,
        report: Report,
        questions: int,
    ) -> None:
        self._engine, self._technique, self._mark, self._there = engine, technique, mark, there
        self._writer, self._report = writer, report
        ledger = Ledger(Budget())
        self._shared = Shared(ledger)
        self._usable = False
        self.recorded = Recorded(Progress(ledger=ledger, whole=questions))
        self.written: list[Question] = []

    async def record(self, question: Question) -> tuple[Question, PoolRow | OutthinkError | None]:
        """A question's row; None for one that is whole already."""
        known = self._there.get(question.id)
        problem = with_kind(question.problem)
        if known is not None and known.question != problem.question:
            raise InputError(f"the pool holds another question as {question.id!r}; record into another file")
        marks: list[Fingerprint] = []

        def asked(prompt: str) -> None:
            mark = msgspec.structs.replace(self._mark, prompt=prompt)
            if known is not None:
                _compare(Path(self._writer.path), known, mark)
            marks.append(mark)

        first = 0 if known is None else len(known.samples)
        technique = replace(self._technique, first=min(first, self._technique.n), asked=asked)
        logs: list[EventLog] = []
        try:
            result = await self._engine.solve(
                problem, strategy=technique, budget=Budget(), within=self._shared, watch=logs.append
            )
        except (ServerError, BudgetExhausted, ContextOverflow) as error:
            if not self._usable and hopeless(error):
                raise
            return question, error
        if first >= self._technique.n:
            return question, None
        self._usable = True
        return question, self._row(question, problem, known, marks[0], result, logs[0].events)

    def _row(
        self,
        question: Question,
        problem: Problem,
        known: PoolRow | None,
        mark: Fingerprint,
        result: Result,
        events: list[Event],
    ) -> PoolRow | ServerError:
        before = () if known is None else known.samples
        n, first = self._technique.n, len(before)
        by_index = {found.index: found for found in result.candidates}
        lost = [str(i) for i in range(first, n) if i not in by_index]
        if lost:
            return ServerError(f"sample {', '.join(lost)} of {question.id!r} was lost; run the command again")
        return PoolRow(
            id=question.id,
            question=problem.question,
            samples=(*before, *(_sample(by_index[i]) for i in range(first, n))),
            answer=question.answer,
            kind=problem.answer_kind,
            choices=problem.choices,
            prompt_tokens=max(_prompt_tokens(events), 0 if known is None else known.prompt_tokens),
            fingerprint=mark,
            extra=question.extra,
        )

    def land(self, ended: tuple[Question, PoolRow | OutthinkError | None]) -> None:
        question, row = ended
        progress = self.recorded.progress
        progress.done += 1
        if row is None:
            progress.kept += 1
            progress.begun += 1
            return
        progress.rows += 1
        if isinstance(row, OutthinkError):
            progress.errors += 1
            self.recorded.failures.append((question.id, row))
        else:
            self._writer.write(_encode(row))
            self.written.append(question)
        self._report(progress)


def _sample(found: Candidate) -> PoolSample:
    """A candidate as it is recorded; its message only where there is more to it than its text."""
    plain = {"role": "assistant", "content": found.text}
    return PoolSample(
        text=found.text,
        tokens=found.tokens,
        finish=found.finish,
        answer=found.answer and found.answer.text,
        logprob_mean=found.logprobs and found.logprobs.mean,
        logprob_low=found.logprobs and found.logprobs.low,
        logprob_tail=found.logprobs and found.logprobs.tail,
        logprob_shape=() if found.logprobs is None else found.logprobs.shape,
        message=None if found.message == plain else found.message,
    )


def _prompt_tokens(events: list[Event]) -> int:
    """The prompt's tokens by the bills; the largest holds, since some requests are billed only a part."""
    bills = [event.usage for event in events if isinstance(event, (CallSettled, Recalled))]
    return max((bill.prompt_tokens // max(1, bill.calls) for bill in bills), default=0)
