"""Any OpenAI-compatible server, over TCP or a Unix socket.

One request, one reply: no retries, no budget, no concurrency limit here (the engine owns these). What a
server lacks is read off its own refusals and remembered in `lacks`. This module loads the HTTP client, which
is heavy: it is imported by entry point, when a model is opened.
"""

from __future__ import annotations

import os
import re
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import aiohttp
import anyio
import msgspec
import yarl

from outthink.core.errors import BadReply, BadSpec, InputError, TimedOut, Unreachable
from outthink.core.problem import Message, text_of
from outthink.core.wire import Ask, Delta, Feature, Price, Reply
from outthink.models import refusals, replies
from outthink.models.config import Alias
from outthink.models.dialects import Dialect, read_models, thinking_cap

_encode = msgspec.json.Encoder().encode
_GO_ON: Message = {"role": "user", "content": "Go on exactly where you stopped, and repeat nothing."}
_LONGEST = 64 << 20
"""Bytes of a plain reply; a server that sends more is not answering."""
_NAMED = re.compile(r"(.+?)@([A-Za-z][A-Za-z0-9+.-]*://.*)", re.DOTALL)


class Timeouts(msgspec.Struct, frozen=True):
    """Seconds to wait: for a connection, for the first byte of a reply, and between bytes of a stream."""

    connect: float = 5.0
    first_byte: float = 120.0
    between: float = 60.0


