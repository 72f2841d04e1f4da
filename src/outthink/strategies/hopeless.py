"""Chains that are given up in mid-generation (Fu et al., 2025, "Deep Think with Confidence", arXiv:2508.15260, online).

A chain whose lowest group of tokens falls below a threshold is stopped there and does not vote, and neither does one
that falls below it and was there whole (from the cache, or from a server that does not stream): which samples vote
does not depend on how they came. The threshold is calibrated once for a model and a kind of task (for `auto` by
``outthink calibrate``, else by `outthink.verifiers.confidence.stop_threshold`), not on each question's first sixteen
chains, which would cost more than is saved where few are sampled. Confidence is that of the sampled tokens.
"""

from __future__ import annotations

from collections.abc import Sequence

from outthink.core.candidate import GROUP, Candidate
from outthink.core.errors import BadSpec


def checked(strategy: str, stop_below: float | None) -> None:
    """Raises `BadSpec` for a threshold that is no mean log probability."""
    if stop_below is not None and not -100 < stop_below < 0:
        raise BadSpec(
            f"{strategy}: stop_below takes a mean log probability below 0 (for example -1.5), not {stop_below:g}"
        )


def given_up(candidate: Candidate, stop_below: float | None) -> bool:
    """Whether a chain fell below the threshold; one that is too short for a group never does."""
    known = candidate.logprobs
    return stop_below is not None and known is not None and candidate.tokens >= GROUP and known.low < stop_below


def surest(candidates: Sequence[Candidate]) -> Candidate:
    """Of chains that were all given up, the one whose lowest group was highest."""
    return max(candidates, key=lambda found: (found.logprobs.low if found.logprobs else 0.0, -found.index))
