"""What `auto` takes live, on questions from easy to hopeless: tokens and seconds beside one sample's. A quiet machine.

    python benchmarks/adapts.py SVAMP.jsonl [--each 6] [--auto "auto(effort=low, policy=off)"] [--beside STRATEGY]
    python benchmarks/adapts.py MBPP.jsonl --programs [--each 40]

The embedded engine, nothing from the cache, one question at a time, strategies in turned order from one to the next,
as who asks second finds the prompt read. Four levels: sums of two numbers; SVAMP from line 251 on; least common
multiples of four-digit numbers, of which hardly two samples say the same; legs of four to six kinds, whose wrong
answers are small numbers, so often the same. With ``--programs``: MBPP from row 251 on, by whether `auto` was done
after its first program.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import time
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from outthink import Engine
from outthink.bench.data import load
from outthink.bench.grading import Grader
from outthink.bench.rows import Row

LEVELS = {
    "sums of two numbers": "chain_sum?size={each}&seed=41&min_terms=2&max_terms=2&min_digits=1&max_digits=2",
    "SVAMP": "",
    "least common multiples": "lcm?size={each}&seed=42&min_value=1000&max_value=9999",
    "legs of four to six kinds": "leg_counting?size={each}&seed=43&min_animals=4&max_animals=6",
}
"""Their reasoning-gym tasks; none: the data given."""
HEAD = "| | questions | strategy | right, % | samples | tokens | new | seconds, median | × one sample's | stopped |"
ONE = "self-consistency(n=1)"


class Run(NamedTuple):
    """One answer: right or not, samples, tokens, new tokens, seconds, and why it stopped."""

    right: float
    samples: int
    tokens: int
    new: int
    seconds: float
    stop: str


async def run(engine: Engine, row: Row, strategy: str, grader: Grader) -> Run:
    began = time.perf_counter()
    result = await engine.solve(row.problem, strategy=strategy)
    seconds = time.perf_counter() - began
    right = await grader.graded(row, result.text, result.answer)
    usage, samples = result.usage, len(result.candidates)
    return Run(right, samples, usage.tokens, usage.completion_tokens, seconds, result.stop_reason)


async def compared(rows: Sequence[Row], strategies: Sequence[str], model: str) -> list[list[Run]]:
    """For each row, a run of each strategy."""
    found: list[list[Run]] = []
    async with Engine(model, cache=False) as engine, Grader() as grader:
        await run(engine, rows[0], ONE, grader)  # the engine starts, and reads the worked examples
        for number, row in enumerate(rows):
            turned = strategies[:: -1 if number % 2 else 1]
            runs = {strategy: await run(engine, row, strategy, grader) for strategy in turned}
            found.append([runs[strategy] for strategy in strategies])
    return found


def show(title: str, strategies: Sequence[str], runs: Sequence[Sequence[Run]]) -> None:
    """One line a strategy; seconds as a ratio to the first one's, medians over questions."""
    for place, strategy in enumerate(strategies):
        own = [row[place] for row in runs]
        ratio = statistics.median(row[place].seconds / row[0].seconds for row in runs)
        stops = Counter(one.stop for one in own)
        means = [statistics.mean(values) for values in ([one[i] for one in own] for i in range(4))]
        print(
            f"| {title} | {len(own)} | `{strategy}` | {100 * means[0]:.0f} | {means[1]:.1f} | {means[2]:,.0f} |"
            f" {means[3]:,.0f} | {statistics.median(one.seconds for one in own):.1f} | {ratio:.1f} |"
            f" {', '.join(f'{count} {stop}' for stop, count in stops.items())} |",
            flush=True,
        )


async def main(given: argparse.Namespace) -> None:
    strategies = [ONE, given.auto, *given.beside]
    own = load(given.data).rows[250 : 250 + given.each]
    print(HEAD, "|---" * 10 + "|", sep="\n")
    if given.programs:
        runs = await compared(own, strategies, given.model)
        passed = [row for row in runs if row[1].samples == 1]
        failed = [row for row in runs if row[1].samples > 1]
        for title, part in (("all", runs), ("the first passes", passed), ("it does not", failed)):
            if part:
                show(title, strategies, part)
        return
    for title, task in LEVELS.items():
        if given.only not in title:
            continue
        rows = load(f"reasoning-gym:{task.format(each=given.each)}").rows if task else own
        show(title, strategies, await compared(rows, strategies, given.model))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data")
    parser.add_argument("--programs", action="store_true")
    parser.add_argument("--only", default="", help="the levels whose names hold this")
    parser.add_argument("--each", type=int, default=6, help="questions a level")
    parser.add_argument("--model", default="qwen2.5-coder-0.5b")
    parser.add_argument("--auto", default="auto(effort=low, policy=off)")
    parser.add_argument("--beside", action="append", default=[], help="another strategy, more than once if wanted")
    asyncio.run(main(parser.parse_args()))
