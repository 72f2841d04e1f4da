"""The best of scored candidates.

Where answers can vote, candidates vote with their scores (weighted best-of-n, Li et al., 2023, arXiv:2206.02336):
equal answers add up, so that one lucky score does not outbid five agreeing chains. A candidate the verifier cannot tell
anything about counts as an average one. Programs do not add up: a worse one is not better for being written twice; of
the best-scored ones the program that most of them agree on is taken. Open text does not vote: its best candidate is
taken, and where the verifier prefers none, the first, which is then said (``unscorable``).
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from outthink.answers import Votes
from outthink.core.candidate import WHOLE, Candidate, Result, Score, StopReason
from outthink.core.events import Voted
from outthink.core.problem import Problem
from outthink.core.protocols import Run
from outthink.strategies.results import chosen, elected, single


def selected(
    problem: Problem,
    candidates: Sequence[Candidate],
    scores: Sequence[Score],
    run: Run,
    stop_reason: StopReason,
    *,
    adding_up: bool = True,
) -> Result:
    """The best candidate by the rules above; by its own score alone unless ``adding_up``."""
    worths = weights(scores)
    silent = all(score.worth is None for score in scores)
    if adding_up and not silent and problem.answer_kind == "code":
        return best_program(candidates, worths, run, stop_reason)
    if adding_up and min(worths) >= 0:  # a reward below zero would count against its answer
        result = weighted(candidates, worths, run, stop_reason)
        if result is not None:
            return result
    return best(candidates, worths, run, stop_reason, silent=silent)


def weights(scores: Sequence[Score]) -> list[float]:
    """The worth of each candidate; where a verifier cannot tell, the mean of where it can (1 if nowhere)."""
    known = [score.worth for score in scores if score.worth is not None]
    mean = sum(known) / len(known) if known else 1.0
    return [mean if score.worth is None else score.worth for score in scores]


def weighted(
    candidates: Sequence[Candidate], worths: Sequence[float], run: Run, stop_reason: StopReason
) -> Result | None:
    """The answer whose candidates' worths add up to most, shown by its best candidate; None when nothing votes.

    The confidence is its share of all weight, that of candidates without an answer included.
    """
    votes = Votes()
    for candidate in candidates:
        votes.add(candidate)
    run.emit(Voted(votes=votes.counts(), seen=votes.seen, n=len(candidates)))
    worth = {candidate.index: value for candidate, value in zip(candidates, worths, strict=True)}
    classes = votes.classes()
    if not classes:
        return None
    total = [sum(worth[found.index] for found in group) for group in classes]
    best = classes[max(range(len(classes)), key=lambda i: (total[i], -i))]
    leader = max(best, key=lambda found: (worth[found.index], -found.index))
    whole = sum(worths)
    plain = elected(votes, stop_reason)
    share = sum(worth[found.index] for found in best) / whole if whole else 0.0
    return plain and msgspec.structs.replace(
        plain,
        answer=leader.answer,
        message=leader.message,
        text=leader.text,
        confidence=share,
        confidence_source="weighted_share",
    )


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
