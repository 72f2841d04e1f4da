"""Which built-in prompt makes a small model answer well and briefly: samples graded as they are recorded.

    python benchmarks/prompts.py DATA.jsonl OUT.jsonl --first 200 [--prompts "zero-shot,few-shot"] [--count 50]
    python benchmarks/prompts.py DATA.jsonl OUT.jsonl --score

Rows apart from those that results are reported on. One line a question and prompt is added to OUT; run again, it goes
on where it was, and prints the table. ``DATA``: whatever ``outthink bench`` takes. Differences are to the first of the
prompts, paired by question.
"""

from __future__ import annotations

import argparse
import asyncio
import json
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from lines import lines_so_far
from results import points

from outthink.answers import extract
from outthink.bench.data import load
from outthink.bench.grading import Grader
from outthink.bench.rows import Row
from outthink.bench.stats import accuracy_difference
from outthink.core.problem import Message, Problem
from outthink.core.wire import Ask
from outthink.models.embedded import open_embedded
from outthink.strategies.prompts import few_shot, instructed, with_examples, zero_shot

_SENTENCES = (
    (
        "A baker makes 4 trays of 6 rolls and sells 15. How many rolls are left?",
        "There are 4 trays with 6 rolls on each, so the baker makes 4 * 6 = 24 rolls. "
        "15 of them are sold, so 24 - 15 = 9 rolls are left.\nThe answer is 9.",
    ),
    (
        "Tickets cost $5 for adults and half as much for children. What do 2 adults and 4 children pay, in dollars?",
        "A child's ticket costs half of $5, which is 5 / 2 = 2.5 dollars. The 2 adults pay 2 * 5 = 10 dollars. "
        "The 4 children pay 4 * 2.5 = 10 dollars. Together they pay 10 + 10 = 20 dollars.\nThe answer is 20.",
    ),
    (
        "A car uses 8 liters per 100 km. How many liters does it use for 350 km?",
        "First find how many times 100 km fits into 350 km: 350 / 100 = 3.5. "
        "Each 100 km takes 8 liters, so the car uses 3.5 * 8 = 28 liters.\nThe answer is 28.",
    ),
    (
        "Ana had 37 stamps, gave 9 to Ben and then bought twice as many as she gave away. How many does she have now?",
        "After giving 9 away, Ana has 37 - 9 = 28 stamps. She buys twice 9, which is 2 * 9 = 18 stamps. "
        "Now she has 28 + 18 = 46 stamps.\nThe answer is 46.",
    ),
)
_STEPS = "Solve the problem step by step. End with: The answer is <number>."
_SHORTEST = "Reply with only the shortest correct code, in one Python block."

PROMPTS: dict[str, Callable[[Problem], tuple[Message, ...]]] = {
    "as it came": lambda problem: problem.messages,
    "zero-shot": zero_shot,
    "few-shot": lambda problem: few_shot(problem, 4),
    "sentences": lambda problem: with_examples(problem, _STEPS, _SENTENCES),
    "shortest": lambda problem: instructed(problem, _SHORTEST).messages,
}
"""``zero-shot`` and ``few-shot`` are what the strategies use, by kind of answer."""


async def record(rows: list[Row], names: list[str], out: Path, samples: int) -> None:
    """Sample and grade what is not in ``out`` yet."""
    known = {(line["id"], line["prompt"]) for line in lines_so_far(out)}
    model, places = await open_embedded("qwen2.5-coder-0.5b"), asyncio.Semaphore(8)

    async def one(row: Row, name: str, grader: Grader) -> None:
        ask = Ask(messages=PROMPTS[name](row.problem), params={"temperature": 0.7}, n=samples, max_tokens=400, seed=1)
        async with places:
            reply = await model.complete(ask)
        texts = [choice.text for choice in reply.choices]
        right = sum([await grader.graded(row, text, extract(text, row.kind, row.problem.choices)) for text in texts])
        tokens = [choice.tokens or 0 for choice in reply.choices]
        with out.open("a") as file:
            file.write(json.dumps({"id": row.id, "prompt": name, "right": right, "tokens": tokens}) + "\n")

    try:
        async with Grader() as grader:
            missing = [(row, name) for row in rows for name in names if (row.id, name) not in known]
            await asyncio.gather(*(one(row, name, grader) for row, name in missing))
    finally:
        await model.aclose()


def table(lines: list[dict[str, Any]]) -> str:
    """Each prompt's accuracy and tokens; differences to the first one."""
    groups: dict[str, dict[str, tuple[float, float]]] = defaultdict(dict)
    for line in lines:
        n = len(line["tokens"])
        groups[line["prompt"]][line["id"]] = (line["right"] / n, sum(line["tokens"]) / n)
    rows = [
        "| prompt | questions | one sample right | against the first, points | new tokens a sample |"
        " right samples per 1,000 new tokens |",
        "|---|---|---|---|---|---|",
    ]
    base = next(iter(groups.values()))
    for name, group in groups.items():
        right, tokens = np.mean([*group.values()], axis=0)
        diff = ""
        if group is not base:
            both = sorted(set(group) & set(base))
            diff = points(accuracy_difference(*([side[key][0] for key in both] for side in (group, base))))
        rows.append(f"| {name} | {len(group)} | {right:.3f} | {diff} | {tokens:.0f} | {1000 * right / tokens:.1f} |")
    return "\n".join(rows)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data")
    parser.add_argument("out", type=Path)
    parser.add_argument("--prompts", default="zero-shot,few-shot")
    parser.add_argument("--first", type=int, default=200)
    parser.add_argument("--count", type=int, default=50)
    parser.add_argument("--samples", type=int, default=4)
    parser.add_argument("--score", action="store_true", help="only print the table")
    given = parser.parse_args()
    if not given.score:
        wanted = [*load(given.data).rows[given.first : given.first + given.count]]
        asyncio.run(record(wanted, given.prompts.split(","), given.out, given.samples))
    print(table(lines_so_far(given.out)))
