"""The public fake: a scripted model in this process, named ``fake`` like any backend.

Its own books (`FakeModel.books`) are what tests hold the engine's against.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import anyio
import msgspec

from outthink.core.candidate import summarise_logprobs
from outthink.core.errors import BadSpec, ServerError
from outthink.core.wire import Ask, Bill, Choice, Delta, Feature, Price, Reply
from outthink.models.script import Said, Script, count_prompt


@dataclass
class Books:
    """What the fake itself counted: requests that arrived, and the tokens it made for them."""

    calls: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    in_flight: int = 0
    most_in_flight: int = 0
    cancelled: int = 0


class FakeModel:
    """A `Model` that speaks a `Script`.

    ``latency``: seconds before a reply; ``token_latency``: seconds a token. ``fault``: called with the number of each
    request (from 0) and its ask; an error it returns is raised instead of a reply.
    """

    def __init__(
        self,
        script: Script,
        *,
        latency: float = 0.0,
        token_latency: float = 0.0,
        slots: int | None = None,
        lacks: tuple[Feature, ...] = (),
        price: Price | None = None,
        fault: Callable[[int, Ask], ServerError | None] = lambda number, ask: None,
    ) -> None:
        self.name, self.source = "fake", ""  # without a source nothing is cached: what it says costs nothing
        self.script, self.latency, self.token_latency, self.slots = script, latency, token_latency, slots
        self.lacks: set[Feature] = set(lacks)
        self.price, self.context, self.parameters = price, None, None
        self.books = Books()
        self.asks: list[Ask] = []
        self._fault = fault

    async def complete(self, ask: Ask) -> Reply:
        async with self._arrived(ask) as said:
            await anyio.sleep(self.latency + self.token_latency * max(len(one.tokens) for one in said))
            self.books.completion_tokens += sum(len(one.tokens) for one in said)
            choices = tuple(_choice(i, one, ask) for i, one in enumerate(said))
            return Reply(choices, Bill(count_prompt(ask.messages), sum(len(one.tokens) for one in said)))

    @asynccontextmanager
    async def stream(self, ask: Ask) -> AsyncGenerator[AsyncIterator[Delta]]:
        async with self._arrived(ask) as said:
            await anyio.sleep(self.latency)
            yield self._deltas(said, ask)

    async def _deltas(self, said: list[Said], ask: Ask) -> AsyncIterator[Delta]:
        for place in range(max(len(one.tokens) for one in said)):
            await anyio.sleep(self.token_latency)
            for index, one in enumerate(said):
                if place < len(one.tokens):
                    self.books.completion_tokens += 1
                    last = place == len(one.tokens) - 1
                    yield Delta(
                        index=index,
                        text=one.tokens[place],
                        tokens=1,
                        logprobs=(one.logprobs[place],),
                        raw_logprobs=_raw(one, range(place, place + 1), ask),
                        finish=one.finish if last else None,
                    )
        yield Delta(index=None, bill=Bill(count_prompt(ask.messages), sum(len(one.tokens) for one in said)))

    async def count_prompt(self, ask: Ask) -> int | None:
        return count_prompt(ask.messages)

    async def can_continue(self) -> bool:
        return "prefix" not in self.lacks

    async def aclose(self) -> None:
        """Nothing to let go of."""

    @asynccontextmanager
    async def _arrived(self, ask: Ask) -> AsyncGenerator[list[Said]]:
        """Count a request in and out, and draw what is said to it."""
        books = self.books
        number = books.calls
        books.calls += 1
        books.in_flight += 1
        books.most_in_flight = max(books.most_in_flight, books.in_flight)
        self.asks.append(ask)
        done = False
        try:
            error = self._fault(number, ask)
            if error is not None:
                done = True
                raise error
            books.prompt_tokens += count_prompt(ask.messages)
            seed, stop = ask.seed or 0, ask.params.get("stop") or ()
            yield [
                self.script.say(ask.messages, seed + i, ask.max_tokens, (stop,) if isinstance(stop, str) else stop)
                for i in range(ask.n)
            ]
            done = True
        finally:
            books.in_flight -= 1
            books.cancelled += not done


def _choice(index: int, said: Said, ask: Ask) -> Choice:
    raw = _raw(said, range(len(said.tokens)), ask)
    return Choice(
        index=index,
        message={"role": "assistant", "content": said.text},
        text=said.text,
        finish=said.finish,
        tokens=len(said.tokens),
        logprobs=summarise_logprobs(list(said.logprobs)),
        raw_logprobs=(raw,) if raw else (),
    )


def _raw(said: Said, places: range, ask: Ask) -> bytes:
    """The ``logprobs`` object of these tokens, where the likeliest were asked for and the script has them."""
    return msgspec.json.encode({"content": said.entries(places)}) if ask.top_logprobs and said.tops else b""


_SETTINGS: dict[str, type] = {
    "accuracy": float, "wrong": int, "words": int, "seed": int, "latency": float, "token_latency": float, "slots": int,
}  # fmt: skip
_MOST = 1_000_000


async def open_fake(text: str, **_options: object) -> FakeModel:
    """Open ``fake`` or ``fake:accuracy=0.6,latency=0.02,words=20``. Raises `BadSpec`."""
    values: dict[str, float] = {}
    for part in filter(None, text.partition(":")[2].split(",")):
        name, _, value = (piece.strip() for piece in part.partition("="))
        try:
            values[name] = _SETTINGS[name](value)
            if not 0 <= values[name] <= _MOST:
                raise ValueError(name)
        except (KeyError, ValueError) as error:
            raise BadSpec(
                f"model {text!r}: {part!r} is not a setting; write fake:NAME=NUMBER with {', '.join(_SETTINGS)} "
                f"and numbers from 0 to {_MOST:,}",
                text,
            ) from error
    own = {name: values.pop(name) for name in ("latency", "token_latency", "slots") if name in values}
    return FakeModel(Script(**values), **own)  # pyright: ignore[reportArgumentType]
