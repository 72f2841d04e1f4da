"""What happens in a run, as a closed union: the only way out of a run besides its result.

A trace file holds one event a line. ``t`` is seconds since the run began, set when it is emitted.
"""

from __future__ import annotations

from typing import Any

import msgspec

from outthink.core.candidate import Candidate, StopReason
from outthink.core.execution import Level
from outthink.core.problem import Message
from outthink.core.usage import Budget, Cost, Role, Usage


class EventBase(msgspec.Struct, tag_field="type", tag=lambda name: name, kw_only=True):
    t: float = 0.0


class RunStarted(EventBase):
    """A run begins. ``messages`` are the caller's, before any built-in prompt."""

    run_id: str
    strategy: str
    model: str
    messages: tuple[Message, ...]
    answer_kind: str
    budget: Budget
    seed: int


class Prompted(EventBase):
    """A prompt is used for the first time in this run; calls name it by ``prompt``."""

    prompt: int
    messages: tuple[Message, ...]


class CallStarted(EventBase):
    """A request leaves: ``n`` choices from sample ``index`` on, with its worst case held."""

    call: int
    role: Role
    model: str
    prompt: int
    index: int
    n: int
    max_tokens: int | None
    attempt: int
    held: Cost


class CallSettled(EventBase):
    """A request ended; the books after it: ``charged`` and ``held`` together stay inside the budget."""

    call: int
    usage: Usage
    charged: Cost
    held: Cost


class Recalled(EventBase):
    """Samples that an earlier run bought are used again: counted and charged like new ones, but not billed."""

    role: Role
    prompt: int
    indexes: tuple[int, ...]
    usage: Usage
    charged: Cost
    held: Cost


class CallFailed(EventBase):
    """A request failed. ``retry_in``: seconds until it is tried again, None if it is not."""

    call: int
    error: str
    status: int | None
    retry_in: float | None


class Grew(EventBase):
    """A piece of sample ``index`` as it comes, in a live run: ``delta`` and ``logprobs`` by the OpenAI protocol."""

    index: int
    delta: dict[str, Any]
    logprobs: tuple[dict[str, Any], ...] | None = None


class Sampled(EventBase):
    """A candidate is here (or what there is of it, when it was cut)."""

    candidate: Candidate


class GivenUp(EventBase):
    """A sample is stopped in mid-generation: after ``tokens`` new tokens of at most ``max_tokens``, the mean log
    probability of its last group of tokens (``group``) was below ``threshold``."""

    index: int
    tokens: int
    max_tokens: int | None
    group: float
    threshold: float


class Decided(EventBase):
    """An adaptive strategy decides: ``action`` (``sample 4``, ``verify 2``, ``revise``, ``escalate``, ``stop``, ``give
    up hopeless chains``), why in words, and the ``numbers`` behind it: ``P`` the probability of the leading answer,
    ``gain`` what the wave worth most would add to it, ``samples`` its size, ``rate`` its gain a token, ``seen`` the
    samples so far."""

    action: str
    reason: str
    numbers: dict[str, float] = {}


class Voted(EventBase):
    """The vote as it stands: votes by answer, the leader first; ``seen`` of ``n`` candidates."""

    votes: dict[str, int]
    seen: int
    n: int


class Scored(EventBase):
    """A verifier looked at candidates (by index); None where it could not tell."""

    verifier: str
    scores: dict[int, float | None]


class Executed(EventBase):
    """A program was run: whether it passed its tests (without any: ended well), and the books after it.

    ``level``: what held it, None where it was cut off. ``reason``: the first failure in one line.
    """

    role: Role
    passed: bool
    level: Level | None
    seconds: float
    reason: str
    charged: Cost
    held: Cost


class Warned(EventBase):
    """Something is done differently than asked, said once."""

    message: str


class Overdraft(EventBase):
    """A server billed more than was held for a call: recorded as it is."""

    call: int
    held: Cost
    actual: Cost


class LimitReached(EventBase):
    """No further call fits (``budget``) or the time is up (``deadline``)."""

    reason: StopReason
    message: str


class RunEnded(EventBase):
    """A run is over. ``error`` is set when there was no result."""

    stop_reason: StopReason | None
    answer: str | None
    confidence: float | None
    usage: Usage
    charged: Cost
    error: str | None = None


Event = (
    RunStarted
    | Prompted
    | CallStarted
    | CallSettled
    | Recalled
    | CallFailed
    | Grew
    | Sampled
    | GivenUp
    | Decided
    | Voted
    | Scored
    | Executed
    | Warned
    | Overdraft
    | LimitReached
    | RunEnded
)
