"""The fake as an OpenAI-compatible HTTP server on loopback, with faults on demand and books of its own.

It is the oracle of the tests: what it billed is the truth that a client's books are held against. It imports the
HTTP library, and is itself imported only by those who want it. ``python -m outthink.models.fake_server`` runs it.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import msgspec
from aiohttp import web

from outthink.core.problem import text_of
from outthink.models.script import Said, Script, count_prompt

_encode = msgspec.json.Encoder().encode
FAULTS = ("429", "500", "503", "cut", "malformed", "hang", "empty", "html")


@dataclass
class Faults:
    """Which requests fail, and how: ``rates`` by kind (see `FAULTS`), drawn from ``seed`` and the request's number.

    ``dead``: sample seeds for which every request fails with 500. ``first``: how many requests at the start fail with
    ``first_kind``. ``retry_after``: the header sent with a 429.
    """

    rates: dict[str, float] = field(default_factory=dict[str, float])
    seed: int = 0
    dead: frozenset[int] = frozenset()
    first: int = 0
    first_kind: str = "429"
    retry_after: str | None = None

    def kind(self, number: int, seeds: range) -> str | None:
        if any(seed in self.dead for seed in seeds):
            return "500"
        if number < self.first:
            return self.first_kind
        digest = hashlib.blake2b(f"{self.seed}.{number}".encode(), digest_size=8).digest()
        drawn, reached = int.from_bytes(digest, "big") / 2**64, 0.0
        for kind, rate in self.rates.items():
            reached += rate
            if drawn < reached:
                return kind
        return None


@dataclass
class Billed:
    """One request as the server saw it: what it would bill. ``ended``: ok, an error status, or how it was lost."""

    number: int
    n: int
    seed: int
    ended: str = "open"
    prompt_tokens: int = 0
    completion_tokens: int = 0


@asynccontextmanager
async def on_loopback(app: web.Application, port: int = 0) -> AsyncGenerator[str]:
    """Serve on loopback for the length of a block; gives the root URL. Handlers are cancelled when a client leaves."""
    runner = web.AppRunner(app, handler_cancellation=True, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", port)
    await site.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()
        for _ in range(3):  # connections that were dropped are closed in the loop's next turns
            await asyncio.sleep(0)


@dataclass
class FakeServer:
    """``dialect``: ``openai`` (begins a new turn after an assistant message), ``llamacpp`` (usage of one choice only in
    plain replies, ``timings``, ``n`` up to ``slots``, repeats the beginning it goes on from), ``vllm`` and ``sglang``
    (go on when told to) or ``ollama`` (one choice whatever n is). ``refuses``: parameters answered with a 400 that
    names them. ``context``: the longest prompt in tokens. ``counts``: whether it offers ``input_tokens``. ``models``:
    what it lists."""

    script: Script = field(default_factory=Script)
    faults: Faults = field(default_factory=Faults)
    dialect: str = "openai"
    refuses: frozenset[str] = frozenset()
    latency: float = 0.0
    token_latency: float = 0.0
    key: str | None = None
    context: int | None = None
    slots: int = 8
    counts: bool = True
    models: tuple[str, ...] = ("fake",)
    billed: list[Billed] = field(default_factory=list[Billed])
    bodies: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    in_flight: int = 0
    most_in_flight: int = 0
    base_url: str = ""

    @property
    def prompt_tokens(self) -> int:
        return sum(one.prompt_tokens for one in self.billed)

    @property
    def completion_tokens(self) -> int:
        return sum(one.completion_tokens for one in self.billed)

    @asynccontextmanager
    async def serve(self, port: int = 0) -> AsyncGenerator[FakeServer]:
        """Serve on loopback; `base_url` says where."""
        app = web.Application(client_max_size=1 << 26)
        app.router.add_post("/v1/chat/completions", self._complete)
        app.router.add_post("/v1/chat/completions/input_tokens", self._count)
        app.router.add_get("/v1/models", self._models)
        async with on_loopback(app, port) as url:
            self.base_url = f"{url}/v1"
            yield self

    async def _models(self, request: web.Request) -> web.Response:
        owner = {"llamacpp": "llamacpp", "ollama": "library", "vllm": "vllm", "sglang": "sglang"}
        common = {"object": "model", "owned_by": owner.get(self.dialect, "system")}
        return _json({"object": "list", "data": [{"id": name, **common} for name in self.models]})

    async def _count(self, request: web.Request) -> web.Response:
        if not self.counts:
            return _error(404, "no such route")
        return _json({"input_tokens": count_prompt((await request.json())["messages"])})

    async def _complete(self, request: web.Request) -> web.StreamResponse:
        body = msgspec.json.decode(await request.read(), type=dict[str, Any])
        n, seed = int(body.get("n", 1)), int(body.get("seed", len(self.billed)))
        one = Billed(len(self.billed), n, seed)
        self.billed.append(one)
        self.bodies.append(body)
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            return await self._answer(request, body, one)
        except asyncio.CancelledError:
            one.ended = "cancelled"
            raise
        finally:
            self.in_flight -= 1

    async def _answer(self, request: web.Request, body: dict[str, Any], one: Billed) -> web.StreamResponse:
        refused = self._refused(request, body, one)
        if refused is not None:
            one.ended = str(refused.status)
            return refused
        fault = self.faults.kind(one.number, range(one.seed, one.seed + one.n))
        one.ended = fault or "ok"
        if fault in ("429", "500", "503", "html"):
            return self._failing(fault)
        n = 1 if self.dialect == "ollama" else one.n
        one.prompt_tokens = count_prompt(body["messages"])
        limit, stop = body.get("max_tokens", body.get("max_completion_tokens")), body.get("stop") or ()
        messages = body["messages"] if self._goes_on(body) else [*body["messages"], {"role": "user", "content": ""}]
        said = [
            self.script.say(messages, one.seed + i, limit, [stop] if isinstance(stop, str) else stop) for i in range(n)
        ]
        if fault == "hang":
            await asyncio.sleep(3600)
        await asyncio.sleep(self.latency)
        if body.get("stream"):
            return await self._stream(request, body, one, said, fault)
        for one_token in range(max(len(choice.tokens) for choice in said) if self.token_latency else 0):
            await asyncio.sleep(self.token_latency)
            one.completion_tokens = sum(min(one_token + 1, len(choice.tokens)) for choice in said)
        one.completion_tokens = sum(len(choice.tokens) for choice in said)
        return await self._plain(request, body, one, said, fault)

    def _goes_on(self, body: dict[str, Any]) -> bool:
        """Whether a last assistant message is the beginning of the reply (anything else is just the prompt)."""
        if body["messages"][-1].get("role") != "assistant":
            return True
        told = body.get("continue_final_message") is True and body.get("add_generation_prompt") is False
        return told if self.dialect in ("vllm", "sglang") else self.dialect in ("llamacpp", "ollama")

    def _refused(self, request: web.Request, body: dict[str, Any], one: Billed) -> web.Response | None:
        if self.key is not None and request.headers.get("Authorization") != f"Bearer {self.key}":
            return _error(401, "Incorrect API key provided", "authentication_error")
        for name in sorted(self.refuses & body.keys()):
            return _error(400, f"Unsupported parameter: '{name}' is not supported with this model.", param=name)
        if self.dialect == "llamacpp" and one.n > self.slots:
            text = f"Field 'n': Value must be between 1 <= value <= {self.slots}, but got {one.n}"
            return _json({"error": {"code": 400, "message": text, "type": "invalid_request_error"}}, 400)
        tokens = count_prompt(body["messages"])
        if self.context is not None and tokens > self.context:
            text = f"request ({tokens} tokens) exceeds the available context size ({self.context} tokens)"
            kind = {"type": "exceed_context_size_error", "n_prompt_tokens": tokens, "n_ctx": self.context}
            return _json({"error": {"code": 400, "message": text, **kind}}, 400)
        return None

    def _failing(self, fault: str) -> web.Response:
        if fault == "html":
            return web.Response(status=500, text="<html><body><h1>Bad gateway</h1></body></html>")
        response = _error(int(fault), {"429": "Rate limit reached", "503": "Overloaded"}.get(fault, "Internal error"))
        if fault == "429" and self.faults.retry_after is not None:
            response.headers["Retry-After"] = self.faults.retry_after
        return response

    async def _plain(
        self, request: web.Request, body: dict[str, Any], one: Billed, said: list[Said], fault: str | None
    ) -> web.StreamResponse:
        if fault == "malformed":
            return web.Response(body=b'{"choices": [{"index": 0, "mess', content_type="application/json")
        choices = [] if fault == "empty" else [self._choice(i, choice, body) for i, choice in enumerate(said)]
        if self.dialect == "llamacpp" and body["messages"][-1].get("role") == "assistant":
            for choice in choices:
                choice["message"]["content"] = text_of(body["messages"][-1]) + choice["message"]["content"]
        data = _encode({"id": "fake", "object": "chat.completion", "choices": choices} | self._usage(one, said))
        if fault != "cut":
            return web.Response(body=data, content_type="application/json")
        response = web.StreamResponse(headers={"Content-Length": str(len(data))})
        await response.prepare(request)
        await response.write(data[: len(data) // 2])
        _drop(request)
        return response

    def _usage(self, one: Billed, said: list[Said]) -> dict[str, Any]:
        shown = len(said[0].tokens) if self.dialect == "llamacpp" else one.completion_tokens
        usage = {"prompt_tokens": one.prompt_tokens, "completion_tokens": shown}
        timings = {"timings": {"predicted_n": shown}} if self.dialect == "llamacpp" else {}
        return {"usage": usage | {"total_tokens": one.prompt_tokens + shown}} | timings

    def _choice(self, index: int, said: Said, body: dict[str, Any]) -> dict[str, Any]:
        message = {"role": "assistant", "content": said.text}
        found: dict[str, Any] = {"index": index, "message": message, "finish_reason": said.finish, "logprobs": None}
        if body.get("logprobs"):
            found["logprobs"] = {"content": _entries(said, range(len(said.tokens)))}
        return found

    async def _stream(
        self, request: web.Request, body: dict[str, Any], one: Billed, said: list[Said], fault: str | None
    ) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        longest = max(len(choice.tokens) for choice in said)
        for place in range(longest):
            await asyncio.sleep(self.token_latency)
            if fault in ("cut", "malformed") and place >= longest // 2:
                if fault == "malformed":
                    await response.write(b"data: {broken\n\n")
                _drop(request)
                return response
            for index, choice in enumerate(said):
                if place < len(choice.tokens):
                    one.completion_tokens += 1
                    await response.write(b"data: " + _encode(self._chunk(index, choice, place, body)) + b"\n\n")
        options: dict[str, Any] = body.get("stream_options") or {}
        if options.get("include_usage"):
            await response.write(b"data: " + _encode({"choices": []} | self._stream_usage(one)) + b"\n\n")
        await response.write(b"data: [DONE]\n\n")
        return response

    def _stream_usage(self, one: Billed) -> dict[str, Any]:
        tokens = {"prompt_tokens": one.prompt_tokens, "completion_tokens": one.completion_tokens}
        return {"usage": tokens}

    def _chunk(self, index: int, said: Said, place: int, body: dict[str, Any]) -> dict[str, Any]:
        last = place == len(said.tokens) - 1
        choice: dict[str, Any] = {
            "index": index,
            "delta": {"content": said.tokens[place]},
            "finish_reason": said.finish if last else None,
        }
        if body.get("logprobs"):
            choice["logprobs"] = {"content": _entries(said, range(place, place + 1))}
        return {"id": "fake", "object": "chat.completion.chunk", "choices": [choice]}


def _entries(said: Said, places: range) -> list[dict[str, Any]]:
    return [{"token": said.tokens[i], "logprob": said.logprobs[i], "top_logprobs": []} for i in places]


def _drop(request: web.Request) -> None:
    if request.transport is not None:
        request.transport.abort()


def _json(body: object, status: int = 200) -> web.Response:
    return web.Response(body=_encode(body), status=status, content_type="application/json")


def _error(status: int, message: str, kind: str = "invalid_request_error", param: str | None = None) -> web.Response:
    return _json({"error": {"message": message, "type": kind, "param": param, "code": None}}, status)


async def run(server: FakeServer, port: int, ready: Callable[[str], None]) -> None:
    """Serve until cancelled."""
    async with server.serve(port):
        ready(server.base_url)
        await asyncio.Event().wait()


def main() -> None:
    """``python -m outthink.models.fake_server [--port P] [--latency S] [--accuracy A] [--no-n]``."""
    import argparse
    import contextlib

    parser = argparse.ArgumentParser(description="A scripted OpenAI-compatible server on loopback.")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--latency", type=float, default=0.0, help="seconds before a reply")
    parser.add_argument("--accuracy", type=float, default=0.7)
    parser.add_argument("--no-n", action="store_true", help="refuse the parameter n")
    options = parser.parse_args()
    server = FakeServer(
        Script(accuracy=options.accuracy),
        latency=options.latency,
        refuses=frozenset({"n"} if options.no_n else ()),
    )
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(run(server, options.port, lambda url: print(url, flush=True)))


if __name__ == "__main__":
    main()
