"""A gateway from its settings to its end; what `outthink serve` runs."""

from __future__ import annotations

import signal
import sys
from collections.abc import AsyncIterator

import anyio

from outthink.api import Engine
from outthink.core.errors import InputError
from outthink.core.groups import task_group
from outthink.gateway.app import application
from outthink.gateway.chat import Gateway
from outthink.gateway.listen import base_url, bound, serving

GRACE = 5.0
"""Seconds that runs in flight get to end once the server is told to."""


async def run(
    host: str, port: int, models: list[str], strategy: str | None, concurrency: int, timeout: float | None
) -> None:
    """Serve until SIGINT or SIGTERM. Raises `InputError` for what cannot be served, before anyone is."""
    async with Engine(models[0] if models else None, concurrency=concurrency, timeout=timeout, cache=False) as engine:
        with bound(host, port) as listener:
            gateway = Gateway(engine, await opened(engine, models or [engine.model]), strategy=strategy)
            async with task_group() as group:
                with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
                    async with serving(application(gateway), listener):
                        _say(f"serving {', '.join(gateway.models)} at {base_url(listener)}")
                        _say("no keys are configured: any bearer is accepted, from this machine only")
                        await anext(signals)
                        group.start_soon(_hurry, gateway, signals)
                    group.cancel_scope.cancel()
    _say(f"served {gateway.runs} runs, {gateway.spent.tokens} tokens")


async def _hurry(gateway: Gateway, signals: AsyncIterator[signal.Signals]) -> None:
    """End the runs in flight after `GRACE` seconds, or at a second signal."""
    with anyio.move_on_after(GRACE):
        await anext(signals)
    gateway.stopping.set()


async def opened(engine: Engine, models: list[str]) -> dict[str, str]:
    """Model texts by public id, each opened, so that a wrong one is told at once. Raises `InputError`."""
    found: dict[str, str] = {}
    for text in models:
        name = (await engine.line(text)).model.name
        if found.setdefault(name, text) != text:
            raise InputError(f"{found[name]} and {text} have the same name {name!r}; serve one of them")
    return found


def _say(text: str) -> None:
    print(f"outthink: {text}", file=sys.stderr, flush=True)
