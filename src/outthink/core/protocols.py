"""The extension points, on one page: `Model`, `Strategy`, `Verifier`, and the `Run` they ask for everything.

A strategy is a frozen configuration with one method::

    @dataclass(frozen=True, slots=True)
    class Twice:
        async def solve(self, problem: Problem, run: Run) -> Result:
            first = await run.sample(problem)
            second = await run.sample(problem, index=1)
            return single(max(first, second, key=lambda c: len(c.text)), run)

A verifier is another, which says what candidates are worth::

    @dataclass(frozen=True, slots=True)
    class Brevity:
        async def score(self, problem: Problem, candidates: Sequence[Candidate], run: Run) -> list[Score]:
            return [Score(verifier="brevity", raw=1 / (1 + len(c.text))) for c in candidates]
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Literal, Protocol

from outthink.core.candidate import Candidate, Result, Score
from outthink.core.events import Event
from outthink.core.execution import Outcome, Verdict
from outthink.core.problem import Message, Problem, SamplingParams
from outthink.core.usage import Budget
from outthink.core.wire import Ask, Delta, Feature, Price, RateAsk, RateCall, Rating, Reply

EndedBy = Literal["budget", "deadline"]


class Model(Protocol):
    """Where text comes from. Raises only `outthink.core.errors`; keeps no state of any run.

    ``name`` is the public id, ``source`` the identity (name at base URL, or file digest) that samples are cached
    under; empty: they are not. ``slots``: the choices it can work on at once, None for no limit of its own.
    ``parameters``: how many weights, where known. ``lacks`` starts with what is known to be missing and grows
    as the server's answers tell.
    """

    name: str
    source: str
    slots: int | None
    context: int | None
    price: Price | None
    parameters: float | None
    lacks: set[Feature]

    async def complete(self, ask: Ask) -> Reply:
        """One plain request. Raises `ServerError`, `Lacks`, `ContextOverflow`."""
        ...

    def stream(self, ask: Ask) -> AbstractAsyncContextManager[AsyncIterator[Delta]]:
        """One streamed request; leaving the block closes it upstream."""
        ...

    async def count_prompt(self, ask: Ask) -> int | None:
        """The prompt's exact token count, or None where the server offers none."""
        ...

    async def can_continue(self) -> bool:
        """Whether it goes on from a beginning (`Ask.continues`); where not, it is asked to in a new turn."""
        ...

    async def aclose(self) -> None:
        """Let go of connections and files."""
        ...


class RewardModel(Protocol):
    """What says how good a text is, and makes none. Raises only `outthink.core.errors`; keeps no state of any run."""

    name: str
    price: Price | None
    parameters: float | None

    async def requests(self, ask: RateAsk) -> tuple[RateCall, ...]:
        """The requests that an ask takes; may ask the server what it is. Raises `InputError` for what it cannot."""
        ...

    async def rate(self, call: RateCall) -> Rating:
        """One request. Raises `ServerError`, `ContextOverflow`."""
        ...

    async def aclose(self) -> None:
        """Let go of connections."""
        ...


class Samples(Protocol):
    """Candidates of one fan-out, as they land. ``landed``: how many wait to be taken."""

    @property
    def landed(self) -> int: ...

    def __aiter__(self) -> AsyncIterator[Candidate]: ...


class Watch(Protocol):
    """Whether what a policy predicts still comes true, over all the runs of an engine."""

    @property
    def drifted(self) -> bool:
        """Whether predictions and what was seen lie further apart than chance takes them."""
        ...

    def add(self, expected: float, agreed: bool) -> None:
        """One prediction: the chance that two samples agree, and whether they did."""
        ...


