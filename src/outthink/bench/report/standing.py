"""The strategies in order of price, and which of them may be called better than which.

Ranks nothing itself: a pair is told apart only where the bench said so.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar

from outthink.bench.report.records import Interval, Measured, Pair, SameAccuracy, Summary
from outthink.core.errors import BadSpec
from outthink.strategies.spec import Call, parse

_T = TypeVar("_T")
COLOURS = 8
"""Colours of the page's style sheet; a ninth family gets the first colour and another mark."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A strategy with its place in the order of tokens, from 1. Those that differ only in n share a ``family``.

    A technique has one ``colour``; ``mark`` tells models apart where there are several, else a ninth technique from
    the first.
    """

    number: int
    label: str
    family: str
    colour: int
    mark: int
    measured: Measured


@dataclass(frozen=True, slots=True)
class Contest:
    """A pair turned so that ``better`` has the higher accuracy, by ``by``; only where ``told`` may that be said."""

    better: str
    worse: str
    by: float
    between: Interval | None
    told: bool
    pair: Pair
    token_ratio: float | None
    token_between: Interval | None
    flops_ratio: float | None
    seconds_ratio: float | None


class Standing:
    """All that is said of strategies in words, tables and plots starts here."""

    def __init__(self, summary: Summary) -> None:
        self.summary = summary
        self.models = sorted({one.model for one in summary.strategies})
        ordered = sorted(summary.strategies, key=lambda one: (one.tokens_mean or 0, one.strategy, one.model))
        techniques = list(dict.fromkeys(family(one.strategy) for one in ordered))
        self.entries = tuple(
            Entry(
                number=place,
                label=self.name(one.strategy, one.model),
                family=self.name(family(one.strategy), one.model),
                colour=techniques.index(family(one.strategy)) % COLOURS,
                mark=self.models.index(one.model) or techniques.index(family(one.strategy)) // COLOURS,
                measured=one,
            )
            for place, one in enumerate(ordered, start=1)
        )
        contests = [_contest(pair) for pair in summary.pairs]
        self.contests = tuple(sorted(contests, key=lambda one: (not one.told, -one.by, one.better, one.worse)))

    def name(self, strategy: str, model: str) -> str:
        """What a strategy is called here: with its model only where there are several."""
        return f"{strategy} @ {model}" if len(self.models) > 1 else strategy

    @cached_property
    def by_label(self) -> dict[str, Entry]:
        return {entry.label: entry for entry in self.entries}

    @property
    def cheapest(self) -> Entry:
        return self.entries[0]

    @cached_property
    def best(self) -> Entry:
        """The highest accuracy measured, which need not be told apart from others."""
        return max(self.entries, key=lambda entry: (entry.measured.accuracy, -entry.number))

    def contest(self, one: str, other: str) -> Contest | None:
        """How two strategies compare; None where they were not compared."""
        return next((found for found in self.contests if {found.better, found.worse} == {one, other}), None)

    def better_than(self, label: str) -> list[Contest]:
        """Contests in which something is better than the strategy, told apart; the largest difference first."""
        return [contest for contest in self.contests if contest.told and contest.worse == label]

    def beaten_by(self, label: str) -> list[Contest]:
        """Contests in which the strategy is better than something, told apart; the largest difference first."""
        return [contest for contest in self.contests if contest.told and contest.better == label]

    @cached_property
    def detectable(self) -> tuple[float, float] | None:
        """The smallest difference in accuracy that the bench could see, over its pairs: least and most."""
        found = [pair.detectable_difference for pair in self.summary.pairs if pair.detectable_difference]
        return (min(found), max(found)) if found else None

    @cached_property
    def savings(self) -> tuple[SameAccuracy, ...]:
        """Ratios of tokens at the same accuracy, those that are not told from 1 last."""
        found = self.summary.iso_accuracy or ()
        return tuple(sorted(found, key=lambda one: (not saves(one), -(one.ratio or 0), one.a, one.b)))

    def of(self, entry: Entry, table: Mapping[str, _T]) -> _T | None:
        """A strategy's value in a table by name."""
        return table.get(entry.label, table.get(entry.measured.strategy) if len(self.models) == 1 else None)


def saves(one: SameAccuracy) -> bool:
    """Whether the interval of a ratio of tokens lies above 1."""
    return one.ratio_ci is not None and one.ratio_ci[0] is not None and one.ratio_ci[0] > 1


def family(strategy: str) -> str:
    """A technique apart from its ``n``: the same at another price. Text that does not parse stays as it is."""
    try:
        call = parse(strategy)
    except BadSpec:
        return strategy
    return str(Call(call.name, call.args, tuple(pair for pair in call.kwargs if pair[0] != "n")))


def told_apart(pair: Pair) -> bool:
    """What the bench said; else significant after correction and no smaller than what it can detect."""
    if pair.distinguishable is not None:
        return pair.distinguishable
    p = pair.holm_p if pair.holm_p is not None else pair.accuracy_diff_p
    return p is not None and p <= 0.05 and abs(pair.accuracy_diff) >= (pair.detectable_difference or 0)


def _contest(pair: Pair) -> Contest:
    turned = pair.accuracy_diff < 0
    return Contest(
        better=pair.b if turned else pair.a,
        worse=pair.a if turned else pair.b,
        by=abs(pair.accuracy_diff),
        between=_negative(pair.accuracy_diff_ci) if turned else pair.accuracy_diff_ci,
        told=told_apart(pair),
        pair=pair,
        token_ratio=_turned(pair.token_ratio, turned),
        token_between=_inverse(pair.token_ratio_ci) if turned else pair.token_ratio_ci,
        flops_ratio=_turned(pair.flops_ratio, turned),
        seconds_ratio=_turned(pair.seconds_ratio, turned),
    )


def _turned(ratio: float | None, turned: bool) -> float | None:
    return ratio if not turned or ratio is None else 1 / ratio if ratio else None


def _negative(ends: Interval | None) -> Interval | None:
    if ends is None:
        return None
    low, high = (None if end is None else -end for end in ends)
    return high, low


def _inverse(ends: Interval | None) -> Interval | None:
    if ends is None:
        return None
    low, high = (1 / end if end else None for end in ends)
    return high or 0.0, low
