"""When a vote has had enough samples: the simple rules, each a frozen value with one method, `stop`."""

from __future__ import annotations

import math
from collections import Counter
from functools import lru_cache
from itertools import accumulate, pairwise

import msgspec

from outthink.adaptive.state import Decision, State, settled


class Fixed(msgspec.Struct, frozen=True, tag="fixed"):
    """Always ``n`` samples: what every other rule is measured against."""

    n: int = 16

    def stop(self, state: State) -> Decision:
        return Decision(state.seen >= self.n, "exhausted" if state.seen >= self.n else None)


class Lead(msgspec.Struct, frozen=True, tag="lead"):
    """Stop when the leader is ``votes`` ahead (the sequential probability ratio test of two answers)."""

    votes: int = 3

    def stop(self, state: State) -> Decision:
        ahead = state.lead - state.second
        return settled(ahead >= self.votes, lead=ahead)


class Closing(msgspec.Struct, frozen=True, tag="closing"):
    """Stop when the leader is ``votes · (1 - n / limit)^shape`` ahead: a lead that is asked for less and less.

    Shape 1 is the triangular test (Anderson, 1960), which gives up in time on what cannot be told apart.
    """

    votes: float = 4.0
    shape: float = 1.0

    def stop(self, state: State) -> Decision:
        ahead = state.lead - state.second
        wanted = self.votes * (state.left / state.limit) ** self.shape
        return settled(ahead > 0 and ahead >= wanted, lead=ahead, wanted=wanted)


class Beta(msgspec.Struct, frozen=True, tag="beta"):
    """Adaptive-Consistency: stop when the leader is the more frequent of the first two with this ``chance``.

    1 - I_{1/2}(A + 1, B + 1). Source: Aggarwal et al., 2023 (arXiv 2305.11860).
    """

    chance: float = 0.95

    def stop(self, state: State) -> Decision:
        chance = ahead_of_second(state.lead, state.second)
        return settled(chance >= self.chance, chance=chance)


class Window(msgspec.Struct, frozen=True, tag="window"):
    """Early-stopping self-consistency: stop when a whole window of ``size`` samples agrees.

    Source: Li et al., 2024 (arXiv 2401.10480).
    """

    size: int = 5

    def stop(self, state: State) -> Decision:
        full = state.seen > 0 and state.seen % self.size == 0
        return settled(full and state.streak >= self.size, streak=state.streak)


class BayesFactor(msgspec.Struct, frozen=True, tag="bayes-factor"):
    """Best-of-infinity: stop when the evidence that the leader is the model's most frequent answer reaches ``factor``.

    Shares ~ Dirichlet(counts + 1) with a bucket of weight ``unseen`` for answers not met yet; K · P / (1 - P) for K
    buckets. Source: Komiyama et al., 2025 (arXiv 2509.21091); the chance is integrated here instead of sampled.
    """

    factor: float = 20.0
    unseen: float = 0.3

    def stop(self, state: State) -> Decision:
        if not state.lead:
            return Decision(False)
        chance = leads_in_truth(state.counts, self.unseen)
        factor = (len(state.counts) + 1) * chance / max(1 - chance, 1e-12)
        return settled(factor >= self.factor, chance=chance, factor=factor)


@lru_cache(maxsize=65536)
def ahead_of_second(lead: int, second: int) -> float:
    """P(p > 1/2) for p ~ Beta(A + 1, B + 1), exactly: a binomial tail, since the counts are whole."""
    n = lead + second + 1
    return sum(math.comb(n, k) for k in range(lead + 1)) / 2**n


_STEPS = 160


@lru_cache(maxsize=16384)
def leads_in_truth(counts: tuple[int, ...], unseen: float = 0.3) -> float:
    """P(the first share is the largest) under Dirichlet(counts + 1, unseen + 1), by quadrature (error under 1e-3).

    Shares compare as independent gamma variates do, so it is ∫ density of the first · Π distribution of the others.
    """
    shapes = Counter[float](count + 1 for count in counts[1:])
    shapes[unseen + 1] += 1
    first = density_of_root(counts[0] + 1, counts[0] + 1)
    below = list(first)
    for shape, times in shapes.items():
        below = [old * new**times for old, new in zip(below, distribution_of_root(shape, counts[0] + 1), strict=True)]
    return math.fsum(below) / math.fsum(first)


@lru_cache(maxsize=4096)
def density_of_root(shape: float, most: int) -> tuple[float, ...]:
    """The density of √x for x ~ Gamma(shape), on even steps that reach beyond Gamma(most): smooth for all shapes."""
    step = math.sqrt(most + 8 * math.sqrt(most) + 12) / _STEPS
    level = math.log(2) - math.lgamma(shape)
    roots = (step * place for place in range(1, _STEPS + 1))
    return (0.0, *(math.exp(level + (2 * shape - 1) * math.log(root) - root * root) for root in roots))


@lru_cache(maxsize=4096)
def distribution_of_root(shape: float, most: int) -> tuple[float, ...]:
    """P(√x ≤ root) at each step, by trapezoids."""
    density = density_of_root(shape, most)
    step = math.sqrt(most + 8 * math.sqrt(most) + 12) / _STEPS
    areas = ((left + right) / 2 * step for left, right in pairwise(density))
    return tuple(min(1.0, area) for area in accumulate(areas, initial=0.0))
