"""Data rows on their way into a pool, and back out of it."""

from __future__ import annotations

from collections.abc import Iterator

from outthink.batch.sample import Question
from outthink.bench.data import row_of
from outthink.bench.rows import NONE, DataSet, Row
from outthink.models.pool import PoolRow


def to_record(data: DataSet) -> Iterator[Question]:
    """What to record of each row; the grader and all it needs go along."""
    for row in data.rows:
        kept = {"grader": row.grader, "tests": list(row.tests), "cluster": "" if row.cluster == row.id else row.cluster}
        extra = {name: value for name, value in (kept | row.extras).items() if value}
        yield Question(row.id, row.problem, None if row.grader == NONE else row.answer, extra)


def recorded(row: PoolRow, where: str, graded: bool = True) -> Row:
    """The data row that a pool's row was recorded for, its question as it was asked. Raises `InputError`, for a row
    without gold too unless ``graded`` is false."""
    extra = {name: value for name, value in row.extra.items() if graded or (name, value) != ("grader", NONE)}
    fields = {
        **extra,
        "id": row.id,
        "messages": [{"role": "user", "content": row.question}],
        "answer": row.answer,
        "kind": row.kind,
        "choices": list(row.choices),
    }
    return row_of(fields, where, graded=graded)
