"""Pack a recorded pool for the repository: graded and scored, compressed, without the text of the questions.

    python benchmarks/pack.py POOL.jsonl OUT.jsonl.gz [--scores tests symbolic] [--questions]

A question becomes the hash of its text, gold answers and tests are left out, and each row lists the marks of its right
texts instead. ``--scores``: verifiers that look at each candidate alone, whose measures are kept with the samples
(`recorded(NAME)` reads them). What is packed replays as the pool did, but for what reads the question. ``--questions``
keeps their text: of questions that were made up by a generator, not of fetched data.
"""

from __future__ import annotations

import argparse
import asyncio
import gzip
import hashlib
from pathlib import Path

import msgspec

from outthink import plugins
from outthink.bench.deck import Deck
from outthink.bench.grading import Grader
from outthink.bench.recording import recorded
from outthink.bench.replay import ReplayRun
from outthink.bench.rows import LISTED, text_mark
from outthink.models.pool import PoolRow, read_pool


def question_hash(text: str) -> str:
    """What stands for a question in a packed pool."""
    return "sha256 " + hashlib.sha256(text.encode()).hexdigest()


async def packed(row: PoolRow, grader: Grader, names: list[str], *, questions: bool) -> PoolRow:
    """A row with grades and scores in place of its gold answer and, unless ``questions``, of its question."""
    data = recorded(row, row.id)
    deck = Deck(row, check=grader.check)
    run = ReplayRun(deck, 0)
    found = [deck.candidate(i, i, data.problem, None, True) for i in range(len(row.samples))]
    grades = [await grader.graded(data, one.text, one.answer) for one in found]
    scores: list[dict[str, float | None]] = [dict(sample.scores) for sample in row.samples]
    for name in names:
        verifier = plugins.verifier(name)
        assert getattr(verifier, "alone", False), f"{name} needs all candidates at once"
        for told, score in zip(scores, await run.score(data.problem, found, verifier), strict=True):
            told[name] = score.raw
    samples = tuple(
        msgspec.structs.replace(sample, scores=told) for sample, told in zip(row.samples, scores, strict=True)
    )
    right = sorted({text_mark(one.text) for one, grade in zip(found, grades, strict=True) if grade == 1})
    kept = {name: row.extra[name] for name in ("cluster", "level", "task", "type") if name in row.extra}
    return msgspec.structs.replace(
        row,
        question=row.question if questions else question_hash(row.question),
        answer=None,
        samples=samples,
        extra={**kept, "grader": LISTED, "right": right},
    )


async def main(pool: Path, out: Path, names: list[str], *, questions: bool) -> None:
    async with Grader() as grader:
        rows = [await packed(row, grader, names, questions=questions) for row in read_pool(pool)]
    encode = msgspec.json.Encoder().encode
    out.write_bytes(gzip.compress(b"".join(encode(row) + b"\n" for row in rows), mtime=0))
    print(f"{len(rows)} questions, {out.stat().st_size:,} bytes")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pool", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--scores", nargs="*", default=[])
    parser.add_argument("--questions", action="store_true")
    given = parser.parse_args()
    asyncio.run(main(given.pool, given.out, given.scores, questions=given.questions))
