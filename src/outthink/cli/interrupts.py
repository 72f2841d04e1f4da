"""Ctrl-C and termination, for every command that calls a model."""

from __future__ import annotations

import os
import signal

import anyio


async def interrupts(scope: anyio.CancelScope) -> None:
    """Cancel on the first Ctrl-C or termination; a second one leaves at once."""
    with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        async for _ in signals:
            if scope.cancel_called:
                os._exit(130)
            scope.cancel()
