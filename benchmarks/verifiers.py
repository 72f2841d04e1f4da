"""How many candidates a second of processor time the verifiers that ask no model score.

    python benchmarks/verifiers.py [POOL.jsonl]
    python benchmarks/verifiers.py --gold DATA.jsonl…

With ``--gold``: how often `symbolic` finds fault with the right answers of data sets, which it never should.

Eight candidates a question, as `best-of-n` has them. Without a pool, chains are made up: eight lines of arithmetic, one
in ten of them wrong, under questions that state equations, counts and units.
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec

from outthink.answers import canonical, extract
from outthink.bench.data import load
from outthink.bench.rows import Row
from outthink.core.candidate import Candidate, Score, summarise_logprobs
from outthink.core.problem import Problem
from outthink.core.protocols import Verifier
from outthink.verifiers.bounds import bounds
from outthink.verifiers.confidence import Confidence
from outthink.verifiers.symbolic import Symbolic

EACH, QUESTIONS, SECONDS = 8, 200, 3.0
ASKED = (
    "If 2x - y = {a} and x + y = {b}, what is x?",
    "The sum of two numbers is {b} and their product is {a}. What is the larger number?",
    "A train leaves with {b} passengers; at each of {a} stops 5 get on. How many passengers are there now?",
    "A pump fills {a} liters in {b} minutes. How many minutes does it take to fill a tank of {c} liters?",
)
Asked = tuple[Problem, list[Candidate]]


def made_up(draw: random.Random) -> Iterator[Asked]:
    for number in range(QUESTIONS):
        a, b, c = (draw.randint(2, 99) for _ in range(3))
        question = ASKED[number % len(ASKED)].format(a=a, b=b, c=c)
        texts = [_chain(draw) for _ in range(EACH)]
        yield Problem.of(question, "number"), [candidate(text, index) for index, text in enumerate(texts)]


def _chain(draw: random.Random) -> str:
    lines: list[str] = []
    for _ in range(8):
        one, other, off = draw.randint(2, 99), draw.randint(2, 99), draw.random() < 0.1
        lines.append(f"First take {one} and {other} of them: {one} * {other} = {one * other + off} in all.")
    return "\n".join([*lines, f"The answer is {draw.randint(1, 99)}."])


def recorded(path: str) -> Iterator[Asked]:
    for line in Path(path).read_text().splitlines():
        row = json.loads(line)
        if "question" in row:
            texts = [sample["text"] for sample in row["samples"]]
            for start in range(0, len(texts), EACH):
                part = texts[start : start + EACH]
                yield Problem.of(row["question"], "number"), [candidate(text, i) for i, text in enumerate(part)]


def candidate(text: str, index: int) -> Candidate:
    return Candidate(
        index=index, message={"role": "assistant", "content": text}, text=text, finish="stop", tokens=len(text) // 4,
        model="m", answer=extract(text, "number"), logprobs=summarise_logprobs([-0.1] * (len(text) // 4)),
    )  # fmt: skip


async def rate(verifier: Verifier, asked: list[Asked]) -> float:
    """Candidates a second of processor time, over whole rounds that take `SECONDS` together."""
    scored, began = 0, time.process_time()
    while time.process_time() - began < SECONDS:
        for problem, candidates in asked:
            scored += len(await verifier.score(problem, candidates, None))  # type: ignore[arg-type]
    return scored / (time.process_time() - began)


async def faults(path: str) -> None:
    """What `symbolic` says of right answers: faults (each printed), those that fit an equation, what it can check."""
    said: list[tuple[Row, Score]] = []
    for row in load(path).rows:
        right = canonical(row.answer, row.kind, row.problem.choices)
        found = msgspec.structs.replace(candidate(f"The answer is {row.answer}.", 0), answer=right)
        said += [(row, score) for score in await Symbolic().score(row.problem, [found], None)]  # type: ignore[arg-type]
    for row, score in said:
        if score.raw == 0.0:
            print(f"FAULT {row.id}: {score.critique}: {row.problem.question[-200:]}")
    bounded = sum(bool(bounds(row.problem.question)) for row, _ in said)
    faulty, fitting = (sum(score.raw == raw for _, score in said) for raw in (0.0, 1.0))
    print(
        f"{Path(path).name}: {len(said)} rows, {faulty} faults; {bounded} have a bound, {fitting} fit their equations"
    )


async def main() -> None:
    if "--gold" in sys.argv:
        for path in sys.argv[2:]:
            await faults(path)
        return
    asked = list(recorded(sys.argv[1]) if len(sys.argv) > 1 else made_up(random.Random(7)))
    length = sum(len(found.text) for _, candidates in asked for found in candidates)
    count = sum(len(candidates) for _, candidates in asked)
    print(f"{count} candidates of {length / count:.0f} characters, {EACH} a question")
    for name, verifier in (("symbolic", Symbolic()), ("confidence", Confidence())):
        print(f"{name}: {await rate(verifier, asked):,.0f} candidates a second")


if __name__ == "__main__":
    asyncio.run(main())
