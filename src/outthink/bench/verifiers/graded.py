"""Pools as what verifiers are fitted and measured on: candidates, and whether each is right."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from outthink.bench.deck import Deck
from outthink.bench.grading import Grader
from outthink.bench.recording import recorded
from outthink.bench.rows import Row
from outthink.core.candidate import Candidate
from outthink.core.errors import InputError
from outthink.core.mark import Mark
from outthink.models.pool import PoolRow, read_pool

LEAST = 20
"""Questions without which nothing is fitted."""


@dataclass(frozen=True, slots=True)
class Graded:
    """One question with its candidates in order of recording and their grades in [0, 1]."""

    row: Row
    candidates: tuple[Candidate, ...]
    grades: tuple[float, ...]
    mark: Mark

    @property
    def text(self) -> str:
        """The question as it was asked."""
        return self.row.problem.question


async def read_graded(pools: Sequence[str]) -> list[Graded]:
    """The questions of one or more pools, programs run to grade them. Raises `InputError` for pools of different
    origin, ids that come twice, and rows that nothing tells right from wrong."""
    found: dict[str, Graded] = {}
    async with Grader() as grader:
        for pool in pools:
            for row in read_pool(Path(pool)):
                if not row.samples:
                    continue
                if row.id in found:
                    raise InputError(f"{pool}: the question {row.id!r} is in another pool too; leave one of them out")
                found[row.id] = await graded(row, f"{pool}, row {row.id}", grader)
    if not found:
        raise InputError(
            f"{', '.join(pools)}: no samples; record some with: outthink sample DATA.jsonl POOL.jsonl --n 16"
        )
    return list(found.values())


async def graded(row: PoolRow, where: str, grader: Grader) -> Graded:
    """A pool's row with its samples graded. Raises `InputError`."""
    data = recorded(row, where)
    deck = Deck(row, Path())  # without a name of its own, where the pool tells no model
    candidates = tuple(deck.candidate(i, i, data.problem, None, True) for i in range(len(row.samples)))
    grades = [await grader.graded(data, found.text, found.answer) for found in candidates]
    mark = Mark(model=row.fingerprint.model, prompt=row.fingerprint.prompt, temperature=row.fingerprint.temperature)
    return Graded(data, candidates, tuple(grades), mark)


def origin(questions: Sequence[Graded]) -> Mark:
    """Where all the samples came from. Raises `InputError` where they differ."""
    first = questions[0].mark
    for question in questions:
        if told := first.differs(question.mark):
            raise InputError(f"the question {question.row.id!r} differs from the first: {told}; fit each origin apart")
    return first


def enough(questions: Sequence[Graded]) -> None:
    """Raises `InputError` for too few questions to fit on, or where all samples are right or all are wrong."""
    usable = [question for question in questions if len(question.candidates) > 1]
    if len(usable) < LEAST:
        raise InputError(
            f"{len(usable)} questions with two samples or more are too few to fit on; record at least {LEAST} "
            "(100 are better): outthink sample DATA.jsonl POOL.jsonl --n 16"
        )
    rights = [grade for question in usable for grade in question.grades]
    if len({grade >= 0.5 for grade in rights}) == 1:
        all_are = "right" if rights[0] >= 0.5 else "wrong"
        raise InputError(f"every sample is {all_are}, so that there is nothing to tell apart; record other questions")
