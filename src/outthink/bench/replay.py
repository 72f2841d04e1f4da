"""Replay: a run over one recorded question, counted as the engine counts it, without a socket and without waiting.

Nothing here waits unless a verifier has a program run, so a strategy may be driven by ``send(None)``. Deadlines have no
meaning on a pool: replies come at once.
"""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from types import TracebackType

import msgspec

from outthink import plugins
from outthink.adaptive.drift import Drift
from outthink.bench.deck import Deck
from outthink.core.candidate import Candidate, Result, Score
from outthink.core.errors import BudgetExhausted, InputError, Refused, ServerError, UnknownName, Unsupported
from outthink.core.events import Event
from outthink.core.problem import Message, Problem, SamplingParams
from outthink.core.protocols import EndedBy, Verifier
from outthink.core.usage import Budget, Cost, Role, Usage
from outthink.core.wire import Bill, RateAsk
from outthink.engine.call import ENDLESS
from outthink.engine.context import Seat, Shared
from outthink.engine.ledger import Ledger, Want
from outthink.engine.settle import priced
from outthink.models.pool import too_few
from outthink.sandbox import Outcome, Verdict


class _Hand:
    """What one run and its children share: the order of the samples, and what was dealt and scored."""

    def __init__(self, deck: Deck, seed: int, seat: Seat | None) -> None:
        self.seed, self.seat = seed, seat
        self.order = deck.order(seed)
        self.candidates: list[Candidate] = []
        self.scored: list[tuple[Sequence[Candidate], list[Score]]] = []


