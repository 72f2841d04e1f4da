"""Accuracy against tokens, replayed from a recorded pool: what each strategy makes of more samples.

    outthink sample DATA.jsonl POOL.jsonl -n 16
    python benchmarks/curve.py POOL.jsonl [--repeats 50] [--plot docs/curve.svg]

Every strategy runs for real, through the engine, on the pool in ``--repeats`` random orders drawn without replacement;
a question's accuracy is the mean over them, and the interval resamples questions. Tokens are those of a run: the prompt
once, and every sample of it. Prints a table in Markdown.
"""

from __future__ import annotations

import argparse
import asyncio
from pathlib import Path
from typing import NamedTuple

import numpy as np

from outthink import Engine
from outthink.answers import canonical
from outthink.bench.stats.comparison import accuracy_difference, accuracy_estimate
from outthink.core.problem import Problem
from outthink.models.pool import PoolModel, PoolRow, read_pool

FAMILIES = {
    "self-consistency": "self-consistency(n={n})",
    "best-of-n, confidence": "best-of-n(n={n}, verifier=confidence(kind=low))",
    "best-of-n, symbolic": "best-of-n(n={n}, verifier=symbolic)",
}
SIZES = (1, 2, 4, 8, 16)


class Point(NamedTuple):
    """One strategy at one size: per question its accuracy and its tokens, means over repeats."""

    right: np.ndarray
    tokens: np.ndarray


async def play(rows: list[PoolRow], path: Path, strategy: str, repeats: int) -> Point:
    right, tokens = np.zeros(len(rows)), np.zeros(len(rows))
    async with Engine(PoolModel(path, rows), cache=False) as engine:
        for place, row in enumerate(rows):
            problem, gold = Problem.of(row.question, row.kind), canonical(str(row.answer), row.kind)
            for seed in range(repeats):
                result = await engine.solve(problem, strategy=strategy, seed=seed)
                found = result.answer
                right[place] += found is not None and gold is not None and found.key == gold.key
                tokens[place] += result.usage.tokens
    return Point(right / repeats, tokens / repeats)


def oracle(rows: list[PoolRow]) -> float:
    """The part of questions that at least one recorded sample gets right."""
    return float(np.mean([any(_right(row, sample.answer) for sample in row.samples) for row in rows]))


def _right(row: PoolRow, answer: str | None) -> bool:
    found, gold = canonical(answer or "", row.kind), canonical(str(row.answer), row.kind)
    return found is not None and gold is not None and found.key == gold.key


def draw(points: dict[str, dict[int, Point]], best: float, title: str, path: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(7, 4), layout="constrained")
    for (name, family), mark in zip(points.items(), "os^", strict=False):
        x = [point.tokens.mean() for point in family.values()]
        y = [100 * point.right.mean() for point in family.values()]
        axes.plot(x, y, marker=mark, label=name)
    first = points["self-consistency"]
    for n, point in first.items():
        axes.annotate(f"n={n}", (point.tokens.mean(), 100 * point.right.mean()), xytext=(0, -14),
                      textcoords="offset points", ha="center", fontsize=8)  # fmt: skip
    spread = [accuracy_estimate(point.right) for point in first.values()]
    x = [point.tokens.mean() for point in first.values()]
    axes.fill_between(x, [100 * e.low for e in spread], [100 * e.high for e in spread], alpha=0.12)
    axes.axhline(100 * best, ls=":", color="gray")
    axes.annotate(
        "some sample is right (oracle)", (x[0], 100 * best), xytext=(0, 4), textcoords="offset points", fontsize=8
    )
    axes.set(xscale="log", xlabel="tokens a question (prompt and samples)", ylabel="right answers, %", title=title)
    axes.set_xticks(x, [f"{value:.0f}" for value in x])
    axes.minorticks_off()
    axes.legend(frameon=False, loc="lower right")
    axes.grid(alpha=0.25)
    figure.savefig(path)


def main() -> None:
    parser = argparse.ArgumentParser(description="Accuracy against tokens from a recorded pool.")
    parser.add_argument("pool", type=Path)
    parser.add_argument("--repeats", type=int, default=50)
    parser.add_argument("--plot", type=Path)
    options = parser.parse_args()
    rows = read_pool(options.pool)
    most = min(len(row.samples) for row in rows)
    points: dict[str, dict[int, Point]] = {}
    for name, text in FAMILIES.items():
        points[name] = {
            n: asyncio.run(play(rows, options.pool, text.format(n=n), options.repeats)) for n in SIZES if n <= most
        }
    best, one = oracle(rows), points["self-consistency"][1].right
    print(f"{len(rows)} questions, {most} samples each, {rows[0].fingerprint.model}; oracle: {100 * best:.1f} %\n")
    print("| strategy | n | right, % (95 % interval) | against one sample, points | tokens a question |")
    print("|---|---|---|---|---|")
    for name, family in points.items():
        for n, point in family.items():
            found, gain = accuracy_estimate(point.right), accuracy_difference(point.right, one)
            more = f"{100 * gain.value:+.1f} ({100 * gain.low:+.1f} to {100 * gain.high:+.1f})" if n > 1 else ""
            right = f"{100 * found.value:.1f} ({100 * found.low:.1f} to {100 * found.high:.1f})"
            print(f"| {name} | {n} | {right} | {more} | {point.tokens.mean():.0f} |")
    if options.plot is not None:
        draw(points, best, f"{rows[0].fingerprint.model}, {len(rows)} questions", options.plot)


if __name__ == "__main__":
    main()
