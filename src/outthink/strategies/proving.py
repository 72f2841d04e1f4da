"""Samples until one passes and, told what is wrong, revisions. What `auto` runs for what can be told right from wrong:
programs by their tests, answers by the equations that the question states.

After `PATIENCE` failures the best that fails is revised, by the words of what it fails, and again after each as many
more as long as revising gets it further; a small model's revisions hardly ever do (docs/code.md). One that passes is
never replaced by one that does not. Where the machine cannot run programs, or there is nothing to test by, the first
sample is the answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import msgspec

from outthink.adaptive.hazard import Hazard
from outthink.adaptive.state import State
from outthink.core.candidate import Candidate, Result, Score
from outthink.core.errors import BudgetExhausted, ServerError, Unsupported
from outthink.core.events import Decided, Warned
from outthink.core.problem import Problem, SamplingParams
from outthink.core.protocols import Run, Verifier
from outthink.strategies.affordable import Affordable
from outthink.strategies.polling import End, cut_off, over
from outthink.strategies.results import single
from outthink.strategies.revising import REVISIONS, revised
from outthink.strategies.selection import selected

PATIENCE = 4
"""Failures after which a revision is tried, each time."""
WIDEST = 4
"""Programs in a wave, at most."""
LEAST = 0.01
"""Probability that the next one passes under which no more are bought, without calibration."""


@dataclass
class Proof:
    """One problem's candidates, as far as they have come. ``price``: accuracy a token, None without calibration.

    ``hazard``: when a pass is to be trusted and failure to be believed; ``next``: the index of the next sample.
    """

    problem: Problem
    asked: Problem
    params: SamplingParams
    hazard: Hazard
    affordable: Affordable
    price: float | None = None
    wanted: int = 1
    verifier: Verifier | str = "tests"
    next: int = 0
    candidates: list[Candidate] = field(default_factory=list[Candidate])
    scores: list[Score] = field(default_factory=list[Score])
    before: int = 0
    revisions: int = 0
    stubborn: bool = False

    async def go(self, run: Run, until: int) -> End | None:
        """Sample and revise until there is a reason to stop; None once ``until`` candidates, short of all, failed."""
        while True:
            end = self._ended(run)
            if end is None and self.next >= until:
                return None
            if end is None and self._revises:
                await self._revise(run)
                continue
            end = end or await self._wave(run, until)
            if end is not None:
                run.emit(end.event(len(self.candidates)))
                return end

    def hand_over(self) -> None:
        """A larger model goes on: what failed before says little of it."""
        self.before = len(self.candidates)

    def result(self, run: Run, end: End, *, calibrated: bool) -> Result:
        """The best candidate; one that passed has, where calibrated, the probability that such a one is right."""
        if all(score.worth is None for score in self.scores):
            return msgspec.structs.replace(single(self.candidates[0], run), stop_reason=end.reason)
        found = selected(self.problem, self.candidates, self.scores, run, end.reason)
        if not calibrated or not self.passed:
            return found
        sure = self.hazard.solvable.right_if_passed(self.failed)
        return msgspec.structs.replace(found, confidence=sure, confidence_source="calibrated")

    @property
    def passed(self) -> int:
        """How many passed."""
        return _passes(self.scores)

    @property
    def failed(self) -> int:
        """How many of this model's did not."""
        own = self.scores[self.before :]
        return len(own) - _passes(own)

    @property
    def _revises(self) -> bool:
        return not (self.stubborn or self.passed) and self.next >= PATIENCE * (self.revisions + 1)

    def _ended(self, run: Run) -> End | None:
        """Why to stop now, None for going on."""
        if self.candidates and all(score.worth is None for score in self.scores):
            return End("unscorable", "nothing could be tested") if len(self.candidates) >= self.wanted else None
        if run.ended_by is not None and not self.passed:
            return over(run.ended_by)
        if len(self.candidates) < self.wanted and run.ended_by is None:
            return None
        decision = self._hazard.stop(self._state)
        if decision.stop and decision.reason is not None:
            return End(decision.reason, self._told(decision.numbers), decision.numbers)
        if run.ended_by is not None:
            return over(run.ended_by)
        return End("exhausted", "all that may be asked for") if self.next >= self.affordable.most else None

    def _told(self, numbers: dict[str, float]) -> str:
        """A decision of the hazard in words."""
        if not self.passed:
            return f"none passed, {_chance(numbers)}"
        code = self.problem.answer_kind == "code"
        return "a program passes its tests" if code else "the answer fits the question's equations"

    @property
    def _state(self) -> State:
        own = self.candidates[self.before :]
        tokens = float(sum(found.tokens for found in own))
        return State((), silent=len(own), limit=self.affordable.most, tokens=tokens, passed=len(own) - self.failed)

    @property
    def _hazard(self) -> Hazard:
        if self.price is not None:
            return self.hazard
        return msgspec.structs.replace(self.hazard, price=LEAST / max(self._state.each, 1.0))

    async def _wave(self, run: Run, until: int) -> End | None:
        """Sample a wave, wider the longer nothing passes, and test it; why to stop where nothing came of it."""
        left = min(self.affordable.left(run, self.next), until - self.next)
        first, size = self.next, max(1, min(left, WIDEST, max(self.failed, self.wanted - len(self.candidates))))
        chance = self._hazard.stop(self._state).numbers
        run.emit(Decided(action=f"sample {size}", reason=_chance(chance), numbers=chance))
        found = list[Candidate]()
        try:
            async with run.fan_out(self.asked, self.params, size, width=size, first=first) as samples:
                found = [candidate async for candidate in samples]
        except (BudgetExhausted, ServerError) as error:
            if not self.candidates:
                raise
            return cut_off(error, run)
        await self._test(sorted(found, key=lambda candidate: candidate.index), run)
        self.next = first + size
        return None

    async def _revise(self, run: Run) -> None:
        """Revise the best that fails, told what it fails; never again once that gets it no further."""
        best = max(range(len(self.scores)), key=lambda place: (self.scores[place].worth or 0.0, -place))
        words = self.scores[best].critique or ""
        run.emit(Decided(action="revise", reason=f"{self.failed} failed so far", numbers={"failed": self.failed}))
        index, self.revisions = REVISIONS + self.revisions, self.revisions + 1
        try:
            version = await revised(
                self.asked, self.candidates[best], words, run, temperature=self.params.temperature or 0.0, index=index
            )
        except (Unsupported, BudgetExhausted, ServerError) as error:
            self.stubborn = True
            run.emit(Warned(message=f"no revision: {error}"))
            return
        await self._test([version], run)
        self.stubborn = (self.scores[-1].worth or 0.0) <= (self.scores[best].worth or 0.0)

    async def _test(self, found: list[Candidate], run: Run) -> None:
        known = {one.text: score for one, score in zip(self.candidates, self.scores, strict=True)}
        new = [one for one in found if one.text not in known]
        told = await run.score(self.problem, new, self.verifier) if new else []
        known.update((one.text, score) for one, score in zip(new, told, strict=True))
        self.candidates += found
        self.scores += [known[one.text] for one in found]


def _passes(scores: Sequence[Score]) -> int:
    return sum(score.passed for score in scores)


def _chance(numbers: dict[str, float]) -> str:
    return f"the next passes with {numbers['gain']:.2f}" if "gain" in numbers else "nothing is known yet"
