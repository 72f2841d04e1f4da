from outthink.api import Engine as Engine
from outthink.api import solve as solve
from outthink.api import solve_sync as solve_sync
from outthink.core.candidate import Answer as Answer
from outthink.core.candidate import Candidate as Candidate
from outthink.core.candidate import Result as Result
from outthink.core.errors import BudgetExhausted as BudgetExhausted
from outthink.core.errors import InputError as InputError
from outthink.core.errors import OutthinkError as OutthinkError
from outthink.core.errors import ServerError as ServerError
from outthink.core.problem import Problem as Problem
from outthink.core.problem import SamplingParams as SamplingParams
from outthink.core.protocols import Model as Model
from outthink.core.protocols import Run as Run
from outthink.core.protocols import Strategy as Strategy
from outthink.core.usage import Budget as Budget
from outthink.core.usage import Usage as Usage

__version__: str
__all__: list[str]
