"""One budget over many problems: tokens by gain against an even split of the same tokens, on recorded pools.

    nice -n 10 python benchmarks/allocation.py POOL.jsonl… [--orders 100] [--each 2 4 8] [--first 1 2]

``POOL`` is a pool of `outthink sample` (numbers), or one of those published with best-of-infinity: final answers and
tokens of several models, no text; all given of one model count as one job. A job's budget is what ``each`` samples a
problem cost in that order (the prompt once). It goes through what ``outthink map --total-budget`` uses
(`outthink.batch.allocate`) to a strategy of ``first`` samples and then waves by knowledge gradient with the weights
that ship, uncalibrated; so nothing here is fitted. ``window``: the job's rows all at once, or a stream of so many.

Two even splits: ``each`` samples a problem, which spends all of it; and as many samples as an equal part of the tokens
holds. Differences are paired by problem, means over orders, intervals clustered by question.
"""

from __future__ import annotations

import argparse
import asyncio
import json
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from outthink.adaptive.state import State
from outthink.adaptive.value import knowledge_gradient
from outthink.answers import Votes, extract
from outthink.batch.allocate import WINDOW, Allocator
from outthink.batch.shares import Allocation
from outthink.batch.spread import spread
from outthink.bench.deck import Deck
from outthink.bench.replay import ReplayRun
from outthink.bench.stats import Estimate, Resampling, accuracy_difference
from outthink.core.candidate import Candidate, Result, StopReason
from outthink.core.errors import BudgetExhausted, BudgetTooSmall
from outthink.core.problem import Problem, SamplingParams
from outthink.core.protocols import Run
from outthink.core.usage import Budget
from outthink.engine.context import Shared
from outthink.engine.ledger import Ledger
from outthink.models.pool import Fingerprint, PoolRow, PoolSample, read_pool
from outthink.strategies.results import elected, single

PLACES = 64
PARAMS = SamplingParams(max_tokens=200_000)
HOW = Resampling(resamples=2000)


@dataclass(frozen=True, slots=True)
class Waves:
    """``first`` samples, then waves by knowledge gradient while somebody says that they are worth it."""

    first: int
    most: int

    async def solve(self, problem: Problem, run: Run) -> Result:
        seen, size = list[Candidate](), self.first
        stop: StopReason = "exhausted"
        while size:
            try:
                async with run.fan_out(problem, PARAMS, size, first=len(seen)) as samples:
                    seen += [candidate async for candidate in samples]
            except BudgetExhausted:
                if not seen:
                    raise
            state = state_of(seen, self.most)
            wave = knowledge_gradient(state)
            size = wave.size if wave.gain > 0 and run.ended_by is None else 0
            if size and not await run.worth_it(wave.gain, size * state.each):
                size, stop = 0, "diminishing"
        return elected(voted(seen), run.ended_by or stop) or single(seen[0], run)


def voted(seen: Sequence[Candidate]) -> Votes:
    votes = Votes()
    for candidate in seen:
        votes.add(candidate)
    return votes


def state_of(seen: Sequence[Candidate], most: int) -> State:
    counts = tuple(voted(seen).counts().values())
    return State(counts, len(seen) - sum(counts), most, sum(candidate.tokens for candidate in seen))


@dataclass(frozen=True)
class Row:
    """A problem of one job: its samples, and the answer's key that is right."""

    deck: Deck
    gold: str | None
    problem: Problem

    def even(self, seed: int, each: int) -> tuple[bool, int]:
        """Whether the vote of so many samples is right, and the tokens they took."""
        run = ReplayRun(self.deck, seed)
        return self._right(run.deal(self.problem, PARAMS, 0, each, None)), run.usage.tokens

    def within(self, seed: int, tokens: float) -> tuple[bool, int]:
        """Whether the vote of the samples that ``tokens`` hold is right, and the tokens they took; one at the least."""
        run, seen = ReplayRun(self.deck, seed), list[Candidate]()
        spent = 0
        for place in range(len(self.deck.row.samples)):
            found = run.deal(self.problem, PARAMS, place, 1, None)
            if seen and run.usage.tokens > tokens:
                break
            seen, spent = seen + found, run.usage.tokens
        return self._right(seen), spent

    def _right(self, seen: Sequence[Candidate]) -> bool:
        leader = voted(seen).leader()
        return leader is not None and leader.answer is not None and leader.answer.key == self.gold


@dataclass
class Told:
    """What one way of spending came to: a value a problem, summed over orders."""

    right: np.ndarray[Any, np.dtype[np.float64]]
    tokens: int = 0
    allocations: list[Allocation] = field(default_factory=list[Allocation])


def rows_of(paths: Iterable[Path]) -> dict[str, list[Row]]:
    """The problems by model."""
    jobs: dict[str, list[Row]] = {}
    for path in paths:
        published = '"dataset"' in path.open().readline()
        for row in map(_published, path.read_text().splitlines()) if published else read_pool(path):
            gold = extract(f"So it is \\boxed{{{row.answer}}}.", "number")
            problem = Problem.of(Problem(messages=({"role": "user", "content": row.question},), answer_kind="number"))
            found = Row(Deck(row, path, checked=False), gold and gold.key, problem)
            jobs.setdefault(found.deck.model, []).append(found)
    return jobs


