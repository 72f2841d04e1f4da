"""What all calls of one run share, and what all runs share of one model."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import msgspec

from outthink.adaptive.drift import Drifts
from outthink.core.candidate import Candidate, Score
from outthink.core.errors import BudgetExhausted, ServerError, UnknownName
from outthink.core.events import LimitReached, Prompted, Scored, Warned
from outthink.core.problem import Message, Problem
from outthink.core.protocols import EndedBy, Model, RewardModel, Verifier
from outthink.core.wire import Ask, Rate
from outthink.engine.cache import SampleCache
from outthink.engine.ledger import Ledger
from outthink.engine.limiter import Limiter
from outthink.engine.log import EventLog
from outthink.engine.pace import Pace, Turn
from outthink.sandbox import LazySandbox


class Line:
    """One model with its limiter, shared by every run of an engine.

    ``margin``: tokens added to a prompt's bound for good, after a server billed more than the bound. ``refuses``:
    parameters that its configuration says it does not take. ``pace``: its requests and tokens a minute.
    """

    def __init__(
        self, model: Model, concurrency: int, *, pace: Pace | None = None, refuses: Collection[str] = ()
    ) -> None:
        self.model, self.pace, self.refuses = model, pace, refuses
        self.limiter = Limiter(model.slots or concurrency)
        self.margin = 0

    def heard(self, rate: Rate, at: float, turn: Turn | None, tokens: int) -> None:
        """A server told its limits in its reply to a call that left ``at``, of ``tokens`` at most: they are kept."""
        if self.pace is None:
            self.pace = Pace()
        self.pace.heard(rate, at, turn, self.limiter.taken - 1, tokens)

    def width(self, n: int) -> int:
        """How many of ``n`` choices one request may ask for."""
        if "n" in self.model.lacks:
            return 1
        return min(n, self.model.slots or n)

    def permits(self, n: int) -> int:
        """An engine's slots are counted in choices, a server's requests as they are."""
        return n if self.model.slots else 1


class RewardLine:
    """One reward model with its limiter, shared by every run of an engine; see `Line`."""

    def __init__(self, model: RewardModel, concurrency: int, *, pace: Pace | None = None) -> None:
        self.model, self.pace = model, pace
        self.limiter = Limiter(concurrency)
        self.margin = 0


class Seat(Protocol):
    """A run's place among others that share its budget; see `outthink.core.protocols.Run.worth_it`."""

    async def worth_it(self, gain: float, tokens: float) -> bool: ...


@dataclass(frozen=True, slots=True)
class Services:
    """What runs are given besides their model. ``find_verifier``: a verifier by its name, None for the best there is
    for a problem. ``open_line`` and ``reward``: another model and a reward model, by their text. ``sandbox``: where
    they run code. ``seat``: where a further wave is asked for, None where nobody else wants the tokens. ``drifts``:
    what runs note of policies, for those after them."""

    cache: SampleCache | None = None
    find_verifier: Callable[[str | None, Problem], Verifier] | None = None
    open_line: Callable[[str], Awaitable[Line]] | None = None
    reward: Callable[[str], Awaitable[RewardLine]] | None = None
    sandbox: LazySandbox | None = None
    seat: Seat | None = None
    drifts: Drifts = field(default_factory=Drifts)


@dataclass(frozen=True, slots=True)
class Shared:
    """What many runs share: the books that all of them count in, and when all of them end (loop time).

    ``seat``: one run's own place among them, where they compete for tokens.
    """

    ledger: Ledger
    deadline: float = math.inf
    seat: Seat | None = None


