"""What strategies that hold others share: parts of a budget, an attempt that may come to nothing, the better result."""

from __future__ import annotations

import math

from outthink.core.candidate import Candidate, Result
from outthink.core.errors import BudgetExhausted, BudgetTooSmall, ServerError
from outthink.core.problem import Problem
from outthink.core.protocols import Run, Strategy, Verifier
from outthink.core.usage import Budget
from outthink.strategies.results import with_kind

Failure = BudgetExhausted | BudgetTooSmall | ServerError
"""What leaves one strategy without a result, and another may not meet."""


def part_of(run: Run, part: float, *, side_by_side: bool = False) -> Budget:
    """This part, in (0, 1], of the tokens and the time that are left; no limit where there is none.

    ``side_by_side``: the parts are spent at once, so that each has all the time.
    """
    tokens, seconds = run.tokens_left(), run.time_left()
    return Budget(
        tokens=None if tokens == math.inf else max(1, int(tokens * part)),
        seconds=None if seconds is None or side_by_side else max(0.001, seconds * part),
    )


async def attempted(strategy: Strategy, problem: Problem, run: Run) -> Result | Failure:
    """A strategy's result, or the failure that left it without one."""
    try:
        return await strategy.solve(problem, run)
    except (BudgetExhausted, BudgetTooSmall, ServerError) as failure:
        return failure


def surest(results: list[Result]) -> Result:
    """The result with an answer (or any, where none has) of highest confidence, the first among equals."""
    return max(results, key=lambda result: (result.answer is not None, result.confidence or 0.0))


async def accepted(result: Result, problem: Problem, run: Run, verifier: Verifier | None, least: float) -> bool:
    """Whether a result is good enough: by the verifier's worth of it where there is one, else its confidence."""
    if result.stop_reason == "verified":
        return True
    if verifier is None:
        votes = with_kind(problem).answer_kind not in ("auto", "text")
        return (result.answer is not None or not votes) and (result.confidence or 0.0) >= least
    (score,) = await run.score(problem, [as_candidate(result, run)], verifier)
    return score.worth is not None and score.worth >= least


def as_candidate(result: Result, run: Run, index: int = 0) -> Candidate:
    """A result's text as a candidate, to be scored or revised."""
    return Candidate(
        index=index,
        message=result.message,
        text=result.text,
        finish="stop",
        tokens=0,
        model=run.model,
        answer=result.answer,
    )
