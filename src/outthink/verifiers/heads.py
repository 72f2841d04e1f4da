"""What a fitted verifier computes, as plain numbers: a head from columns to log odds, a curve from log odds or a raw
score to a probability. Evaluated here in plain Python; fitted elsewhere (`outthink.bench.verifiers`, scikit-learn).
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence
from typing import Protocol

import msgspec

LEAF = -1


class Linear(msgspec.Struct, frozen=True, tag="linear"):
    """Logistic regression: log odds = ``bias`` + ``weights`` · columns (scaling is folded in)."""

    weights: tuple[float, ...]
    bias: float

    def log_odds(self, columns: Sequence[float]) -> float:
        return self.bias + sum(weight * value for weight, value in zip(self.weights, columns, strict=True))

    def flaw(self, columns: int) -> str | None:
        """What makes it unusable for so many columns, None where nothing does."""
        return None if len(self.weights) == columns else f"{len(self.weights)} weights for {columns} columns"


class Tree(msgspec.Struct, frozen=True):
    """One regression tree, node by node: go ``left`` where column ``feature`` is at most ``threshold``, else
    ``right``; a leaf (``feature`` -1) is worth ``value`` in log odds."""

    feature: tuple[int, ...]
    threshold: tuple[float, ...]
    left: tuple[int, ...]
    right: tuple[int, ...]
    value: tuple[float, ...]

    def reach(self, columns: Sequence[float]) -> float:
        node = 0
        while (feature := self.feature[node]) != LEAF:
            node = self.left[node] if columns[feature] <= self.threshold[node] else self.right[node]
        return self.value[node]

    def flaw(self, columns: int) -> str | None:
        sizes = {len(part) for part in (self.feature, self.threshold, self.left, self.right, self.value)}
        if len(sizes) != 1 or sizes == {0}:
            return "a tree whose lists differ in length"
        for node, feature in enumerate(self.feature):
            ahead = all(node < child < len(self.feature) for child in (self.left[node], self.right[node]))
            if feature != LEAF and not (0 <= feature < columns and ahead):
                return f"a tree whose node {node} leads nowhere"
        return None


class Trees(msgspec.Struct, frozen=True, tag="trees"):
    """Boosted trees: log odds = ``base`` + what each tree says."""

    base: float
    trees: tuple[Tree, ...]

    def log_odds(self, columns: Sequence[float]) -> float:
        return self.base + sum(tree.reach(columns) for tree in self.trees)

    def flaw(self, columns: int) -> str | None:
        return next((flaw for tree in self.trees if (flaw := tree.flaw(columns))), None)


class Isotonic(msgspec.Struct, frozen=True, tag="isotonic"):
    """A rising curve through points, straight between them and level outside (Zadrozny and Elkan, 2002)."""

    raw: tuple[float, ...]
    probability: tuple[float, ...]

    def of(self, raw: float) -> float:
        place = bisect_right(self.raw, raw)
        if place == 0:
            return self.probability[0]
        if place == len(self.raw):
            return self.probability[-1]
        left, right = self.raw[place - 1], self.raw[place]
        low, high = self.probability[place - 1], self.probability[place]
        return low + (high - low) * (raw - left) / (right - left)

    def flaw(self) -> str | None:
        rising = all(a < b for a, b in zip(self.raw, self.raw[1:], strict=False))
        fits = 0 < len(self.raw) == len(self.probability) and all(0 <= p <= 1 for p in self.probability)
        return None if rising and fits else "a curve that is no rising list of probabilities"


class Platt(msgspec.Struct, frozen=True, tag="platt"):
    """A logistic curve of the raw score (Platt, 1999)."""

    slope: float
    intercept: float

    def of(self, raw: float) -> float:
        return logistic(self.slope * raw + self.intercept)

    def flaw(self) -> str | None:
        return None


class Curve(Protocol):
    """From a raw score to the probability that the candidate is right."""

    def of(self, raw: float) -> float: ...


def logistic(log_odds: float) -> float:
    """The probability with these log odds."""
    if log_odds < 0:
        return 1.0 - logistic(-log_odds)
    return 1.0 / (1.0 + math.exp(-log_odds))
