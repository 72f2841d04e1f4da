"""Asking a verifier about recorded candidates, through the engine: its calls are counted, and its failures are kept."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import anyio

from outthink.api import Engine
from outthink.core.candidate import Candidate, Result, Score
from outthink.core.events import Event, Warned
from outthink.core.problem import Problem
from outthink.core.protocols import Run, Verifier
from outthink.core.usage import Budget, Usage
from outthink.engine.log import EventLog

_AT_ONCE = 16
Sets = Sequence[Sequence[int]]
"""Places of candidates, one list for each set that is scored together."""


def _never(scores: Sequence[Score]) -> bool:
    del scores
    return False


@dataclass(frozen=True, slots=True)
class Inquiry:
    """What is put to a verifier: candidates of one problem, in these sets, until one set's scores are ``enough``."""

    problem: Problem
    candidates: Sequence[Candidate]
    sets: Sets
    enough: Callable[[Sequence[Score]], bool] = _never


@dataclass(slots=True)
class Answered:
    """Scores by inquiry and set, what they cost, and what went wrong on the way."""

    scores: list[list[list[Score]]]
    usage: Usage = field(default_factory=Usage)
    seconds: float = 0.0
    scored: int = 0
    warnings: list[str] = field(default_factory=list[str])


@dataclass(frozen=True, slots=True)
class _Scoring:
    """The strategy that only scores."""

    inquiry: Inquiry
    verifier: Verifier
    scores: list[list[Score]]
    answered: Answered

    async def solve(self, problem: Problem, run: Run) -> Result:
        for places in self.inquiry.sets:
            began = time.perf_counter()
            found = await run.score(problem, [self.inquiry.candidates[i] for i in places], self.verifier)
            self.answered.seconds += time.perf_counter() - began
            self.answered.scored += len(places)
            self.scores.append(found)
            if self.inquiry.enough(found):
                break
        return Result(answer=None, message={}, text="", stop_reason=run.ended_by or "exhausted")


async def ask(engine: Engine, verifier: Verifier, inquiries: Sequence[Inquiry]) -> Answered:
    """Put each inquiry to the verifier. Raises `OutthinkError` where it cannot be asked at all."""
    answered = Answered([[] for _ in inquiries])
    limit = anyio.CapacityLimiter(_AT_ONCE)

    async def one(place: int) -> None:
        logs: list[EventLog] = []
        strategy = _Scoring(inquiries[place], verifier, answered.scores[place], answered)
        async with limit:
            result = await engine.solve(inquiries[place].problem, strategy=strategy, budget=Budget(), watch=logs.append)
        answered.usage += result.by_role.get("verifier", Usage())
        _note(logs[0].events, answered.warnings)

    async with anyio.create_task_group() as group:
        for place in range(len(inquiries)):
            group.start_soon(one, place)
    return answered


def _note(events: Sequence[Event], warnings: list[str]) -> None:
    for event in events:
        if isinstance(event, Warned) and event.message not in warnings:
            warnings.append(event.message)
