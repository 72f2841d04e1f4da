"""Who got how much of one budget, and what that is expected to have gained over equal shares."""

from __future__ import annotations

import math
from array import array
from collections.abc import Sequence
from typing import NamedTuple

import msgspec


class Wave(NamedTuple):
    """A further wave of a row: the ``gain`` it was offered for, its ``tokens`` (expected, until it was bought and is
    over), and whether it was ``bought`` or refused."""

    gain: float
    tokens: float
    bought: bool


class Allocation(msgspec.Struct, frozen=True, kw_only=True):
    """How a budget was shared out. Each range is (mean, least, most) over the ``rows`` that were answered.

    ``bought`` and ``refused`` count further waves. ``expected_gain``: in the probability of being right, a row, over
    an even split of the same tokens: an expectation from what the waves were offered for, not a measurement.
    """

    rows: int
    samples: tuple[float, int, int]
    tokens: tuple[float, int, int]
    bought: int
    refused: int
    expected_gain: float

    def __str__(self) -> str:
        samples, tokens = self.samples, self.tokens
        return (
            f"shared out: {samples[0]:.1f} samples a row ({samples[1]:,} to {samples[2]:,}) · {tokens[0]:,.0f} tokens "
            f"a row ({tokens[1]:,} to {tokens[2]:,}) · {self.bought:,} further waves bought, {self.refused:,} refused "
            f"· expected gain over an even split {100 * self.expected_gain:+.1f} points (expected, not measured)"
        )


class Shares:
    """What rows were offered and given, a few numbers a wave."""

    def __init__(self) -> None:
        self._samples = array("q")
        self._firsts, self._gains, self._tokens = array("d"), array("d"), array("d")
        self._bought, self._ends = array("b"), array("q")

    def add(self, samples: int, first: float, waves: Sequence[Wave]) -> None:
        """A row: its samples (0: it was not answered, and does not count), its first wave's tokens, the others."""
        if not samples:
            return
        self._samples.append(samples)
        self._firsts.append(first)
        for gain, tokens, bought in waves:
            self._gains.append(gain)
            self._tokens.append(tokens)
            self._bought.append(bought)
        self._ends.append(len(self._gains))

    def summary(self) -> Allocation | None:
        """How it came out, None before any row was answered."""
        rows = len(self._samples)
        if not rows:
            return None
        spent = [first + sum(wave.tokens for wave in self._waves(row) if wave.bought) for row, first in self._each()]
        share = sum(spent) / rows
        ours = math.fsum(wave.gain for row in range(rows) for wave in self._waves(row) if wave.bought)
        even = math.fsum(within(share - first, self._waves(row)) for row, first in self._each())
        return Allocation(
            rows=rows,
            samples=(sum(self._samples) / rows, min(self._samples), max(self._samples)),
            tokens=(share, round(min(spent)), round(max(spent))),
            bought=sum(self._bought),
            refused=len(self._bought) - sum(self._bought),
            expected_gain=(ours - even) / rows,
        )

    def _each(self) -> list[tuple[int, float]]:
        return list(enumerate(self._firsts))

    def _waves(self, row: int) -> list[Wave]:
        places = range(self._ends[row - 1] if row else 0, self._ends[row])
        return [Wave(self._gains[i], self._tokens[i], bool(self._bought[i])) for i in places]


def within(tokens: float, waves: Sequence[Wave]) -> float:
    """The gain of a row's waves as far as ``tokens`` reach, a wave in part counting in part.

    What would have followed a refused wave nobody knows: it is taken to go on at that wave's rate, up to certainty,
    which is kind to the even split where gains diminish.
    """
    gain = 0.0
    for wave in waves:
        if tokens <= 0:
            break
        part = tokens / max(wave.tokens, 1e-9)
        gain += min(1.0, part * wave.gain) if not wave.bought else min(1.0, part) * wave.gain
        tokens -= wave.tokens
    return gain
