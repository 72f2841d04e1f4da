"""A gateway on loopback before a scripted server, spoken to by the real ``openai`` client. Real time."""

from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import count

import msgspec
import openai
import pytest
from aiohttp import web

from outthink import Engine
from outthink.gateway.app import application
from outthink.gateway.chat import Gateway
from outthink.gateway.listen import base_url, bound, serving
from outthink.gateway.main import opened
from outthink.models.http import HttpModel, Timeouts


@pytest.fixture
def anyio_backend():
    return "asyncio"


@pytest.fixture(autouse=True)
def no_long_waits(short_waits):
    """In every test of this folder."""


@pytest.fixture(autouse=True)
def numbered_draws(monkeypatch):
    """Requests without a seed get other ones each time, and the same in every run of a test."""
    draws = count(3)
    monkeypatch.setattr("outthink.gateway.request.secrets.randbelow", lambda _: next(draws))


@dataclass
class Open:
    """A gateway that listens: its client, where it is, and its own books."""

    client: openai.AsyncOpenAI
    url: str
    gateway: Gateway


@pytest.fixture
def open_gateway():
    """A block around a gateway before ``upstream`` (a server with ``base_url``, or a model of one's own)."""

    @asynccontextmanager
    async def block(upstream, *, concurrency=64, key="any bearer", **settings):
        own = upstream
        if not hasattr(upstream, "complete"):
            own = HttpModel("fake", upstream.base_url, timeouts=Timeouts(first_byte=5.0, between=5.0))
        async with Engine(own, concurrency=concurrency, cache=False) as engine:
            with bound("127.0.0.1", 0) as listener:
                gateway = Gateway(engine, await opened(engine, [engine.model]), **settings)
                http = openai.DefaultAsyncHttpxClient(verify=False)  # loading certificates takes longest of all
                async with (
                    serving(application(gateway), listener),
                    openai.AsyncOpenAI(
                        base_url=base_url(listener), api_key=key, max_retries=0, http_client=http
                    ) as client,
                ):
                    yield Open(client, base_url(listener), gateway)

    return block


@dataclass
class Recorded:
    """A server that says what was recorded of another: ``message`` in plain replies, ``deltas`` in streams."""

    message: dict = field(default_factory=dict)
    finish: str = "stop"
    deltas: list = field(default_factory=list)
    usage: dict = field(default_factory=lambda: {"prompt_tokens": 9, "completion_tokens": 7, "total_tokens": 16})
    broken: bytes = b""  # sent in place of the end of a stream
    logprobs: dict | None = None
    bodies: list = field(default_factory=list)
    headers: list = field(default_factory=list)
    base_url: str = ""

    @asynccontextmanager
    async def serve(self):
        app = web.Application(client_max_size=1 << 26)
        app.router.add_post("/v1/chat/completions", self._complete)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        self.base_url = f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
        try:
            yield self
        finally:
            await runner.cleanup()

    async def _complete(self, request):
        body = msgspec.json.decode(await request.read())
        self.bodies.append(body)
        self.headers.append(dict(request.headers))
        if not body.get("stream"):
            choice = {"index": 0, "message": self.message, "finish_reason": self.finish, "logprobs": self.logprobs}
            return web.json_response({"choices": [choice], "usage": self.usage})
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        for delta in self.deltas:
            await self._send(response, {"choices": [{"index": 0, "delta": delta, "finish_reason": None}]})
        if self.broken:
            await response.write(self.broken)
            return response
        await self._send(response, {"choices": [{"index": 0, "delta": {}, "finish_reason": self.finish}]})
        await self._send(response, {"choices": [], "usage": self.usage})
        await response.write(b"data: [DONE]\n\n")
        return response

    async def _send(self, response, chunk):
        await response.write(b"data: " + msgspec.json.encode(chunk) + b"\n\n")


@pytest.fixture
def recorded():
    return Recorded
