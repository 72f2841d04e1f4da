"""The command line, called in this process or started as one of its own, and a fake server beside it."""

import asyncio
import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from typing import NamedTuple

import pytest

from outthink import cli
from outthink.cli import solve
from outthink.models.fake_server import FakeServer


class Ended(NamedTuple):
    """How a command ended."""

    status: int
    out: str
    err: str


@pytest.fixture
def outthink(monkeypatch, capfd):
    """``outthink("solve", …)`` calls the command line in this process: quick, for what needs no process."""

    def call(*arguments: str) -> Ended:
        monkeypatch.setattr(sys, "argv", ["outthink", *arguments])
        monkeypatch.setattr(solve, "STARTED", time.monotonic())  # deadlines count from the start of the process
        handler = signal.getsignal(signal.SIGTERM)
        capfd.readouterr()
        try:
            with pytest.raises(SystemExit) as left:
                cli.main()
        finally:
            signal.signal(signal.SIGTERM, handler)
        out, err = capfd.readouterr()
        return Ended(left.value.code or 0, out, err)

    return call


@pytest.fixture
def started():
    """``started("solve", …)`` starts the command line as a process, ended with the block if it has not."""

    @contextmanager
    def start(*arguments: str, **options):
        streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "stdin": subprocess.DEVNULL} | options
        child = subprocess.Popen([sys.executable, "-m", "outthink", *arguments], **streams)
        try:
            yield child
        finally:
            child.kill()
            child.communicate()

    return start


@pytest.fixture
def serving():
    """``serving(server)`` runs a `FakeServer` beside the test, in a thread with a loop of its own."""

    @contextmanager
    def serve(server: FakeServer):
        ready, loop = threading.Event(), asyncio.new_event_loop()
        over = asyncio.Event()

        async def main():
            async with server.serve():
                ready.set()
                await over.wait()

        def run():
            asyncio.set_event_loop(loop)
            loop.run_until_complete(main())
            loop.run_until_complete(loop.shutdown_asyncgens())
            loop.close()

        thread = threading.Thread(target=run)
        thread.start()
        assert ready.wait(10)
        try:
            yield server
        finally:
            loop.call_soon_threadsafe(over.set)
            thread.join()

    return serve
