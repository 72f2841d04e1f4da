from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from outthink.adaptive.curtailment import Curtail
from outthink.adaptive.giving_up import GiveUp
from outthink.adaptive.policy import AnyRule, Policy, from_json, to_json
from outthink.adaptive.portfolio_fit import adaptive_ladders, choose, lower, simple_ladders, tried
from outthink.adaptive.posterior import Column, Weights
from outthink.adaptive.replay_fit import Question, Replay
from outthink.adaptive.state import State
from outthink.adaptive.stopping import BayesFactor, Beta, Closing, Fixed, Lead, Window
from outthink.core.errors import InputError
from outthink.core.mark import Mark

LIMIT = 16


def questions(n: int = 30, samples: int = 20, seed: int = 0) -> list[Question]:
    """Recorded questions of mixed difficulty, with non-answers, and with more tokens where it is hard."""
    draw = np.random.default_rng(seed)
    found = []
    for place in range(n):
        chance = draw.beta(1.2, 0.8)
        keys = draw.choice(
            ["g", "w", "x", "y", None], samples, p=[0.95 * chance, *([0.95 * (1 - chance) / 3] * 3), 0.05]
        )
        tokens = draw.integers(50, 150, samples) * (2 - chance)
        found.append(Question(tuple(keys), tuple(int(t) for t in tokens), "g", f"q{place // 2}", f"m{place % 2}"))
    return found


def by_hand(replay: Replay, rule: AnyRule, place: int, order: int) -> tuple[int, bool, float]:
    """The rule asked after each sample, one path at a time, states counted anew: samples, right, tokens."""
    ids = replay.answers[place, order].tolist()
    names = list(dict.fromkeys(a for a in replay.questions[place].answers if a is not None))
    costs = np.diff(replay.tokens[place, order], prepend=0.0)
    for n in range(1, LIMIT + 1):
        said = [None if index < 0 else names[index] for index in ids[:n]]
        votes = Counter(answer for answer in said if answer is not None)
        streak = 0
        for answer in reversed(said):
            if answer is None or answer != said[-1]:
                break
            streak += 1
        counts = tuple(sorted(votes.values(), reverse=True))
        state = State(counts, said.count(None), LIMIT, float(costs[:n].sum()), streak)
        if n == LIMIT or rule.stop(state).stop:
            leader = max(votes, key=lambda key: (votes[key], -said.index(key)), default=None)
            return n, leader == replay.questions[place].gold, float(costs[:n].sum())
    raise AssertionError


@pytest.mark.parametrize(
    "rule",
    [
        Lead(2), Beta(0.9), Window(3), Closing(3.0, 0.5), BayesFactor(10.0), Fixed(5), Curtail(0.1),
        Curtail(0.03, growth=0.3, diffuse=1.0, unit=100.0),
    ],
)  # fmt: skip
def test_replay_is_the_rule_itself_asked_sample_by_sample(rule: AnyRule) -> None:
    replay = Replay(questions(12), orders=6, limit=LIMIT)
    outcome = replay.outcome(rule)
    for place in range(12):
        paths = [by_hand(replay, rule, place, order) for order in range(6)]
        assert outcome.samples[place] == pytest.approx(np.mean([path[0] for path in paths]))
        assert outcome.right[place] == pytest.approx(np.mean([path[1] for path in paths]))
        assert outcome.tokens[place] == pytest.approx(np.mean([path[2] for path in paths]))


def test_orders_draw_recorded_samples_without_replacement() -> None:
    recorded = questions(3)
    replay = Replay(recorded, orders=50, limit=20)
    for place, question in enumerate(recorded):
        assert replay.tokens[place, :, -1] == pytest.approx(sum(question.tokens))
        assert replay.fixed(1).tokens[place] == pytest.approx(np.mean(question.tokens), rel=0.15)


def test_too_few_samples_to_replay_are_an_error() -> None:
    with pytest.raises(ValueError, match=r"20 samples and 32"):
        Replay(questions(2), limit=32)


