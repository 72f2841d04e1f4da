"""``outthink serve``: the gateway on this machine, until it is told to stop."""

from __future__ import annotations

from importlib import import_module

import anyio
import typer

from outthink import plugins
from outthink.cli import options
from outthink.core.errors import InputError


def register(root: typer.Typer, summary: str) -> None:
    root.command("serve", help=summary)(serve)


def serve(
    host: str = typer.Option("127.0.0.1", "--host", help="A loopback address; others need keys."),
    port: int = typer.Option(8000, "--port", min=0, max=65535, help="0 takes any free one."),
    model: list[str] = typer.Option(
        [], "--model", "-m", help="A catalog name, FILE.gguf, or NAME@http://host:port/v1; repeatable."
    ),
    strategy: str | None = typer.Option(
        None, "--strategy", "-s", help="For requests that name none; else by the kind of answer."
    ),
    concurrency: int = options.CONCURRENCY,
    timeout: float | None = options.TIMEOUT,
    debug: bool = options.DEBUG,
) -> None:
    """Serve the OpenAI protocol; any client thinks longer by changing its base URL."""
    del debug  # read at the edge
    if strategy is not None:
        plugins.strategy(strategy)
    try:
        gateway = import_module("outthink.gateway.main")
    except ModuleNotFoundError as error:
        raise InputError(f"the gateway needs {error.name}; run: pip install 'outthink[server]'") from error
    anyio.run(gateway.run, host, port, model, strategy, concurrency, timeout)
