"""Pools to bench, made from seeds."""

import json
import random

import msgspec

from outthink.models.pool import Fingerprint, PoolRow, PoolSample


def pool_rows(questions=12, samples=8, seed=0, **mark):
    """Questions right with a chance of their own, 0 to 1 in even steps; wrong answers are 1 to 6."""
    draw = random.Random(seed)
    rows = []
    for number in range(questions):
        chance, gold = number / max(1, questions - 1), 10 + number
        said = [gold if draw.random() < chance else draw.randrange(1, 7) for _ in range(samples)]
        rows.append(
            PoolRow(
                id=f"q{number}",
                question=f"How many legs have {number} cats?",
                samples=tuple(
                    PoolSample(
                        text=f"So be it. The answer is {answer}.",
                        tokens=draw.randrange(5, 30),
                        logprob_mean=-draw.random(),
                    )
                    for answer in said
                ),
                answer=str(gold),
                kind="number",
                prompt_tokens=40,
                fingerprint=Fingerprint(**({"model": "tiny", "parameters": 5e8} | mark)),
            )
        )
    return rows


def write(path, rows):
    """Rows as JSON lines; returns the path as text."""
    path.write_bytes(b"".join(msgspec.json.encode(row) + b"\n" for row in rows))
    return str(path)


def read(path):
    return [json.loads(line) for line in path.read_text().splitlines()]
