"""How strategies turn candidates into a `Result`; the engine fills in usage, candidates and names."""

from __future__ import annotations

import math
from collections.abc import Sequence

import msgspec

from outthink.answers import Votes, kind_of
from outthink.core.candidate import Candidate, Result, StopReason
from outthink.core.errors import Unsupported
from outthink.core.problem import Problem
from outthink.core.protocols import Run


def with_kind(problem: Problem) -> Problem:
    """The problem with its answer kind read off the question; ``auto`` stays where the question is silent."""
    if problem.answer_kind != "auto":
        return problem
    kind = kind_of(problem)
    return problem if kind == "text" else msgspec.structs.replace(problem, answer_kind=kind)


def asked_for(problem: Problem, most: int | None = None) -> int:
    """How many answers the caller wants (``n``); raises `Unsupported` above the ``most`` a technique can give."""
    n = problem.params.get("n") or 1
    if most is not None and n > most:
        raise Unsupported(f"n={n} asks for more answers than the {most} this strategy samples; lower n or use direct")
    return n


def agree(one: Candidate, other: Candidate) -> bool:
    """Whether both give an answer, and the same."""
    return one.answer is not None and other.answer is not None and one.answer.key == other.answer.key


def single(candidate: Candidate, run: Run, stop_reason: StopReason = "exhausted") -> Result:
    """One candidate as the result, its confidence the mean probability of its tokens."""
    found = candidate.logprobs
    return Result(
        answer=candidate.answer,
        message=candidate.message,
        text=candidate.text,
        stop_reason=run.ended_by or stop_reason,
        confidence=None if found is None else math.exp(found.mean),
        confidence_source=None if found is None else "token_probability",
        votes={} if candidate.answer is None else {candidate.answer.text: 1},
    )


def chosen(candidates: Sequence[Candidate], worths: Sequence[float], stop_reason: StopReason) -> Result:
    """The candidate of highest worth as the result, the first by index among equals."""
    best = max(range(len(candidates)), key=lambda i: (worths[i], -candidates[i].index))
    found = candidates[best]
    return Result(
        answer=found.answer,
        message=found.message,
        text=found.text,
        stop_reason=stop_reason,
        confidence=worths[best] if 0 <= worths[best] <= 1 else None,
        confidence_source="score" if 0 <= worths[best] <= 1 else None,
    )


def elected(votes: Votes, stop_reason: StopReason) -> Result | None:
    """The vote's winner as the result, its confidence the vote share; None when nothing could vote."""
    leader = votes.leader()
    if leader is None:
        return None
    return Result(
        answer=leader.answer,
        message=leader.message,
        text=leader.text,
        stop_reason=stop_reason,
        confidence=votes.share(),
        confidence_source="vote_share",
        votes=votes.counts(),
    )
