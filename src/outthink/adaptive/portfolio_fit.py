"""Chooses, from families of stopping rules, the cheapest that calibration data certifies.

Certified means: the lower end of the 95 % interval of its accuracy minus that of all affordable samples, paired and
clustered by question, lies above -``loss``; and so it does for the whole way of choosing, cross-fitted, so that a rule
is not certified by the luck that made it the choice. Needs numpy and scipy; loaded only for calibration.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

from outthink.adaptive.curtailment import Curtail
from outthink.adaptive.policy import AnyRule
from outthink.adaptive.replay_fit import Outcome, Replay
from outthink.adaptive.stopping import BayesFactor, Beta, Closing, Fixed, Lead, Window

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
MARGINS = (0.0, 0.0005, 0.001, 0.002, 0.003)
"""Accuracy asked for beyond the allowed loss, tried in turn until cross-fitting agrees."""


@dataclass(frozen=True, slots=True)
class Tried:
    """A rule, what it came to on each question, and where it stands: ``ladder``s go from cautious to daring."""

    rule: AnyRule
    ladder: str
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class Choice:
    """The rule chosen, its figures on the calibration data, and whether it is certified.

    ``low``: the lower end of the accuracy difference, cross-fitted. ``margin``: what was asked for on top.
    """

    rule: AnyRule
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
        "bayes-factor": [BayesFactor(factor) for factor in (300, 150, 100, 75, 50, 38, 30, 20, 15, 10, 5, 3, 2)],
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


def tried(replay: Replay, ladders: Mapping[str, Sequence[AnyRule]]) -> list[Tried]:
    """What every rule of the ladders comes to."""
    found: list[Tried] = []
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
    rules: Sequence[Tried], full: Outcome, clusters: Sequence[str], *, loss: float = 0.005, folds: int = 5
) -> Choice:
    """The cheapest certified rule of all ladders; where they are too many to certify a choice among them, of the
    ladders that can be certified alone; `Curtail` at its default, not certified, where none can."""
    index = _indexed(clusters)
    found = _certified(rules, full, index, loss, folds)
    if found is None:
        ladders = dict.fromkeys(one.ladder for one in rules)
        alone = [_certified([one for one in rules if one.ladder == name], full, index, loss, folds) for name in ladders]
        found = min((choice for choice in alone if choice), key=lambda choice: choice.tokens, default=None)
    return found or Choice(Curtail(), False, -math.inf, math.nan, math.nan)


def _certified(rules: Sequence[Tried], full: Outcome, index: Ints, loss: float, folds: int) -> Choice | None:
    everything = np.arange(len(index))
    for margin in MARGINS:
        gain = np.zeros(len(index))
        for fold in range(folds):
            out = np.flatnonzero(index % folds == fold)
            chosen = _cheapest(rules, full, index, np.flatnonzero(index % folds != fold), loss - margin)
            gain[out] = chosen.outcome.right[out] - full.right[out] if chosen else 0.0
        low = lower(gain, index)
        chosen = _cheapest(rules, full, index, everything, loss - margin)
        if chosen and low > -loss:
            return Choice(chosen.rule, True, low, float(chosen.outcome.tokens.mean()), margin)
    return None


def lower(gain: Floats, index: Ints, level: float = 0.95, size: int | None = None) -> float:
    """The lower end of the interval of a mean gain, by clusters: Student's t, with two made-up clusters that differ as
    much as those that do. A gain counts as none: it may be luck. ``size``: how many clusters the interval is for."""
    sums = np.bincount(index, gain)
    sums = sums[np.bincount(index) > 0]
    count = len(sums)
    some = sums[sums != 0]
    made_up = 2 * float(np.mean(some**4)) ** 0.5 if len(some) else 2.0
    spread = (
        math.sqrt(float(np.sum((sums - sums.mean()) ** 2)) + made_up) / len(gain) * math.sqrt(count / (size or count))
    )
    quantile = float(special.stdtrit(max(1, (size or count) - 1), 0.5 + level / 2))
    return min(0.0, float(gain.mean())) - quantile * spread


def _cheapest(rules: Sequence[Tried], full: Outcome, index: Ints, among: Ints, loss: float) -> Tried | None:
    """The cheapest rule on some questions of those that pass there, as all more cautious ones of its ladder do."""
    passing: dict[str, bool] = {}
    best: Tried | None = None
    size = len(np.unique(index))
    for one in rules:
        if passing.get(one.ladder, True):
            gain = one.outcome.right[among] - full.right[among]
            passing[one.ladder] = lower(gain, index[among], size=size) > -loss
            if passing[one.ladder] and (best is None or _cost(one, among) < _cost(best, among)):
                best = one
    return best


def _cost(one: Tried, among: Ints) -> float:
    return float(one.outcome.tokens[among].mean())


def _indexed(clusters: Sequence[str]) -> Ints:
    places: dict[str, int] = {}
    return np.array([places.setdefault(cluster, len(places)) for cluster in clusters])
