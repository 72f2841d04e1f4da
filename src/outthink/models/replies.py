"""From a server's bytes to `Reply` and `Delta`, its own counting corrected where it is known to be off.

Where a server bills one choice only in a plain reply (llama.cpp), its ``logprobs`` list is right for each; it is
known by the ``timings`` in its replies.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any

import msgspec

from outthink.core.candidate import Finish, summarise_logprobs
from outthink.core.errors import BadReply
from outthink.core.problem import Message, text_of
from outthink.core.wire import Bill, Choice, Delta, Reply
from outthink.models.dialects import DIALECTS, Dialect
from outthink.models.refusals import error_object, one_line

_Count = Annotated[int, msgspec.Meta(ge=-(1 << 53), le=1 << 53)]  # what JSON numbers hold exactly
_LONGEST_LINE = 8 << 20
"""Bytes of one line of a stream; a server that sends more without an end is not sending events."""
_LOWEST = -9999.0
"""Stands for a log probability of minus infinity, which JSON cannot say (vLLM sends the same)."""


class _Token(msgspec.Struct):
    logprob: float | None = None


class _Logprobs(msgspec.Struct):
    content: list[_Token] | None = None


class _Details(msgspec.Struct):
    cached_tokens: _Count | None = None
    reasoning_tokens: _Count | None = None


class _Usage(msgspec.Struct):
    prompt_tokens: _Count | None = None
    completion_tokens: _Count | None = None
    prompt_tokens_details: _Details | None = None
    completion_tokens_details: _Details | None = None

    def bill(self) -> Bill | None:
        """The bill, or None where this is none: a count missing, negative, or of a prompt without a token."""
        prompt, completion = self.prompt_tokens, self.completion_tokens
        if prompt is None or completion is None or prompt < 1 or completion < 0:
            return None
        of_prompt, of_completion = self.prompt_tokens_details, self.completion_tokens_details
        cached = (of_prompt and of_prompt.cached_tokens) or 0
        reasoning = (of_completion and of_completion.reasoning_tokens) or 0
        return Bill(prompt, completion, min(max(0, cached), prompt), min(max(0, reasoning), completion))


class _Timings(msgspec.Struct):
    predicted_n: _Count = 0


class _Function(msgspec.Struct, omit_defaults=True):
    name: str | None = None
    arguments: str | None = None


class _ToolCall(msgspec.Struct, omit_defaults=True):
    index: int | None = None
    id: str | None = None
    function: _Function | None = None


class _Said(msgspec.Struct):
    """What is read of a message or a piece of one, for its types; the message itself is kept as it came."""

    content: str | list[dict[str, Any]] | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None
    tool_calls: list[_ToolCall] | None = None


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


class _Body(msgspec.Struct):
    choices: list[_Choice] | None = None
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
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadReply(f"{where} sent a reply that cannot be read ({one_line(str(error))})") from error
    if body.error:
        said = error_object(data).get("message") or body.error
        raise BadReply(f"{where} sent an error in its reply: {one_line(str(said))}")
    return body


def _entries(raw: bytes) -> list[float] | None:
    """Log probabilities of the tokens in a ``logprobs`` object, None where the server sent none."""
    try:
        content = _decode_logprobs(raw).content if raw else None
    except msgspec.DecodeError:  # of a form that is not the protocol's
        return None
    if content is None:
        return None
    given = (token.logprob for token in content)
    return [_LOWEST if value is None else min(0.0, max(_LOWEST, value)) for value in given]


def _said(message: dict[str, Any], where: str) -> _Said:
    try:
        return msgspec.convert(message, _Said)
    except msgspec.ValidationError as error:
        raise BadReply(f"{where} sent a message that cannot be read ({error})") from error


def read_reply(
    data: bytes, where: str, known: Dialect | None, n: int = 1, said: str = ""
) -> tuple[Reply, Dialect | None]:
    """A plain reply to a request for ``n`` choices, and the dialect as far as it is known. Raises `BadReply`.

    ``said``: the beginning it was to go on from, taken off where the server repeats it.
    """
    body = _parse(data, where)
    if not body.choices:
        raise BadReply(f"{where} sent a reply without choices")
    dialect = DIALECTS["llamacpp"] if body.timings is not None else known
    choices = _numbered([_choice(choice, where) for choice in sorted(body.choices, key=lambda c: c.index)], n)
    bill = body.usage and body.usage.bill()
    if said and dialect is not None and dialect.echoes:
        choices = tuple(_without(choice, said) for choice in choices)
    if bill is not None and dialect is not None and dialect.bills_choices and len(choices) > 1:
        counted = [choice.tokens for choice in choices if choice.tokens is not None]
        whole = len(counted) == len(choices)
        bill = msgspec.structs.replace(bill, completion_tokens=sum(counted)) if whole else None
    if bill is not None and len(choices) == 1:
        choices = (msgspec.structs.replace(choices[0], tokens=bill.completion_tokens),)
    return Reply(choices, bill), dialect


def _without(choice: Choice, said: str) -> Choice:
    return msgspec.structs.replace(choice, text=choice.text.removeprefix(said))


def _numbered(choices: list[Choice], n: int) -> tuple[Choice, ...]:
    """Choices with the server's own numbers where these are sound, else numbered as they came."""
    numbers = {choice.index for choice in choices}
    if len(numbers) == len(choices) and all(0 <= number < n for number in numbers):
        return tuple(choices)
    return tuple(msgspec.structs.replace(choice, index=i) for i, choice in enumerate(choices))


