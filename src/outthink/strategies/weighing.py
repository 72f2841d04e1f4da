"""How answers are weighed by what a verifier says of the candidates that gave them.

By the answer posterior (`outthink.adaptive.posterior`): with weights that were fitted together with the verifier its
probabilities are calibrated; without them votes count as they are, times the mean of what the verifier says. A
candidate that the verifier cannot tell anything about counts as an average one.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Protocol

import msgspec

from outthink.adaptive.posterior import Evidence, Posterior, Weights, logit, posterior, uncalibrated
from outthink.answers import Votes
from outthink.core.candidate import WHOLE, Candidate, ConfidenceSource, Result, Score, StopReason
from outthink.core.events import Voted
from outthink.core.protocols import Run
from outthink.strategies.results import elected

_LEAST = 1e-4


class Fit(Protocol):
    """What a fitted verifier (its attribute ``fitted``) tells of itself."""

    @property
    def weights(self) -> Weights | None:
        """The answer posterior's weights that go with it."""
        ...

    def differs(self, *, prompt: str, temperature: float) -> str | None:
        """What is different about the samples it was fitted on, in words."""
        ...


def worths(scores: Sequence[Score]) -> list[float]:
    """The worth of each candidate; where a verifier cannot tell, the mean of where it can (1 if nowhere)."""
    known = [score.worth for score in scores if score.worth is not None]
    mean = sum(known) / len(known) if known else 1.0
    return [mean if score.worth is None else score.worth for score in scores]


def posterior_of(candidates: Sequence[Candidate], scores: Sequence[Score], weights: Weights | None = None) -> Posterior:
    """The probability of each answer key; by ``weights`` only where the scores are probabilities."""
    columns, weights = _column(candidates, scores, weights)
    evidence = [
        Evidence(None if found.answer is None else found.answer.key, column, found.finish in WHOLE)
        for found, column in zip(candidates, columns, strict=True)
    ]
    return posterior(evidence, weights)


def _column(
    candidates: Sequence[Candidate], scores: Sequence[Score], weights: Weights | None
) -> tuple[list[tuple[float, ...]], Weights]:
    """What each candidate's score counts as, and the weights to count it with."""
    own = worths(scores)
    if all(score.worth is None for score in scores):
        plain = Weights() if weights is None else msgspec.structs.replace(weights, columns=())
        return [()] * len(own), plain
    if all(score.value is not None or score.raw is None for score in scores):
        return [(logit(value),) for value in own], weights or uncalibrated(1)
    if all(0 <= value <= 1 for value in own):  # votes times the mean score of the answer: the scores add up
        means = _means(candidates, own)
        return [(math.log(max(value, _LEAST)),) for value in means], uncalibrated(1)
    mean = sum(own) / len(own)
    spread = math.sqrt(sum((value - mean) ** 2 for value in own) / len(own)) or 1.0
    return [((value - mean) / spread,) for value in own], uncalibrated(1)


def _means(candidates: Sequence[Candidate], own: Sequence[float]) -> list[float]:
    """For each candidate, the mean worth of those that give its answer."""
    keys = [found.answer and found.answer.key for found in candidates]
    groups: dict[str | None, list[float]] = {}
    for key, value in zip(keys, own, strict=True):
        groups.setdefault(key, []).append(value)
    return [sum(groups[key]) / len(groups[key]) for key in keys]


def by_posterior(
    candidates: Sequence[Candidate],
    scores: Sequence[Score],
    weights: Weights | None,
    run: Run,
    stop_reason: StopReason,
) -> Result | None:
    """The likeliest answer, shown by its best candidate; None when nothing votes.

    The confidence is its probability where that is calibrated, else its share of all worth.
    """
    found = posterior_of(candidates, scores, weights)
    known = weights is not None and any(score.value is not None for score in scores)
    sure = found.confidence if known else None
    return _shown(candidates, worths(scores), found.probabilities, run, stop_reason, sure)


def by_sum(candidates: Sequence[Candidate], own: Sequence[float], run: Run, stop_reason: StopReason) -> Result | None:
    """The answer whose candidates' worths add up to most, shown by its best candidate; None when nothing votes.

    The confidence is its share of all weight, that of candidates without an answer included.
    """
    totals: dict[str, float] = {}
    for candidate, worth in zip(candidates, own, strict=True):
        if candidate.answer is not None:
            totals[candidate.answer.key] = totals.get(candidate.answer.key, 0.0) + worth
    return _shown(candidates, own, totals, run, stop_reason, None)


def highest(votes: Votes, standing: Mapping[str, float]) -> list[Candidate]:
    """The candidates of the answer that stands highest by its key, of equals the one that a plain vote prefers.

    Some candidate has to have voted.
    """

    def stands(group: list[Candidate]) -> float:
        answer = group[0].answer
        return -math.inf if answer is None else round(standing[answer.key], 12)

    return max(votes.classes(), key=stands)


def _shown(
    candidates: Sequence[Candidate],
    own: Sequence[float],
    standing: dict[str, float],
    run: Run,
    stop_reason: StopReason,
    sure: float | None,
) -> Result | None:
    """The answer that stands highest, of equals the one that a plain vote prefers; ``sure`` is its confidence."""
    votes = Votes()
    for candidate in candidates:
        votes.add(candidate)
    run.emit(Voted(votes=votes.counts(), seen=votes.seen, n=len(candidates)))
    worth = {candidate.index: value for candidate, value in zip(candidates, own, strict=True)}
    plain = elected(votes, stop_reason)
    if plain is None:
        return None
    best = highest(votes, standing)
    leader = max(best, key=lambda found: (worth[found.index], -found.index))
    whole = sum(own)
    source: ConfidenceSource = "weighted_share" if sure is None else "calibrated"
    share = sum(worth[found.index] for found in best) / whole if whole > 0 else 0.0
    return msgspec.structs.replace(
        plain,
        answer=leader.answer,
        message=leader.message,
        text=leader.text,
        confidence=share if sure is None else sure,
        confidence_source=source,
    )