def _published(line: str) -> PoolRow:
    told: dict[str, Any] = json.loads(line)
    samples = tuple(
        PoolSample(text=f"So it is \\boxed{{{said}}}." if said else "", tokens=cost)
        for said, cost in zip(told["answers"], told["tokens"], strict=True)
        if cost > 0  # a call that failed when the pool was recorded
    )
    return PoolRow(
        id=told["id"],
        question=f"{told['dataset']} {told['problem_num']}",
        samples=samples,
        answer=told["answer"],
        fingerprint=Fingerprint(model=told["model"]),
    )


async def shared(rows: Sequence[Row], seed: int, budget: int, first: int, window: int, told: Told) -> None:
    """Answer all rows within one budget, as ``outthink map`` does."""
    ledger, read = Ledger(Budget(tokens=budget)), 0
    allocator = Allocator(
        ledger, min(PLACES, window // 3), window=window, unread=lambda: len(rows) - read, filling=True
    )

    async def source() -> AsyncIterator[int]:
        nonlocal read
        for place in range(len(rows)):
            read += 1
            yield place
        allocator.ended()

    async def answer(place: int) -> None:
        row = rows[place]
        async with allocator.seat() as seat:
            run = ReplayRun(row.deck, seed, within=Shared(seat.ledger, seat=seat))
            try:
                result = await Waves(first, len(row.deck.row.samples)).solve(row.problem, run)
            except (BudgetExhausted, BudgetTooSmall):
                return
            seat.samples = run.samples
            told.right[place] += result.answer is not None and result.answer.key == row.gold

    await spread(source(), answer, lambda _: None, concurrency=allocator.window)
    spent = ledger.charged.prompt_tokens + ledger.charged.completion_tokens
    assert spent <= budget, (spent, budget)
    told.tokens += spent
    found = allocator.shares.summary()
    assert found is not None
    told.allocations.append(found)


async def job(rows: Sequence[Row], orders: int, each: int, first: int, window: int) -> tuple[Told, Told, Told]:
    """One model's problems: by gain, evenly by samples, evenly by tokens."""
    ours, even, parts = (Told(np.zeros(len(rows))) for _ in range(3))
    for seed in range(1, orders + 1):
        found = [row.even(seed, each) for row in rows]
        budget = sum(tokens for _, tokens in found)
        even.right += [right for right, _ in found]
        even.tokens += budget
        split = [row.within(seed, budget / len(rows)) for row in rows]
        parts.right += [right for right, _ in split]
        parts.tokens += sum(tokens for _, tokens in split)
        await shared(rows, seed, budget, first, window, ours)
    return ours, even, parts


def points(found: Estimate) -> str:
    return f"{100 * found.value:+.2f} [{100 * found.low:+.2f}, {100 * found.high:+.2f}]"


async def reported(jobs: dict[str, list[Row]], orders: int, each: int, first: int, window: int) -> str:
    """One line of the table."""
    told = [await job(rows, orders, each, first, window) for rows in jobs.values()]
    clusters = [row.problem.messages[0]["content"] for rows in jobs.values() for row in rows]
    right = [np.concatenate([one[way].right for one in told]) / orders for way in range(3)]
    tokens = [sum(one[way].tokens for one in told) for way in range(3)]
    allocations = [found for ours, _, _ in told for found in ours.allocations]
    answered = sum(found.rows for found in allocations) / orders / len(clusters)
    mean, least, most = (np.mean([found.samples[i] for found in allocations]) for i in range(3))
    expected = 100 * np.mean([found.expected_gain for found in allocations])
    cells = (
        f"{each}", f"{first}", "all" if window >= WINDOW else f"{window}", f"{100 * answered:.1f}",
        f"{100 * right[1].mean():.2f}", f"{100 * right[2].mean():.2f}", f"{100 * right[0].mean():.2f}",
        points(accuracy_difference(right[0], right[1], clusters=clusters, how=HOW)),
        points(accuracy_difference(right[0], right[2], clusters=clusters, how=HOW)),
        f"{tokens[0] / tokens[1]:.3f}", f"{tokens[0] / tokens[2]:.3f}",
        f"{mean:.1f} ({least:.1f} to {most:.1f})", f"{expected:+.2f}",
    )  # fmt: skip
    return f"| {' | '.join(cells)} |"


HEAD = (
    "samples if even", "first wave", "window", "answered %", "accuracy %: even samples", "even tokens", "by gain",
    "by gain - even samples, points", "by gain - even tokens, points", "tokens, ratio to even samples",
    "to even tokens", "samples (mean of least to mean of most)", "expected by itself, points",
)  # fmt: skip


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pools", type=Path, nargs="+")
    parser.add_argument("--orders", type=int, default=100)
    parser.add_argument("--each", type=int, nargs="+", default=[2, 4, 8])
    parser.add_argument("--first", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--window", type=int, nargs="+", default=[WINDOW, 12])
    given = parser.parse_args()
    jobs = rows_of(given.pools)
    names = ", ".join(path.stem for path in given.pools)
    print(f"## {names}: {len(jobs)} models, {len(next(iter(jobs.values())))} questions, {given.orders} orders\n")
    print(f"| {' | '.join(HEAD)} |\n|{'---|' * len(HEAD)}")
    for each in given.each:
        for first in given.first:
            for window in given.window if first < each else ():
                print(await reported(jobs, given.orders, each, first, window), flush=True)
    print()


if __name__ == "__main__":
    asyncio.run(main())