def _choice(choice: _Choice, where: str) -> Choice:
    message: Message = choice.message or {"role": "assistant", "content": ""}
    said, raw = _said(message, where), choice.raw_logprobs
    entries = _entries(raw)
    return Choice(
        index=choice.index,
        message=message,
        text=text_of(message),
        reasoning=said.reasoning_content or said.reasoning,
        finish=_FINISH.get(choice.finish_reason or "stop", "stop"),
        tokens=None if entries is None else len(entries),
        logprobs=summarise_logprobs(entries) if entries else None,
        raw_logprobs=(raw,) if entries else (),
    )


class _Counted(msgspec.Struct):
    input_tokens: _Count | None = None
    count: _Count | None = None


def read_count(data: bytes) -> int | None:
    """The count in a tokenizer's reply (``input_tokens`` or ``count``), or None."""
    try:
        found = msgspec.json.decode(data, type=_Counted)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    count = found.count if found.input_tokens is None else found.input_tokens
    return count if count is not None and count > 0 else None


class StreamReader:
    """Server-sent events to deltas, for a request of ``n`` choices: `feed` bytes, then `finish` for the bill.

    ``done`` after ``[DONE]``. A stream that ends without it and without a finish for every choice was cut.
    """

    def __init__(self, where: str, dialect: Dialect | None, n: int = 1) -> None:
        self.dialect: Dialect | None = dialect
        self.done = False
        self._where, self._n = where, n
        self._rest = b""
        self._lines: list[bytes] = []
        self._bills: list[Bill] = []
        self._counted: dict[int, int] = {}
        self._open: set[int] = set()

    def feed(self, data: bytes) -> Iterator[Delta]:
        """The deltas of the whole lines in ``data``; half a line is kept for the next. Raises `BadReply`."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        if len(self._rest) > _LONGEST_LINE:
            raise BadReply(f"{self._where} sent a line of more than {_LONGEST_LINE >> 20} MB in its stream")
        for line in lines:
            if line.startswith(b"data:"):
                yield from self._line(line[5:].strip())
                if self.done:
                    return
            elif self._lines and not line.strip():
                yield from self._dispatch()

    def _line(self, payload: bytes) -> Iterator[Delta]:
        """One line of data: of an event of its own, or one more of the event before it."""
        if self._lines and (payload == b"[DONE]" or _is_json(b"\n".join(self._lines))):
            yield from self._dispatch()  # no empty line came between
        if payload == b"[DONE]":
            self.done = True
        elif payload:
            self._lines.append(payload)

    def _dispatch(self) -> Iterator[Delta]:
        data, self._lines = b"\n".join(self._lines), []
        yield from self._event(_parse(data, self._where))

    def finish(self) -> Delta:
        """The last delta, which carries the bill. Raises `BadReply` when the stream was cut."""
        if self._open or not self._counted:
            raise BadReply(f"{self._where} cut its stream before the end")
        if not self._bills:
            return Delta(index=None)
        last = self._bills[-1]
        if self.dialect is not None and self.dialect.bills_choices:
            total = sum(bill.completion_tokens for bill in self._bills)
            last = msgspec.structs.replace(last, completion_tokens=total)
        return Delta(index=None, bill=last)

    def _event(self, body: _Body) -> Iterator[Delta]:
        if body.timings is not None:
            self.dialect = DIALECTS["llamacpp"]
        if body.usage is not None and (bill := body.usage.bill()) is not None:
            self._bills.append(bill)
        for choice in body.choices or ():
            if not 0 <= choice.index < self._n:
                raise BadReply(f"{self._where} sent choice {choice.index} of the {self._n} it was asked for")
            if choice.index in self._open or choice.index not in self._counted:  # once ended, a choice has ended
                yield self._delta(choice, body.timings)

    def _delta(self, choice: _Choice, timings: _Timings | None) -> Delta:
        piece = choice.delta or {}
        said, text = _said(piece, self._where), text_of(piece)
        reasoning = said.reasoning_content or said.reasoning or ""
        calls = tuple(_tool_call(call, place) for place, call in enumerate(said.tool_calls or ()))
        raw = choice.raw_logprobs
        entries = _entries(raw)
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
            raw_logprobs=raw if entries else b"",
            tool_calls=calls,
            extra={name: value for name, value in piece.items() if name not in _READ},
            finish=_FINISH.get(choice.finish_reason, "stop") if choice.finish_reason else None,
        )


def _tool_call(call: _ToolCall, place: int) -> dict[str, Any]:
    piece: dict[str, Any] = msgspec.to_builtins(call)
    return piece if call.index is not None else {**piece, "index": place}


def _is_json(data: bytes) -> bool:
    try:
        msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False
    return True
