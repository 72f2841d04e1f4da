from __future__ import annotations

import itertools

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import integrate, special

from outthink.adaptive.curtailment import Curtail, Lossless, leads_at_end
from outthink.adaptive.diminishing import Diminishing
from outthink.adaptive.hazard import Hazard, Solvable
from outthink.adaptive.policy import AnyRule
from outthink.adaptive.state import Decision, Rule, State
from outthink.adaptive.stopping import (
    BayesFactor,
    Beta,
    Closing,
    Fixed,
    Lead,
    Window,
    ahead_of_second,
    leads_in_truth,
)

RULES: tuple[AnyRule, ...] = (
    Fixed(8),
    Lossless(),
    Curtail(),
    Curtail(0.02, growth=0.3, diffuse=1.0, unit=500.0),
    Lead(3),
    Closing(4.0, 0.5),
    Beta(0.95),
    Window(3),
    BayesFactor(20.0),
)
EVERY: tuple[Rule, ...] = (*RULES, Diminishing(), Hazard())


def states(most: int = 40) -> st.SearchStrategy[State]:
    counts = st.lists(st.integers(1, 12), max_size=5).map(lambda votes: tuple(sorted(votes, reverse=True)))
    return st.builds(
        State, counts, st.integers(0, 5), st.just(64), st.floats(0, 1e6), st.integers(0, 12), st.none() | st.just(0)
    ).filter(lambda state: 0 < state.seen <= most)


@given(states(), st.sampled_from(EVERY))
def test_a_rule_stops_for_a_reason_and_goes_on_without_one(state: State, rule: Rule) -> None:
    decision = rule.stop(state)
    assert decision.stop == (decision.reason is not None)
    assert rule.stop(state) == decision
    assert all(np.isfinite(number) for number in decision.numbers.values())


@pytest.mark.parametrize("rule", [rule for rule in RULES if not isinstance(rule, Fixed)])
def test_nothing_that_counts_votes_stops_without_one(rule: Rule) -> None:
    assert rule.stop(State((), silent=3)) == Decision(False, None, rule.stop(State((), silent=3)).numbers)


@pytest.mark.parametrize("rule", RULES)
def test_rules_survive_json(rule: AnyRule) -> None:
    assert msgspec.json.decode(msgspec.json.encode(rule), type=AnyRule) == rule


def test_lossless_curtailment_is_the_vote_of_all_samples() -> None:
    """By brute force: from every state it stops in, every future ends with the same leader."""
    limit = 7
    for counts in itertools.product(range(limit + 1), repeat=3):
        seen = sum(counts)
        if not 0 < seen <= limit:
            continue
        ranked = tuple(sorted((count for count in counts if count), reverse=True))
        left = limit - seen
        futures = itertools.combinations_with_replacement(range(4), left)  # a fourth answer, or none
        finals = [
            [count + future.count(place) for place, count in enumerate((*ranked, 0, 0, 0, 0)[:4])] for future in futures
        ]
        safe = all(final[0] > max(final[1:]) for final in finals)
        assert Lossless().stop(State(ranked, limit=limit)).stop == safe


def dirichlet_multinomial(sizes: tuple[float, ...], votes: tuple[int, ...]) -> float:
    whole, total = sum(sizes), sum(votes)
    log = special.gammaln(whole) - special.gammaln(whole + total) + special.gammaln(total + 1)
    for size, vote in zip(sizes, votes, strict=True):
        log += special.gammaln(size + vote) - special.gammaln(size) - special.gammaln(vote + 1)
    return float(np.exp(log))


