"""The sliding-group summary, against the plain definition."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outthink.core.candidate import GROUP, summarise_logprobs


@given(st.lists(st.floats(-20, 0), min_size=1, max_size=100))
def test_summary_is_that_of_the_definition(logprobs):
    size = min(GROUP, len(logprobs))
    groups = [logprobs[i : i + size] for i in range(len(logprobs) - size + 1)]
    found = summarise_logprobs(logprobs)
    assert found.mean == pytest.approx(sum(logprobs) / len(logprobs))
    assert found.low == pytest.approx(min(sum(group) / size for group in groups), abs=1e-9)
    assert found.tail == pytest.approx(sum(groups[-1]) / size, abs=1e-9)


def test_nothing_has_no_summary():
    assert summarise_logprobs([]) is None
