"""A fake reward server on loopback: the endpoints of vLLM, SGLang and llama.cpp and the plain protocol, with faults.

It reads what it is sent on its own terms (the template's marks, the steps between them) and keeps books of its own, so
that a client's scores and usage can be held against it. It imports the HTTP library, and is itself imported only by
those who want it.
"""

from __future__ import annotations

import asyncio
import hashlib
import math
import re
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import msgspec
from aiohttp import web

from outthink.models.fake_server import Billed, Faults, on_loopback

_encode = msgspec.json.Encoder().encode
_OWNERS = {"vllm": "vllm", "sglang": "sglang", "llamacpp": "llamacpp"}


def drawn(text: str) -> float:
    """A value in (0, 1) that a text always has."""
    digest = hashlib.blake2b(text.strip().encode(), digest_size=4).digest()
    return (int.from_bytes(digest, "big") + 1) / (2**32 + 2)


def count(text: str) -> int:
    """Tokens of a text as this server counts: its words and the marks between them."""
    return len(re.findall(r"\w+|<[^>\s]*>|[^\w\s]", text))


@dataclass
class FakeRewardServer:
    """``dialect``: whose endpoints it has (``plain`` has none but its own URL). ``value``: what a step or an answer is
    worth. ``mark``: what ends a step in a text. ``usage``: whether it says what a request cost. ``longest``: tokens of
    the longest text, beyond which it answers as a server whose context is full."""

    dialect: str = "vllm"
    value: Callable[[str], float] = drawn
    mark: str = "<extra_0>"
    usage: bool = True
    longest: int | None = None
    faults: Faults = field(default_factory=Faults)
    key: str | None = None
    latency: float = 0.0
    billed: list[Billed] = field(default_factory=list[Billed])
    paths: list[str] = field(default_factory=list[str])
    bodies: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    keys: list[str | None] = field(default_factory=list["str | None"])
    sizes: list[int] = field(default_factory=list[int])  # tokens of each text of the request at hand
    in_flight: int = 0
    url: str = ""

    @property
    def prompt_tokens(self) -> int:
        return sum(one.prompt_tokens for one in self.billed)

    @property
    def completion_tokens(self) -> int:
        return sum(one.completion_tokens for one in self.billed)

    @asynccontextmanager
    async def serve(self) -> AsyncGenerator[FakeRewardServer]:
        """Serve on loopback; `url` says where."""
        app = web.Application(client_max_size=1 << 26)
        app.router.add_get("/v1/models", self._models)
        app.router.add_post("/{path:.*}", self._rate)
        async with on_loopback(app) as self.url:
            yield self

    async def _models(self, request: web.Request) -> web.Response:
        if self.dialect not in _OWNERS:
            return _json({"error": {"message": "no such route"}}, 404)
        return _json({"data": [{"id": "m", "owned_by": _OWNERS[self.dialect]}]})

    async def _rate(self, request: web.Request) -> web.StreamResponse:
        one = Billed(len(self.billed), 1, 0)
        self.billed.append(one)
        self.paths.append(request.path)
        self.keys.append(request.headers.get("Authorization"))
        self.bodies.append(msgspec.json.decode(await request.read(), type=dict[str, Any]))
        self.in_flight += 1
        try:
            return await self._answer(request, self.bodies[-1], one)
        except asyncio.CancelledError:
            one.ended = "cancelled"
            raise
        finally:
            self.in_flight -= 1

    async def _answer(self, request: web.Request, body: dict[str, Any], one: Billed) -> web.StreamResponse:
        if self.key is not None and request.headers.get("Authorization") != f"Bearer {self.key}":
            return _json({"error": {"message": "Incorrect API key provided"}}, 401)
        handle = self._routes.get((self.dialect, request.path)) or self._routes.get(("", request.path))
        if self.dialect == "plain":
            handle = self._plain
        if handle is None:
            return _json({"error": {"message": "Not Found"}}, 404)
        fault = self.faults.kind(one.number, range(0))
        one.ended = fault or "ok"
        if fault in ("429", "500", "503"):
            headers = {"Retry-After": self.faults.retry_after} if self.faults.retry_after else None
            return web.Response(status=int(fault), text='{"error": {"message": "fault"}}', headers=headers)
        if fault == "hang":
            await asyncio.sleep(3600)
        await asyncio.sleep(self.latency)
        self.sizes = []
        reply: dict[str, Any] | list[Any] = handle(body)
        if self.longest is not None and max(self.sizes, default=0) > self.longest:
            text = f"This model's maximum context length is {self.longest} tokens"
            return _json({"error": {"message": text}}, 400)
        one.prompt_tokens = sum(self.sizes)
        one.completion_tokens = len(self.sizes) if request.path.endswith("completions") else 0
        if self.usage and isinstance(reply, dict):
            reply["usage"] = {"prompt_tokens": one.prompt_tokens, "completion_tokens": one.completion_tokens}
        if fault in ("malformed", "html", "empty"):
            return web.Response(body={"malformed": b'{"data": [', "html": b"<p>", "empty": b"{}"}[fault])
        if fault == "cut":
            return await _cut(request, _encode(reply))
        return _json(reply)

    @property
    def _routes(self) -> dict[tuple[str, str], Callable[[dict[str, Any]], Any]]:
        return {
            ("vllm", "/pooling"): self._pooling,
            ("vllm", "/classify"): self._classify,
            ("vllm", "/score"): self._pairs,
            ("sglang", "/classify"): self._embedding,
            ("sglang", "/v1/score"): self._labels,
            ("", "/v1/rerank"): self._rerank,
            ("", "/v1/chat/completions"): self._chat,
            ("", "/v1/completions"): self._completions,
        }

    def _seen(self, text: str) -> str:
        self.sizes.append(count(text))
        return text

    def _texts(self, body: dict[str, Any]) -> list[str]:
        """The texts of a request, one conversation being one text by this server's own template."""
        given = body.get("input", body.get("text"))
        if given is None:
            given = "".join(f"[{turn['role']}]{turn['content']}" for turn in body["messages"])
        return [self._seen(text) for text in ([given] if isinstance(given, str) else given)]

    def _said(self, text: str) -> str:
        """What the assistant said last, by the marks of the templates that are known here."""
        found = re.findall(
            r"(?:<\|im_start\|>assistant\n|assistant<\|end_header_id\|>\n\n|\[assistant\])(.*?)"
            r"(?:<\|im_end\|>\n?|<\|eot_id\|>)?\Z",
            text,
            re.DOTALL,
        )
        return found[-1] if found else text

    def _pooling(self, body: dict[str, Any]) -> Any:
        data: list[dict[str, Any]] = []
        for index, text in enumerate(self._texts(body)):
            said = self._said(text)
            if self.mark in said:
                values = [self.value(step) for step in said.split(self.mark)[:-1]]
                rows: list[Any] = [[1 - value, value] for value in values]
            else:  # a reward for every token, of which the last one counts
                rows = [[0.0]] * (count(text) - 1) + [[self.value(said)]]
            data.append({"index": index, "object": "pooling", "data": rows})
        return {"object": "list", "data": data[::-1]}

    def _classify(self, body: dict[str, Any]) -> Any:
        values = [self.value(self._said(text)) for text in self._texts(body)]
        plain = body.get("use_activation") is False
        shown = values if plain else [1 / (1 + math.exp(-value)) for value in values]
        return {"data": [{"index": i, "label": "x", "probs": [v], "num_classes": 1} for i, v in enumerate(shown)]}

    def _embedding(self, body: dict[str, Any]) -> Any:
        texts = self._texts(body)
        pairs = zip(texts, self._metas(), strict=True)
        return [{"embedding": [self.value(self._said(text))], "meta_info": meta} for text, meta in pairs]

    def _metas(self) -> list[dict[str, int]]:
        """What SGLang says of each text instead of a usage."""
        return [{"prompt_tokens": size} if self.usage else {} for size in self.sizes]

    def _pairs(self, body: dict[str, Any]) -> Any:
        texts: list[str] = body["text_2"]
        for text in texts:
            self._seen(body["text_1"] + text)
        return {"data": [{"index": i, "score": self.value(text)} for i, text in enumerate(texts)]}

    def _labels(self, body: dict[str, Any]) -> Any:
        values = [self.value(self._step(self._seen(body["query"] + item))) for item in body["items"]]
        return {"scores": [[value, 1 - value] for value in values]}

    def _rerank(self, body: dict[str, Any]) -> Any:
        texts: list[str] = body["documents"]
        for text in texts:
            self._seen(body["query"] + text)
        values = [(self.value(text), index) for index, text in enumerate(texts)]
        if self.dialect == "sglang":
            metas = self._metas()
            return [{"score": v, "index": i, "document": texts[i], "meta_info": metas[i]} for v, i in sorted(values)]
        return {"results": [{"index": i, "relevance_score": v} for v, i in sorted(values, reverse=True)]}

    def _chat(self, body: dict[str, Any]) -> Any:
        turns = body["messages"]
        self._seen("".join(turn["content"] for turn in turns))
        value = self.value(turns[-1]["content"])
        tops = [{"token": token, "logprob": logprob} for token, logprob in _signs(value)]
        return {"choices": [{"index": 0, "logprobs": {"content": [{"token": "+", "top_logprobs": tops}]}}]}

    def _completions(self, body: dict[str, Any]) -> Any:
        values = [self.value(self._step(self._seen(text))) for text in body["prompt"]]
        tops = [{f" {token}": logprob for token, logprob in _signs(value)} for value in values]
        return {"choices": [{"index": i, "logprobs": {"top_logprobs": [top]}} for i, top in enumerate(tops)]}

    def _step(self, text: str) -> str:
        """The last step of a text that ends with its mark."""
        return text.removesuffix(self.mark).split(self.mark)[-1].strip()

    def _plain(self, body: dict[str, Any]) -> Any:
        answers: Sequence[Sequence[str]] = body["answers"]
        for parts in answers:
            self._seen(body["question"] + "".join(parts))
        return {"scores": [[self.value(part) for part in parts] for parts in answers]}


def _signs(value: float) -> list[tuple[str, float]]:
    """The log probabilities of ``+`` and ``-`` where a tenth of the chance goes elsewhere."""
    return [("+", math.log(0.9 * value)), ("-", math.log(0.9 * (1 - value))), ("?", math.log(0.1))]


async def _cut(request: web.Request, data: bytes) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Length": str(len(data))})
    await response.prepare(request)
    await response.write(data[: len(data) // 2])
    if request.transport is not None:
        request.transport.abort()
    return response


def _json(body: object, status: int = 200) -> web.Response:
    return web.Response(body=_encode(body), status=status, content_type="application/json")
