"""Auto: compute where it pays. Samples in waves, learns how hard the question is, and stops once more is not worth it.

Answers that can vote are asked for until the vote is as good as settled, without those whose arithmetic is false
(`outthink.strategies.polling`); programs until one passes its tests, and answers to a question that states its own
equations until one fits them (`outthink.strategies.proving`); open text, JSON and tool calls, which nothing here could
choose among, once. A policy, of ``outthink calibrate`` or shipped, replaces the uncalibrated rules where it was fitted
on the same model, prompt and temperature.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from outthink.adaptive.control import Control
from outthink.adaptive.curtailment import Lossless
from outthink.adaptive.hazard import Hazard
from outthink.adaptive.policy import UNCALIBRATED, Policy
from outthink.answers.equations import CHECKABLE, decisive
from outthink.core.candidate import Candidate, Result
from outthink.core.errors import BadSpec, InputError
from outthink.core.events import Decided, Warned
from outthink.core.problem import Problem, SamplingParams
from outthink.core.protocols import Run, Verifier
from outthink.strategies.affordable import Affordable
from outthink.strategies.cot import CHAIN_TOKENS, prompted
from outthink.strategies.direct import Direct
from outthink.strategies.policies import Named, fitting, giving_up, origin, read_policy, shipped_for
from outthink.strategies.polling import Drifting, End, Poll
from outthink.strategies.prompts import AS_THEY_CAME
from outthink.strategies.proving import Proof
from outthink.strategies.results import asked_for, with_kind
from outthink.strategies.spec import OFF
from outthink.strategies.tally import Tally

Effort = Literal["low", "medium", "high"]
HORIZONS: dict[Effort, int] = {"low": 16, "medium": 32, "high": 64}
"""Samples that a question may take, by effort."""
TEMPERATURE = 0.7
ESCALATING: tuple[str, ...] = ("futile", "diminishing", "exhausted")
"""Reasons to stop after which a larger model goes on."""


ALL = End("exhausted", "all that may be asked for")


@dataclass(frozen=True, slots=True)
class Auto:
    """Sample where it pays and stop where it does not: the default for every kind of question.

    ``effort``: up to 16, 32 or 64 samples. ``accuracy``: stop at this probability of being right. ``price``: accuracy
    a token under which more is not bought. ``policy``: a file of ``outthink calibrate``, or ``off``; unless given, the
    one that is shipped for this model and prompt, if there is one. ``verifier``: asked about the two leading answers
    while they are close. ``larger``: a model that goes on where this one does not get further.
    """

    effort: Effort | None = None
    accuracy: float | None = None
    price: float | None = None
    policy: str | None = None
    verifier: Verifier | None = None
    larger: str | None = None

    def __post_init__(self) -> None:
        if self.accuracy is not None and not 0 < self.accuracy < 1:
            raise BadSpec(f"auto: accuracy takes a probability between 0 and 1, such as 0.9, not {self.accuracy:g}")
        if self.price is not None and not 0 < self.price < math.inf:
            raise BadSpec(f"auto: price takes accuracy a token above 0, such as 0.00001, not {self.price:g}")

    async def solve(self, problem: Problem, run: Run) -> Result:
        given = self._given()  # a bad file is told before spending
        problem = with_kind(problem)
        # Open text with a scorer whose worth is calibrated would be sampled and chosen from here; none is so far.
        if problem.answer_kind in ("auto", *AS_THEY_CAME):
            run.emit(Decided(action="sample 1", reason="nothing could choose among several"))
            return await Direct().solve(problem, run)
        asked_for(problem, most=self._horizon(given))
        if self.larger is not None:
            async with run.child(model=self.larger):
                pass  # a run that has no other models, as over a pool, says so before spending
        asked = await prompted(problem, run)
        stated = decisive(problem)
        if stated is not None and not _is_lossless(given):
            run.emit(Decided(action="check each", reason=f"an answer can be put back into {stated.text}"))
            return await self._proved(problem, asked, None, run, "symbolic")
        here = origin(asked, problem.question, TEMPERATURE, run)
        found = shipped_for(here, run) if self.policy is None else given
        named = found and fitting(found, here, run)
        if problem.answer_kind == "code":
            verifier = "tests" if problem.tests else self.verifier or "tests"
            return await self._proved(problem, asked, named, run, verifier)
        return await self._voted(problem, asked, named, run)

    def _given(self) -> Named | None:
        return None if self.policy in (None, OFF) else Named(self.policy, read_policy(self.policy))

    def _horizon(self, named: Named | None) -> int:
        """The limit of a policy that was named; by effort without one, or with one that is shipped."""
        if self.effort is None and self.policy is not None and named is not None:
            return named.policy.limit
        return HORIZONS[self.effort or "medium"]

    async def _voted(
        self, problem: Problem, asked: Problem, named: Named | None, run: Run, seen: Sequence[Candidate] = ()
    ) -> Result:
        policy = named and await giving_up(named.policy, asked, run)
        known, horizon = policy or UNCALIBRATED, self._horizon(named)
        lossless = _is_lossless(named)
        # A rule that calibration certified decides alone: the policy's price comes on top only where it certified none.
        control = Control(
            known.rule,
            known.weights,
            self.accuracy,
            self.price or (policy and policy.price),
            exact=self.price is None and (known.certified or lossless),
        )
        poll = Poll(
            problem,
            asked,
            self._params(
                logprobs=known.gate is not None or bool(known.columns) or not lossless,
                stop_below=known.giving_up and known.giving_up.below,
            ),
            control,
            Tally(known.weights if known.weights.calibrated else None, known.columns),
            Affordable(run, horizon),
            wanted=asked_for(problem, most=horizon),
            gate=known.gate,
            verifier=self.verifier,
            checked=problem.answer_kind in CHECKABLE and not lossless,
            drift=_drifting(named, policy, run),
            next=len(seen),
        )
        for candidate in seen:
            poll.tally.add(candidate)
        end = await self._escalated(poll, run, horizon)
        return poll.result(run, end.reason)

    async def _proved(
        self, problem: Problem, asked: Problem, named: Named | None, run: Run, verifier: Verifier | str
    ) -> Result:
        policy = named and named.policy
        known, horizon = policy or UNCALIBRATED, self._horizon(named)
        price = self.price or (policy and policy.price)
        proof = Proof(
            problem,
            asked,
            self._params(logprobs=True),
            Hazard(price=price or known.price, solvable=known.solvable),
            Affordable(run, horizon),
            price=price,
            wanted=asked_for(problem, most=horizon),
            verifier=verifier,
        )
        end = await self._escalated(proof, run, horizon)
        if end.reason == "unscorable" and verifier == "symbolic":  # no number that can be put back: it votes after all
            return await self._voted(problem, asked, None, run, proof.candidates)
        return proof.result(run, end, calibrated=known.solvable != UNCALIBRATED.solvable)

    async def _escalated(self, work: Poll | Proof, run: Run, horizon: int) -> End:
        """Work up to the horizon; with a larger model, up to half of it, and on with that one where nothing was found.

        Search for the hard and retrieval for what is not known would be chosen here too, by their gain a token.
        """
        first = horizon if self.larger is None else max(1, horizon // 2)
        end = await work.go(run, first)
        if self.larger is None or (end is not None and end.reason not in ESCALATING):
            return end or ALL
        why = "half of the samples settled nothing" if end is None else end.told
        run.emit(Decided(action="escalate", reason=f"{why}; {self.larger} goes on", numbers={"samples": work.next}))
        work.hand_over()
        try:
            async with run.child(model=self.larger) as child:
                return await work.go(child, horizon) or ALL
        except InputError as error:  # it cannot be had, which costs no answer
            run.emit(Warned(message=f"{self.larger} could not go on: {error}"))
            return end or ALL

    def _params(self, *, logprobs: bool, stop_below: float | None = None) -> SamplingParams:
        return SamplingParams(
            temperature=TEMPERATURE, max_tokens=CHAIN_TOKENS, logprobs=logprobs, stop_below=stop_below
        )


def _is_lossless(named: Named | None) -> bool:
    """Whether the plain vote's answer is wanted, and not a better one."""
    return named is not None and isinstance(named.policy.rule, Lossless)


def _drifting(named: Named | None, policy: Policy | None, run: Run) -> Drifting | None:
    """What the samples' agreement is held against; ``policy`` is the one that is used here."""
    if named is None or policy is None or policy.agreement is None:
        return None
    return Drifting(policy.agreement, run.watch(named.name))
