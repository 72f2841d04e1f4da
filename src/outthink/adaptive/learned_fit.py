"""Fits `Learned` by least-squares Monte Carlo over replayed orders: backward induction with a ridge at each stage.

Needs numpy; loaded only for calibration. A candidate, not a default: on few questions its price is easily read off
noise, so that it must be certified on others than it was fitted on.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from outthink.adaptive.learned import STAGES, Learned, features
from outthink.adaptive.posterior import Weights
from outthink.adaptive.replay_fit import Replay

Floats = NDArray[np.float64]


def fit(replay: Replay, price: float, *, weights: Weights = Weights(), ridge: float = 1.0) -> Learned:
    """The rule that maximises accuracy - ``price`` · tokens on these orders, as far as its features can tell.

    ``ridge``: penalty in paths of a question (each question weighs the same).
    """
    stages = tuple(stage for stage in STAGES if stage <= replay.limit)
    last = stages[-1] - 1
    ahead: Floats = replay.right[:, :, last].astype(np.float64).ravel()
    spent: Floats = replay.tokens[:, :, last].ravel()
    found: list[tuple[float, ...]] = []
    for stage in reversed(stages[:-1]):
        seen = _features(replay, stage - 1, weights)
        now: Floats = replay.right[:, :, stage - 1].astype(np.float64).ravel()
        tokens: Floats = replay.tokens[:, :, stage - 1].ravel()
        going = ahead - price * (spent - tokens)
        gain = _ridge(seen, going - now, ridge * replay.right.shape[1])
        found.append(tuple(gain.tolist()))
        stops = (seen @ gain <= 0) & (seen[:, 1] > 0)
        ahead, spent = np.where(stops, now, going), tokens
    return Learned(tuple(reversed(found)), stages, price, weights)


def _features(replay: Replay, n: int, weights: Weights) -> Floats:
    """`features` of every path after sample n (from 0), asked once a distinct vote."""
    keys = replay.shape_of_votes[:, :, n].ravel()
    _, firsts, inverse = np.unique(keys, return_index=True, return_inverse=True)
    orders = replay.shape_of_votes.shape[1]
    rows = [features(replay.state(*divmod(int(first), orders), n), weights) for first in firsts]
    return np.array(rows)[inverse.ravel()]


def _ridge(features: Floats, target: Floats, ridge: float) -> Floats:
    penalty = np.full(features.shape[1], ridge)
    penalty[0] = 1e-9
    across = np.transpose(features)
    solved = np.linalg.solve(across @ features + penalty * np.eye(len(penalty)), across @ target)
    return solved.astype(np.float64)