def test_the_chosen_rule_is_certified_and_the_cheapest_of_those_that_pass() -> None:
    replay = Replay(questions(120, seed=1), orders=20, limit=LIMIT)
    rules = tried(replay, {name: simple_ladders(LIMIT)[name] for name in ("fixed", "lead", "beta")})
    full = replay.fixed(LIMIT)
    found = choose(rules, full, replay.clusters, loss=0.02)
    assert found.certified
    assert found.low > -0.02
    outcome = replay.outcome(found.rule)
    assert full.right.mean() - outcome.right.mean() < 0.02
    assert outcome.tokens.mean() == pytest.approx(found.tokens)
    assert found.tokens < 0.9 * full.tokens.mean()


def test_nothing_is_certified_on_a_handful_of_questions() -> None:
    replay = Replay(questions(6), orders=10, limit=LIMIT)
    rules = tried(replay, {"lead": [Lead(2), Lead(1)]})
    found = choose(rules, replay.fixed(LIMIT), replay.clusters)
    assert (found.rule, found.certified) == (Curtail(), False)


def test_the_bound_holds_where_there_is_nothing_to_gain() -> None:
    """Rules without any true difference look better than they are by more than the bound in at most 1 of 40 draws."""
    draw = np.random.default_rng(0)
    index = np.arange(80)
    missed = [lower(draw.choice([-1.0, 0, 0, 0, 1.0], 80) * 0.2, index) > 0 for _ in range(2000)]
    assert np.mean(missed) == 0  # a gain is not counted on
    truth = -0.1
    high = [lower(draw.choice([-1.0, 0, 0, 0, 1.0], 80) * 0.2 + truth, index) > truth for _ in range(2000)]
    assert np.mean(high) < 0.035
    assert np.mean(high) > 0.002  # and it is not idle


def test_the_bound_counts_clusters_and_not_rows() -> None:
    gain = np.tile([0.1, -0.1, 0.0, 0.05], 10)
    assert lower(np.repeat(gain, 3), np.repeat(np.arange(40), 3)) == pytest.approx(lower(gain, np.arange(40)))
    assert lower(gain, np.arange(40)) > lower(gain, np.arange(40) % 4)


def test_the_ladders_go_from_cautious_to_daring() -> None:
    replay = Replay(questions(20), orders=10, limit=LIMIT)
    for one, other in zip(rules := tried(replay, adaptive_ladders(100.0)), rules[1:], strict=False):
        if one.ladder == other.ladder:
            assert other.outcome.samples.mean() <= one.outcome.samples.mean() + 1e-9


def test_a_policy_survives_json_and_knows_where_it_does_not_belong() -> None:
    policy = Policy(
        rule=Curtail(0.02, growth=0.3, diffuse=1.0, unit=700.0),
        weights=Weights(columns=(Column(mean=0.3),), calibrated=True),
        giving_up=GiveUp(below=-1.25, saves=80.0),
        fingerprint=Mark(model="a", temperature=0.7),
        fitted=("q1", "q2"),
        certified=True,
    )
    assert from_json(to_json(policy)) == policy
    assert policy.fingerprint.differs(Mark(model="a", prompt="x", temperature=0.7)) is None
    assert policy.fingerprint.differs(Mark(model="b", temperature=0.2)) == "model a, not b and temperature 0.7, not 0.2"


def test_a_policy_from_before_chains_were_given_up_gives_none_up() -> None:
    older = to_json(Policy(rule=Lead(2), giving_up=GiveUp(-1.0, 9.0))).replace(b'"giving_up"', b'"something_else"')
    assert from_json(older) == Policy(rule=Lead(2))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"{", "damaged"),
        (b'{"version": 1, "rule": {"type": "no-such-rule"}}', "damaged"),
        (b'{"version": 99, "rule": {"type": "magic"}}', "version 99.*update outthink"),
        (b"[]", "damaged"),
    ],
)
def test_a_damaged_or_newer_policy_says_so(text: bytes, said: str) -> None:
    with pytest.raises(InputError, match=said):
        from_json(text, "policy.json")


def test_a_policy_that_names_its_temperature_as_text_is_read() -> None:
    older = to_json(Policy(fingerprint=Mark(temperature=0.7))).replace(b"0.7", b'"0.70"')
    assert from_json(older).fingerprint.temperature == 0.7


def test_the_replay_is_the_same_for_a_seed() -> None:
    recorded = questions(5)
    first, again = (Replay(recorded, orders=5, limit=LIMIT, seed=3) for _ in range(2))
    assert np.array_equal(first.answers, again.answers)
