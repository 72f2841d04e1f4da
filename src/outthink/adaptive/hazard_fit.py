"""Fits `Solvable` from recorded questions with a verifier of pass and fail, and replays `Hazard` over them.

Needs numpy and scipy; loaded only for calibration. Arrays are questions × orders × samples.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, special

from outthink.adaptive.hazard import Hazard, Solvable
from outthink.adaptive.replay_fit import Outcome, ended

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


def fit(right: Sequence[Sequence[bool]], passed: Sequence[Sequence[bool]]) -> Solvable:
    """The law that makes these questions likeliest, and how well the verifier told right from wrong samples.

    Rights of a question are beta-binomial, but for a share of questions without any; ``recall`` and ``false_pass`` are
    shares over all samples, with half a sample added on each side.
    """
    rights, sizes = np.array([sum(row) for row in right]), np.array([len(row) for row in right])
    alpha, beta, hopeless = _law(rights, sizes)
    good, told = _flat(right), _flat(passed)
    return Solvable(alpha, beta, hopeless, _share(told[good]), _share(told[~good]))


def _flat(rows: Sequence[Sequence[bool]]) -> Bools:
    return np.array([one for row in rows for one in row], dtype=np.bool_)


def _law(rights: Ints, sizes: Ints) -> tuple[float, float, float]:
    """alpha, beta and the hopeless share by maximum likelihood, from several starts."""
    bounds = [(np.log(0.02), np.log(200.0)), (np.log(0.02), np.log(200.0)), (-9.0, 6.0)]

    def loss(free: Floats) -> float:
        alpha, beta, share = np.exp(free[0]), np.exp(free[1]), float(special.expit(free[2]))
        some: Floats = (
            np.log1p(-share) + special.betaln(alpha + rights, beta + sizes - rights) - special.betaln(alpha, beta)
        )
        return -float(np.where(rights > 0, some, np.logaddexp(np.log(share), some)).sum())

    starts = [(np.log(alpha), np.log(beta), odds) for alpha, beta in ((0.5, 1.0), (2.0, 2.0)) for odds in (-2.0, 0.0)]
    found = [cast(Any, optimize).minimize(loss, start, bounds=bounds, method="L-BFGS-B") for start in starts]
    best = min(found, key=lambda one: float(one.fun)).x
    return float(np.exp(best[0])), float(np.exp(best[1])), float(special.expit(best[2]))


def _share(told: Bools) -> float:
    return (float(told.sum()) + 0.5) / (len(told) + 1)


class Trials:
    """``orders`` random orders of the first ``limit`` samples of each question, with what passed as they come.

    The answer is the first that passes, else the first of all. ``right``, ``passed`` and ``tokens``: questions of
    samples. Raises `ValueError` where a question has fewer samples than ``limit``.
    """

    def __init__(
        self,
        right: Sequence[Sequence[bool]],
        passed: Sequence[Sequence[bool]],
        tokens: Sequence[Sequence[int]],
        *,
        orders: int = 50,
        limit: int = 16,
        seed: int = 0,
    ) -> None:
        if (least := min(map(len, right))) < limit:
            raise ValueError(f"a question has {least} samples and {limit} are to be replayed; record more")
        shape = (len(right), orders, limit)
        self.limit = limit
        self.passes = np.zeros(shape, dtype=np.int64)
        self.tokens = np.zeros(shape)
        self.right: Bools = np.zeros(shape, dtype=np.bool_)
        random = np.random.default_rng(seed)
        for place, rows in enumerate(zip(right, passed, tokens, strict=True)):
            good, told, cost = (np.array(row) for row in rows)
            drawn = np.argsort(random.random((orders, len(good))), axis=1)[:, :limit]
            passes = np.cumsum(told[drawn], axis=1)
            first = np.where(passes > 0, np.argmax(passes > 0, axis=1)[:, None], 0)
            self.passes[place], self.tokens[place] = passes, np.cumsum(cost[drawn], axis=1)
            self.right[place] = np.take_along_axis(good[drawn], first, axis=1)

    def stops(self, rule: Hazard) -> Ints:
        """The last sample (from 0) that the rule lets be drawn; questions × orders. What it says by `Hazard.stop`,
        worked out once a number of failures."""
        seen = np.arange(1, self.limit + 1)
        failed = seen - self.passes
        law, counts = rule.solvable, range(self.limit + 1)
        gain = np.array([law.right_next(count) * law.recall for count in counts])
        cost = rule.price * np.maximum(self.tokens / seen, 1.0)
        stopped = (self.passes > 0) | (gain[failed] < cost)
        stopped[:, :, -1] = True
        return np.argmax(stopped, axis=2)

    def at(self, last: Ints) -> Outcome:
        """What stopping after sample ``last`` (from 0) comes to."""
        return ended(self.right, self.tokens, last)

    def fixed(self, n: int) -> Outcome:
        """What n samples come to."""
        return self.at(np.full(self.passes.shape[:2], n - 1))
