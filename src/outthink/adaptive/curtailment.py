"""Curtailment: stop a vote once its outcome is known, for certain (`Lossless`) or likely enough (`Curtail`).

The chance that the leader still leads when all affordable samples are in is that of a Dirichlet-multinomial: shares of
leader, runner-up and the rest ~ Dirichlet(A + prior, B + prior, rest + 2·prior), the samples to come drawn from them, a
tie counting half. It is summed exactly. Samples without an answer are part of the rest: they vote for neither.
"""

from __future__ import annotations

import math
from functools import lru_cache
from itertools import accumulate
from operator import mul
from typing import ClassVar

import msgspec

from outthink.adaptive.state import Decision, State, settled

HORIZON = 256
"""Samples to come that are looked at: more would hardly change the chance, and cost milliseconds."""


class Lossless(msgspec.Struct, frozen=True, tag="lossless"):
    """Stop when the runner-up cannot even draw level: the answer is exactly that of all affordable samples."""

    def stop(self, state: State) -> Decision:
        ahead = state.lead - state.second
        return settled(ahead > state.left, lead=ahead, left=state.left)


class Curtail(msgspec.Struct, frozen=True, tag="curtail"):
    """Stop when the chance of being overtaken is at most ``risk``.

    With ``growth`` or ``diffuse`` the tolerated risk is ``risk · (tokens / unit)^growth · exp(diffuse · rest share)``:
    a question that has cost much without being decided, or whose votes scatter, is one on which the next tokens are
    worth least. ``unit``: tokens of a usual sample. ``risk`` 0.05 without them is the uncalibrated default.
    """

    risk: float = 0.05
    growth: float = 0.0
    diffuse: float = 0.0
    unit: float = 1000.0
    prior: float = 1.0
    most: ClassVar[float] = 0.5

    def stop(self, state: State) -> Decision:
        if not state.lead:
            return Decision(False)
        chance = leads_at_end(state.lead, state.second, state.seen, state.left, self.prior)
        risk = self.tolerated(state)
        return settled(chance >= 1 - risk, chance=chance, risk=risk)

    def tolerated(self, state: State) -> float:
        """The risk that is taken in this state."""
        rest = state.seen - state.lead - state.second
        grown = (max(state.tokens, 1.0) / self.unit) ** self.growth if self.growth else 1.0
        return min(self.most, self.risk * grown * math.exp(self.diffuse * rest / state.seen))


@lru_cache(maxsize=65536)
def leads_at_end(lead: int, second: int, seen: int, left: int, prior: float = 1.0) -> float:
    """The chance in [0, 1] that the leader of ``seen`` samples leads after ``left`` more, a tie counting half."""
    left = min(left, HORIZON)
    if lead - second > left:
        return 1.0
    rest = seen - lead - second + 2 * prior
    whole = seen + 4 * prior
    tilt = left / (left + whole)
    ours, theirs, others = (_negative_binomial(size, left, tilt) for size in (lead + prior, second + prior, rest))
    won = total = 0.0
    for mine, weight in enumerate(ours):
        free = left - mine
        pairs = list(map(mul, theirs, others[free::-1]))  # the runner-up gets 0, 1, …; the rest what remains
        below = lead - second + mine  # the runner-up loses with fewer new votes than this, draws level with as many
        won += weight * (sum(pairs[:below]) + (0.5 * pairs[below] if below <= free else 0.0))
        total += weight * sum(pairs)
    return won / total


def _negative_binomial(size: float, most: int, tilt: float) -> list[float]:
    """Weights of 0 … ``most`` events. A Dirichlet-multinomial is independent negative binomials given their sum,
    whatever the tilt; this one keeps the numbers near 1."""
    start = math.exp(size * math.log1p(-tilt))
    return list(accumulate(range(most), lambda weight, k: weight * tilt * (size + k) / (k + 1), initial=start))
