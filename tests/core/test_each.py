"""Side by side: what each item gives, what is left out, and how a failure leaves."""

import anyio
import pytest

from outthink.core.each import each
from outthink.core.errors import BudgetExhausted, SandboxError

pytestmark = pytest.mark.anyio


async def test_equal_items_are_worked_on_once_and_side_by_side():
    began = anyio.current_time()
    seen = []

    async def work(item):
        seen.append(item)
        await anyio.sleep(1)
        return item * 2

    assert await each([3, 1, 3], work) == {3: 6, 1: 2}
    assert sorted(seen) == [1, 3]
    assert anyio.current_time() - began == pytest.approx(1)
    assert await each([], work) == {}


async def test_what_the_budget_did_not_reach_is_left_out():
    async def work(item):
        if item > 1:
            raise BudgetExhausted("no call is left")
        return item

    assert await each([1, 2, 3], work) == {1: 1}


async def test_the_first_failure_leaves_bare_and_ends_the_rest():
    async def work(item):
        if item == 2:
            raise SandboxError("gone")
        await anyio.sleep(100)

    began = anyio.current_time()
    with pytest.raises(SandboxError, match="gone"):
        await each([1, 2, 3], work)
    assert anyio.current_time() == began
