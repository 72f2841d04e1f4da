"""A chain that ran out of tokens is made to say its answer: a few tokens instead of a new sample.

The maximum half of budget forcing (Muennighoff et al., 2025, "s1", arXiv:2501.19393).
"""

from __future__ import annotations

from outthink.core.candidate import Candidate
from outthink.core.errors import BudgetExhausted, ServerError
from outthink.core.problem import Problem, SamplingParams
from outthink.core.protocols import Run
from outthink.strategies.prompts import AS_THEY_CAME
from outthink.strategies.thoughts import said_by, shown

CUE = "\n\nThe answer is"
RESCUE_TOKENS = 24
"""New tokens that a forced answer may take."""


def can_be_forced(problem: Problem) -> bool:
    """Whether "The answer is" may stand before an answer of this kind."""
    return problem.answer_kind not in ("auto", "code", *AS_THEY_CAME)


async def rescued(problem: Problem, candidate: Candidate, run: Run) -> Candidate:
    """The candidate with its answer forced, where it was cut by length without one and its kind can vote.

    ``problem`` as it was asked. The candidate itself where there is nothing to force, the caller set the length, or
    the budget has no room.
    """
    cut = candidate.finish == "length" and candidate.answer is None
    if not cut or not can_be_forced(problem):
        return candidate
    if "max_tokens" in problem.params or "max_completion_tokens" in problem.params:
        return candidate
    try:
        params = SamplingParams(temperature=0.0, max_tokens=RESCUE_TOKENS)
        return shown(await run.continue_(problem, said_by(candidate) + CUE, params, parent=candidate), problem)
    except (BudgetExhausted, ServerError):
        return candidate
