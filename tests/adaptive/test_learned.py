from __future__ import annotations

import msgspec
import numpy as np
import pytest

from outthink.adaptive.learned import STAGES, Learned, features
from outthink.adaptive.learned_fit import fit
from outthink.adaptive.posterior import Weights
from outthink.adaptive.replay_fit import Question, Replay
from outthink.adaptive.state import State
from outthink.adaptive.value import vote_probabilities


@pytest.fixture(scope="module")
def replay() -> Replay:
    draw = np.random.default_rng(0)
    recorded = []
    for place in range(60):
        chance = draw.beta(0.8, 0.8)
        keys = draw.choice(["g", "w", "x"], 20, p=[chance, 0.7 * (1 - chance), 0.3 * (1 - chance)])
        recorded.append(Question(tuple(keys), (100,) * 20, "g", f"q{place}"))
    return Replay(recorded, orders=30, limit=16)


def test_tokens_without_price_are_spent_and_dear_ones_are_not(replay: Replay) -> None:
    dear = replay.outcome(fit(replay, 1.0))
    assert dear.samples.mean() == 1
    free = replay.outcome(fit(replay, 0.0))
    assert free.right.mean() >= replay.fixed(16).right.mean() - 0.01


@pytest.mark.parametrize("price", [1e-5, 5e-5, 2e-4])
def test_it_is_worth_at_least_as_much_as_the_best_fixed_number(replay: Replay, price: float) -> None:
    learned = replay.outcome(fit(replay, price))
    fixed = max(float(np.mean(replay.fixed(n).right - price * replay.fixed(n).tokens)) for n in range(1, 17))
    assert np.mean(learned.right - price * learned.tokens) >= fixed - 0.005


def test_a_higher_price_spends_less(replay: Replay) -> None:
    spent = [replay.outcome(fit(replay, price)).tokens.mean() for price in (1e-6, 1e-4, 1e-3)]
    assert spent == sorted(spent, reverse=True)


def test_the_features_are_the_published_ones() -> None:
    state = State((3, 1), silent=1)
    first, second = vote_probabilities((3, 1), 1, Weights())
    assert features(state, Weights()) == pytest.approx((1, first, first**2, second, first * second, 2 / 5, 2 / 5))


def test_a_learned_rule_survives_json_and_waits_for_a_vote() -> None:
    rule = Learned(((-1.0, *(0.0,) * 6),) * (len(STAGES) - 1))
    assert msgspec.json.decode(msgspec.json.encode(rule), type=Learned) == rule
    assert rule.stop(State((1,))).reason == "diminishing"
    assert not rule.stop(State((), silent=4)).stop