class Run(Protocol):
    """The one door for compute: all that is in a strategy's reach.

    ``ended_by`` says why nothing more can be bought, once that is so.
    """

    @property
    def ended_by(self) -> EndedBy | None: ...

    @property
    def model(self) -> str:
        """The model that is asked when none is named."""
        ...

    async def sample(
        self,
        problem: Problem,
        params: SamplingParams = ...,
        *,
        index: int = 0,
        model: str | None = None,
        final: bool = False,
        parent: Candidate | None = None,
    ) -> Candidate:
        """One candidate, cut short (``finish`` tells) when a limit is met on the way.

        ``final``: whatever it says is the answer, so that a live run may show it while it grows. ``parent``: the
        candidate that this one revises. ``model``: another model than the run's own, by its text.
        Raises `BudgetExhausted` when no call fits, `ServerError` when every try failed.
        """
        ...

    async def continue_(
        self,
        problem: Problem,
        said: str,
        params: SamplingParams = ...,
        *,
        parent: Candidate | None = None,
        index: int = 0,
        model: str | None = None,
    ) -> Candidate:
        """Go on from ``said``, the beginning of the answer (of ``parent``, whose index is kept); the text is the whole.

        The caller's own ``max_tokens`` does not count here. Raises as `sample`; a budget that has no room for it is
        not at its end by that, since a new sample may cost less.
        """
        ...

    async def can_continue(self, model: str | None = None) -> bool:
        """Whether the model's server goes on from a given beginning, rather than starting a new turn."""
        ...

    def fan_out(
        self,
        problem: Problem,
        params: SamplingParams,
        n: int,
        *,
        width: int = 8,
        first: int = 0,
        model: str | None = None,
        final: bool = False,
    ) -> AbstractAsyncContextManager[Samples]:
        """``n`` candidates from index ``first`` on, asked for in waves of ``width`` as they are pulled.

        Leaving the block cancels what is in flight. The iteration ends early when a limit is met
        (``ended_by``). Failed calls are retried, then left out: raises `ServerError` only when nothing came.
        """
        ...

    async def score(
        self, problem: Problem, candidates: Sequence[Candidate], verifier: Verifier | str | None = None
    ) -> list[Score]:
        """What each candidate is worth, in their order; by a verifier's name too, and without ``verifier`` by the
        best available.

        What the verifier spends is counted under its own role. One that fails says nothing (no ``raw``), with a
        warning: a verifier never costs an answer.
        """
        ...

    async def rate(self, ask: RateAsk, model: str) -> list[tuple[float, ...]]:
        """What the reward model of this text says of each answer: a value a step, or one; none where it cannot tell.

        Raises `ServerError` or `BudgetExhausted` when it says nothing of any, `InputError` when it cannot be asked; a
        budget that has no room for it is not at its end by that.
        """
        ...

    async def check(self, code: str, tests: Sequence[str], setup: str = "") -> Verdict:
        """Hold a program against tests (assert statements) that it cannot reach, in the engine's sandbox.

        ``setup`` is trusted and runs first on both sides. One call of this run's role, without tokens. Raises
        `SandboxError` where this machine cannot hold untrusted code, `InputError` for tests that cannot be taken
        apart, `BudgetExhausted` at the deadline or when no call fits.
        """
        ...

    async def execute(self, code: str, stdin: str = "") -> Outcome:
        """Run a program in the engine's sandbox: what it printed, and how it ended. Counted, and raises, as `check`."""
        ...

    def child(self, budget: Budget = ..., *, model: str | None = None) -> AbstractAsyncContextManager[Run]:
        """A run inside this one, with limits (and a model) of its own; both ledgers are charged."""
        ...

    async def prompt_tokens(self, messages: Sequence[Message], *, model: str | None = None) -> int:
        """How many tokens this prompt has: the server's count where it offers one, else a bound."""
        ...

    async def worth_it(self, gain: float, tokens: float) -> bool:
        """Whether to buy a further wave, expected to gain so much (in the probability of being right) for ``tokens``,
        all that it will be charged.

        True, unless runs that share a budget with this one gain more by it (`outthink.batch.allocate`): then the
        answer may take time, and after False the run should end as ``diminishing``. Ask before each wave but the
        first, with nothing in flight.
        """
        ...

    def tokens_left(self) -> float:
        """Tokens that may still be spent, infinite without a limit."""
        ...

    def time_left(self) -> float | None:
        """Seconds until the deadline, None without one."""
        ...

    def watch(self, policy: str) -> Watch:
        """What earlier runs noted of this policy, and where this one notes its own. A replay remembers nothing."""
        ...

    def emit(self, event: Event) -> None:
        """Put an event on record; the same warning (`Warned`) only once a run."""
        ...


class Verifier(Protocol):
    """What a candidate is worth. Frozen configuration; keeps nothing between calls.

    One whose score of a candidate depends on nothing but that candidate and the problem, and costs no tokens, says so
    by a class attribute ``alone = True``: then a bench asks it once for each recorded sample. One whose ``Score.steps``
    are those of a solution's paragraphs says so by ``stepwise = True``: then it is asked once for all of them.
    """

    async def score(self, problem: Problem, candidates: Sequence[Candidate], run: Run) -> list[Score]:
        """A score for each candidate, in order; may abstain. What it needs of a model it asks ``run``."""
        ...


class Strategy(Protocol):
    """A technique. Frozen configuration; keeps nothing between calls."""

    async def solve(self, problem: Problem, run: Run) -> Result:
        """Spend through ``run`` and return the best there is. Raises only when there is nothing."""
        ...
