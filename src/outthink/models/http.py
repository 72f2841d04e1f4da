"""Any OpenAI-compatible server, over TCP or a Unix socket.

One request, one reply: no retries, no budget, no concurrency limit here (the engine owns these). What a
server lacks is read off its own refusals and remembered in `lacks`. This module loads the HTTP client, which
is heavy: it is imported by entry point, when a model is opened.
"""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import anyio
import msgspec
import yarl

from outthink.core.errors import BadReply, BadSpec, TimedOut, Unreachable
from outthink.core.wire import Ask, Delta, Feature, Price, Reply
from outthink.models import refusals, replies
from outthink.models.config import Alias

_encode = msgspec.json.Encoder().encode


class Timeouts(msgspec.Struct, frozen=True):
    """Seconds to wait: for a connection, for the first byte of a reply, and between bytes of a stream."""

    connect: float = 5.0
    first_byte: float = 120.0
    between: float = 60.0


class HttpModel:
    """A model behind ``base_url`` (with or without ``/v1`` kept as given); see `outthink.core.protocols.Model`.

    ``unix`` is a socket path to connect to instead of the URL's host.
    """

    def __init__(
        self,
        name: str,
        base_url: str,
        *,
        key: str | None = None,
        unix: str | None = None,
        timeouts: Timeouts = Timeouts(),
        slots: int | None = None,
        price: Price | None = None,
        source: str = "",
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self.name, self.base_url = name, base_url.rstrip("/")
        try:
            self._chat = yarl.URL(f"{self.base_url}/chat/completions")
        except ValueError as error:
            raise BadSpec(
                f"{base_url!r} is not a URL ({error}); write NAME@http://host:port/v1", base_url, 1
            ) from error
        self.source = source or f"{name}@{self.base_url}"
        self.slots, self.price = slots, price
        self.context: int | None = None
        self.parameters: float | None = None
        self.lacks: set[Feature] = set()
        self.dialect: replies.Dialect | None = None
        self.timeouts = timeouts
        self._unix = unix
        self._headers = {"Content-Type": "application/json", **(headers or {})}
        if key:
            self._headers["Authorization"] = f"Bearer {key}"
        self._session: aiohttp.ClientSession | None = None

    async def complete(self, ask: Ask) -> Reply:
        async with self._open(self._chat, self._body(ask)) as response:
            data = await self._read(response)
        reply, self.dialect = replies.read_reply(data, self._where, self.dialect)
        return reply

    @asynccontextmanager
    async def stream(self, ask: Ask) -> AsyncGenerator[AsyncIterator[Delta]]:
        body = self._body(ask) | {"stream": True}
        if "stream_options" not in self.lacks:
            body["stream_options"] = {"include_usage": True}
        if self.dialect == "llamacpp":
            body["timings_per_token"] = True
        async with self._open(self._chat, body) as response:
            yield self._deltas(response)

    async def count_prompt(self, ask: Ask) -> int | None:
        """Asks the server to count: llama.cpp's ``input_tokens``, else ``/tokenize`` of vLLM and SGLang."""
        body = {"model": self.name, "messages": ask.messages, **_templating(ask.params)}
        root = self.base_url.removesuffix("/v1")
        for url in (self._chat / "input_tokens", yarl.URL(f"{root}/tokenize")):
            if "count" in self.lacks:
                break
            async with self._open(url, body, check=False) as response:
                data = await self._read(response)
                if response.status == 200 and (count := replies.read_count(data)) is not None:
                    return count
        self.lacks.add("count")
        return None

    async def aclose(self) -> None:
        if self._session is not None:
            session, self._session = self._session, None
            await session.close()

    @property
    def _where(self) -> str:
        return self.base_url if self._unix is None else f"the embedded engine ({self.name})"

    def _body(self, ask: Ask) -> dict[str, Any]:
        body: dict[str, Any] = {"model": self.name, "messages": ask.messages, **ask.params}
        if ask.n > 1:
            body["n"] = ask.n
        if ask.max_tokens is not None:
            body["max_completion_tokens" if "max_tokens" in self.lacks else "max_tokens"] = ask.max_tokens
        if ask.seed is not None and "seed" not in self.lacks:
            body["seed"] = ask.seed
        counts = ask.n > 1 and self.dialect in (None, "llamacpp")  # its usage covers one choice only
        if (ask.logprobs or counts) and "logprobs" not in self.lacks:
            body["logprobs"] = True
            body.setdefault("top_logprobs", 1)
        if "temperature" in self.lacks:
            body.pop("temperature", None)
        return body

    @asynccontextmanager
    async def _open(
        self, url: yarl.URL, body: dict[str, Any], check: bool = True
    ) -> AsyncGenerator[aiohttp.ClientResponse]:
        """Send, and give the response once its headers are here; closing the block frees the connection."""
        session = self._session or self._connect()
        try:
            response = await session.post(url, data=_encode(body), headers=self._headers, allow_redirects=False)
        except aiohttp.ConnectionTimeoutError as error:
            raise Unreachable(f"{self._where} could not be reached in {self.timeouts.connect:g} s") from error
        except aiohttp.ServerTimeoutError as error:
            raise TimedOut(f"{self._where} sent nothing in {self.timeouts.first_byte:g} s") from error
        except aiohttp.ClientConnectorError as error:
            reason = error.os_error.strerror or str(error.os_error)
            raise Unreachable(f"{self._where} could not be reached ({reason}); is the server running there?") from error
        except aiohttp.InvalidURL as error:
            raise BadSpec(f"{str(url)!r} is not a URL; write NAME@http://host:port/v1") from error
        except (aiohttp.ClientError, OSError) as error:
            dropped = BadReply(f"{self._where} closed the connection without a reply")
            dropped.began = False
            raise dropped from error
        try:
            if check and response.status != 200:
                raise refusals.read_refusal(response.status, response.headers, await self._read(response), self, body)
            yield response
        finally:
            if response.content.at_eof():
                response.release()
            else:
                response.close()

    async def _read(self, response: aiohttp.ClientResponse) -> bytes:
        try:
            return await response.read()
        except aiohttp.ServerTimeoutError as error:
            raise TimedOut(f"{self._where} stopped in mid-reply", began=response.status == 200) from error
        except (aiohttp.ClientError, OSError) as error:
            raise BadReply(f"{self._where} cut its reply") from error

    async def _deltas(self, response: aiohttp.ClientResponse) -> AsyncIterator[Delta]:
        reader = replies.StreamReader(self._where, self.dialect)
        while not reader.done:
            try:
                with anyio.fail_after(self.timeouts.between):
                    data = await response.content.readany()
            except (TimeoutError, aiohttp.ServerTimeoutError) as error:
                raise TimedOut(f"{self._where} stopped in mid-stream", began=True) from error
            except (aiohttp.ClientError, OSError) as error:
                raise BadReply(f"{self._where} cut its stream") from error
            if not data:
                break
            for delta in reader.feed(data):
                yield delta
        self.dialect = reader.dialect
        yield reader.finish()

    def _connect(self) -> aiohttp.ClientSession:
        timeout = aiohttp.ClientTimeout(
            total=None, sock_connect=self.timeouts.connect, sock_read=self.timeouts.first_byte
        )
        connector = (
            aiohttp.UnixConnector(self._unix, limit=0)
            if self._unix
            else aiohttp.TCPConnector(limit=0, keepalive_timeout=30)
        )
        proxied = not self._unix and any(name.lower().endswith("_proxy") for name in os.environ)
        self._session = aiohttp.ClientSession(
            connector=connector,
            timeout=timeout,
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=proxied,
            skip_auto_headers=("User-Agent", "Accept-Encoding"),
        )
        return self._session


def _templating(params: dict[str, Any]) -> dict[str, Any]:
    """The parameters that change how a prompt is rendered, and so its count."""
    return {name: params[name] for name in ("tools", "chat_template_kwargs") if name in params}


def key_for(base_url: str) -> str | None:
    """The key for a server: ``OUTTHINK_API_KEY``, or its vendor's own variable at its own host only."""
    if key := os.environ.get("OUTTHINK_API_KEY"):
        return key
    own = {"api.openai.com", urlsplit(os.environ.get("OPENAI_BASE_URL", "")).hostname}
    return os.environ.get("OPENAI_API_KEY") if urlsplit(base_url).hostname in own else None


async def open_http(
    text: str, *, timeout: float | None = None, alias: Alias | None = None, **_options: object
) -> HttpModel:
    """Open ``NAME@http://host:port/v1``. ``timeout``: seconds to wait for the first byte of a reply.

    ``alias``: what the configuration says of this endpoint.
    """
    name, _, base_url = text.partition("@")
    if not name or "://" not in base_url:
        raise BadSpec(f"model {text!r} does not name a server; write NAME@http://host:port/v1", text, 1)
    limits = Timeouts() if timeout is None else Timeouts(first_byte=timeout, between=min(60.0, timeout))
    if alias is None:
        return HttpModel(name, base_url, key=key_for(base_url), timeouts=limits)
    key = alias.key() or key_for(base_url)
    model = HttpModel(name, base_url, key=key, timeouts=limits, price=alias.price(), headers=alias.headers)
    model.context, model.parameters, model.lacks = alias.context, alias.parameters, alias.lacks()
    return model