@pytest.mark.parametrize(
    ("lead", "second", "seen", "left", "prior"),
    [
        (1, 0, 1, 7, 1.0),
        (3, 1, 5, 8, 1.0),
        (3, 3, 6, 5, 0.5),
        (5, 2, 12, 20, 1.0),
        (4, 4, 8, 0, 1.0),
        (2, 1, 9, 30, 2.0),
    ],
)
def test_the_chance_to_lead_at_the_end_is_the_enumerated_one(
    lead: int, second: int, seen: int, left: int, prior: float
) -> None:
    sizes = (lead + prior, second + prior, seen - lead - second + 2 * prior)
    expected = sum(
        dirichlet_multinomial(sizes, (mine, theirs, left - mine - theirs))
        * ((lead + mine > second + theirs) + 0.5 * (lead + mine == second + theirs))
        for mine in range(left + 1)
        for theirs in range(left + 1 - mine)
    )
    assert leads_at_end(lead, second, seen, left, prior) == pytest.approx(expected, abs=1e-9)


def test_a_long_future_is_no_trouble() -> None:
    assert 0.5 < leads_at_end(200, 180, 400, 100_000) < 1
    assert leads_at_end(40, 30, 80, 256) == leads_at_end(40, 30, 80, 5000)


@given(states())
def test_curtailment_is_surer_of_a_larger_lead(state: State) -> None:
    left = 64 - state.seen
    if state.lead and left > 1:
        now = leads_at_end(state.lead, state.second, state.seen, left)
        more = leads_at_end(state.lead + 1, state.second, state.seen + 1, left - 1)
        assert more >= now - 1e-12


def test_a_price_makes_curtailment_give_up_on_what_cost_much_or_scatters() -> None:
    priced = Curtail(0.05, growth=0.3, diffuse=1.0, unit=1000)
    cheap = State((4, 2), limit=64, tokens=6_000)
    assert priced.tolerated(cheap) == pytest.approx(0.05 * 6**0.3)
    assert priced.tolerated(State((4, 2), tokens=60_000)) > priced.tolerated(cheap)
    scattered = State((4, 2, 1, 1, 1), silent=3, tokens=6_000)
    assert priced.tolerated(scattered) == pytest.approx(0.05 * 6**0.3 * np.exp(0.5))
    assert priced.tolerated(State((4, 2), tokens=1e12)) == Curtail.most
    assert Curtail(0.05).tolerated(State((4, 2), tokens=1e12)) == 0.05


@given(st.integers(0, 60), st.integers(0, 60))
def test_adaptive_consistency_is_the_incomplete_beta_function(lead: int, second: int) -> None:
    assert ahead_of_second(lead, second) == pytest.approx(1 - special.betainc(lead + 1, second + 1, 0.5), abs=1e-12)


def test_adaptive_consistency_needs_four_agreeing_samples() -> None:
    assert [Beta(0.95).stop(State((n,))).stop for n in (1, 2, 3, 4)] == [False, False, False, True]


@pytest.mark.parametrize("counts", [(1,), (5,), (2, 2), (3, 2, 1), (9, 5, 1, 1), (30, 22, 4)])
def test_the_chance_to_lead_in_truth_is_the_integral_over_the_simplex(counts: tuple[int, ...]) -> None:
    shapes = [*(count + 1 for count in counts[1:]), 1.3]
    expected, _ = integrate.quad(
        lambda x: (
            np.exp(counts[0] * np.log(x) - x - special.gammaln(counts[0] + 1))
            * np.prod([special.gammainc(shape, x) for shape in shapes])
        ),
        0,
        200,
        limit=200,
        points=[counts[0] + 1.0],
    )
    assert leads_in_truth(counts) == pytest.approx(expected, abs=1e-3)


def test_the_bayes_factor_of_agreeing_samples_is_the_published_one() -> None:
    factors = [BayesFactor(1.0).stop(State((n,))).numbers["factor"] for n in range(1, 7)]
    assert factors == pytest.approx([4.1, 9.2, 19, 38, 75, 146], rel=0.02)


def test_leads_windows_and_fixed_numbers_stop_where_they_say() -> None:
    assert not Lead(3).stop(State((4, 2))).stop
    assert Lead(3).stop(State((5, 2))).stop
    assert not Window(3).stop(State((4,), streak=4)).stop  # only whole windows
    assert Window(3).stop(State((4, 2), streak=3)).stop
    assert not Window(3).stop(State((4, 2), streak=2)).stop
    assert Fixed(4).stop(State((2, 1), silent=1)) == Decision(True, "exhausted")


