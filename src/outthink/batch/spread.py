"""Work on many items side by side, in memory bounded by how many are worked on at once."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Generic, TypeVar

import anyio

from outthink.core.errors import OutthinkError
from outthink.core.groups import task_group

T = TypeVar("T")
R = TypeVar("R")
AHEAD = 4
"""How far, in multiples of the concurrency, ordered work may run ahead of the first item that is not done."""


async def spread(
    items: AsyncIterator[T],
    work: Callable[[T], Awaitable[R]],
    land: Callable[[R], None],
    *,
    concurrency: int,
    ordered: bool = False,
) -> None:
    """Take items as workers are free, and ``land`` what each came to: as it is done, or in the order of the items.

    An item is taken only when somebody works on it, so an endless source costs no memory. The first failure, of
    the source, the work or the landing, cancels the rest and is raised.
    """
    reading = anyio.Lock(fast_acquire=True)
    turns = _Turns(land, AHEAD * concurrency if ordered else 0)
    failures: list[OutthinkError] = []

    async def worker() -> None:
        while True:
            async with reading:
                await turns.room()
                try:
                    item = await anext(items)
                except StopAsyncIteration:
                    return
                number = turns.take()
            result = await work(item)
            if failures:
                return
            turns.done(number, result)

    async def guarded(scope: anyio.CancelScope) -> None:
        try:
            await worker()
        except OutthinkError as error:
            failures.append(error)
            scope.cancel()

    async with task_group() as group:
        for _ in range(concurrency):
            group.start_soon(guarded, group.cancel_scope)
    if failures:
        raise failures[0]


class _Turns(Generic[R]):
    """Results in their turn; ``window`` 0 lets every one through as it comes."""

    def __init__(self, land: Callable[[R], None], window: int) -> None:
        self._land, self._window = land, window
        self._taken = 0
        self._landed = 0
        self._early: dict[int, R] = {}
        self._moved: anyio.Event | None = None

    async def room(self) -> None:
        """Wait while the oldest unfinished item is a whole window behind."""
        while self._window and self._taken - self._landed >= self._window:
            self._moved = anyio.Event()
            await self._moved.wait()

    def take(self) -> int:
        self._taken += 1
        return self._taken - 1

    def done(self, number: int, result: R) -> None:
        if not self._window:
            self._land(result)
            return
        self._early[number] = result
        while self._landed in self._early:
            self._land(self._early.pop(self._landed))
            self._landed += 1
        if self._moved is not None:
            self._moved.set()
            self._moved = None
