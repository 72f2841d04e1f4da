"""The votes of one question as adaptive rules see them: counts, what verifiers said, and the posterior of both."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import msgspec

from outthink.adaptive.gate import Measure, measured
from outthink.adaptive.posterior import Evidence, Posterior, Weights, posterior, uncalibrated
from outthink.adaptive.state import State
from outthink.answers import Votes
from outthink.core.candidate import WHOLE, Candidate, Result, Score, StopReason
from outthink.core.protocols import Run
from outthink.strategies.hopeless import surest
from outthink.strategies.results import elected, single
from outthink.strategies.weighing import highest, posterior_of

_UNKNOWN = Score(verifier="")
CLOSE = 1
"""Votes between the two leading answers at which a verifier is asked."""


class Tally:
    """Grows by `add`.

    ``weights``: calibrated ones of the answer posterior, None for votes as they are; ``columns``: the measures of log
    probabilities that their columns were fitted on. ``sound``: the candidates, the doubted ones without their answer.
    """

    def __init__(self, weights: Weights | None = None, columns: Sequence[Measure] = ()) -> None:
        self.calibrated = weights is not None
        self.candidates: list[Candidate] = []
        self.sound: list[Candidate] = []
        self.scores: dict[int, Score] = {}
        self._weights, self._columns = weights, columns
        self._times: dict[int, int] = {}
        self._cut: list[Candidate] = []
        self._given_up: list[Candidate] = []

    @property
    def empty(self) -> bool:
        """Whether nothing at all came, not even a beginning."""
        return not (self.candidates or self._cut)

    @property
    def votes(self) -> Votes:
        """The vote."""
        found = Votes()
        for candidate in self._voters:
            found.add(candidate)
        return found

    @property
    def _voters(self) -> list[Candidate]:
        """Those that are sound, where one of them answers, else all."""
        return self.sound if any(found.answer is not None for found in self.sound) else self.candidates

    def add(self, candidate: Candidate, times: int = 1, *, doubted: bool = False) -> None:
        """Count a candidate, its vote so many times; one that was cut short before any answer is only kept.

        ``doubted``: something that it states is false; it does not vote beside one of which that is not known.
        """
        if candidate.answer is None and candidate.finish in ("cancelled", "error"):
            self._cut.append(candidate)
            return
        self._count(candidate, times, doubted=doubted)

    def give_up(self, candidate: Candidate, times: int = 1) -> None:
        """Count a chain that was given up: as one without an answer, even where it came whole."""
        self._given_up.append(candidate)
        self._count(msgspec.structs.replace(candidate, answer=None, finish="cancelled"), times)

    def _count(self, candidate: Candidate, times: int, *, doubted: bool = False) -> None:
        self.candidates.append(candidate)
        self.sound.append(msgspec.structs.replace(candidate, answer=None) if doubted else candidate)
        self._times[candidate.index] = times

    def state(self, left: int, times: int = 1) -> State:
        """What the rules look at, with so many samples to come whose votes count ``times``; doubted ones never vote."""
        counts = Counter[str | None]()
        for found in self.sound:
            counts[_key(found)] += self._times[found.index]
        silent = counts.pop(None, 0)
        return State(
            counts=tuple(sorted(counts.values(), reverse=True)),
            silent=silent,
            limit=counts.total() + silent + left * times,
            tokens=float(sum(found.tokens for found in self.candidates)),
            streak=self._streak(),
        )

    def posterior(self) -> Posterior:
        """The probability of each answer."""
        said = [found for found in self._voters for _ in range(self._times[found.index])]
        if self.scores:
            scored = self._weights and msgspec.structs.replace(self._weights, columns=uncalibrated(1).columns)
            return posterior_of(said, [self.scores.get(found.index, _UNKNOWN) for found in said], scored)
        return posterior([self._evidence(found) for found in said], self._weights or Weights())

    def _evidence(self, candidate: Candidate) -> Evidence:
        """What a candidate says; the log probabilities of a larger model were not what the columns were fitted on."""
        own = self._times[candidate.index] == 1
        scores = measured(candidate.logprobs if own else None, self._columns)
        return Evidence(_key(candidate), scores, candidate.finish in WHOLE)

    def rivals(self) -> list[Candidate]:
        """One candidate of each of the two leading answers, where they are close, without those scored already."""
        leading = self.votes.classes()[:2]
        if len(leading) < 2 or len(leading[0]) - len(leading[1]) > CLOSE:
            return []
        unknown = [group for group in leading if not any(found.index in self.scores for found in group)]
        return [min(group, key=lambda found: found.index) for group in unknown]

    def result(self, run: Run, stop: StopReason) -> Result:
        """The likeliest answer, of equals the one that a plain vote prefers; else the first that said anything, or the
        surest where all were given up.

        Its confidence is its share of all weight, the half vote for none of the answers included.
        """
        votes = self.votes
        plain = elected(votes, stop)
        if plain is None:
            return msgspec.structs.replace(single(self._beginning(), run, stop), stop_reason=stop)
        found = self.posterior()
        best = highest(votes, found.probabilities)
        leader = max(best, key=lambda found: (self.scores.get(found.index, _UNKNOWN).worth or 0.0, -found.index))
        return msgspec.structs.replace(
            plain,
            answer=leader.answer,
            message=leader.message,
            text=leader.text,
            confidence=round(found.confidence, 12),
            confidence_source="calibrated" if self.calibrated and not self.scores else "weighted_share",
        )

    def _beginning(self) -> Candidate:
        """What is shown where nothing voted."""
        hopeless = {found.index for found in self._given_up}
        said = [found for found in self.candidates if found.index not in hopeless]
        if not said and self._given_up:
            return surest(self._given_up)
        return min(said or self._cut, key=lambda found: found.index)

    def _streak(self) -> int:
        """How many of the last samples in a row gave one and the same answer."""
        ordered = sorted(self.sound, key=lambda found: -found.index)
        last = next((_key(found) for found in ordered), None)
        if last is None:
            return 0
        return next((place for place, found in enumerate(ordered) if _key(found) != last), len(ordered))


def refuted(score: Score) -> bool:
    """Whether ``symbolic`` finds something false in a candidate."""
    return score.worth is not None and score.worth < 1


def _key(candidate: Candidate) -> str | None:
    return None if candidate.answer is None else candidate.answer.key
