"""Outthink makes language models think longer where it pays, inside a hard budget.

import outthink
result = await outthink.solve("How many days are there in 7 weeks?", budget="tokens=2000")
print(result.answer, result.confidence, result.usage.tokens, result.stop_reason)
"""

from outthink.api import Engine, solve, solve_sync
from outthink.core.candidate import Answer, Candidate, Result
from outthink.core.errors import (
    BudgetExhausted,
    InputError,
    OutthinkError,
    ServerError,
)
from outthink.core.problem import Problem, SamplingParams
from outthink.core.protocols import Model, Run, Strategy
from outthink.core.usage import Budget, Usage

__version__ = "0.1.0"

__all__ = [
    "Answer",
    "Budget",
    "BudgetExhausted",
    "Candidate",
    "Engine",
    "InputError",
    "Model",
    "OutthinkError",
    "Problem",
    "Result",
    "Run",
    "SamplingParams",
    "ServerError",
    "Strategy",
    "Usage",
    "solve",
    "solve_sync",
]
