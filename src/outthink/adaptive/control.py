"""What `auto` decides between waves: to stop, and why, or how many samples to ask for next. Pure arithmetic.

Without calibration a vote stops by curtailment, and two rules end what is not worth its tokens, in units of the
horizon, so that they need no price: from `LOOK` samples on, a wave is not bought whose samples each bring less than
``WORTH / horizon`` in probability of being right; and after three eighths of the horizon a question is given up whose
best answer is right with a probability under `FUTILE`, as far as votes can tell.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from outthink.adaptive.curtailment import Lossless
from outthink.adaptive.diminishing import Diminishing
from outthink.adaptive.posterior import Weights
from outthink.adaptive.state import Decision, Rule, State
from outthink.adaptive.value import vote_probabilities

WIDEST = 8
"""Samples in a wave, at most."""
LOOK = 8
"""Samples before an uncalibrated rule may find that more is not worth it."""
WORTH = 0.008
"""Probability of being right that a whole horizon of samples has to bring, without a price."""
FUTILE = 0.12
"""Probability of the best answer under which a question is given up, without calibration: hardly any came twice."""


@dataclass(frozen=True, slots=True)
class Control:
    """When to stop a vote, and how wide to ask.

    ``accuracy``: stop at this probability of the leader, instead of by ``rule``. ``price``: accuracy a token under
    which a wave is not bought, None for the uncalibrated rules above. ``exact``: nothing but the rule may stop.
    """

    rule: Rule
    weights: Weights
    accuracy: float | None = None
    price: float | None = None
    exact: bool = False

    def decide(self, state: State, confidence: float) -> Decision:
        """Whether to stop, ``confidence`` being the probability of the leading answer; with the numbers either way."""
        sure = self.accuracy is not None and confidence >= self.accuracy
        worth = self._worth(state)
        end = Decision(True, "settled") if sure else self._rule.stop(state)
        if not end.stop and worth.stop and not self.exact:
            end = worth
        elif not end.stop and self._hopeless(state, confidence):
            end = Decision(True, "futile")
        numbers = {name: value for name, value in worth.numbers.items() if name != "chance"}
        return Decision(end.stop, end.reason, {**numbers, **end.numbers, "P": confidence})

    def wave(self, state: State, times: int = 1, prompt: float = 0.0) -> int:
        """The fewest samples, of votes that count ``times``, that could settle the vote; `WIDEST` where none could.

        Asked for at once they cost what they would one by one: with fewer, it could not have stopped. Late in a vote at
        least a fifth of what was seen, since each wave is waited for; and where samples disagree, since each sends the
        ``prompt`` (tokens) again, at least √(2 · seen · prompt / tokens of a sample): fewer would cost more in prompts
        than they save in samples, were as many still to come as were seen.
        """
        low = state.seen // 5
        if state.lead < state.seen:
            low = max(low, math.ceil(math.sqrt(2 * state.seen * prompt / max(state.each, 1.0))))
        low, high = max(1, min(WIDEST, low)), WIDEST
        while low < high:
            middle = (low + high) // 2
            if self._settles(state, middle * times):
                high = middle
            else:
                low = middle + 1
        return low

    @property
    def _rule(self) -> Rule:
        return self.rule if self.accuracy is None else Lossless()

    def _settles(self, state: State, more: int) -> bool:
        """Whether so many more votes for the leader would do."""
        after = State(
            (state.lead + more, *state.counts[1:]),
            state.silent,
            state.limit,
            state.tokens + more * state.each,
            state.streak + more,
        )
        if (
            self.accuracy is not None
            and vote_probabilities(after.counts, after.silent, self.weights)[0] >= self.accuracy
        ):
            return True
        return self._rule.stop(after).stop

    def _worth(self, state: State) -> Decision:
        """Whether the next wave is worth its tokens."""
        if not state.seen:
            return Decision(False)
        each = max(state.each, 1.0)
        if self.price is not None:
            return Diminishing(self.price, weights=self.weights).stop(state)
        found = Diminishing(WORTH / (state.limit * each), least=1, weights=self.weights).stop(state)
        return found if state.seen >= LOOK else Decision(False, None, found.numbers)

    def _hopeless(self, state: State, confidence: float) -> bool:
        if self.exact or self.price is not None:
            return False
        return state.seen >= max(LOOK, 3 * state.limit // 8) and confidence < FUTILE
