"""The server process: a socket, uvicorn on it, and an orderly end."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import AsyncGenerator, Generator

import anyio
import uvicorn
from starlette.types import ASGIApp

from outthink.core.errors import InputError
from outthink.core.groups import task_group
from outthink.gateway.app import is_loopback

LAST_RESORT = 10
"""Seconds after which uvicorn cancels what its caller has not ended."""


class Server(uvicorn.Server):
    """Leaves signals to its caller: uvicorn would raise them again before models are closed."""

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None]:
        yield


def bound(host: str, port: int) -> socket.socket:
    """A listening socket on a loopback address (``port`` 0: any free one). Raises `InputError`."""
    if not is_loopback(host):
        raise InputError(
            f"without keys the gateway serves this machine only: --host {host} is not a loopback address; "
            "use 127.0.0.1, ::1 or localhost"
        )
    try:
        listener = socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except OSError as error:
        raise InputError(f"{host}:{port} cannot be listened on ({error.strerror}); try another --port") from error
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # else each reply waits 40 ms for an ACK
    return listener


def base_url(listener: socket.socket) -> str:
    """Where clients find the server behind a socket."""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}/v1" if ":" in host else f"http://{host}:{port}/v1"


@contextlib.asynccontextmanager
async def serving(app: ASGIApp, listener: socket.socket) -> AsyncGenerator[Server]:
    """The application on a socket, as a block: leaving it ends the server."""
    config = uvicorn.Config(
        app, lifespan="off", ws="none", log_level="warning", access_log=False, timeout_graceful_shutdown=LAST_RESORT
    )
    server = Server(config)
    async with task_group() as group:
        group.start_soon(_serve, server, listener)
        try:
            yield server
        finally:
            server.should_exit = True


async def _serve(server: Server, listener: socket.socket) -> None:
    with anyio.CancelScope(shield=True):  # it ends by `should_exit`, in order
        await server.serve(sockets=[listener])
