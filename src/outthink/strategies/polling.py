"""A vote in waves: ask, look, and go on only as far as that is worth it. What `auto` runs where answers vote."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import msgspec

from outthink.adaptive.control import Control
from outthink.adaptive.difficulty import PROBE
from outthink.adaptive.gate import Gate
from outthink.adaptive.state import Decision, State
from outthink.answers import resolved
from outthink.core.candidate import Candidate, Result, StopReason
from outthink.core.errors import BudgetExhausted, ServerError
from outthink.core.events import Decided, Voted, Warned
from outthink.core.problem import Problem, SamplingParams
from outthink.core.protocols import EndedBy, Run, Verifier, Watch
from outthink.strategies.affordable import Affordable
from outthink.strategies.hopeless import given_up
from outthink.strategies.rescue import rescued
from outthink.strategies.results import agree
from outthink.strategies.tally import Tally, refuted

TRUSTED = 0.95
"""Probability at which an answer that a verifier had a say in is settled, unless another accuracy is asked for."""
_OVER: dict[EndedBy, str] = {"budget": "the budget is spent", "deadline": "the time is up"}


@dataclass(frozen=True)
class End:
    """Why to stop: the reason, its numbers in words, and the numbers."""

    reason: StopReason
    told: str
    numbers: Mapping[str, float] = field(default_factory=dict[str, float])

    def event(self, seen: int) -> Decided:
        """The decision as an event, after so many samples."""
        return Decided(action="stop", reason=self.told, numbers={**self.numbers, "seen": seen})


def over(reason: EndedBy) -> End:
    """The end of what may be spent."""
    return End(reason, _OVER[reason])


def cut_off(error: BudgetExhausted | ServerError, run: Run) -> End:
    """The end where a wave could not be had, with what there is."""
    if isinstance(error, ServerError):
        run.emit(Warned(message=f"no more samples: {error}"))
        return End("exhausted", "the server gave no more samples")
    return over(run.ended_by or ("deadline" if error.reason == "deadline" else "budget"))


@dataclass(frozen=True)
class Drifting:
    """A policy's prediction that a second sample says what the first does, held against what they do."""

    agreement: float
    watch: Watch

    def met(self, firsts: Sequence[Candidate]) -> None:
        """Note the first two samples of a question, once both are here."""
        if len(firsts) == 2:
            self.watch.add(self.agreement, agree(*firsts))


