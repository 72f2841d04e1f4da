"""Fixtures for every room: asyncio is the loop, time may be virtual, and nothing reads the user's files."""

import asyncio
import selectors

import anyio
import pytest
from hypothesis import settings

settings.register_profile("outthink", deadline=None)  # a busy machine is no failure
settings.load_profile("outthink")


class _Jump(selectors.DefaultSelector):  # type: ignore[misc, valid-type]
    """A selector that never waits: the time to wait is added to the loop's clock instead."""

    loop: "VirtualLoop"

    def select(self, timeout=None):
        ready = super().select(0)
        if not ready and timeout:
            self.loop.now += timeout
        elif not ready and timeout is None:
            return super().select(0.01)  # a thread or a signal will wake it
        return ready


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop whose clock jumps to the next timer: tests with time in them take none."""

    def __init__(self) -> None:
        self.now = 1000.0
        selector = _Jump()
        selector.loop = self
        super().__init__(selector)

    def time(self) -> float:
        return self.now


@pytest.fixture
def anyio_backend(request):
    """Async tests run on a virtual clock; those with sockets or processes are marked ``real_time``."""
    return "asyncio", {} if request.node.get_closest_marker("real_time") else {"loop_factory": VirtualLoop}


@pytest.fixture(scope="session")
def run_virtually():
    """Runs an async function on a virtual clock, for tests that are not async themselves."""
    return lambda function: anyio.run(function, backend_options={"loop_factory": VirtualLoop})


@pytest.fixture
def short_waits(monkeypatch) -> None:
    """Calls that failed are tried again at once."""
    monkeypatch.setattr("outthink.engine.call._BACKOFF_FIRST", 0.001)
    monkeypatch.setattr("outthink.engine.call._BACKOFF_MOST", 0.01)


@pytest.fixture(autouse=True)
def _own_home(tmp_path_factory, monkeypatch) -> None:
    """No test sees or changes the user's models, keys or settings."""
    for name in ("MODEL", "STRATEGY", "BUDGET", "API_KEY", "MODEL_SOURCES"):
        monkeypatch.delenv(f"OUTTHINK_{name}", raising=False)
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("OUTTHINK_CACHE", "off")  # tests that are about the cache turn it on
    monkeypatch.setenv("OUTTHINK_HOME", str(tmp_path_factory.mktemp("home")))
