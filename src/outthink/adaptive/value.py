"""What the next samples are worth: the knowledge gradient of a wave of votes, the expected improvement of a best score.

Gains are probabilities of being right, in [0, 1]; costs are tokens.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import msgspec

from outthink.adaptive.posterior import Weights
from outthink.adaptive.state import State

WAVES = (1, 2, 4, 8)
"""Sizes of a wave that are weighed."""


@dataclass(frozen=True, slots=True)
class Wave:
    """The wave worth most a token: its ``size``, the ``gain`` it is expected to bring, and ``rate`` = gain / tokens."""

    size: int
    gain: float
    rate: float


def knowledge_gradient(state: State, weights: Weights = Weights(), *, each: float | None = None) -> Wave:
    """KG*: the best of max_b gain(b) / (b · tokens a sample), b in `WAVES` as far as affordable.

    One more vote often cannot change the leader, so that looking one step ahead would see no worth in any; a wave can.
    ``each``: expected tokens of a sample, else the mean so far. Without anything affordable, a wave of 0.
    """
    cost = max(each if each is not None else state.each, 1.0)
    waves = [
        Wave(size, gain, gain / (size * cost))
        for size in WAVES
        if size <= state.left
        for gain in [wave_gain(state.counts, state.silent, size, weights)]
    ]
    return max(waves, key=lambda wave: (wave.rate, -wave.size), default=Wave(0, 0.0, 0.0))


@lru_cache(maxsize=65536)
def wave_gain(
    counts: tuple[int, ...], silent: int, size: int, weights: Weights = Weights(), prior: float = 1.0
) -> float:
    """The expected gain in P(right) from ``size`` more votes: that of a new leader over the old, where it takes over.

    E max P' - E P'(leader now), summed exactly over how many votes the leader, the runner-up and the rest will get
    (Dirichlet-multinomial). Before any vote, the probability that one vote is right.
    """
    if not counts:
        return vote_probabilities((1,), silent, weights)[0]
    lead, second = counts[0], counts[1] if len(counts) > 1 else 0
    rest = sum(counts) + silent - lead - second
    gain = 0.0
    for mine, theirs, chance in _draws(lead + prior, second + prior, rest + 2 * prior, size):
        if second + theirs > lead + mine:
            after = (lead + mine, second + theirs, *counts[2:])
            found = vote_probabilities(after, silent + size - mine - theirs, weights)
            gain += chance * max(0.0, found[1] - found[0])
    return gain


def vote_probabilities(counts: Sequence[int], silent: int, weights: Weights) -> list[float]:
    """`posterior` for votes alone: the probability of each answer, in the order of ``counts``."""
    n = sum(counts) + silent
    powers = [votes**weights.log_count * math.exp(weights.share * votes / n) if votes else 0.0 for votes in counts]
    none = n**weights.none_log * math.exp(weights.none + weights.silent * silent / n)
    whole = sum(powers) + none
    return [power / whole for power in powers]


@lru_cache(maxsize=65536)
def _draws(lead: float, second: float, rest: float, size: int) -> tuple[tuple[int, int, float], ...]:
    """New votes for the leader and the runner-up, with their Dirichlet-multinomial chances."""
    sizes = (lead, second, rest)
    whole = math.lgamma(sum(sizes)) - math.lgamma(sum(sizes) + size) + math.lgamma(size + 1)

    def chance(*votes: int) -> float:
        terms = (math.lgamma(a + k) - math.lgamma(a) - math.lgamma(k + 1) for a, k in zip(sizes, votes, strict=True))
        return math.exp(whole + sum(terms))

    return tuple(
        (mine, theirs, chance(mine, theirs, size - mine - theirs))
        for mine in range(size + 1)
        for theirs in range(size + 1 - mine)
    )


class Scores(msgspec.Struct, frozen=True):
    """A normal-inverse-gamma belief about the scores that samples get: what to expect of the next one.

    ``mean`` and ``strength`` (in samples) of the expected score, ``shape`` and ``scatter`` of its variance.
    """

    mean: float = 0.0
    strength: float = 1.0
    shape: float = 2.0
    scatter: float = 1.0

    def after(self, scores: Sequence[float]) -> Scores:
        """The belief once these were seen."""
        n = len(scores)
        if n == 0:
            return self
        mean = math.fsum(scores) / n
        strength = self.strength + n
        around = math.fsum((score - mean) ** 2 for score in scores)
        shift = self.strength * n * (mean - self.mean) ** 2 / strength
        return Scores(
            (self.strength * self.mean + n * mean) / strength,
            strength,
            self.shape + n / 2,
            self.scatter + (around + shift) / 2,
        )

    def improvement(self, best: float) -> float:
        """The expected excess of the next score over ``best``, E (s - best)+, in units of the score.

        The next score is Student t with 2·shape degrees of freedom. Going on is worth this · (accuracy a unit).
        """
        freedom = 2 * self.shape
        scale = math.sqrt(self.scatter * (self.strength + 1) / (self.shape * self.strength))
        away = (best - self.mean) / scale
        density = _t_density(away, freedom)
        return scale * ((freedom + away**2) / (freedom - 1) * density - away * _t_tail(away, freedom))


def _t_density(at: float, freedom: float) -> float:
    level = math.lgamma((freedom + 1) / 2) - math.lgamma(freedom / 2) - 0.5 * math.log(freedom * math.pi)
    return math.exp(level - (freedom + 1) / 2 * math.log1p(at * at / freedom))


def _t_tail(at: float, freedom: float, steps: int = 64) -> float:
    """P(T > at), by Simpson's rule over the angle in which the density is a power of a cosine."""
    if at < 0:
        return 1.0 - _t_tail(-at, freedom, steps)
    low, high = math.atan(at / math.sqrt(freedom)), math.pi / 2
    step = (high - low) / steps
    level = math.lgamma((freedom + 1) / 2) - math.lgamma(freedom / 2) - 0.5 * math.log(math.pi)
    values = [max(0.0, math.cos(low + step * place)) ** (freedom - 1) for place in range(steps + 1)]
    area = values[0] + values[-1] + 4 * sum(values[1:-1:2]) + 2 * sum(values[2:-1:2])
    return math.exp(level) * area * step / 3
