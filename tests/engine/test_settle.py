"""The settlement rules, each against a hand-worked case."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outthink.core.errors import BadReply, Overloaded, ServerFault, TimedOut, Unreachable
from outthink.core.usage import Cost
from outthink.core.wire import Bill, Price
from outthink.engine.ledger import Hold
from outthink.engine.settle import Ending, apportion, settle

PRICE = Price(2.0, 10.0)


def hold(prompt=100, completion=400) -> Hold:
    return Hold(Cost(1, prompt, completion, PRICE.of(Bill(prompt, completion))), 4, 100, PRICE)


def ending(**known) -> Ending:
    return Ending(n=4, prompt=80, mean=50, **known)


def test_a_reply_with_a_bill_costs_that():
    usage, charge = settle(ending(bill=Bill(70, 120, 30)), hold(), PRICE, 1e9)
    assert (usage.calls, usage.prompt_tokens, usage.completion_tokens, usage.cached_tokens) == (1, 70, 120, 30)
    assert usage.usd == pytest.approx((70 * 2 + 120 * 10) / 1e6)
    assert usage.flops == 2e9 * 190
    assert not usage.estimated
    assert (charge.prompt_tokens, charge.completion_tokens) == (70, 120)


@pytest.mark.parametrize("error", [Overloaded("", 429), Overloaded("", 503), ServerFault("", 500)])
def test_an_error_status_before_any_body_costs_one_call_and_no_tokens(error):
    usage, charge = settle(ending(error=error), hold(), PRICE, None)
    assert (usage.calls, usage.tokens, usage.unsettled_calls) == (1, 0, 0)
    assert charge == Cost(calls=1)


def test_a_question_that_cannot_be_answered_as_it_was_asked_costs_one_call_and_no_tokens():
    usage, charge = settle(ending(refused=True, arrived=0), hold(), PRICE, None)
    assert (usage.calls, usage.tokens, usage.unsettled_calls, charge) == (1, 0, 0, Cost(calls=1))


@pytest.mark.parametrize("began", [True, False])
def test_a_stream_that_was_cut_costs_its_prompt_and_what_arrived_and_is_charged_in_full(began):
    error = TimedOut("", began=began)
    usage, charge = settle(ending(error=error, arrived=33), hold(), PRICE, None)
    assert (usage.prompt_tokens, usage.completion_tokens) == (80, 33)
    assert usage.estimated
    assert usage.unsettled_calls == 1
    assert charge == hold().worst


def test_an_unreadable_plain_body_costs_the_mean_choice_times_n_and_never_more_than_the_hold():
    usage, _ = settle(ending(error=BadReply("")), hold(), PRICE, None)
    assert usage.completion_tokens == 200
    usage, charge = settle(ending(error=BadReply("")), hold(completion=150), PRICE, None)
    assert usage.completion_tokens == 150
    assert charge.completion_tokens == 150


def test_a_cancelled_call_costs_its_prompt_and_what_arrived():
    usage, charge = settle(ending(arrived=0), hold(), PRICE, None)
    assert (usage.calls, usage.prompt_tokens, usage.completion_tokens) == (1, 80, 0)
    assert usage.unsettled_calls == 1
    assert charge == hold().worst


def test_what_was_never_sent_costs_nothing():
    usage, charge = settle(ending(error=Unreachable("")), hold(), PRICE, None)
    assert (usage.calls, usage.tokens, usage.usd) == (0, 0, 0.0)
    assert charge == Cost()


def test_a_price_that_is_not_known_stays_unknown():
    usage, _ = settle(ending(bill=Bill(1, 1)), hold(), None, None)
    assert usage.usd is None
    assert usage.flops is None


@given(st.integers(0, 10_000), st.lists(st.integers(0, 500), min_size=1, max_size=20))
def test_parts_sum_to_the_whole_and_are_never_negative(total, weights):
    parts = apportion(total, weights)
    assert sum(parts) == total
    assert min(parts) >= 0
    assert len(parts) == len(weights)
