"""Confidence: how sure the model was of its own words, by the log probabilities it sampled them with.

``mean`` and ``tail`` and ``low`` are the token probability over the whole text, its last group of tokens and its
least sure group (Fu et al., 2025, "Deep Think with Confidence", arXiv:2508.15260, in the sampled-token form);
``self-certainty`` is the top-k form of Kang et al., 2025 (arXiv:2502.18581): the mean distance of the k likeliest
tokens from certainty, where the server gives top log probabilities.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

from outthink.core.candidate import Candidate, LogprobSummary, Score
from outthink.core.errors import InputError
from outthink.core.problem import Problem
from outthink.core.protocols import Run

Kind = Literal["mean", "low", "tail", "self-certainty"]


@dataclass(frozen=True, slots=True)
class Confidence:
    """How sure the model was of its own words: of all of them (mean), the least sure group, or the last (tail)."""

    kind: Kind = "mean"
    paper: ClassVar[str] = "arXiv:2508.15260"
    needs: ClassVar[tuple[str, ...]] = ("logprobs",)
    alone: ClassVar[bool] = True

    @property
    def top_logprobs(self) -> int:
        """How many likeliest tokens at each place it looks at."""
        return 20 if self.kind == "self-certainty" else 0

    async def score(self, problem: Problem, candidates: Sequence[Candidate], run: Run) -> list[Score]:
        return [Score(verifier=f"confidence-{self.kind}", raw=self._measure(found.logprobs)) for found in candidates]

    def _measure(self, summary: LogprobSummary | None) -> float | None:
        """A probability in [0, 1] (for ``self-certainty`` 0 or more, in nats); None without log probabilities."""
        if summary is None:
            return None
        if self.kind == "self-certainty":
            return summary.certainty
        return math.exp(min(0.0, {"mean": summary.mean, "low": summary.low, "tail": summary.tail}[self.kind]))


def stop_threshold(lows: Sequence[float], keep: float = 0.9) -> float:
    """The mean log probability of the lowest group that a share ``keep`` of recorded chains stays at or above.

    ``lows``: `LogprobSummary.low` of chains of the same model on the same kind of task (``logprob_low`` in a pool); the
    result is what ``stop_below`` takes. Raises `InputError` without any.
    """
    if not lows or not 0 < keep <= 1:
        raise InputError("a threshold needs recorded chains with log probabilities, and a share in (0, 1] to keep")
    return sorted(lows)[len(lows) - math.ceil(keep * len(lows))]