class _Limits:
    """The books of one run or child, and what ended it."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self.ended_by: EndedBy | None = None


class ReplayRun:
    """See `outthink.core.protocols.Run`. ``seed`` names the order of the samples, as it does for ``pool:FILE``.

    ``within``: what it shares with other runs, as for `outthink.api.Engine.solve` (without a deadline); a run with a
    seat there may wait for its turn.
    """

    def __init__(self, deck: Deck, seed: int = 0, budget: Budget = Budget(), within: Shared | None = None) -> None:
        ledger = Ledger(budget) if within is None else Ledger(budget, within.ledger)
        hand = _Hand(deck, seed, None if within is None else within.seat)
        self._deck, self._hand, self._limits = deck, hand, _Limits(ledger)
        self._role: Role = "policy"

    def _within(self, limits: _Limits, role: Role) -> ReplayRun:
        run = object.__new__(ReplayRun)
        run._deck, run._hand, run._limits, run._role = self._deck, self._hand, limits, role
        return run

    @property
    def ended_by(self) -> EndedBy | None:
        return self._limits.ended_by

    @property
    def model(self) -> str:
        return self._deck.model

    @property
    def samples(self) -> int:
        """How many samples were dealt."""
        return len(self._hand.candidates)

    @property
    def by_role(self) -> dict[Role, Usage]:
        """What it has cost so far, by role."""
        return dict(self._limits.ledger.by_role)

    @property
    def usage(self) -> Usage:
        """What it has cost so far, all roles."""
        return sum(self._limits.ledger.by_role.values(), Usage())

    def completed(self, result: Result) -> Result:
        """A strategy's result with what the engine would add: candidates, scores, usage and the model."""
        scores: dict[int, dict[str, float | None]] = {}
        for candidates, found in self._hand.scored:
            for one, score in zip(candidates, found, strict=True):
                scores.setdefault(one.index, {})[found[0].verifier] = score.worth
        candidates = [
            msgspec.structs.replace(one, scores=scores[one.index]) if one.index in scores else one
            for one in sorted(self._hand.candidates, key=lambda one: one.index)
        ]
        return msgspec.structs.replace(
            result,
            candidates=tuple(candidates),
            usage=self.usage,
            by_role=self.by_role,
            billed=self._limits.ledger.billed,
            model=self.model,
        )

    async def sample(
        self,
        problem: Problem,
        params: SamplingParams = SamplingParams(),
        *,
        index: int = 0,
        model: str | None = None,
        final: bool = False,
        parent: Candidate | None = None,
    ) -> Candidate:
        if parent is not None:
            raise Unsupported(
                f"the pool {self._deck.path} cannot revise anything; run the strategy live, on a data set"
            )
        return self.deal(problem, params, index, 1, model)[0]

    async def continue_(
        self,
        problem: Problem,
        said: str,
        params: SamplingParams = SamplingParams(),
        *,
        parent: Candidate | None = None,
        index: int = 0,
        model: str | None = None,
    ) -> Candidate:
        raise Refused(f"the pool {self._deck.path} cannot go on from a beginning", 501)

    async def can_continue(self, model: str | None = None) -> bool:
        return False

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
    ) -> AbstractAsyncContextManager[Dealt]:
        def deal(index: int, size: int) -> list[Candidate]:
            if params.stop_below is None:
                return self.deal(problem, params, index, size, model)
            found: list[Candidate] = []  # each a request of its own, as where it might be stopped
            for place in range(index, index + size):
                try:
                    found += self.deal(problem, params, place, 1, model)
                except BudgetExhausted:
                    if not found:
                        raise
                    break
            return found

        return Dealt(self, deal, first, n, width)

    def deal(self, problem: Problem, params: SamplingParams, index: int, n: int, model: str | None) -> list[Candidate]:
        """One call for samples from ``index`` on: as many of the ``n`` as the budget lets one request hold.

        Raises `BudgetExhausted`, `InputError`.
        """
        deck, ledger, given = self._deck, self._limits.ledger, problem.params
        self._own(model)
        deck.check_asked(problem.messages, given.get("temperature", params.temperature))
        longest = problem.limit(params.max_tokens)
        if longest is None and ledger.shared and ledger.bounds_cost:
            longest = ENDLESS
        want = Want(deck.row.prompt_tokens, n, longest, ledger.expected, deck.price)
        hold = ledger.try_hold(want)
        if hold is None:
            raise self._refused(want)
        seed = given.get("seed", self._hand.seed)
        places = self._hand.order if seed == self._hand.seed else deck.order(seed)
        if index + hold.n > len(places):
            raise too_few(deck.path, deck.row, index + hold.n)
        logprobs = params.stop_below is not None or bool(
            given.get("logprobs", params.logprobs or params.top_logprobs > 0)
        )
        found = [deck.candidate(places[i], i, problem, hold.max_tokens, logprobs) for i in range(index, index + hold.n)]
        completion = sum([one.tokens for one in found])
        bill = Bill(deck.row.prompt_tokens if index == 0 or deck.each_prompt else 0, completion)
        usage = priced(bill, 0.0, deck.price, deck.row.fingerprint.parameters)
        ledger.settle(hold, Cost(1, bill.prompt_tokens, completion, usage.usd or 0.0), usage, self._role)
        ledger.learn(completion, len(found))
        self._hand.candidates.extend(found)
        return found

    def _own(self, model: str | None) -> None:
        """Raises `UnknownName` for another model than the pool's."""
        known = self._deck.model
        if model not in (None, known):
            raise UnknownName(f"the pool {self._deck.path} has no model {model!r}; it has {known}", (known,))

    def _refused(self, want: Want) -> Exception:
        error = self._limits.ledger.refusal(want)
        if isinstance(error, BudgetExhausted) and self._limits.ended_by is None:
            self._limits.ended_by = "budget"
        return error

    @asynccontextmanager
    async def child(self, budget: Budget = Budget(), *, model: str | None = None) -> AsyncGenerator[ReplayRun]:
        self._own(model)
        yield self._within(_Limits(Ledger(budget, self._limits.ledger)), self._role)

    async def score(
        self, problem: Problem, candidates: Sequence[Candidate], verifier: Verifier | str | None = None
    ) -> list[Score]:
        if verifier is None or isinstance(verifier, str):
            verifier = plugins.find_verifier(verifier, problem)
        run = self._within(self._limits, "verifier")
        try:
            if getattr(verifier, "alone", False):
                scores = await self._each_alone(problem, candidates, verifier, run)
            else:
                scores = await verifier.score(problem, candidates, run)
        except (ServerError, BudgetExhausted, InputError):
            return [Score(verifier=type(verifier).__name__) for _ in candidates]
        self._hand.scored.append((candidates, scores))
        return scores

    async def _each_alone(
        self, problem: Problem, candidates: Sequence[Candidate], verifier: Verifier, run: ReplayRun
    ) -> list[Score]:
        """What was said of each sample the first time it was scored."""
        known = self._deck.known_scores(verifier, problem)
        keys = [(one.text, one.finish, one.logprobs) for one in candidates]
        new = [place for place, key in enumerate(keys) if key not in known]
        if new:
            scores = await verifier.score(problem, [candidates[place] for place in new], run)
            known.update((keys[place], score) for place, score in zip(new, scores, strict=True))
        return [known[key] for key in keys]

    async def rate(self, ask: RateAsk, model: str) -> list[tuple[float, ...]]:
        raise Unsupported(f"the pool {self._deck.path} has no reward model {model}; run the strategy live")

    async def check(self, code: str, tests: Sequence[str], setup: str = "") -> Verdict:
        """Run a program against tests in the sandbox; each program once for all runs of the question, so that its
        run is not counted as a call of each."""
        return await self._deck.verdict(code, tests, setup)

    async def execute(self, code: str, stdin: str = "") -> Outcome:
        raise Unsupported(f"the pool {self._deck.path} does not run programs; run the strategy live")

    async def prompt_tokens(self, messages: Sequence[Message], *, model: str | None = None) -> int:
        self._deck.check_question(messages)
        return self._deck.row.prompt_tokens

    async def worth_it(self, gain: float, tokens: float) -> bool:
        return self._hand.seat is None or await self._hand.seat.worth_it(gain, tokens)

    def tokens_left(self) -> float:
        return self._limits.ledger.tokens_left()

    def time_left(self) -> float | None:
        return None

    def watch(self, policy: str) -> Drift:
        return Drift()

    def emit(self, event: Event) -> None:
        """Nobody reads along."""


class Dealt:
    """The samples of one fan-out, dealt in waves as they are pulled; see `outthink.core.protocols.Samples`."""

    def __init__(
        self, run: ReplayRun, deal: Callable[[int, int], list[Candidate]], first: int, n: int, width: int
    ) -> None:
        self._run, self._deal = run, deal
        self._next, self._end, self._width = first, first + n, width
        self._wave = 0
        self._seen = False
        self._ready: deque[Candidate] = deque()

    async def __aenter__(self) -> Dealt:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        return None

    @property
    def landed(self) -> int:
        return len(self._ready)

    def __aiter__(self) -> Dealt:
        return self

    async def __anext__(self) -> Candidate:
        if not self._ready:
            self._more()
        return self._ready.popleft()

    def _more(self) -> None:
        """Deal what is left of the wave, or the next one. Raises `StopAsyncIteration` at the end."""
        if self._wave == 0:
            self._wave = min(self._width, self._end - self._next)
        if self._wave <= 0 or self._run.ended_by:
            raise StopAsyncIteration
        try:
            found = self._deal(self._next, self._wave)
        except BudgetExhausted as error:
            if self._seen:
                raise StopAsyncIteration from error
            raise
        self._next += len(found)
        self._wave -= len(found)
        self._seen = True
        self._ready.extend(found)
