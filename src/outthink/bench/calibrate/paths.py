"""Questions replayed in random orders, and where a policy's rule and gate end each path."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from outthink.adaptive.gate import Gate
from outthink.adaptive.policy import AnyRule
from outthink.adaptive.replay_fit import Question as Votes
from outthink.adaptive.replay_fit import Replay
from outthink.bench.calibrate.questions import Question

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
ORDERS = 50
"""Random orders that rules are replayed in."""


def replayed(questions: Sequence[Question], limit: int, seed: int, orders: int = ORDERS) -> Replay:
    """The questions in random orders, the same ones for a seed and as many samples."""
    votes = [
        Votes(tuple(one.key for one in q.samples), tuple(one.tokens for one in q.samples), q.gold, q.cluster)
        for q in questions
    ]
    return Replay(votes, orders=orders, limit=limit, seed=seed)


def stops(replay: Replay, rule: AnyRule, gate: Gate | None, questions: Sequence[Question]) -> Ints:
    """The last sample (from 0) of each path: the first where the gate lets it pass, else where the rule stops."""
    last = replay.stops(rule)
    return last if gate is None else np.where(passing(replay, gate, questions), 0, last)


def passing(replay: Replay, gate: Gate, questions: Sequence[Question]) -> Bools:
    """Which paths begin with a sample that answers and passes the gate; questions × orders."""
    passes = [[one.key is not None and gate.passes(one.logprobs) for one in q.samples] for q in questions]
    return np.stack([np.array(row)[replay.drawn[place, :, 0]] for place, row in enumerate(passes)])
