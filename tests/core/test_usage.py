"""Usage adds; budgets are read, printed and enforced."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outthink.core.errors import BadSpec
from outthink.core.usage import Budget, Cost, Usage

counts = st.integers(0, 10**6)
usages = st.builds(
    Usage,
    calls=counts,
    prompt_tokens=counts,
    completion_tokens=counts,
    usd=st.one_of(st.none(), st.integers(0, 100).map(float)),
    seconds=st.integers(0, 100).map(float),
    flops=st.one_of(st.none(), st.integers(0, 100).map(float)),
    estimated=st.booleans(),
    unsettled_calls=counts,
)
limits = st.builds(
    Budget,
    tokens=st.none() | st.integers(1, 10**9),
    completion_tokens=st.none() | st.integers(1, 10**9),
    usd=st.none() | st.floats(1e-9, 1e6),
    seconds=st.none() | st.floats(1e-3, 1e6),
    calls=st.none() | st.integers(1, 10**6),
)


@given(usages, usages, usages)
def test_usage_adds_like_numbers(a, b, c):
    assert a + b == b + a
    assert (a + b) + c == a + (b + c)
    assert a + Usage() == a
    assert (a + b).tokens == a.tokens + b.tokens


def test_a_sum_with_an_unknown_price_has_no_price():
    assert (Usage(usd=1.0) + Usage(usd=None)).usd is None


@given(limits.filter(str))
def test_a_budget_is_read_back_as_it_was_printed(budget):
    assert Budget.parse(str(budget)) == budget


@given(limits, counts, counts)
def test_a_budget_allows_what_every_one_of_its_limits_allows(budget, prompt, completion):
    cost = Cost(1, prompt, completion, 0.0)
    refused = (budget.tokens is not None and prompt + completion > budget.tokens) or (
        budget.completion_tokens is not None and completion > budget.completion_tokens
    )
    assert budget.allows(cost) == (not refused)


@pytest.mark.parametrize(
    ("text", "named", "column"),
    [
        ("", "NAME=NUMBER", 1),
        ("300", "'300' is not a limit", 1),
        ("token=300", "'token=300' is not a limit", 1),
        ("tokens=300,second=2", "'second=2' is not a limit", 12),
        ("tokens=many", "not 'many'", 1),
        ("tokens=3.5", "a whole number above 0", 1),
        ("tokens=0", "above 0", 1),
        ("tokens=-4", "above 0", 1),
        ("seconds=nan", "above 0", 1),
        ("seconds=inf", "above 0", 1),
        ("usd=0", "above 0", 1),
        ("tokens=1,tokens=2", "given twice", 10),
    ],
)
def test_a_bad_budget_is_named_with_its_column(text, named, column):
    with pytest.raises(BadSpec, match=named) as caught:
        Budget.parse(text)
    assert caught.value.column == column
    assert "\n" not in str(caught.value)


def test_spaces_and_underscores_are_allowed():
    assert Budget.parse(" tokens = 4_000 , seconds=2.5 ") == Budget(tokens=4000, seconds=2.5)