@dataclass
class Poll:
    """One question's vote, as far as it has come.

    ``asked``: the problem as it is prompted; ``wanted``: samples that the caller needs at least; ``gate``: when the
    first sample alone is enough; ``checked``: chains whose arithmetic does not hold are doubted; ``drift``: what keeps
    an eye on the policy; ``next``: the index of the next sample; ``times``: what its vote counts.
    """

    problem: Problem
    asked: Problem
    params: SamplingParams
    control: Control
    tally: Tally
    affordable: Affordable
    wanted: int = 1
    gate: Gate | None = None
    verifier: Verifier | None = None
    checked: bool = False
    drift: Drifting | None = None
    next: int = 0
    times: int = 1
    passed: bool = False

    async def go(self, run: Run, until: int) -> End | None:
        """Ask in waves until there is a reason to stop; None once ``until`` samples, short of all, gave none."""
        while True:
            await self._verify(run)
            state, decision = self._looked(run)
            end = self._ended(run, state, decision)
            if end is None and self.next >= until:
                return None
            end = end or await self._wave(run, until, state, decision)
            if end is not None:
                run.emit(end.event(len(self.tally.candidates)))
                return end

    def hand_over(self) -> None:
        """A larger model goes on: its votes count double (until calibrated), it is heard before anything stops, and its
        chains are not given up, since how sure of its words a model is differs."""
        self.times, self.wanted = 2, len(self.tally.candidates) + PROBE
        self.params = msgspec.structs.replace(self.params, stop_below=None)

    def result(self, run: Run, stop: StopReason) -> Result:
        """What the vote came to; an answer that passed the gate alone has the gate's precision."""
        found = self.tally.result(run, stop)
        if self.gate is None or not self.passed or len(self.tally.candidates) > 1:
            return found
        return msgspec.structs.replace(found, confidence=self.gate.precision, confidence_source="calibrated")

    def _ended(self, run: Run, state: State, decision: Decision) -> End | None:
        """Why to stop now, None for going on."""
        if run.ended_by is not None:
            return over(run.ended_by)
        if len(self.tally.candidates) < self.wanted or self.tally.empty:
            return None if self.next < self.affordable.most else End("exhausted", "nothing more may be asked for")
        if self.gate is not None and self.passed:
            return End("settled", "the words of the first were sure enough", {"P": self.gate.precision})
        if not state.left:
            return End("exhausted", _told(state, decision), decision.numbers)
        if not decision.stop or decision.reason is None:
            return None
        return End(decision.reason, _told(state, decision), decision.numbers)

    def _looked(self, run: Run) -> tuple[State, Decision]:
        """Where the vote stands, and what that says."""
        state = self.tally.state(self.affordable.left(run, self.next), self.times)
        confidence = self.tally.posterior().confidence if state.lead else 0.0
        decision = self.control.decide(state, confidence)
        if self.tally.scores and confidence >= (self.control.accuracy or TRUSTED):
            decision = Decision(True, "settled", decision.numbers)
        return state, decision

    async def _wave(self, run: Run, until: int, state: State, decision: Decision) -> End | None:
        """Ask for the next wave; why to stop where nothing came of it."""
        prompt = await run.prompt_tokens(self.asked.messages) if state.seen else 0  # known from the first bill
        apart = self.params.stop_below is not None  # each sample then sends the prompt, however wide the wave
        first, size = self.next, self._size(state, until, 0 if apart else prompt)
        gain, samples = decision.numbers.get("gain", 0.0), decision.numbers.get("samples", 1.0)
        cost = samples * state.each + prompt * (samples if apart else 1)
        if state.seen and not await run.worth_it(gain, cost):
            return End("diminishing", "the budget gains more elsewhere", decision.numbers)
        run.emit(Decided(action=f"sample {size}", reason=_told(state, decision), numbers=decision.numbers))
        try:
            async with run.fan_out(self.asked, self.params, size, width=size, first=first) as samples:
                async for candidate in samples:
                    await self._take(candidate, run)
                    if samples.landed:
                        continue
                    self._show(run, first + size)
                    if run.time_left() is not None and self._ended(run, *self._looked(run)) is not None:
                        break  # leaving the block cancels what is in flight; without a deadline it is paid for anyway
        except (BudgetExhausted, ServerError) as error:
            if self.tally.empty:
                raise
            return cut_off(error, run)
        self.next = first + size
        return None

    def _size(self, state: State, until: int, prompt: float) -> int:
        if self.gate is not None and self.next == 0 and self.wanted == 1:
            return 1
        left = max(1, min(state.left // self.times, until - self.next))
        return min(left, max(self.control.wave(state, self.times, prompt), self.wanted - len(self.tally.candidates)))

    async def _take(self, candidate: Candidate, run: Run) -> None:
        if given_up(candidate, self.params.stop_below):
            self.tally.give_up(candidate, self.times)
        else:
            candidate = await resolved(await rescued(self.asked, candidate, run))
            doubted = await self._doubts(candidate, run)
            self.tally.add(candidate, self.times, doubted=doubted)
            if self.gate is not None and candidate.index == 0 and candidate.answer is not None and not doubted:
                self.passed = self.gate.passes(candidate.logprobs)
        self.next += 1
        if self.drift is not None and candidate.index < 2:
            self.drift.met([found for found in self.tally.sound if found.index < 2])

    async def _doubts(self, candidate: Candidate, run: Run) -> bool:
        """Whether a chain states arithmetic that does not hold, or an answer that cannot be."""
        if not self.checked or candidate.answer is None:
            return False
        (score,) = await run.score(self.problem, [candidate], "symbolic")
        return refuted(score)

    def _show(self, run: Run, n: int) -> None:
        votes = self.tally.votes
        run.emit(Voted(votes=votes.counts(), seen=votes.seen, n=max(n, votes.seen)))

    async def _verify(self, run: Run) -> None:
        """Have the verifier look at one candidate of each of the two leading answers, where they are close."""
        rivals = [] if self.verifier is None or run.ended_by else self.tally.rivals()
        if not rivals:
            return
        run.emit(Decided(action=f"verify {len(rivals)}", reason="the two leading answers are close"))
        scores = await run.score(self.problem, rivals, self.verifier)
        self.tally.scores.update((found.index, score) for found, score in zip(rivals, scores, strict=True))


def _told(state: State, decision: Decision) -> str:
    """The numbers of a decision in words."""
    numbers = decision.numbers
    if not state.seen:
        return "nothing is known yet"
    told = [f"P = {numbers['P']:.2f}"]
    if decision.reason == "settled" and "chance" in numbers:
        told.append(f"the leader stays ahead with {numbers['chance']:.2f}")
    if numbers.get("samples"):
        tokens = numbers["samples"] * state.each
        told.append(f"the next wave is worth {max(0.0, numbers['gain']):.2g} for {tokens:.0f} tokens")
    return ", ".join(told)
