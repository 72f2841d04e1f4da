"""What a bench found, in sentences: what beats what and by how much, and what it could not tell.

Names are quoted as Markdown's code. Nothing is called better that was not told apart.
"""

from __future__ import annotations

from typing import NamedTuple

from outthink.bench.report.records import Interval
from outthink.bench.report.standing import Contest, Entry, Standing, saves
from outthink.bench.report.wording import (
    fold,
    listed,
    number,
    points,
    quoted,
    share,
    share_between,
    signed_between,
    times_between,
)

_NAMED = 3
"""Pairs or strategies that a sentence names before it counts the rest."""


def headline(standing: Standing) -> str:
    """The one sentence to take away."""
    cheapest = standing.cheapest
    if len(standing.entries) == 1:
        return f"{quoted(cheapest.label)} answers {_accuracy(cheapest)} of the questions right."
    if winner := _winner(standing):
        contest = _between(standing, winner, cheapest)
        return (
            f"{quoted(winner.label)} answers {share(winner.measured.accuracy)} right: {points(contest.by)} more than "
            f"{quoted(cheapest.label)}{_span(contest.between)}, for {fold(contest.token_ratio)} the tokens."
        )
    if any(contest.told for contest in standing.contests):
        return (
            f"No strategy beat the cheapest, {quoted(cheapest.label)} ({share(cheapest.measured.accuracy)} right), "
            "by a difference that this bench can see."
        )
    if not standing.contests:
        return f"{len(standing.entries)} strategies were measured; none was compared with another."
    return f"No strategy could be told apart from another{_blind(standing)}."


class Finding(NamedTuple):
    """A sentence, and what it is about."""

    about: str
    sentence: str


def findings(standing: Standing) -> list[Finding]:
    """What else matters, most useful first."""
    said = (
        Finding("Perhaps as good for less", _economical(standing)),
        Finding("Also better", _others_better(standing)),
        Finding("Worse", _worse(standing)),
        Finding("Saving", _saving(standing)),
        Finding("Not told apart", _not_told(standing)),
        Finding("Smallest visible difference", _resolution(standing)),
        Finding("Floor and ceiling", _limits(standing)),
    )
    return [finding for finding in said if finding.sentence]


def _winner(standing: Standing) -> Entry | None:
    """The highest accuracy among those told apart from the cheapest and better."""
    better = [standing.by_label[contest.better] for contest in _above_cheapest(standing)]
    return max(better, key=lambda entry: (entry.measured.accuracy, -entry.number), default=None)


def _above_cheapest(standing: Standing) -> list[Contest]:
    found = standing.better_than(standing.cheapest.label)
    return [contest for contest in found if contest.better in standing.by_label]


def _between(standing: Standing, one: Entry, other: Entry) -> Contest:
    return next(contest for contest in standing.better_than(other.label) if contest.better == one.label)


def _economical(standing: Standing) -> str:
    """The cheapest that is not told apart from the winner."""
    winner = _winner(standing)
    if winner is None:
        return ""
    for entry in standing.entries[: winner.number - 1]:
        contest = standing.contest(entry.label, winner.label)
        if contest and not contest.told and entry is not standing.cheapest and contest.token_ratio:
            dearer = contest.token_ratio if contest.better == winner.label else 1 / contest.token_ratio
            return (
                f"The cheapest that could not be told apart from it is {quoted(entry.label)}: "
                f"{share(entry.measured.accuracy)} right (difference {points(contest.by)}{_span(contest.between)}), "
                f"where {quoted(winner.label)} takes {fold(dearer)} the tokens."
            )
    return ""


def _others_better(standing: Standing) -> str:
    winner = _winner(standing)
    others = [contest for contest in _above_cheapest(standing) if winner and contest.better != winner.label]
    if not others:
        return ""
    named = [f"{quoted(contest.better)} (+{points(contest.by)}{_span(contest.between)})" for contest in others[:_NAMED]]
    return f"More accurate than {quoted(standing.cheapest.label)} too: {listed(_rest(named, len(others)))}."


def _worse(standing: Standing) -> str:
    """What costs more than the cheapest and is worse."""
    beaten = standing.beaten_by(standing.cheapest.label)
    if not beaten:
        return ""
    named = [f"{quoted(one.worse)} (by {points(one.by)}{_span(one.between)})" for one in beaten[:_NAMED]]
    return f"Less accurate than {quoted(standing.cheapest.label)}, and dearer: {listed(_rest(named, len(beaten)))}."


def _saving(standing: Standing) -> str:
    best = next((one for one in standing.savings if one.ratio is not None and saves(one)), None)
    if best is None:
        return ""
    return (
        f"To be as accurate as {quoted(best.a)} ({share(best.accuracy)}), {quoted(best.b)} needs "
        f"{fold(best.ratio)} the tokens {times_between(best.ratio_ci)}."
    )


def _not_told(standing: Standing) -> str:
    unsure = [contest for contest in standing.contests if not contest.told]
    if not unsure:
        return ""
    compared = len(standing.contests)
    closest = sorted(unsure, key=lambda contest: (contest.by, contest.better))
    named = [
        f"{quoted(one.better)} and {quoted(one.worse)} ({points(one.by)} apart{_span(one.between)})"
        for one in (closest if len(closest) <= _NAMED else unsure[:1])
    ]
    if len(unsure) <= _NAMED:
        return f"{'; '.join(named)}."
    if len(unsure) == compared:
        return f"None of {compared} pairs could be told apart; the widest of them: {named[0]}."
    return f"{len(unsure)} of {compared} pairs could not be told apart, the widest of them {named[0]}."


def _resolution(standing: Standing) -> str:
    if standing.detectable is None:
        return ""
    least, most = standing.detectable
    size = points(least) if points(least) == points(most) else f"{number(least)} to {points(most)}"
    asked = standing.summary.data.questions
    where = f" on {asked:,} questions" if asked else ""
    by_pair = "" if points(least) == points(most) else ", depending on the pair"
    return f"The smallest difference this bench could see{where} is {size}{by_pair}; nothing below it is ranked."


def _blind(standing: Standing) -> str:
    """What a bench that told nothing apart could have told."""
    asked = standing.summary.data.questions
    if standing.detectable is None or not asked:
        return ""
    return f": on {asked:,} questions, differences of up to {points(standing.detectable[1])} would go unseen"


def _limits(standing: Standing) -> str:
    random, oracle = standing.summary.random, standing.summary.oracle
    if random is None or oracle is None:
        return ""
    return (
        f"Any one sample, taken at random, is right {share(random)} of the time; an oracle that always picked a right "
        f"sample where there is one would reach {share(oracle)}."
    )


def _accuracy(entry: Entry) -> str:
    measured = entry.measured
    return f"{share(measured.accuracy)}{_shares(measured.accuracy_ci)}"


def _shares(ends: Interval | None) -> str:
    return f" {share_between(ends)}" if ends else ""


def _span(ends: Interval | None) -> str:
    return f" {signed_between(ends)}" if ends else ""


def _rest(named: list[str], total: int) -> list[str]:
    """The names, and how many more there are."""
    return named if total <= len(named) else [*named, f"{total - len(named)} more"]
