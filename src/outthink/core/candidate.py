"""What a model said, and what was made of it."""

from __future__ import annotations

from itertools import pairwise
from typing import Any, Literal

import msgspec

from outthink.core.problem import AnswerKind, Message
from outthink.core.usage import ROLES, Role, Usage

Finish = Literal["stop", "length", "tool_calls", "cancelled", "error"]
WHOLE: frozenset[Finish] = frozenset({"stop", "tool_calls"})
"""How what was said to its end has ended."""
Origin = Literal["sample", "revise", "continue", "merge", "verdict"]
"""``verdict``: said to a verifier, and no answer of the run."""
StopReason = Literal[
    "settled",
    "verified",
    "diminishing",
    "futile",
    "budget",
    "deadline",
    "exhausted",
    "unscorable",
    "abstained",
    "cancelled",
]
"""Why a run stopped: see the table in ARCHITECTURE.md."""


class Answer(msgspec.Struct, frozen=True):
    """A canonical form and its kind. Two answers are the same answer when ``key`` is equal.

    ``text`` is what to show (``12``); ``key`` is what is compared, made by `outthink.answers`.
    """

    text: str
    kind: AnswerKind
    key: str

    def __str__(self) -> str:
        return self.text


class LogprobSummary(msgspec.Struct, frozen=True):
    """Natural log probabilities of a text's tokens: the mean, the lowest mean over a sliding group of
    ``GROUP`` tokens, and the mean of the last group. ``certainty``: where the k likeliest tokens at each place are
    known, minus their mean log probability, averaged over places (nats; higher is surer). ``shape``: the means of
    `PARTS` equal parts of the tokens in order (empty where there are fewer tokens)."""

    mean: float
    low: float
    tail: float
    certainty: float | None = None
    shape: tuple[float, ...] = ()


GROUP = 32
"""Tokens in a sliding group of `LogprobSummary`."""
PARTS = 16
"""Parts in the shape of a `LogprobSummary`."""


def summarise_logprobs(logprobs: list[float]) -> LogprobSummary | None:
    """Summary of one choice's token log probabilities, or None for none."""
    if not logprobs:
        return None
    size = min(GROUP, len(logprobs))
    window = sum(logprobs[:size])
    low = window
    for gone, come in zip(logprobs, logprobs[size:], strict=False):
        window += come - gone
        low = min(low, window)
    return LogprobSummary(sum(logprobs) / len(logprobs), low / size, window / size, shape=_shape(logprobs))


def _shape(logprobs: list[float]) -> tuple[float, ...]:
    """The means of equal parts, to the third decimal: what tells a hesitant step from a fluent one."""
    if len(logprobs) < PARTS:
        return ()
    ends = [place * len(logprobs) // PARTS for place in range(PARTS + 1)]
    return tuple(round(sum(logprobs[a:b]) / (b - a), 3) for a, b in pairwise(ends))


class Candidate(msgspec.Struct, frozen=True, kw_only=True):
    """One thing a model said.

    ``message`` is the assistant message as it would be returned; ``tokens`` counts this choice's new
    tokens; ``index`` names the sample within its run; ``cached`` marks what was not bought anew. One that goes on from
    another's words (``origin`` ``continue``) holds the whole text, keeps the index, and names it as ``parent``.
    ``token_logprobs`` are the tokens' entries as the server sent them, kept only where the caller asked.
    """

    index: int
    message: Message
    text: str
    finish: Finish
    tokens: int
    model: str
    reasoning: str | None = None
    answer: Answer | None = None
    logprobs: LogprobSummary | None = None
    token_logprobs: tuple[dict[str, Any], ...] | None = None
    parent: int | None = None
    origin: Origin = "sample"
    scores: dict[str, float | None] = {}
    cached: bool = False

    def to_dict(self) -> dict[str, Any]:
        """This candidate in the command line's object."""
        return {
            "index": self.index,
            "answer": self.answer and self.answer.text,
            "text": self.text,
            "finish": self.finish,
            "origin": self.origin,
            "tokens": self.tokens,
            "scores": self.scores,
            "cached": self.cached,
        }


class Score(msgspec.Struct, frozen=True, kw_only=True):
    """What a verifier makes of one candidate.

    ``value``: the calibrated probability in [0, 1] that it is right; None until the verifier is calibrated, or when
    it cannot tell. ``raw``: the verifier's own measure, higher is better, None when it cannot tell. ``steps``: the
    measure of each step, for those that look at steps. ``critique``: what is wrong, in words.
    """

    verifier: str
    raw: float | None = None
    value: float | None = None
    steps: tuple[float | None, ...] = ()
    critique: str | None = None

    @property
    def worth(self) -> float | None:
        """The probability where it is calibrated, else the raw measure; None for "cannot tell"."""
        return self.raw if self.value is None else self.value

    @property
    def passed(self) -> bool:
        """Whether a verifier of pass and fail has passed it: a worth of 1."""
        return self.worth is not None and self.worth >= 1


ConfidenceSource = Literal["vote_share", "weighted_share", "token_probability", "score", "calibrated"]


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """What a run came to.

    ``confidence`` in [0, 1], or None where nothing measures it; ``confidence_source`` says what it is.
    ``candidates`` holds every answer the run paid for, cancelled samples too, in order of index (what a verifier was
    told is in the events only).
    ``usage`` is what the answer cost; ``billed`` what was paid now (they differ by cache hits).
    """

    answer: Answer | None
    message: Message
    text: str
    stop_reason: StopReason
    confidence: float | None = None
    confidence_source: ConfidenceSource | None = None
    candidates: tuple[Candidate, ...] = ()
    votes: dict[str, int] = {}
    usage: Usage = Usage()
    by_role: dict[Role, Usage] = {}
    billed: Usage = Usage()
    strategy: str = ""
    model: str = ""
    run_id: str = ""

    def to_dict(self) -> dict[str, Any]:
        """The object that ``outthink solve --json`` prints."""
        roles = {role: self.by_role.get(role, Usage()).to_dict() for role in ROLES}
        return {
            "answer": self.answer and self.answer.text,
            "text": self.text,
            "confidence": self.confidence,
            "confidence_source": self.confidence_source,
            "stop_reason": self.stop_reason,
            "votes": self.votes,
            "strategy": self.strategy,
            "model": self.model,
            "usage": {**self.usage.to_dict(), "by_role": roles},
            "billed": self.billed.to_dict(),
            "candidates": [candidate.to_dict() for candidate in self.candidates],
            "run_id": self.run_id,
        }
