"""Stopping a vote because more of it is not worth its tokens, whether or not it is settled."""

from __future__ import annotations

import msgspec

from outthink.adaptive.posterior import Weights
from outthink.adaptive.state import Decision, State
from outthink.adaptive.value import knowledge_gradient, vote_probabilities


class Diminishing(msgspec.Struct, frozen=True, tag="diminishing"):
    """Stop when no wave gains ``price`` in accuracy a token (`knowledge_gradient`), after ``least`` samples.

    Where the best answer is right with a probability under ``futile``, that is giving up: reason ``futile``, else
    ``diminishing``.
    """

    price: float = 1e-6
    least: int = 2
    futile: float = 0.25
    weights: Weights = Weights()

    def stop(self, state: State) -> Decision:
        if state.seen < self.least:
            return Decision(False)
        wave = knowledge_gradient(state, self.weights)
        probabilities = vote_probabilities(state.counts, state.silent, self.weights)
        best, none = max(probabilities, default=0.0), 1 - sum(probabilities)
        numbers = {"chance": best, "none": none, "gain": wave.gain, "samples": wave.size, "rate": wave.rate}
        if wave.rate >= self.price:
            return Decision(False, None, numbers)
        return Decision(True, "futile" if best < self.futile else "diminishing", numbers)
