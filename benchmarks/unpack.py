"""Give a packed pool its questions back, so that `outthink sample` can add samples or questions to it.

    python benchmarks/unpack.py PACKED.jsonl.gz DATA POOL.jsonl

DATA is what the pool was recorded from: a file of JSON lines, or reasoning-gym:TASK?size=…&seed=…. Refused where a
question's hash is another, so that no pool goes on with other questions.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import msgspec
from pack import question_hash

from outthink.batch.sample import Question
from outthink.bench.data import load
from outthink.bench.recording import to_record
from outthink.models.pool import PoolRow, read_pool
from outthink.strategies.results import with_kind


def unpacked(row: PoolRow, source: Question) -> PoolRow:
    """The row as it was recorded, its scores left out: they are measured again when it is packed."""
    question = with_kind(source.problem).question
    if row.question not in (question, question_hash(question)):
        raise SystemExit(f"{row.id!r} asks something else there; name the data that the pool was recorded from")
    samples = tuple(msgspec.structs.replace(sample, scores={}) for sample in row.samples)
    return msgspec.structs.replace(row, question=question, answer=source.answer, samples=samples, extra=source.extra)


def main(packed: Path, data: str, out: Path) -> None:
    sources = {question.id: question for question in to_record(load(data, graded=False))}
    rows = read_pool(packed)
    if missing := [row.id for row in rows if row.id not in sources]:
        raise SystemExit(f"{data} has no {missing[0]!r}; name the data that the pool was recorded from")
    encode = msgspec.json.Encoder().encode
    with out.open("xb") as file:
        file.writelines(encode(unpacked(row, sources[row.id])) + b"\n" for row in rows)
    print(f"{len(rows)} questions, {sum(len(row.samples) for row in rows):,} samples")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("packed", type=Path)
    parser.add_argument("data")
    parser.add_argument("out", type=Path)
    given = parser.parse_args()
    main(given.packed, given.data, given.out)