class HttpModel:
    """A model behind ``base_url`` (with or without ``/v1`` kept as given); see `outthink.core.protocols.Model`.

    ``key_variable``: where its key is kept, to be named when the server refuses it. ``unix`` is a socket path to
    connect to instead of the URL's host.
    """

    def __init__(
        self,
        name: str,
        base_url: str,
        *,
        key: str | None = None,
        key_variable: str = "OUTTHINK_API_KEY",
        unix: str | None = None,
        timeouts: Timeouts = Timeouts(),
        slots: int | None = None,
        price: Price | None = None,
        source: str = "",
    ) -> None:
        self.name, self.base_url = name, base_url.rstrip("/")
        self._chat = _checked(self.base_url) / "chat" / "completions"
        self.source = source or f"{name}@{self.base_url}"
        self.slots, self.price = slots, price
        self.context: int | None = None
        self.parameters: float | None = None
        self.lacks: set[Feature] = set()
        self.dialect: Dialect | None = None
        self._seen = False  # a reply, which would have shown a dialect that counts otherwise
        self.timeouts = timeouts
        self._unix = unix
        self.key_variable, self._key = key_variable, key
        self.headers = {"Content-Type": "application/json"}
        if key:
            self.headers["Authorization"] = f"Bearer {key}"
        self._session: aiohttp.ClientSession | None = None

    async def complete(self, ask: Ask) -> Reply:
        async with self._open(self._chat, await self._body(ask)) as response:
            data = await self._read(response)
        said = text_of(ask.messages[-1]) if ask.continues else ""
        reply, self.dialect = replies.read_reply(data, self._where, self.dialect, ask.n, said)
        self._seen = True
        return reply

    @asynccontextmanager
    async def stream(self, ask: Ask) -> AsyncGenerator[AsyncIterator[Delta]]:
        body = await self._body(ask) | {"stream": True}
        if "stream_options" not in self.lacks:
            body["stream_options"] = {"include_usage": True}
        if self.dialect is not None and self.dialect.name == "llamacpp":
            body["timings_per_token"] = True
        async with self._open(self._chat, body) as response:
            yield self._deltas(response, ask.n)

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

    async def names(self) -> tuple[str, ...] | None:
        """The models that the server lists, None where it lists none. Raises `ServerError`."""
        async with self._open(_checked(self.base_url) / "models", None, check=False) as response:
            data = await self._read(response)
            return read_models(data, self.name).models or None if response.status == 200 else None

    async def post(self, path: str, body: dict[str, Any]) -> bytes:
        """The reply to a request that is not chat: to ``path`` from the server's root, or to the URL itself (empty).

        Raises as `complete`.
        """
        async with self._open(self._rooted(path) if path else _checked(self.base_url), body) as response:
            return await self._read(response)

    def _rooted(self, path: str) -> yarl.URL:
        return yarl.URL(self.base_url.removesuffix("/v1") + path)

    async def aclose(self) -> None:
        if self._session is not None:
            session, self._session = self._session, None
            await session.close()

    @property
    def _where(self) -> str:
        return self.base_url if self._unix is None else f"the embedded engine ({self.name})"

    async def can_continue(self) -> bool:
        return (await self.known()).continues is not None

    async def known(self, listed: str = "") -> Dialect:
        """The server's dialect, asked for (by its list of models) where its replies have not shown it yet.

        ``listed``: the list's path from the server's root, where the base URL may be without ``/v1``.
        """
        if self.dialect is None:
            url = self._rooted(listed) if listed else _checked(self.base_url) / "models"
            async with self._open(url, None, check=False) as response:
                data = await self._read(response)
            served = read_models(data if response.status == 200 else b"", self.name)
            self.dialect = served.dialect
            self.context, self.parameters = self.context or served.context, self.parameters or served.parameters
        return self.dialect

    async def _body(self, ask: Ask) -> dict[str, Any]:
        body: dict[str, Any] = {"model": self.name, "messages": ask.messages, **ask.params}
        if ask.continues:
            told = (await self.known()).continues
            body |= {"messages": (*ask.messages, _GO_ON)} if told is None else told
        if ask.thinking is not None and "thinking" not in self.lacks:
            body |= thinking_cap(await self.known(), ask.thinking)
        if ask.n > 1:
            body["n"] = ask.n
        if ask.max_tokens is not None:
            newer = "max_tokens" in self.lacks or "max_completion_tokens" in ask.params  # as the caller named it
            body["max_completion_tokens" if newer else "max_tokens"] = ask.max_tokens
        if ask.seed is not None and "seed" not in self.lacks:
            body["seed"] = ask.seed
        counts = ask.n > 1 and (not self._seen if self.dialect is None else self.dialect.bills_choices)
        if "logprobs" in self.lacks:
            body.pop("logprobs", None)
            body.pop("top_logprobs", None)
        elif ask.logprobs or counts:
            body["logprobs"] = True
            if not ask.params.get("logprobs"):
                body.setdefault("top_logprobs", max(1, ask.top_logprobs))
        if "temperature" in self.lacks:
            body.pop("temperature", None)
        return body

    @asynccontextmanager
    async def _open(
        self, url: yarl.URL, body: dict[str, Any] | None, check: bool = True
    ) -> AsyncGenerator[aiohttp.ClientResponse]:
        """Send (a GET without ``body``), and give the response once its headers are here; closing the block frees the
        connection."""
        try:
            response = await self._send(url, body)
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
                raise refusals.read_refusal(
                    response.status, response.headers, await self._read(response), self, body or {}
                )
            yield response
        finally:
            if response.content.at_eof():
                response.release()
            else:
                response.close()

    async def _send(self, url: yarl.URL, body: dict[str, Any] | None) -> aiohttp.ClientResponse:
        """One request; once more where a kept connection turned out closed before the request could leave."""
        method, data = ("GET", None) if body is None else ("POST", _encode(body))
        ask = partial((self._session or self._connect()).request, method, url, data=data, headers=self.headers)
        try:
            return await ask(allow_redirects=False)
        except aiohttp.ClientOSError as error:
            if not isinstance(error.__cause__, aiohttp.ClientConnectionResetError):
                raise
        return await ask(allow_redirects=False)

    async def _read(self, response: aiohttp.ClientResponse) -> bytes:
        """The whole body, without the key should the server have sent it back."""
        data = bytearray()
        try:
            while block := await response.content.readany():
                data += block
                if len(data) > _LONGEST:
                    raise BadReply(f"{self._where} sent a reply of more than {_LONGEST >> 20} MB")
        except aiohttp.ServerTimeoutError as error:
            raise TimedOut(f"{self._where} stopped in mid-reply", began=response.status == 200) from error
        except (aiohttp.ClientError, OSError) as error:
            raise BadReply(f"{self._where} cut its reply") from error
        return self._without_key(bytes(data))

    def _without_key(self, data: bytes) -> bytes:
        return data.replace(self._key.encode(), b"(the key)") if self._key else data

    async def _deltas(self, response: aiohttp.ClientResponse, n: int) -> AsyncIterator[Delta]:
        reader = replies.StreamReader(self._where, self.dialect, n)
        while not reader.done:
            try:
                with anyio.fail_after(self.timeouts.between):
                    data = await response.content.readany()
            except (TimeoutError, aiohttp.ServerTimeoutError) as error:
                raise TimedOut(f"{self._where} stopped in mid-stream", began=True) from error
            except (aiohttp.ClientError, OSError) as error:
                raise BadReply(f"{self._where} cut its stream") from error
            for delta in reader.feed(self._without_key(data) or b"\n\n"):
                yield delta
            if not data:
                break
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