def test_a_closing_lead_asks_for_less_and_less() -> None:
    rule = Closing(4.0, 1.0)
    wanted = [rule.stop(State((2, 2), silent=n, limit=64)).numbers["wanted"] for n in (0, 20, 40, 60)]
    assert wanted == pytest.approx([4 * left / 64 for left in (60, 40, 20, 0)])
    assert not rule.stop(State((32, 32), limit=64)).stop  # a tie is no lead


def test_a_vote_that_nothing_can_turn_is_stopped_and_a_scattered_one_given_up() -> None:
    rule = Diminishing(price=1e-4)
    assert rule.stop(State((8,), tokens=8_000)).reason == "diminishing"
    assert rule.stop(State((1,) * 12, silent=6, tokens=18_000)).reason == "futile"
    assert not Diminishing(price=1e-9).stop(State((2, 2), tokens=4_000)).stop


def quadrature(law: Solvable, failed: int, power: int) -> float:
    def fails(p: float) -> float:
        return float(((1 - law.recall) * p + (1 - law.false_pass) * (1 - p)) ** failed)

    found, _ = integrate.quad(
        lambda p: p**power * fails(p), 0, 1, weight="alg", wvar=(law.alpha - 1, law.beta - 1), limit=200
    )
    return float(found / special.beta(law.alpha, law.beta))


@pytest.mark.parametrize("law", [Solvable(), Solvable(0.3, 2.0, 0.3), Solvable(2.0, 0.5, 0.05, 0.9, 0.1)])
@pytest.mark.parametrize("failed", [0, 1, 5, 40])
def test_the_hazard_is_bayes_rule_by_quadrature(law: Solvable, failed: int) -> None:
    solvable = (1 - law.hopeless) * quadrature(law, failed, 0)
    none = law.hopeless * (1 - law.false_pass) ** failed
    right = (1 - law.hopeless) * quadrature(law, failed, 1) / (solvable + none)
    assert law.right_next(failed) == pytest.approx(right, rel=1e-5)
    assert law.hopeless_after(failed) == pytest.approx(none / (solvable + none), rel=1e-5)


def test_the_hazard_of_an_exact_verifier_is_the_published_formula() -> None:
    law, n = Solvable(0.7, 1.5, 0.2), 6
    beta = special.beta
    published = 0.8 * beta(1.7, 1.5 + n) / (0.2 * beta(0.7, 1.5) + 0.8 * beta(0.7, 1.5 + n))
    assert law.right_next(n) == pytest.approx(published)


def test_a_verifier_stops_at_a_trusted_pass_and_gives_up_by_price() -> None:
    rule = Hazard(price=1e-5, solvable=Solvable(0.5, 1.0, 0.3))
    assert rule.stop(State((1, 1), passed=1, tokens=1000)).reason == "verified"
    assert not rule.stop(State((1, 1), passed=0, tokens=1000)).stop
    assert rule.stop(State((1,) * 40, passed=0, tokens=20_000, limit=64)).reason == "futile"
    dear = Hazard(price=1e-3, solvable=Solvable(0.5, 1.0, 0.0))
    assert dear.stop(State((1, 1), passed=0, tokens=1000)).reason == "diminishing"
    assert not rule.stop(State((3, 1), tokens=1000)).stop  # no verifier


def test_a_pass_that_proves_little_stops_too_and_says_how_little() -> None:
    loose = Hazard(price=1e-9, solvable=Solvable(0.5, 1.5, 0.1, 1.0, 0.4))
    p = loose.solvable.right_next(1)
    decision = loose.stop(State((1, 1), passed=1, tokens=100))
    assert (decision.stop, decision.reason) == (True, "verified")
    assert decision.numbers["precision"] == pytest.approx(p / (p + 0.4 * (1 - p)))
