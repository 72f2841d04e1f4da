"""One recorded question as it is dealt from in replay: its samples read once, its orders, scores and verdicts kept."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import TypeAlias

import msgspec

from outthink.answers import worked_out
from outthink.core.candidate import Candidate, Score
from outthink.core.errors import InputError, Unsupported
from outthink.core.problem import Message, Problem, text_of
from outthink.core.protocols import Verifier
from outthink.core.wire import Price
from outthink.engine.partial import apart, candidate
from outthink.models.pool import PoolRow, choice_of, order, otherwise, recorded_otherwise
from outthink.sandbox import Verdict

Check: TypeAlias = Callable[[str, Sequence[str], str], Awaitable[Verdict]]
"""Runs a program against tests after a setup, as `outthink.sandbox.Sandbox.check` does."""


class Deck:
    """One question's samples, read once for all the runs that are dealt from them.

    ``checked`` and ``each_prompt`` as for `outthink.models.pool.PoolModel`; ``check`` runs programs for verifiers.
    """

    def __init__(
        self,
        row: PoolRow,
        path: Path = Path("POOL"),
        *,
        checked: bool = True,
        each_prompt: bool = False,
        price: Price | None = None,
        check: Check | None = None,
    ) -> None:
        self.row, self.path, self.each_prompt, self.price = row, path, each_prompt, price
        self.model = row.fingerprint.model or path.stem
        self._checked, self._check = checked, check
        self._answered: dict[tuple[int, str, int | None, bool], Candidate] = {}
        self._candidates: dict[tuple[int, int, str, int | None, bool], Candidate] = {}
        self._orders: dict[int, Sequence[int]] = {}
        self._scores: dict[Verifier, tuple[Problem, dict[object, Score]]] = {}
        self._verdicts: dict[object, Verdict] = {}
        self._asked: tuple[Sequence[Message], float | None] | None = None

    def candidate(self, place: int, index: int, problem: Problem, limit: int | None, logprobs: bool) -> Candidate:
        """Sample ``place`` as a run's candidate ``index``, cut at the limit, its answer read as ``problem`` asks."""
        sample = self.row.samples[place]
        cut = limit if limit is not None and sample.tokens > limit else None
        key = place, index, problem.answer_kind, cut, logprobs
        found = self._candidates.get(key)
        if found is None:
            read = self._read(place, problem, cut, logprobs)
            found = self._candidates[key] = msgspec.structs.replace(read, index=index)
        return found

    def _read(self, place: int, problem: Problem, cut: int | None, logprobs: bool) -> Candidate:
        """A sample with its answer, worked out beforehand where that takes long."""
        key = place, problem.answer_kind, cut, logprobs
        found = self._answered.get(key)
        if found is None:
            choice = apart(choice_of(0, self.row.samples[place], cut))
            found = candidate(choice, problem, 0, self.model, choice.tokens or 0)
            answer = found.answer and worked_out(found.answer)
            found = msgspec.structs.replace(found, answer=answer, logprobs=found.logprobs if logprobs else None)
            self._answered[key] = found
        return found

    def order(self, seed: int) -> Sequence[int]:
        """The order in which a run of this seed meets the samples."""
        if seed not in self._orders:
            self._orders[seed] = order(self.row, seed)
        return self._orders[seed]

    def check_asked(self, messages: tuple[Message, ...], temperature: float | None) -> None:
        """Raises `Unsupported` for a prompt, or a temperature, that the samples were not recorded with."""
        if self._asked == (messages, temperature):
            return
        self.check_question(messages)
        other = otherwise(self.row, messages, temperature) if self._checked else None
        if other is not None:
            raise recorded_otherwise(self.path, other)
        self._asked = messages, temperature

    def check_question(self, messages: Sequence[Message]) -> None:
        """Raises `Unsupported` for a prompt that does not end with the recorded question."""
        if not messages or not text_of(messages[-1]).startswith(self.row.question):
            raise Unsupported(f"the pool {self.path} cannot say anything new; run the strategy live, on a data set")

    def known_scores(self, verifier: Verifier, problem: Problem) -> dict[object, Score]:
        """What a verifier that looks at each candidate alone has said of this problem's samples so far."""
        asked, known = self._scores.get(verifier) or (problem, {})
        if asked is not problem and asked != problem:
            known = {}
        self._scores[verifier] = problem, known
        return known

    async def verdict(self, code: str, tests: Sequence[str], setup: str) -> Verdict:
        """A program's verdict, run once."""
        key = code, tuple(tests), setup
        if key not in self._verdicts:
            if self._check is None:
                raise InputError("there is no sandbox to run programs in here")
            self._verdicts[key] = await self._check(code, tests, setup)
        return self._verdicts[key]
