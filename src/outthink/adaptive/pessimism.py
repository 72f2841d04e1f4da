"""Pessimism: how far to trust a verifier's highest scores when many candidates compete for them.

The best of n by an imperfect score gets worse from some n on, since the highest scores are the likeliest to be wrong.
Inference-time pessimism (Huang et al., 2025, arXiv:2503.21878) regularises by χ²: a candidate counts by how far its
score is above a threshold λ, chosen so that the weights average one.
"""

from __future__ import annotations

from collections.abc import Sequence


def pessimistic(scores: Sequence[float], beta: float) -> list[float]:
    """Weights max(0, (score - λ) / ``beta``) of mean 1. ``beta`` is in units of the scores and above 0: towards 0 the
    best alone counts, and the larger it is, the more alike all count.

        >>> [round(weight, 2) for weight in pessimistic([0.9, 0.8, 0.1], beta=0.2)]
        [1.75, 1.25, 0.0]
    """
    if not scores:
        return []
    ranked = sorted(scores, reverse=True)
    total, threshold = 0.0, 0.0
    for count, score in enumerate(ranked, start=1):
        total += score
        threshold = (total - len(ranked) * beta) / count
        if count == len(ranked) or threshold >= ranked[count]:
            break
    return [max(0.0, (score - threshold) / beta) for score in scores]
