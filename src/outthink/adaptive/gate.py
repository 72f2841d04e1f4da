"""The gate for easy questions: one sample whose words were sure enough needs no second opinion."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, get_args

import msgspec

from outthink.core.candidate import LogprobSummary

Measure = Literal["mean", "low", "tail"]
MEASURES: tuple[Measure, ...] = get_args(Measure)


def measured(logprobs: LogprobSummary | None, names: Sequence[Measure]) -> tuple[float | None, ...]:
    """A sample's log probabilities by these measures; None for each where there are none."""
    return tuple(None if logprobs is None else float(getattr(logprobs, name)) for name in names)


class Gate(msgspec.Struct, frozen=True):
    """One sample is enough from ``least`` on: its ``measure`` of log probabilities (natural), set by calibration.

    ``precision``: how often samples that pass were right where it was calibrated; the confidence of such an answer.
    """

    least: float
    precision: float
    measure: Measure = "low"

    def passes(self, logprobs: LogprobSummary | None) -> bool:
        """Whether a sample's log probabilities are sure enough; never without them."""
        return logprobs is not None and getattr(logprobs, self.measure) >= self.least
