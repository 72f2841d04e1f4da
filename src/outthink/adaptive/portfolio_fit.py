"""Chooses, from families of stopping rules, the cheapest that calibration data certifies.

Certified means: the lower end of the 95 % interval of its accuracy minus that of all affordable samples, paired and
clustered by question, lies above -``loss``; and so it does for the whole way of choosing, cross-fitted, so that a rule
is not certified by the luck that made it the choice. Needs numpy and scipy; loaded only for calibration.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy import special

from outthink.adaptive.curtailment import Curtail
from outthink.adaptive.policy import AnyRule
from outthink.adaptive.replay_fit import Outcome, Replay
from outthink.adaptive.stopping import BayesFactor, Beta, Closing, Fixed, Lead, Window

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
R = TypeVar("R")
R_co = TypeVar("R_co", covariant=True)
MARGINS = (0.0, 0.0005, 0.001, 0.002, 0.003)
"""Accuracy asked for beyond the allowed loss, tried in turn until cross-fitting agrees."""


@dataclass(frozen=True, slots=True)
class Tried(Generic[R_co]):
    """A rule, what it came to on each question, and where it stands: ``ladder``s go from cautious to daring."""

    rule: R_co
    ladder: str
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class Choice(Generic[R_co]):
    """The rule chosen, its figures on the calibration data, and whether it is certified.

    ``low``: the lower end of the accuracy difference, cross-fitted. ``margin``: what was asked for on top.
    """

    rule: R_co
    certified: bool
    low: float
    tokens: float
    margin: float


def simple_ladders(limit: int = 64) -> dict[str, Sequence[AnyRule]]:
    """The known rules, each family from cautious to daring."""
    return {
        "fixed": [Fixed(n) for n in range(limit - 1, 0, -1)],
        "lead": [Lead(votes) for votes in range(10, 0, -1)],
        "beta": [Beta(chance) for chance in (0.99, 0.975, 0.96, 0.95, 0.94, 0.92, 0.9, 0.88, 0.85, 0.8, 0.75)],
        "window": [Window(size) for size in range(8, 1, -1)],
        "curtail": [Curtail(risk) for risk in (0.01, 0.02, 0.03, 0.04, 0.05, 0.06, 0.08, 0.1, 0.12, 0.15, 0.2)],
        "bayes-factor": [BayesFactor(factor) for factor in (300, 150, 100, 75, 50, 30, 20, 15, 10, 5)],
    }


def adaptive_ladders(unit: float = 10_000.0) -> dict[str, Sequence[AnyRule]]:
    """Curtailment that minds the price, and a lead that closes; ``unit``: tokens of a usual sample."""
    risks = [round(0.005 * 60 ** (place / 31), 5) for place in range(32)]
    ladders: dict[str, Sequence[AnyRule]] = {
        f"curtail growth={growth} diffuse={diffuse}": [Curtail(risk, growth, diffuse, unit) for risk in risks]
        for growth in (0.0, 0.3)
        for diffuse in (0.0, 1.0)
    }
    leads = [quarters / 4 for quarters in range(32, 5, -1)]
    return ladders | {f"closing {shape}": [Closing(votes, shape) for votes in leads] for shape in (0.25, 1.0)}


def tried(replay: Replay, ladders: Mapping[str, Sequence[AnyRule]]) -> list[Tried[AnyRule]]:
    """What every rule of the ladders comes to."""
    found: list[Tried[AnyRule]] = []
    for name, rules in ladders.items():
        first = rules[0]
        risks = replay.risks(first) if isinstance(first, Curtail) else None
        for rule in rules:
            if isinstance(rule, Curtail) and risks is not None:
                outcome = replay.at(replay.curtailed_at(risks, rule.risk))
            else:
                outcome = replay.fixed(rule.n) if isinstance(rule, Fixed) else replay.outcome(rule)
            found.append(Tried(rule, name, outcome))
    return found


def choose(
    rules: Sequence[Tried[R]], full: Outcome, clusters: Sequence[str], *, loss: float = 0.005, folds: int = 5
) -> Choice[R | Curtail]:
    """The cheapest certified rule of all ladders; where they are too many to certify a choice among them, of the
    ladders that can be certified alone; `Curtail` at its default, not certified, where none can."""
    table = _table(rules, full, clusters)
    found = table.certified(np.arange(len(rules)), loss, folds)
    if found is None:
        alone = [table.certified(np.flatnonzero(table.ladder == name), loss, folds) for name in np.unique(table.ladder)]
        found = min((choice for choice in alone if choice), key=lambda choice: choice.tokens, default=None)
    return Choice(Curtail(), False, -math.inf, math.nan, math.nan) if found is None else found


@dataclass(frozen=True, slots=True)
class _Table(Generic[R]):
    """Gains in accuracy over all samples, and tokens: rules × questions. ``ladder`` numbers each rule's ladder,
    ``index`` each question's cluster."""

    rules: Sequence[R]
    gains: Floats
    tokens: Floats
    ladder: Ints
    index: Ints

    def certified(self, among: Ints, loss: float, folds: int) -> Choice[R] | None:
        """The cheapest of these rules at the smallest margin at which the way of choosing is certified too."""
        everything = np.arange(len(self.index))
        for margin in MARGINS:
            gain = np.zeros(len(self.index))
            for fold in range(folds):
                out = np.flatnonzero(self.index % folds == fold)
                chosen = self.cheapest(among, np.flatnonzero(self.index % folds != fold), loss - margin)
                gain[out] = self.gains[chosen, out] if chosen is not None else 0.0
            low = float(lower(gain, self.index))
            chosen = self.cheapest(among, everything, loss - margin)
            if chosen is not None and low > -loss:
                return Choice(self.rules[chosen], True, low, float(self.tokens[chosen].mean()), margin)
        return None

    def cheapest(self, among: Ints, rows: Ints, loss: float) -> int | None:
        """The cheapest of these rules on some questions of those that pass there, as all more cautious ones of their
        ladder do."""
        size = int(self.index.max()) + 1
        passing: Bools = lower(self.gains[np.ix_(among, rows)], self.index[rows], size=size) > -loss
        for name in np.unique(self.ladder[among]):
            here = self.ladder[among] == name
            passing[here] = np.logical_and.accumulate(passing[here])
        if not passing.any():
            return None
        kept = among[passing]
        return int(kept[self.tokens[np.ix_(kept, rows)].mean(axis=1).argmin()])


