"""The best of scored candidates.

Where answers can vote, candidates vote with their scores, so that one lucky score does not outbid five agreeing chains:
by the answer posterior (``posterior``), whose weights come with a fitted verifier, or by adding up (``sum``, Li et al.,
2023, arXiv:2206.02336). ``pessimistic`` trusts the highest scores less the larger ``pessimism`` is (in units of the
scores), for large n and a verifier that can be fooled; ``max`` takes the single best.

Programs do not add up: a worse one is not better for being written twice; of the best-scored ones the program that most
of them agree on is taken. Open text does not vote: its best candidate is taken, and where the verifier prefers none,
the first, which is then said (``unscorable``).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from outthink.adaptive.pessimism import pessimistic
from outthink.adaptive.posterior import Weights
from outthink.answers import Votes
from outthink.core.candidate import WHOLE, Candidate, Result, Score, StopReason
from outthink.core.events import Voted
from outthink.core.problem import Problem
from outthink.core.protocols import Run
from outthink.strategies.results import chosen, single
from outthink.strategies.weighing import by_posterior, by_sum, worths

Aggregate = Literal["posterior", "sum", "max", "pessimistic"]


def selected(
    problem: Problem,
    candidates: Sequence[Candidate],
    scores: Sequence[Score],
    run: Run,
    stop_reason: StopReason,
    *,
    aggregate: Aggregate = "posterior",
    weights: Weights | None = None,
    pessimism: float = 0.2,
) -> Result:
    """The best candidate by the rules above; ``weights`` are the posterior's, fitted with the verifier."""
    own, result = worths(scores), None
    silent = all(score.worth is None for score in scores)
    if aggregate != "max" and not silent and problem.answer_kind == "code":
        return best_program(candidates, own, run, stop_reason)
    if aggregate == "posterior":
        result = by_posterior(candidates, scores, weights, run, stop_reason)
    elif aggregate == "pessimistic":
        result = by_sum(candidates, pessimistic(own, pessimism), run, stop_reason)
    elif aggregate == "sum" and min(own) >= 0:  # a reward below zero would count against its answer
        result = by_sum(candidates, own, run, stop_reason)
    return result or best(candidates, own, run, stop_reason, silent=silent)


def best(
    candidates: Sequence[Candidate], worths: Sequence[float], run: Run, stop_reason: StopReason, *, silent: bool = False
) -> Result:
    """The single best candidate; the first, as ``unscorable``, where nothing answers and none is worth more.

    ``silent``: nothing was told of any of them, so that no worth is a confidence.
    """
    usable, theirs = _usable(candidates, worths)
    if len(usable) > 1 and len(set(theirs)) == 1 and usable[0].answer is None:
        return single(usable[0], run, "unscorable")
    return single(usable[0], run, stop_reason) if silent else chosen(usable, theirs, stop_reason)


def best_program(candidates: Sequence[Candidate], worths: Sequence[float], run: Run, stop_reason: StopReason) -> Result:
    """Of the candidates of highest worth the one whose program most of them wrote, the first by index among equals."""
    candidates, worths = _usable(candidates, worths)
    most = max(worths)
    votes = Votes()
    for candidate in (found for found, worth in zip(candidates, worths, strict=True) if worth == most):
        votes.add(candidate)
    run.emit(Voted(votes=votes.counts(), seen=votes.seen, n=len(candidates)))
    leader = votes.leader()
    return chosen(candidates if leader is None else [leader], worths if leader is None else [most], stop_reason)


def _usable(candidates: Sequence[Candidate], worths: Sequence[float]) -> tuple[list[Candidate], list[float]]:
    """Candidates to choose from: those with an answer where some have one, else whole ones before cut ones."""
    answered = [i for i, found in enumerate(candidates) if found.answer is not None]
    whole = [i for i, found in enumerate(candidates) if found.finish in WHOLE]
    places = answered or whole or range(len(candidates))
    return [candidates[i] for i in places], [worths[i] for i in places]