class RunContext:
    """The shared state of a run and its children: log, deadline, prompts, candidates."""

    def __init__(
        self,
        first: Line,
        log: EventLog,
        seed: int,
        services: Services | None = None,
        *,
        live: bool = False,
    ) -> None:
        services = services or Services()
        self.default, self.log, self.seed, self.live = first.model.name, log, seed, live
        self._lines, self._open_line = {first.model.name: first}, services.open_line
        self.cache, self.sandbox = services.cache, services.sandbox
        self.find_verifier, self.reward = services.find_verifier, services.reward
        self.seat = services.seat
        self.drifts = services.drifts
        self.candidates: list[Candidate] = []
        self.verdicts: list[Candidate] = []
        self.calls = 0
        self._prompts: dict[int, tuple[int, Sequence[Message]]] = {}
        self._counts: dict[tuple[int, int], int] = {}
        self._bounds: dict[int, int] = {}
        self._warned: set[str] = set()

    async def line(self, name: str) -> Line:
        """A model by its text, opened at its first use. Raises `InputError` when it cannot be had."""
        if name not in self._lines:
            if self._open_line is None:
                raise UnknownName(f"this run has no model {name!r}; it has {self.default}", (self.default,))
            self._lines[name] = await self._open_line(name)
        return self._lines[name]

    def note_scores(self, candidates: Sequence[Candidate], scores: Sequence[Score]) -> None:
        """Put scores on record, and on the candidates that this run returns."""
        name = scores[0].verifier if scores else ""
        found = {_same(candidate): score.worth for candidate, score in zip(candidates, scores, strict=True)}
        for place, candidate in enumerate(self.candidates):
            if _same(candidate) in found:
                scored = {**candidate.scores, name: found[_same(candidate)]}
                self.candidates[place] = msgspec.structs.replace(candidate, scores=scored)
        worth = {candidate.index: score.worth for candidate, score in zip(candidates, scores, strict=True)}
        self.log.emit(Scored(verifier=name, scores=worth))

    def warn(self, message: str) -> None:
        """Emit a warning once."""
        if message not in self._warned:
            self._warned.add(message)
            self.log.emit(Warned(message=message))

    def accepted(self, line: Line, ask: Ask) -> Ask:
        """An ask without the parameters that the line is known to refuse, each of which is said once."""
        own = {"seed": ask.seed, "logprobs": ask.logprobs or None, "max_tokens": ask.max_tokens}
        asked = {name for name, value in own.items() if value is not None} | ask.params.keys()
        for name in sorted(asked & set(line.refuses)):
            self.warn(f"{line.model.name} is configured to refuse {name}; asking without it")
        params = {name: value for name, value in ask.params.items() if name not in line.refuses}
        return msgspec.structs.replace(ask, params=params)

    def prompt_id(self, messages: tuple[Message, ...]) -> int:
        """The number of this prompt in this run; on record at its first use."""
        found = self._prompts.get(id(messages))
        if found is None:
            number = next((k for k, known in self._prompts.values() if known == messages), len(self._prompts))
            if number == len(self._prompts):
                self.log.emit(Prompted(prompt=number, messages=messages))
            found = self._prompts[id(messages)] = (
                number,
                messages,
            )  # kept alive, so that its id stays its own
        return found[0]

    def learn_prompt(self, line: Line, messages: tuple[Message, ...], tokens: int) -> None:
        """Note what this prompt was counted or settled at; the largest holds, since some calls bill only a part."""
        key = (id(line), self.prompt_id(messages))
        self._counts[key] = max(tokens, self._counts.get(key, 0))

    async def count_prompt(self, line: Line, ask: Ask) -> None:
        """Have the server count a prompt that has no count yet, where it offers to."""
        if "count" in line.model.lacks or (id(line), self.prompt_id(ask.messages)) in self._counts:
            return
        try:
            count = await line.model.count_prompt(ask)
        except ServerError:
            return  # the call itself will say what is wrong with the server
        if count is not None:
            self.learn_prompt(line, ask.messages, count)

    def prompt_bound(self, line: Line, ask: Ask) -> int:
        """At most how many tokens this prompt has: its count where known, else by its bytes."""
        number = self.prompt_id(ask.messages)
        known = self._counts.get((id(line), number))
        if known is not None:
            return known
        if number not in self._bounds:
            self._bounds[number] = byte_bound(ask)
        return self._bounds[number] + line.margin


def _same(candidate: Candidate) -> tuple[object, ...]:
    """What makes a candidate itself, through changes of its token count and scores."""
    return candidate.model, candidate.origin, candidate.index, candidate.text


def byte_bound(ask: Ask) -> int:
    """A bound on a prompt's tokens without a tokenizer: its bytes, 16 a message, 32 over all."""
    size = sum(len(msgspec.json.encode(message.get("content") or "")) for message in ask.messages)
    size += sum(
        len(msgspec.json.encode(message[name]))
        for message in ask.messages
        for name in ("tool_calls", "name", "reasoning_content")
        if name in message
    )
    tools = ask.params.get("tools")
    return size + (len(msgspec.json.encode(tools)) if tools else 0) + 16 * len(ask.messages) + 32


class Limits:
    """Deadline and ending of one run or child: ``ended_by`` once nothing more can be bought."""

    def __init__(self, ledger: Ledger, log: EventLog, deadline: float = math.inf) -> None:
        self.ledger, self.deadline = ledger, deadline
        self.timed = deadline != math.inf
        self.ended_by: EndedBy | None = None
        self._log = log

    def time_left(self) -> float | None:
        return max(0.0, self.deadline - self._log.clock()) if self.timed else None

    def end(self, reason: EndedBy, message: str) -> BudgetExhausted:
        """Note that a limit was met, and give the error to raise."""
        if self.ended_by is None:
            self.ended_by = reason
            self._log.emit(LimitReached(reason=reason, message=message))
        return BudgetExhausted(message, reason)

    def check_time(self) -> None:
        """Raises `BudgetExhausted` once the deadline has passed."""
        if self.timed and self._log.clock() >= self.deadline:
            raise self.end("deadline", "the deadline has passed")
