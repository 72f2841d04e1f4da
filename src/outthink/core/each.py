"""Many small asks side by side, for strategies and verifiers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import TypeVar

import anyio

from outthink.core.errors import BudgetExhausted, OutthinkError

Item = TypeVar("Item")
Found = TypeVar("Found")


async def each(items: Iterable[Item], work: Callable[[Item], Awaitable[Found]]) -> dict[Item, Found]:
    """What comes of each different item; those that the budget or the time did not reach are left out.

    Raises the first other `OutthinkError` by itself, and cancels the rest.
    """
    found: dict[Item, Found] = {}
    faults: list[OutthinkError] = []

    async def one(item: Item) -> None:
        try:
            found[item] = await work(item)
        except BudgetExhausted:
            return
        except OutthinkError as fault:
            faults.append(fault)
            group.cancel_scope.cancel()

    async with anyio.create_task_group() as group:
        for item in dict.fromkeys(items):
            group.start_soon(one, item)
    if faults:
        raise faults[0]
    return found
