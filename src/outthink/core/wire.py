"""What the engine says to a model and hears from it, whatever carries it."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from outthink.core.candidate import Finish, LogprobSummary
from outthink.core.problem import Message

Feature = Literal[
    "n",
    "logprobs",
    "seed",
    "temperature",
    "max_tokens",
    "stream",
    "stream_options",
    "count",
    "prefix_cache",
    "prefix",
    "thinking",
]
"""What a server may lack; found out from its own answers and remembered in `Model.lacks`."""


class Ask(msgspec.Struct, frozen=True, kw_only=True):
    """One request: ``n`` choices for ``messages``.

    ``params`` holds everything else by the OpenAI protocol's names, already merged; ``seed`` names the
    first choice, and choice i samples with ``seed + i``. ``index``: which sample of the run the first choice is.
    ``continues``: the last message is the beginning of the assistant's own, to be gone on with; the reply holds
    only what is new. ``thinking``: at most so many tokens of thinking, for servers that cannot be made to go on.
    """

    messages: tuple[Message, ...]
    n: int = 1
    index: int = 0
    max_tokens: int | None = None
    seed: int | None = None
    logprobs: bool = False
    top_logprobs: int = 0
    continues: bool = False
    thinking: int | None = None
    params: dict[str, Any] = {}


class Choice(msgspec.Struct, frozen=True, kw_only=True):
    """One choice of a reply. ``tokens``: its own new tokens where the server tells, else None.

    ``raw_logprobs``: its ``logprobs`` objects as the server sent them, one a piece. ``scores``: what a recording
    holds of it, by the verifier's name.
    """

    index: int
    message: Message
    text: str
    finish: Finish
    tokens: int | None = None
    reasoning: str | None = None
    logprobs: LogprobSummary | None = None
    raw_logprobs: tuple[bytes, ...] = ()
    scores: dict[str, float | None] = {}


class Bill(msgspec.Struct, frozen=True):
    """What a server says a request cost, in tokens."""

    prompt_tokens: int
    completion_tokens: int
    cached_tokens: int = 0
    reasoning_tokens: int = 0


class Quota(msgspec.Struct, frozen=True):
    """So many requests or tokens are ``left``, and in ``reset`` seconds all of ``limit`` again (None: not told)."""

    left: int
    reset: float
    limit: int | None = None


class Rate(msgspec.Struct, frozen=True):
    """What a server says may still be asked of it."""

    requests: Quota | None = None
    tokens: Quota | None = None


class Reply(msgspec.Struct, frozen=True):
    """A whole reply. ``bill`` is None where the server sent no usage, ``rate`` where it tells no limits."""

    choices: tuple[Choice, ...]
    bill: Bill | None
    rate: Rate | None = None


class Delta(msgspec.Struct, frozen=True, kw_only=True):
    """A piece of one choice of a streamed reply, or (``index`` None) the bill for all of it, or its rate.

    ``tokens``: new tokens in this piece. ``logprobs``: theirs, where asked for and given (``raw_logprobs``: as
    sent). ``extra``: what else the piece holds (``refusal``, ``annotations``, …).
    """

    index: int | None
    text: str = ""
    reasoning: str = ""
    tokens: int = 0
    logprobs: tuple[float, ...] = ()
    raw_logprobs: bytes = b""
    tool_calls: tuple[dict[str, Any], ...] = ()
    extra: dict[str, Any] = {}
    finish: Finish | None = None
    bill: Bill | None = None
    rate: Rate | None = None


Endpoint = Literal["auto", "pooling", "classify", "score", "rerank", "chat", "completions", "plain"]
"""How a reward model is asked: by the name of its server's endpoint, ``plain`` being our own protocol."""
SplitRule = Literal["auto", "step", "blank", "line"]
"""Where one step of an answer ends; see `outthink.answers.steps`."""


class RateAsk(msgspec.Struct, frozen=True, kw_only=True):
    """What a reward model is asked: what each of ``answers`` to one conversation is worth.

    ``process``: a value for each step (split by ``split``), else one for the whole. ``form``: how the model wants its
    text, by name; ``auto``: by the model's own name.
    """

    messages: tuple[Message, ...]
    answers: tuple[str, ...]
    process: bool = False
    endpoint: Endpoint = "auto"
    form: str = "auto"
    split: SplitRule = "auto"


class RateCall(msgspec.Struct, frozen=True, kw_only=True):
    """One request that a `RateAsk` takes: ``body`` to ``path``, read as ``endpoint`` replies.

    ``answers``: the answer that each value of the reply belongs to, by place. ``values``: how many each of them must
    get. ``bound``: at most how many prompt tokens it has; ``new_tokens``: how many it makes.
    """

    endpoint: str
    process: bool
    path: str
    body: dict[str, Any]
    answers: tuple[int, ...]
    values: tuple[int, ...]
    bound: int
    new_tokens: int = 0


class Rating(msgspec.Struct, frozen=True):
    """What a reward model said: the values of each answer of a `RateCall` (none where it could not tell)."""

    values: tuple[tuple[float, ...], ...]
    bill: Bill | None


class Price(msgspec.Struct, frozen=True):
    """US dollars per million tokens."""

    input: float
    output: float
    cached: float | None = None

    def of(self, bill: Bill) -> float:
        cached = self.input if self.cached is None else self.cached
        fresh = bill.prompt_tokens - bill.cached_tokens
        return (fresh * self.input + bill.cached_tokens * cached + bill.completion_tokens * self.output) / 1e6
