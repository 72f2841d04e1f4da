"""How hard a question looks after a probe of a few samples (which are kept, so that looking costs nothing)."""

from __future__ import annotations

from typing import Literal

import msgspec

from outthink.adaptive.posterior import Weights
from outthink.adaptive.state import State
from outthink.adaptive.value import vote_probabilities

Bin = Literal["easy", "medium", "hard"]
PROBE = 4
"""Samples after which a bin means something."""


class Difficulty(msgspec.Struct, frozen=True):
    """Bins of p, the chance that one sample is right: ``easy`` from ``easy`` on, ``hard`` under ``hard``.

    Absolute bins (Liu et al., 2025), since quantiles would move with the mix of questions. ``strength``: how many
    samples the posterior's prediction weighs against the agreement that was seen.
    """

    easy: float = 0.5
    hard: float = 0.1
    strength: float = 4.0
    weights: Weights = Weights()

    def chance(self, state: State) -> float:
        """The estimated p: (strength · P(leader right) · share of leader + votes · share …) shrunk to what was seen.

        A sample is right when it says the right answer, so p = Σ P(a) · share of a.
        """
        if not state.counts:
            return self.hard / 2 if state.seen >= PROBE else self.hard
        probabilities = vote_probabilities(state.counts, state.silent, self.weights)
        shares = [
            (votes + self.strength * p) / (state.seen + self.strength)
            for votes, p in zip(state.counts, probabilities, strict=True)
        ]
        return sum(p * share for p, share in zip(probabilities, shares, strict=True))

    def bin(self, state: State) -> Bin:
        """The bin the question is in for all that was seen."""
        chance = self.chance(state)
        return "easy" if chance >= self.easy else "hard" if chance < self.hard else "medium"
