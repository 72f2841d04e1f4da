"""Stopping by a learned price: go on while the regression of what going on is worth lies above what stopping is."""

from __future__ import annotations

from bisect import bisect_right

import msgspec

from outthink.adaptive.posterior import Weights
from outthink.adaptive.state import Decision, State
from outthink.adaptive.value import vote_probabilities

STAGES = (1, 2, 3, 4, 5, 6, 8, 10, 12, 16, 24, 32, 48, 64)


class Learned(msgspec.Struct, frozen=True, tag="learned"):
    """Stop where features · coefficients of the last stage reached is not above 0 (fitted by `learned_fit.fit`).

    ``price``: accuracy a token that it was fitted for. Source: Longstaff and Schwartz, 2001 (American options).
    """

    coefficients: tuple[tuple[float, ...], ...]
    stages: tuple[int, ...] = STAGES
    price: float = 0.0
    weights: Weights = Weights()

    def stop(self, state: State) -> Decision:
        place = bisect_right(self.stages, state.seen) - 1
        if not state.counts or not 0 <= place < len(self.coefficients):
            return Decision(False)
        seen = features(state, self.weights)
        worth = sum(value * weight for value, weight in zip(seen, self.coefficients[place], strict=True))
        numbers = {"worth": worth, "chance": seen[1]}
        return Decision(worth <= 0, "diminishing" if worth <= 0 else None, numbers)


def features(state: State, weights: Weights) -> tuple[float, ...]:
    """[1, P₁, P₁², P₂, P₁ P₂, distinct answers / n, (A - B) / n], P the probabilities of the two leading answers."""
    if not state.counts:
        return (1.0, *(0.0,) * 6)
    first, second = (*vote_probabilities(state.counts, state.silent, weights), 0.0)[:2]
    n = state.seen
    return (1.0, first, first**2, second, first * second, len(state.counts) / n, (state.lead - state.second) / n)
