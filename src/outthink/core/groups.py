"""Task groups that raise a lone failure as itself."""

from __future__ import annotations

import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import anyio
from anyio.abc import TaskGroup

if sys.version_info < (3, 11):
    from exceptiongroup import BaseExceptionGroup  # comes with anyio there


@asynccontextmanager
async def task_group() -> AsyncGenerator[TaskGroup]:
    """An anyio task group; a single exception leaves it bare instead of in a group of one."""
    try:
        async with anyio.create_task_group() as group:
            yield group
    except BaseExceptionGroup as failures:
        if len(failures.exceptions) == 1:
            raise failures.exceptions[0]  # noqa: B904 - it is the same failure, and keeps its own cause
        raise
