"""The ledger's promise: charged + held never passes the budget, and holds come back."""

import anyio
import anyio.lowlevel
import pytest
from hypothesis import given
from hypothesis import strategies as st

from outthink.core.usage import Budget, Cost, Usage
from outthink.core.wire import Price
from outthink.engine.ledger import FLOOR, Hold, Ledger, Want, fit

PRICE = Price(1.0, 4.0)
limits = st.builds(
    Budget,
    tokens=st.none() | st.integers(1, 3000),
    completion_tokens=st.none() | st.integers(1, 2000),
    usd=st.none() | st.floats(0.0001, 0.01),
    calls=st.none() | st.integers(1, 8),
)
wants = st.builds(
    Want,
    prompt=st.integers(1, 400),
    n=st.integers(1, 16),
    max_tokens=st.none() | st.integers(1, 600),
    floor=st.integers(1, 100),
    price=st.just(PRICE),
    step=st.none() | st.integers(1, 256),
)
moves = st.lists(st.tuples(wants, st.floats(0, 1), st.booleans(), st.integers(0, 300)), max_size=30)


def within(budget: Budget, cost: Cost) -> bool:
    """The limits, written out again apart from the code under test."""
    tokens = cost.prompt_tokens + cost.completion_tokens
    return (
        (budget.tokens is None or tokens <= budget.tokens)
        and (budget.completion_tokens is None or cost.completion_tokens <= budget.completion_tokens)
        and (budget.usd is None or cost.usd <= budget.usd + 1e-12)
        and (budget.calls is None or cost.calls <= budget.calls)
    )


def part_of(hold: Hold, share: float) -> Cost:
    worst = hold.worst
    return Cost(1, worst.prompt_tokens, int(worst.completion_tokens * share), worst.usd * share)


@given(limits, limits, moves)
def test_charged_and_held_stay_inside_every_budget_whatever_is_asked(outer, inner, script):
    parent = Ledger(outer)
    child = Ledger(inner, parent)
    open_holds: list[Hold] = []
    for want, share, settle_now, more in script:
        hold = child.try_hold(want)
        if hold is not None:
            open_holds.append(hold)
            if hold.max_tokens is not None:  # what the server is allowed is held from the start
                assert hold.n * hold.max_tokens == hold.worst.completion_tokens
            child.grow(hold, more)
        if settle_now and open_holds:
            done = open_holds.pop(0)
            child.settle(done, part_of(done, share), Usage(calls=1), "policy")
        for ledger in (parent, child):
            assert within(ledger.budget, ledger.charged + ledger.held)
    for hold in open_holds:
        child.settle(hold, hold.worst, Usage(calls=1), "policy")
    assert parent.held.calls == child.held.calls == 0
    assert parent.held.prompt_tokens == parent.held.completion_tokens == 0
    assert parent.held.usd == pytest.approx(0, abs=1e-9)
    assert parent.charged == child.charged


@given(wants, st.integers(-100, 5000))
def test_what_is_granted_fits_and_is_never_less_than_worth_making(want, room):
    grant = fit(want, room)
    floor = want.floor if want.max_tokens is None else min(want.floor, want.max_tokens)
    if grant is None:
        assert room < floor
        return
    n, tokens = grant
    assert 1 <= n <= want.n
    assert tokens is not None
    assert n * tokens <= room
    assert tokens >= floor


def test_a_call_is_shrunk_in_n_first_and_then_in_length():
    want = Want(prompt=0, n=8, max_tokens=100, floor=64)
    assert fit(want, 1000) == (8, 100)
    assert fit(want, 350) == (3, 100)
    assert fit(want, 90) == (1, 90)
    assert fit(want, 63) is None


def test_a_call_waits_rather_than_be_cut_short_while_others_may_give_back():
    ledger = Ledger(Budget(tokens=300))
    first = ledger.try_hold(Want(prompt=50, n=1, max_tokens=150, floor=64))
    assert first is not None
    second = Want(prompt=50, n=1, max_tokens=150, floor=20)
    assert ledger.try_hold(second) is None
    assert ledger.could_fit(second)
    ledger.settle(first, Cost(1, 50, 40), Usage(calls=1), "policy")
    granted = ledger.try_hold(second)
    assert granted is not None
    assert granted.max_tokens == 150


def test_a_streaming_call_that_does_not_fit_is_cut_to_a_step_a_choice_and_never_allowed_more_than_is_held():
    ledger = Ledger(Budget(tokens=1000))
    want = Want(prompt=100, n=4, max_tokens=600, floor=64, step=200)
    hold = ledger.try_hold(want)
    assert hold is not None
    assert (hold.n, hold.max_tokens, hold.worst.completion_tokens) == (4, 200, 800)
    assert ledger.grow(hold, 100)
    assert not ledger.grow(hold, 1)
    assert ledger.held == Cost(1, 100, 900)


def test_a_child_waits_for_what_its_parents_other_calls_give_back():
    async def main() -> None:
        parent = Ledger(Budget(tokens=300))
        sibling, child = Ledger(Budget(), parent), Ledger(Budget(), parent)
        hold = sibling.try_hold(Want(prompt=10, n=1, max_tokens=250, floor=64))
        assert hold is not None
        want = Want(prompt=10, n=1, max_tokens=200, floor=64)
        assert child.try_hold(want) is None
        assert child.could_fit(want)
        async with anyio.create_task_group() as group:
            group.start_soon(child.freed)
            await anyio.lowlevel.checkpoint()
            sibling.settle(hold, Cost(1, 10, 20), Usage(calls=1), "policy")
        assert child.try_hold(want) is not None

    anyio.run(main)


def test_the_expected_length_is_the_mean_of_settled_choices_and_64_before():
    ledger = Ledger(Budget())
    assert ledger.expected == FLOOR == 64
    ledger.learn(90, 4)
    assert ledger.expected == 23


def test_an_unlimited_ledger_grants_everything_as_it_was_wanted():
    hold = Ledger(Budget()).try_hold(Want(prompt=10**9, n=4096, max_tokens=None, floor=64))
    assert hold is not None
    assert (hold.n, hold.max_tokens) == (4096, None)
