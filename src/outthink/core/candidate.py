"""What a model said, and what was made of it."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from outthink.core.problem import AnswerKind, Message
from outthink.core.usage import ROLES, Role, Usage

Finish = Literal["stop", "length", "tool_calls", "cancelled", "error"]
Origin = Literal["sample", "revise", "continue", "merge"]
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
    ``GROUP`` tokens, and the mean of the last group."""

    mean: float
    low: float
    tail: float


GROUP = 32
"""Tokens in a sliding group of `LogprobSummary`."""


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
    return LogprobSummary(sum(logprobs) / len(logprobs), low / size, window / size)


class Candidate(msgspec.Struct, frozen=True, kw_only=True):
    """One thing a model said.

    ``message`` is the assistant message as it would be returned; ``tokens`` counts this choice's new
    tokens; ``index`` names the sample within its run; ``cached`` marks what was not bought anew;
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
            "tokens": self.tokens,
            "scores": self.scores,
            "cached": self.cached,
        }


ConfidenceSource = Literal["vote_share", "token_probability", "calibrated"]


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """What a run came to.

    ``confidence`` in [0, 1], or None where nothing measures it; ``confidence_source`` says what it is.
    ``candidates`` holds everything the run paid for, cancelled samples too, in order of index.
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
