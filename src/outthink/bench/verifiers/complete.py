"""Labels by Monte Carlo completion (Wang et al., 2023, "Math-Shepherd", arXiv:2312.08935).

From each step of a chain the model goes on a few times, and the step is worth the share of the endings that are right.
Needs a live model, so it is done for a small part of a pool: one right and one wrong chain of some questions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import anyio

from outthink.answers import extract
from outthink.api import Engine
from outthink.bench.graders import grade
from outthink.bench.verifiers.graded import Graded
from outthink.core.candidate import Candidate, Result
from outthink.core.errors import BudgetExhausted, InputError, ServerError
from outthink.core.problem import Problem, SamplingParams
from outthink.core.protocols import Run
from outthink.core.usage import Budget, Usage
from outthink.strategies.cot import CHAIN_TOKENS, prompted
from outthink.strategies.results import with_kind
from outthink.verifiers.chains import chain

QUESTIONS = 20
"""Questions whose chains are gone on with."""
_AT_ONCE = 4


@dataclass(frozen=True, slots=True)
class _Completing:
    """The strategy that goes on from each step of a chain. ``shares`` is filled in order of steps, the last one's
    being its outcome."""

    question: Graded
    candidate: Candidate
    n: int
    shares: list[float]

    async def solve(self, problem: Problem, run: Run) -> Result:
        asked = await prompted(with_kind(problem), run)
        params = SamplingParams(temperature=self.question.mark.temperature or 0.7, max_tokens=CHAIN_TOKENS)
        steps = chain(self.question.text, self.candidate.text)
        for place, step in enumerate(steps[:-1]):
            rights = 0.0
            for i in range(self.n):
                said = self.candidate.text[: step.end]
                found = await run.continue_(asked, said, params, index=place * self.n + i)
                row = self.question.row
                rights += grade(row, extract(found.text, row.kind, row.problem.choices))
            self.shares.append(rights / self.n)
        self.shares.append(self.question.grades[self.candidate.index])
        return Result(answer=None, message={}, text="", stop_reason=run.ended_by or "exhausted")


async def completed(
    engine: Engine, questions: Sequence[Graded], n: int, most: int = QUESTIONS
) -> tuple[dict[tuple[str, int], Sequence[float]], Usage]:
    """Shares of right endings by question and sample, and what they cost. Chains that could not be gone on with are
    left out; raises `InputError` when the model is not the pool's or cannot go on from a beginning."""
    line = await engine.line()
    model = questions[0].mark.model
    if model and line.model.name != model:
        raise InputError(f"the pool holds samples of {model}, and {line.model.name} would complete them; give --model")
    if not await line.model.can_continue():
        raise InputError(f"{line.model.name} cannot go on from a beginning; train without --complete")
    shares: dict[tuple[str, int], Sequence[float]] = {}
    spent: list[Usage] = []
    limit = anyio.CapacityLimiter(_AT_ONCE)

    async def one(question: Graded, candidate: Candidate) -> None:
        found: list[float] = []
        async with limit:
            try:
                strategy = _Completing(question, candidate, n, found)
                result = await engine.solve(question.row.problem, strategy=strategy, budget=Budget())
            except (ServerError, BudgetExhausted):
                return
        spent.append(result.usage)
        shares[question.row.id, candidate.index] = found

    async with anyio.create_task_group() as group:
        for question, candidate in _part(questions, most):
            group.start_soon(one, question, candidate)
    return shares, sum(spent, Usage())


def _part(questions: Sequence[Graded], most: int) -> list[tuple[Graded, Candidate]]:
    """The first right and the first wrong chain of the first questions that have both."""
    found: list[tuple[Graded, Candidate]] = []
    for question in questions:
        firsts = [
            next((i for i, g in enumerate(question.grades) if (g >= 0.5) == right), None) for right in (True, False)
        ]
        if None not in firsts and len(found) < 2 * most:
            found += [(question, question.candidates[i]) for i in firsts if i is not None]
    return found
