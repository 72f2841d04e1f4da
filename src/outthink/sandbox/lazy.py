"""A sandbox that is opened when it is first asked for, for those who may never need one."""

from __future__ import annotations

import anyio

from outthink.core.execution import Limits
from outthink.sandbox.room import Sandbox


class LazySandbox:
    """`Sandbox`, with these settings, at its first use. Close it with `aclose`."""

    def __init__(self, limits: Limits | None = None, *, unsafe: bool = False) -> None:
        self._sandbox = Sandbox(limits=limits, unsafe=unsafe)
        self._opening = anyio.Lock()
        self._is_open = False

    async def opened(self) -> Sandbox:
        """The open sandbox. Raises `SandboxError` where this machine cannot hold untrusted code."""
        async with self._opening:
            if not self._is_open:
                await self._sandbox.__aenter__()
                self._is_open = True
        return self._sandbox

    async def aclose(self) -> None:
        """End the sandbox, where it was opened."""
        if self._is_open:
            self._is_open = False
            await self._sandbox.__aexit__()
