"""From a server's bytes to `Reply` and `Delta`, its own counting corrected where it is known to be off.

llama.cpp bills one choice only in a plain reply (its ``logprobs`` list is right for each), and sends one
bill per choice in a stream; it is known by the ``timings`` in its replies.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

import msgspec

from outthink.core.candidate import Finish, summarise_logprobs
from outthink.core.errors import BadReply
from outthink.core.problem import Message, text_of
from outthink.core.wire import Bill, Choice, Delta, Reply

Dialect = Literal["openai", "llamacpp"]


class _Token(msgspec.Struct):
    logprob: float


class _Logprobs(msgspec.Struct):
    content: list[_Token] | None = None


class _Details(msgspec.Struct):
    cached_tokens: int | None = None
    reasoning_tokens: int | None = None


class _Usage(msgspec.Struct):
    prompt_tokens: int = 0
    completion_tokens: int | None = 0
    prompt_tokens_details: _Details | None = None
    completion_tokens_details: _Details | None = None

    def bill(self) -> Bill:
        prompt, completion = self.prompt_tokens_details, self.completion_tokens_details
        return Bill(
            self.prompt_tokens,
            self.completion_tokens or 0,
            (prompt and prompt.cached_tokens) or 0,
            (completion and completion.reasoning_tokens) or 0,
        )


class _Timings(msgspec.Struct):
    predicted_n: int = 0


class _Choice(msgspec.Struct):
    index: int = 0
    message: dict[str, Any] | None = None
    delta: dict[str, Any] | None = None
    finish_reason: str | None = None
    logprobs: msgspec.Raw = msgspec.Raw()

    @property
    def raw_logprobs(self) -> bytes:
        """This piece's ``logprobs`` as sent, empty where there are none."""
        raw = bytes(self.logprobs)
        return b"" if raw == b"null" else raw

    def entries(self) -> list[float] | None:
        """Log probabilities of this piece's tokens, None where the server sent none."""
        raw = self.raw_logprobs
        try:
            content = _decode_logprobs(raw).content if raw else None
        except msgspec.DecodeError:  # of a form that is not the protocol's
            return None
        return None if content is None else [token.logprob for token in content]


class _Body(msgspec.Struct):
    choices: list[_Choice] = []
    usage: _Usage | None = None
    timings: _Timings | None = None
    error: Any = None


_decode = msgspec.json.Decoder(_Body).decode
_decode_logprobs = msgspec.json.Decoder(_Logprobs).decode
_READ = ("role", "content", "reasoning_content", "reasoning", "tool_calls")
_FINISH: dict[str, Finish] = {
    "stop": "stop",
    "length": "length",
    "tool_calls": "tool_calls",
    "function_call": "tool_calls",
    "content_filter": "error",
}


def _parse(data: bytes, where: str) -> _Body:
    try:
        body = _decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadReply(f"{where} sent a reply that cannot be read ({error})") from error
    if body.error:
        raise BadReply(f"{where} sent an error in its reply: {body.error}")
    return body


def read_reply(data: bytes, where: str, known: Dialect | None) -> tuple[Reply, Dialect]:
    """A plain reply and the dialect it shows. Raises `BadReply`."""
    body = _parse(data, where)
    if not body.choices:
        raise BadReply(f"{where} sent a reply without choices")
    dialect: Dialect = "llamacpp" if body.timings is not None else known or "openai"
    choices = tuple(_choice(choice) for choice in sorted(body.choices, key=lambda c: c.index))
    bill = body.usage and body.usage.bill()
    if bill is not None and dialect == "llamacpp" and len(choices) > 1:
        counted = [choice.tokens for choice in choices if choice.tokens is not None]
        whole = len(counted) == len(choices)
        bill = msgspec.structs.replace(bill, completion_tokens=sum(counted)) if whole else None
    if bill is not None and len(choices) == 1:
        choices = (msgspec.structs.replace(choices[0], tokens=bill.completion_tokens),)
    return Reply(choices, bill), dialect


def _choice(choice: _Choice) -> Choice:
    message: Message = choice.message or {"role": "assistant", "content": ""}
    entries = choice.entries()
    return Choice(
        index=choice.index,
        message=message,
        text=text_of(message),
        reasoning=message.get("reasoning_content") or message.get("reasoning"),
        finish=_FINISH.get(choice.finish_reason or "stop", "stop"),
        tokens=None if entries is None else len(entries),
        logprobs=summarise_logprobs(entries) if entries else None,
        raw_logprobs=(choice.raw_logprobs,) if entries else (),
    )


class _Count(msgspec.Struct):
    input_tokens: int | None = None
    count: int | None = None


def read_count(data: bytes) -> int | None:
    """The count in a tokenizer's reply (``input_tokens`` or ``count``), or None."""
    try:
        found = msgspec.json.decode(data, type=_Count)
    except msgspec.DecodeError:
        return None
    return found.count if found.input_tokens is None else found.input_tokens


class StreamReader:
    """Server-sent events to deltas: `feed` bytes, then `finish` for the bill.

    ``done`` after ``[DONE]``. A stream that ends without it and without a finish for every choice was cut.
    """

    def __init__(self, where: str, dialect: Dialect | None) -> None:
        self.dialect: Dialect | None = dialect
        self.done = False
        self._where = where
        self._rest = b""
        self._bills: list[Bill] = []
        self._counted: dict[int, int] = {}
        self._open: set[int] = set()

    def feed(self, data: bytes) -> Iterator[Delta]:
        """The deltas of the whole lines in ``data``; half a line is kept for the next."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            if not line.startswith(b"data:"):
                continue
            payload = line[5:].strip()
            if payload == b"[DONE]":
                self.done = True
                return
            yield from self._event(_parse(payload, self._where))

    def finish(self) -> Delta:
        """The last delta, which carries the bill. Raises `BadReply` when the stream was cut."""
        if self._open or not (self.done or self._counted):
            raise BadReply(f"{self._where} cut its stream before the end")
        if not self._bills:
            return Delta(index=None)
        last = self._bills[-1]
        if self.dialect == "llamacpp":
            total = sum(bill.completion_tokens for bill in self._bills)
            last = msgspec.structs.replace(last, completion_tokens=total)
        return Delta(index=None, bill=last)

    def _event(self, body: _Body) -> Iterator[Delta]:
        if body.timings is not None:
            self.dialect = "llamacpp"
        if body.usage is not None:
            self._bills.append(body.usage.bill())
        for choice in body.choices:
            yield self._delta(choice, body.timings)

    def _delta(self, choice: _Choice, timings: _Timings | None) -> Delta:
        piece = choice.delta or {}
        text, reasoning = (
            piece.get("content") or "",
            piece.get("reasoning_content") or piece.get("reasoning") or "",
        )
        calls = tuple(piece.get("tool_calls") or ())
        entries = choice.entries()
        before = self._counted.get(choice.index, 0)
        if timings is not None and timings.predicted_n:
            tokens = max(0, timings.predicted_n - before)
        elif entries is not None:
            tokens = len(entries)
        else:
            tokens = 1 if text or reasoning or calls else 0
        self._counted[choice.index] = before + tokens
        if choice.finish_reason is None:
            self._open.add(choice.index)
        else:
            self._open.discard(choice.index)
        return Delta(
            index=choice.index,
            text=text,
            reasoning=reasoning,
            tokens=tokens,
            logprobs=tuple(entries or ()),
            raw_logprobs=choice.raw_logprobs if entries else b"",
            tool_calls=calls,
            extra={name: value for name, value in piece.items() if name not in _READ},
            finish=_FINISH.get(choice.finish_reason, "stop") if choice.finish_reason else None,
        )