def _table(rules: Sequence[Tried[R]], full: Outcome, clusters: Sequence[str]) -> _Table[R]:
    return _Table(
        [one.rule for one in rules],
        np.stack([one.outcome.right for one in rules]) - full.right,
        np.stack([one.outcome.tokens for one in rules]),
        _indexed([one.ladder for one in rules]),
        _indexed(clusters),
    )


def lower(gains: Floats, index: Ints, level: float = 0.95, size: int | None = None) -> Floats:
    """The lower end of the interval of each mean gain (over the last axis), by clusters.

    Student's t, with two made-up clusters that differ as much as those that do. A gain counts as none: it may be luck.
    ``size``: of how many clusters these are a part, for whose interval this stands.
    """
    _, index = np.unique(index, return_inverse=True)
    member = np.zeros((len(index), int(index.max()) + 1))
    member[np.arange(len(index)), index] = 1.0
    sums: Floats = gains @ member
    count, some = sums.shape[-1], np.sum(sums != 0, axis=-1)
    fourth = np.sum(sums**4, axis=-1) / np.maximum(some, 1)
    made_up = np.where(some > 0, 2 * np.sqrt(fourth), 2.0)
    around: Floats = sums - np.mean(sums, axis=-1, keepdims=True)
    spread = np.sqrt(np.sum(around**2, axis=-1) + made_up) / len(index) * math.sqrt(count / (size or count))
    quantile = float(special.stdtrit(max(1, (size or count) - 1), 0.5 + level / 2))
    return np.minimum(0.0, np.mean(gains, axis=-1)) - quantile * spread


def _indexed(names: Sequence[str]) -> Ints:
    places: dict[str, int] = {}
    return np.array([places.setdefault(name, len(places)) for name in names])
