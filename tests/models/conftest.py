"""A server that answers as a test says, and with what bytes it says."""

from contextlib import asynccontextmanager

import pytest
from aiohttp import web


@asynccontextmanager
async def serve(handle, *, unix=None):
    """``handle(request)`` answers every request; gives the base URL. Cancelled when the client leaves."""
    app = web.Application(client_max_size=1 << 26)
    app.router.add_route("*", "/{path:.*}", handle)
    runner = web.AppRunner(app, handler_cancellation=True, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    site = web.UnixSite(runner, unix) if unix else web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield "http://socket/v1" if unix else f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
    finally:
        await runner.cleanup()


@pytest.fixture
def anyio_backend():
    return "asyncio"


@pytest.fixture
def answering():
    """``answering(handle)`` serves on loopback for the length of a block."""
    return serve
