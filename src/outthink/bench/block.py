"""The unit of replay: all runs over one question, in this process or in one of its own."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any, cast

import msgspec

from outthink import plugins
from outthink.bench.deck import Deck
from outthink.bench.grading import Grader
from outthink.bench.plan import Plan, family
from outthink.bench.replay import ReplayRun
from outthink.bench.results import Curves, RunRow, encode
from outthink.bench.rows import Row
from outthink.core.candidate import Answer, Result
from outthink.core.errors import BudgetExhausted, BudgetTooSmall, InputError, ServerError, Unsupported
from outthink.core.protocols import Strategy
from outthink.core.usage import Budget, Role, Usage
from outthink.core.wire import Price
from outthink.models.pool import PoolRow, PoolText

CURVE_ORDERS = 20
"""Orders of replay for each point of a curve: a point is a mean over questions too."""


class Dealing(msgspec.Struct, frozen=True, kw_only=True):
    """What is run on every question. ``families``: by technique apart from its n, one of its strategies, and the n of
    the curve's points."""

    path: str
    checked: bool
    each_prompt: bool
    model: str
    strategies: tuple[str, ...]
    repeats: int
    seed: int
    budget: Budget
    price: Price | None
    families: dict[str, tuple[str, tuple[int, ...]]]
    unsafe: bool = False

    @classmethod
    def of(cls, plan: Plan, text: PoolText, size: int, unsafe: bool = False) -> Dealing:
        """What a plan asks of a pool with so many samples a question. ``unsafe``: as for `Grader`."""
        families: dict[str, tuple[str, tuple[int, ...]]] = {}
        for strategy in plan.strategies:
            name = family(strategy)
            if name is not None and name not in families:
                families[name] = strategy, points(size)
        return cls(
            path=str(text.path),
            checked=text.checked,
            each_prompt=text.each_prompt,
            model=plan.models[0],
            strategies=plan.strategies,
            repeats=plan.repeats,
            seed=plan.seed,
            budget=Budget.parse(plan.budget) if plan.budget else Budget(),
            price=plan.prices.get(plan.models[0]),
            families=families,
            unsafe=unsafe,
        )

    @property
    def runs(self) -> int:
        """How many there are of each question."""
        return len(self.strategies) * self.repeats


class Block(msgspec.Struct, frozen=True):
    """A question to run: as it was recorded, as data, and its samples' grades (empty: not known)."""

    row: PoolRow
    data: Row
    grades: list[float]


class Done(msgspec.Struct, frozen=True):
    """A block's lines: its rows, and its curves. ``error``: why there are none."""

    rows: list[bytes] = []
    curves: bytes = b""
    error: str = ""


def points(size: int) -> tuple[int, ...]:
    """The n of a curve's points: powers of two up to a pool's size, and the size."""
    return tuple(sorted({*(2**power for power in range(size.bit_length()) if 2**power <= size), size}))


async def dealt(dealing: Dealing, block: Block, grader: Grader) -> Done:
    """All runs over one question. Raises `InputError` for what a pool cannot give."""
    table = _Table(dealing, block, grader)
    rows = [encode(await table.run(text, repeat)) for text in dealing.strategies for repeat in range(dealing.repeats)]
    curves = {name: await table.curve(text, sizes) for name, (text, sizes) in dealing.families.items()}
    return Done(rows, encode(Curves(id=block.row.id, points=curves)))


class _Table:
    """One question on the table: its deck, and the grades of what can be said."""

    def __init__(self, dealing: Dealing, block: Block, grader: Grader) -> None:
        self._dealing, self._data, self._grader = dealing, block.data, grader
        self._deck = Deck(
            block.row,
            Path(dealing.path),
            checked=dealing.checked,
            each_prompt=dealing.each_prompt,
            price=dealing.price,
            check=grader.check,
        )
        self._grades: dict[tuple[str, str | None], float] = {}
        for place, grade in enumerate(block.grades):
            one = self._deck.candidate(place, place, block.data.problem, None, False)
            self._grades[one.text, one.answer and one.answer.text] = grade

    async def run(self, text: str, repeat: int) -> RunRow:
        """One run as a row; one that its budget left with nothing counts as wrong."""
        run = ReplayRun(self._deck, self._dealing.seed + repeat, self._dealing.budget)
        row = RunRow(strategy=text, model=self._dealing.model, id=self._data.id, repeat=repeat, correct=0.0)
        try:
            result = await plugins.strategy(text).solve(self._data.problem, run)
        except (BudgetExhausted, BudgetTooSmall) as error:
            return with_usage(msgspec.structs.replace(row, error=str(error)), run.samples, run.usage, run.by_role)
        except (InputError, ServerError) as error:
            raise Unsupported(f"{text}: {error}") from error
        correct = await self._graded(result.text, result.answer)
        return with_usage(with_result(row, result, correct), run.samples, run.usage, run.by_role)

    async def curve(self, text: str, sizes: tuple[int, ...]) -> list[tuple[int, float, float]]:
        """What a technique comes to at each n: mean tokens and mean grade, without a budget."""
        strategy, problem = plugins.strategy(text), self._data.problem
        found: list[tuple[int, float, float]] = []
        for n in sizes:
            tokens = grades = 0.0
            sized = with_n(strategy, n)
            for order in range(CURVE_ORDERS):
                run = ReplayRun(self._deck, self._dealing.seed + order)
                result = await sized.solve(problem, run)
                grades += await self._graded(result.text, result.answer)
                tokens += run.usage.tokens
            found.append((n, tokens / CURVE_ORDERS, grades / CURVE_ORDERS))
        return found

    async def _graded(self, text: str, answer: Answer | None) -> float:
        key = text, answer and answer.text
        if key not in self._grades:
            self._grades[key] = await self._grader.graded(self._data, text, answer)
        return self._grades[key]


def with_n(strategy: Strategy, n: int) -> Strategy:
    """The strategy with another n of its own."""
    return cast("Strategy", dataclasses.replace(cast("Any", strategy), n=n))


def with_result(row: RunRow, result: Result, correct: float) -> RunRow:
    """A row with what a run came to."""
    return msgspec.structs.replace(
        row,
        correct=correct,
        answer=result.answer and result.answer.text,
        confidence=result.confidence,
        confidence_source=result.confidence_source,
        stop_reason=result.stop_reason,
    )


def with_usage(row: RunRow, samples: int, usage: Usage, by_role: dict[Role, Usage]) -> RunRow:
    """A row with what a run has cost."""
    return msgspec.structs.replace(
        row,
        samples=samples,
        calls=usage.calls,
        prompt_tokens=usage.prompt_tokens,
        completion_tokens=usage.completion_tokens,
        tokens=usage.tokens,
        verifier_tokens=by_role.get("verifier", Usage()).tokens,
        usd=usage.usd,
        flops=usage.flops,
    )
