"""How often our extraction and equivalence agree with the verdicts of recorded pools, and which texts they merge.

    python benchmarks/agreement.py POOLS [--golds CRUXEVAL.jsonl] [--merged FILE] [--apart FILE]

``POOLS`` is a folder of pools. Each sample is put to ``extract`` as a model says it, and its key held against the
gold's; the outcome is held against the pool's own verdict: its ``correct`` flag, or, where it has none, whether the
text is the gold's letter for letter. ``--merged`` takes the pairs of different texts that are one answer to one
question, for reading by hand, and ``--apart`` the samples on which we and the pool disagree.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from outthink.answers import canonical, extract, same
from outthink.bench.graders import grade
from outthink.bench.rows import Row
from outthink.core.candidate import Answer
from outthink.core.problem import AnswerKind, Problem


@dataclass(frozen=True, slots=True)
class Sample:
    """One sample: what it answers, and whether it is right by us and by the pool."""

    pool: str
    question: str
    gold: str
    said: str
    answer: Answer | None
    ours: bool
    theirs: bool


def keyed(pool: str, row: dict[str, Any], gold: str, kind: AnswerKind, said: str, text: str, theirs: bool) -> Sample:
    """A sample whose text is put to `extract`; right where its key is the gold's."""
    answer, wanted = extract(text, kind), canonical(gold, kind)
    ours = answer is not None and wanted is not None and same(answer, wanted)
    return Sample(pool, str(row.get("problem_num", row["id"])), gold, said, answer, ours, theirs)


def read(pool: str, row: dict[str, Any], golds: dict[str, str]) -> Iterator[Sample]:
    """The samples of one row, by the shape of its pool."""
    if "answers" in row:  # final answers without their chains
        for said in (text for text in row["answers"] if text is not None):
            kind = "choice" if "gpqa" in pool else "number"
            yield keyed(pool, row, row["answer"], kind, said, f"So it is \\boxed{{{said}}}.", said == row["answer"])
    elif "numbers" in row:
        problem = Problem.of(row["question"])
        puzzle = Row(id=row["id"], problem=problem, answer="", grader="game24", cluster="", extras=row)
        for said, correct in zip(row.get("samples") or row["final"], row["correct"], strict=True):
            yield Sample(pool, row["id"], row["answer"], said, None, grade(puzzle, said) == 1.0, bool(correct))
    elif row.get("task") == "output" and golds:
        gold = golds[row["problem_id"]]
        for said, correct in zip(row["samples"], row["correct"], strict=True):
            yield keyed(pool, row, gold, "literal", said, f"[ANSWER]{said}[/ANSWER]", bool(correct))
    elif isinstance(row["samples"][0], dict):
        for sample in row["samples"]:
            yield keyed(pool, row, row["answer"], "expression", sample["pred"], sample["text"], bool(sample["correct"]))


def merged(samples: list[Sample]) -> list[dict[str, str]]:
    """Pairs of different texts of one question under one key, each text with the commonest of its class."""
    classes: dict[tuple[str, str, str], Counter[str]] = defaultdict(Counter)
    for sample in samples:
        for kind in ("expression", None) if sample.answer and sample.answer.kind in ("number", "choice") else (None,):
            answer = sample.answer if kind is None else canonical(sample.said, kind)
            if answer is not None:
                classes[sample.pool, sample.question, f"{answer.kind} {answer.key}"][sample.said] += 1
    pairs: list[dict[str, str]] = []
    for (pool, question, key), texts in classes.items():
        (usual, _), *others = texts.most_common()
        pairs += [{"pool": pool, "question": question, "key": key, "one": usual, "other": text} for text, _ in others]
    return pairs


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("pools", type=Path)
    parser.add_argument("--golds", type=Path, help="the data set that the pool of literals is about")
    parser.add_argument("--merged", type=Path)
    parser.add_argument("--apart", type=Path)
    asked = parser.parse_args()
    golds = {row["id"]: row["answer"] for row in _rows(asked.golds)} if asked.golds else {}
    samples = [
        sample
        for path in sorted(asked.pools.glob("*.jsonl"))
        for row in _rows(path)
        for sample in read(path.stem, row, golds)
    ]
    for pool in dict.fromkeys(sample.pool for sample in samples):
        told = [sample for sample in samples if sample.pool == pool]
        agreed = sum(sample.ours == sample.theirs for sample in told)
        lenient = sum(sample.ours and not sample.theirs for sample in told)
        print(f"{pool:<26} {agreed / len(told):.3%} of {len(told)}; right by us only {lenient}", end=", ")
        print(f"by the pool only {len(told) - agreed - lenient}")
    pairs = merged(samples)
    print(f"different texts merged     {len(pairs)}")
    _write(asked.merged, pairs)
    apart = [sample for sample in samples if sample.ours != sample.theirs]
    _write(asked.apart, [{name: str(getattr(sample, name)) for name in sample.__slots__} for sample in apart])


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    with path.open(encoding="utf-8") as lines:
        yield from map(json.loads, lines)


def _write(path: Path | None, rows: list[dict[str, str]]) -> None:
    if path is not None:
        path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")


if __name__ == "__main__":
    main()