def _checked(base_url: str) -> yarl.URL:
    """A server's URL. Raises `BadSpec` for what is none, or carries a password or a query."""
    try:
        url = yarl.URL(base_url)
        plain = url.scheme in ("http", "https") and url.host and url.port
    except ValueError:
        url = plain = None
    if url is None or not plain:
        shown = "what follows the name" if "@" in base_url else repr(base_url)  # which may hold a password
        raise BadSpec(f"{shown} is not a URL; write NAME@http://host:port/v1")
    if url.raw_user is not None or url.raw_password is not None or url.raw_query_string or url.raw_fragment:
        raise BadSpec(
            f"the URL of {url.host} carries a user, a password or a query, which would show in errors and traces; "
            "write NAME@http://host:port/v1 and put the key into OUTTHINK_API_KEY"
        )
    return url


def _host(url: str) -> str | None:
    try:
        return yarl.URL(url).host
    except ValueError:
        return None


def key_for(base_url: str, variable: str = "") -> tuple[str | None, str]:
    """The key for a server, and its variable: ``OUTTHINK_API_KEY``, or the vendor's own at its own host only.

    ``variable``: the one that the configuration names for it. Raises `InputError` when that one holds no key, and for
    a key that cannot be sent.
    """
    vendors = _host(base_url) in ("api.openai.com", _host(os.environ.get("OPENAI_BASE_URL", "")))
    given = os.environ.get("OUTTHINK_API_KEY", "").strip()
    name = variable or ("OPENAI_API_KEY" if vendors and not given else "OUTTHINK_API_KEY")
    key = os.environ.get(name, "").strip()
    if variable and not key:
        raise InputError(
            f"the variable {name}, which the configuration names for {base_url}, holds no key; run: export {name}=KEY"
        )
    if not (key.isascii() and key.isprintable()):
        raise InputError(f"{name} holds characters that no key has; set it anew, without line breaks")
    return key or None, name


async def open_http(
    text: str, *, timeout: float | None = None, alias: Alias | None = None, **_options: object
) -> HttpModel:
    """Open ``NAME@http://host:port/v1``. ``timeout``: seconds to wait for the first byte of a reply.

    ``alias``: what the configuration says of this endpoint.
    """
    named = _NAMED.fullmatch(text)
    if named is None or not text.isprintable():
        raise BadSpec(f"model {text!r} does not name a server; write NAME@http://host:port/v1", text, 1)
    name, base_url = named.groups()
    _checked(base_url)
    key, variable = key_for(base_url, "" if alias is None else alias.key_env)
    limits = Timeouts() if timeout is None else Timeouts(first_byte=timeout, between=min(60.0, timeout))
    model = HttpModel(name, base_url, key=key, key_variable=variable, timeouts=limits)
    return model if alias is None else _configured(model, alias)


def _configured(model: HttpModel, alias: Alias) -> HttpModel:
    """The model with what the configuration says of its endpoint."""
    model.price, model.context, model.parameters = alias.price(), alias.context, alias.parameters
    model.lacks |= alias.lacks()
    model.headers.update(alias.headers)
    return model
