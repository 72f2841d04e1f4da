"""The embedded engine: is nothing lost between it and a run, and how far does it repeat itself.

    python benchmarks/embedded.py [--model qwen2.5-coder-0.5b] [--rounds 3]

One prompt (the built-in one for a word problem), 16 samples, on one loaded engine, in turn within a run: through a
run's own waves, as raw requests for eight choices, and as 16 separate requests side by side. Prints new tokens a
second, the ratios that are the claim, and how many of eight samples come out the same, by seed, when asked for in
ones, twos, fours and eights. A quiet machine: nothing else may run.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import time
from collections.abc import Awaitable, Callable

import anyio
import msgspec

from outthink import Engine
from outthink.core.problem import Problem
from outthink.core.wire import Ask
from outthink.models.embedded import SLOTS, EmbeddedModel, open_embedded
from outthink.strategies.prompts import few_shot

QUESTION = "A cinema sold 45 tickets at 8 dollars and 30 tickets at 5 dollars. How many dollars did it take in?"
SAMPLES = 16


def asked(seed: int, n: int) -> Ask:
    problem = Problem.of(QUESTION, "number")
    return Ask(messages=few_shot(problem, 4), n=n, seed=seed, max_tokens=400, params={"temperature": 0.7})


async def waves(engine: Engine, model: EmbeddedModel, seed: int) -> int:
    problem = Problem.of(QUESTION, "number")
    result = await engine.solve(problem, strategy=f"best-of-n(n={SAMPLES})", seed=seed)
    return result.usage.completion_tokens


async def raw(engine: Engine, model: EmbeddedModel, seed: int) -> int:
    replies = [await model.complete(asked(seed + first, SLOTS)) for first in range(0, SAMPLES, SLOTS)]
    return sum(reply.bill.completion_tokens for reply in replies if reply.bill)


async def separate(engine: Engine, model: EmbeddedModel, seed: int) -> int:
    tokens = 0

    async def one(own: int) -> None:
        nonlocal tokens
        reply = await model.complete(asked(own, 1))
        tokens += reply.bill.completion_tokens if reply.bill else 0

    async with anyio.create_task_group() as group:
        for i in range(SAMPLES):
            group.start_soon(one, seed + i)
    return tokens


Way = Callable[[Engine, EmbeddedModel, int], Awaitable[int]]
WAYS: dict[str, Way] = {"run": waves, "raw": raw, "separate": separate}


async def speed(engine: Engine, model: EmbeddedModel, way: Way, seed: int) -> float:
    began = time.perf_counter()
    tokens = await way(engine, model, seed)
    return tokens / (time.perf_counter() - began)


async def repeated(model: EmbeddedModel) -> dict[int, int]:
    """Of eight samples by seed, how many are the same as when asked for one by one."""
    alone = [(await model.complete(asked(i, 1))).choices[0].text for i in range(8)]
    same: dict[int, int] = {}
    for size in (1, 2, 4, 8):
        texts: list[str] = []
        for first in range(0, 8, size):
            texts += [choice.text for choice in (await model.complete(asked(first, size))).choices]
        same[size] = sum(text == other for text, other in zip(texts, alone, strict=True))
    return same


async def measure(name: str, rounds: int) -> None:
    model = await open_embedded(name)
    async with Engine(model, cache=False) as engine:
        await model.complete(msgspec.structs.replace(asked(0, 1), max_tokens=8))
        rows = [{way: await speed(engine, model, call, 1000 * k) for way, call in WAYS.items()} for k in range(rounds)]
        same = await repeated(model)
    for way in WAYS:
        print(f"{way:<9} {statistics.median(row[way] for row in rows):6.1f} new tokens a second")
    for other in ("raw", "separate"):
        ratios = sorted(row["run"] / row[other] for row in rows)
        print(f"run / {other:<9} {statistics.median(ratios):.2f}  ({ratios[0]:.2f} to {ratios[-1]:.2f})")
    print("the same by seed as one by one, of 8:", ", ".join(f"in {size}s {count}" for size, count in same.items()))


def main() -> None:
    parser = argparse.ArgumentParser(description="The embedded engine's speed, and how far it repeats itself.")
    parser.add_argument("--model", default="qwen2.5-coder-0.5b")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    asyncio.run(measure(options.model, options.rounds))


if __name__ == "__main__":
    main()
