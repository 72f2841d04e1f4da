"""Judge: a language model says what a candidate is worth, read from the log probabilities of its verdict.

``yes-no`` and ``scale`` cost one or two new tokens a candidate, ``pairs`` two calls of one new token a match (Zheng et
al., 2023, arXiv:2306.05685), ``steps`` a written check of every step. A small model is a poor judge of itself (Song et
al., 2024, arXiv:2412.02674): measure what its verdicts are worth before paying for them.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

from outthink.answers.verdict import SAMPLED, TOP, Verdict, graded, verdict
from outthink.core.candidate import Candidate, Score
from outthink.core.errors import BadSpec
from outthink.core.problem import Problem
from outthink.core.protocols import Run
from outthink.verifiers.judging import pairs, prompts
from outthink.verifiers.judging.asking import Asking
from outthink.verifiers.judging.groups import distinct, leading, shown
from outthink.verifiers.judging.steps import Steps, numbered, read_checks, steps_of

MOST_PAIRED = 8
"""Distinct candidates that meet in a tournament unless ``top`` says how many."""
_TOP_OF_STEPS = 5  # at every place of a long text: enough for both words
_YES_NO, _PLACES = ("yes", "no"), ("1", "2")


@dataclass(frozen=True, slots=True)
class Judge:
    """A language model's verdict: yes or no, a grade (scale), the better of two (pairs), or a check step by step.

    ``rubric``: what counts, in your words. ``model``: who judges (None: the model that answered). ``critique``: have it
    also say what is wrong; ``tokens``: new tokens of a critique, or of a check by steps. ``top``: judge only what
    stands for so many leading answers.
    """

    form: Literal["yes-no", "scale", "pairs", "steps"] = "yes-no"
    rubric: str = ""
    model: str | None = None
    critique: bool = False
    tokens: int = 400
    top: int | None = None
    tournament: Literal["knockout", "pivot"] = "knockout"
    alone: ClassVar[bool] = False
    needs: ClassVar[tuple[str, ...]] = ("model calls", "top_logprobs")
    paper: ClassVar[str] = "arXiv:2408.15240"

    def __post_init__(self) -> None:
        if not 1 <= self.tokens <= 1_000_000:
            raise BadSpec(f"judge: tokens takes 1 to 1000000, not {self.tokens}")
        if self.top is not None and not 1 <= self.top <= 4096:
            raise BadSpec(f"judge: top takes 1 to 4096, not {self.top}")
        if self.critique and self.form in ("pairs", "steps"):
            raise BadSpec(
                f"judge: critique=true goes with form=yes-no or form=scale; form={self.form} "
                + ("says only which is better" if self.form == "pairs" else "tells the first wrong step anyway")
            )

    @property
    def stepwise(self) -> bool:
        return self.form == "steps"

    async def score(self, problem: Problem, candidates: Sequence[Candidate], run: Run) -> list[Score]:
        texts = [shown(candidate) for candidate in candidates]
        top = self.top or (MOST_PAIRED if self.form == "pairs" else None)
        groups = distinct(texts) if top is None else leading(candidates, texts, top)
        asking, opening = Asking(run, self.model), prompts.opening(problem, self.rubric)
        found = await self._form()(asking, opening, [texts[group[0]] for group in groups])
        scores = [self._score()] * len(candidates)
        for group, score in zip(groups, found, strict=True):
            for place in group:
                scores[place] = score
        return scores

    def _form(self) -> Callable[[Asking, str, Sequence[str]], Awaitable[list[Score]]]:
        return {"pairs": self._tournament, "steps": self._stepwise}.get(self.form, self._verdicts)

    def _score(self, raw: float | None = None, steps: Steps = (), critique: str | None = None) -> Score:
        return Score(verifier=f"judge-{self.form}", raw=raw, steps=steps, critique=critique)

    async def _verdicts(self, asking: Asking, opening: str, texts: Sequence[str]) -> list[Score]:
        """The probability of yes, or the expected grade from 0 (for 1) to 1 (for 10)."""
        scale = self.form == "scale"
        ask, tokens = (prompts.SCALE, 2) if scale else (prompts.YES_NO, 1)
        replies = await asking.all([opening + prompts.about(text, ask) for text in texts], tokens, TOP)
        verdicts = [reply and (graded(reply) if scale else verdict(reply, _YES_NO)) for reply in replies]
        _warn_of_sampled(asking, verdicts)
        raws = [one and ((one.expected - 1) / 9 if scale else one.shares["yes"]) for one in verdicts]
        critiques: list[str | None] = [None] * len(texts)
        if self.critique and any(replies):
            wanted = [opening + prompts.about(text, prompts.CRITIQUE) for text in texts]
            critiques = [reply and reply.text.strip() for reply in await asking.all(wanted, self.tokens, 0)]
        return [self._score(raw, critique=critique) for raw, critique in zip(raws, critiques, strict=True)]

    async def _stepwise(self, asking: Asking, opening: str, texts: Sequence[str]) -> list[Score]:
        steps = [steps_of(text) for text in texts]
        wanted = [opening + prompts.about(numbered(each), prompts.STEPS) for each in steps]
        beyond = f"Step {max(map(len, steps), default=0) + 1}"  # a small judge goes on to check what is not there
        replies = await asking.all(wanted, self.tokens, _TOP_OF_STEPS, (beyond,))
        return [
            self._score() if reply is None else self._score(*read_checks(reply, len(each)))
            for reply, each in zip(replies, steps, strict=True)
        ]

    async def _tournament(self, asking: Asking, opening: str, texts: Sequence[str]) -> list[Score]:
        async def play(matches: Sequence[pairs.Match]) -> list[float | None]:
            orders = [order for one, other in matches for order in ((one, other), (other, one))]
            wanted = [opening + prompts.about_two(texts[one], texts[other]) for one, other in orders]
            verdicts = [reply and verdict(reply, _PLACES) for reply in await asking.all(wanted, 1, TOP)]
            _warn_of_sampled(asking, verdicts)
            first = [one and one.shares["1"] for one in verdicts]
            return [pairs.mean_of_orders(first[i], first[i + 1]) for i in range(0, len(first), 2)]

        tournament = pairs.knockout if self.tournament == "knockout" else pairs.pivot
        return [self._score(raw) for raw in await tournament(len(texts), play)]


def _warn_of_sampled(asking: Asking, verdicts: Sequence[Verdict | None]) -> None:
    if any(one is not None and one.sampled for one in verdicts):
        asking.warn(SAMPLED)
