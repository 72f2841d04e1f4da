"""From a run's events and its result to the chunks of a stream. Pure: it knows no socket."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from outthink.core.candidate import Candidate, Result
from outthink.core.events import Event, Grew, Voted
from outthink.core.problem import Message
from outthink.gateway.reply import Head, finish_reason, logprobs_of, message_of, ranked, thought, usage_of
from outthink.gateway.request import ChatRequest

Chunk = dict[str, Any]
DONE = b"data: [DONE]\n\n"
PING = b": ping\n\n"
_encode = msgspec.json.Encoder().encode


def sse(data: object) -> bytes:
    """One server-sent event."""
    return b"data: " + _encode(data) + b"\n\n"


class Chunks:
    """The chunks of one reply: `take` each event, then `end` with the result.

    A live sample's pieces go out as they come; a vote's progress goes out as reasoning, and its answer at the end.
    Choices are opened in order, as OpenAI's clients expect.
    """

    def __init__(self, head: Head, request: ChatRequest) -> None:
        self._head, self._request = head, request
        self._opened = 0
        self._live = False

    def take(self, event: Event) -> Iterator[Chunk]:
        """What an event adds to the reply."""
        if isinstance(event, Grew):
            self._live = True
            yield from self._open(event.index)
            if event.delta or event.logprobs:
                yield self._chunk(event.index, event.delta, logprobs=logprobs_of(event.logprobs))
        elif isinstance(event, Voted):
            yield from self._open(0)
            yield self._chunk(0, {"reasoning_content": _progress(event)})

    def end(self, result: Result, events: Sequence[Event]) -> Iterator[Chunk]:
        """What is left to say: the answer unless it has been shown already, then finish reasons and usage."""
        if self._live:
            shown = {found.index: found for found in result.candidates if found.index < self._opened}
        else:
            shown = dict(enumerate(ranked(result, self._request.n)))
            for index, found in shown.items():
                yield from self._open(index)
                yield self._whole(index, found)
        for index in range(self._opened):
            more = {"outthink": thought(result, self._request, events)} if index == self._opened - 1 else {}
            reason = finish_reason(shown[index]) if index in shown else "length"  # lost on its way
            yield self._chunk(index, {}, reason) | more
        if self._request.include_usage:
            yield self._base() | {"choices": [], "usage": usage_of(result, list(shown.values()))}

    def _open(self, index: int) -> Iterator[Chunk]:
        while self._opened <= index:
            yield self._chunk(self._opened, {"role": "assistant", "content": ""})
            self._opened += 1

    def _whole(self, index: int, found: Candidate) -> Chunk:
        return self._chunk(index, _as_delta(message_of(found)), logprobs=logprobs_of(found.token_logprobs))

    def _chunk(self, index: int, delta: Message, finish: str | None = None, logprobs: object = None) -> Chunk:
        choice = {"index": index, "delta": delta, "finish_reason": finish, "logprobs": logprobs}
        return self._base() | {"choices": [choice]} | ({"usage": None} if self._request.include_usage else {})

    def _base(self) -> Chunk:
        head = self._head
        return {
            "id": head.id,
            "object": "chat.completion.chunk",
            "created": head.created,
            "model": head.model,
        }


def _as_delta(message: Message) -> Message:
    """A whole message as one delta; tool calls carry the index that deltas need."""
    delta = {name: value for name, value in message.items() if name != "role" and value is not None}
    if calls := delta.get("tool_calls"):
        delta["tool_calls"] = [{"index": index, **call} for index, call in enumerate(calls)]
    return delta


def _progress(event: Voted) -> str:
    """A vote as it stands, in one line."""
    votes = ", ".join(f"{answer}: {count}" for answer, count in list(event.votes.items())[:5])
    return f"{event.seen} of {event.n} samples; votes {votes or 'none yet'}\n"
