"""What a pool of n samples a question says about k samples: averages over every k-subset, drawn without replacement.

All are exact expectations, so there is nothing random about them and no draw to repeat.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

Floats = NDArray[np.float64]


def pass_at_k(n: ArrayLike, right: ArrayLike, k: int) -> Floats:
    """The chance that at least one of k samples is right, unbiased: 1 - C(n-c, k) / C(n, k).

    ``n`` and ``right`` (c): samples, and right ones, of each question. Raises `ValueError` where k is above n.
    Source: Chen et al., 2021 (arXiv 2107.03374).
    """
    total, good = np.asarray(n, dtype=np.int64), np.asarray(right, dtype=np.int64)
    if k < 1 or np.any(total < k):
        raise ValueError(f"pass@{k} needs at least {max(k, 1)} samples of every question")
    steps = np.arange(k)
    left = np.maximum((total - good)[..., None] - steps, 0) / (total[..., None] - steps)
    return 1.0 - np.prod(left, axis=-1)


def random_choice(grades: Sequence[float]) -> float:
    """The grade of one sample chosen at random: the mean over the pool. The floor that a selector must beat."""
    return float(np.mean(grades))


def oracle_at_k(grades: Sequence[float], k: int) -> float:
    """The expected best grade among k samples of one question: what perfect selection reaches.

    Equals pass@k for grades of 0 and 1. Raises `ValueError` where k is above the number of grades.
    """
    ranked = np.sort(np.asarray(grades, dtype=np.float64))
    n = len(ranked)
    if not 1 <= k <= n:
        raise ValueError(f"oracle@{k} of a question with {n} samples; use k from 1 to {n}")
    best_at = np.arange(k, n + 1)  # the best of a subset is the i-th smallest: C(i-1, k-1) of the C(n, k) subsets
    share = np.exp(_log_choose(best_at - 1, k - 1) - _log_choose(np.array(n), k))
    return float(ranked[k - 1 :] @ share)


def majority_at_k(answers: Sequence[str | None], grades: Sequence[float], k: int) -> float:
    """The expected grade of the majority answer of k samples of one question, ties split evenly.

    ``answers``: the class of each sample's answer (equal text, equal answer), None for no answer, which does not vote.
    ``grades``: each sample's grade; a class has the mean of its own. Nothing but non-answers grades 0. Raises
    `ValueError` where k is above the number of samples.

    The average over all k-subsets. Numbers of votes drawn without replacement are independent binomials given that
    they add up to k, so that the average is a convolution over the classes instead of a sum over C(n, k) subsets.
    """
    n = len(answers)
    if not 1 <= k <= n or len(grades) != n:
        raise ValueError(f"maj@{k} of {n} answers and {len(grades)} grades; use k from 1 to the number of samples")
    classes: dict[str, list[float]] = {}
    for answer, grade in zip(answers, grades, strict=True):
        if answer is not None:
            classes.setdefault(answer, []).append(grade)
    sizes = {answer: len(found) for answer, found in classes.items()}
    silent = _votes(n - sum(sizes.values()), k / n)
    total = 0.0
    for answer, found in classes.items():
        value = float(np.mean(found))
        if value > 0:
            others = [size for name, size in sizes.items() if name != answer]
            total += value * _wins(sizes[answer], others, silent, n, k)
    return total


def _wins(own: int, others: Sequence[int], silent: Floats, n: int, k: int) -> float:
    """The chance that a class of ``own`` samples leads k drawn ones, a tie of m classes counting 1/m."""
    mine = _votes(own, k / n)
    theirs = [_votes(size, k / n) for size in others]
    lead = sum(mine[votes] * _held_below(votes, theirs, silent, k - votes) for votes in range(1, min(own, k) + 1))
    return float(lead / _votes(n, k / n)[k])


def _held_below(most: int, theirs: Sequence[Floats], silent: Floats, left: int) -> float:
    """The chance that the rest takes ``left`` samples with no class above ``most``, 1/(1 + ties) for classes at it."""
    table = np.zeros((left // most + 1, left + 1))  # ties so far × samples so far
    table[0, : len(silent)] = silent[: left + 1]
    for votes in theirs:
        grown = np.zeros_like(table)
        for count in range(min(most, len(votes), left + 1)):
            grown[:, count:] += votes[count] * table[:, : left + 1 - count]
        if most < len(votes) and most <= left:
            grown[1:, most:] += votes[most] * table[:-1, : left + 1 - most]
        table = grown
    return float(table[:, left] @ (1.0 / np.arange(1, len(table) + 1)))


def _votes(size: int, share: float) -> Floats:
    """Binomial chances of 0 … ``size`` votes."""
    count = np.arange(size + 1)
    log_power = special.xlogy(count, share) + special.xlog1py(size - count, -share)
    return np.exp(_log_choose(np.array(size), count) + log_power)


def _log_choose(n: NDArray[np.int64], k: ArrayLike) -> Floats:
    chosen = np.asarray(k)
    return special.gammaln(n + 1) - special.gammaln(chosen + 1) - special.gammaln(n - chosen + 1)
