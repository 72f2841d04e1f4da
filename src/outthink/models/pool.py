"""Recorded samples in place of a model: ``pool:FILE.jsonl`` replays a pool, or the trace of a run.

The run's seed names an order of the samples (0: as recorded), so that every seed is another draw without replacement.
A pool answers only the prompt and the temperature it was recorded with; it cannot continue or invent.
"""

from __future__ import annotations

import gzip
import random
import zlib
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import parse_qsl

import anyio.to_thread
import msgspec

from outthink.core.candidate import Finish, LogprobSummary
from outthink.core.errors import BadSpec, InputError, Refused, Unsupported
from outthink.core.mark import Mark
from outthink.core.problem import Message, prompt_fingerprint, text_of
from outthink.core.wire import Ask, Bill, Choice, Delta, Feature, Price, Reply


class Fingerprint(Mark, frozen=True, kw_only=True, omit_defaults=False):
    """What a pool was recorded with."""

    source: str = ""
    max_tokens: int | None = None
    strategy: str = ""
    version: str = ""
    parameters: float | None = None


class PoolSample(msgspec.Struct, frozen=True, kw_only=True):
    """One recorded sample; ``answer`` is its canonical text, or None. Log probabilities are natural; see
    `LogprobSummary`."""

    text: str
    tokens: int
    finish: Finish = "stop"
    answer: str | None = None
    logprob_mean: float | None = None
    logprob_low: float | None = None
    logprob_tail: float | None = None
    logprob_shape: tuple[float, ...] = ()
    scores: dict[str, float | None] = {}
    message: Message | None = None


class PoolRow(msgspec.Struct, frozen=True, kw_only=True):
    """One question with its samples in order of seed; ``answer`` is the gold, which no strategy sees.

    ``extra``: what else the data said of it, for graders (tests, aliases, level, …).
    """

    id: str
    question: str
    samples: tuple[PoolSample, ...]
    answer: Any = None
    kind: str = "auto"
    choices: tuple[str, ...] = ()
    prompt_tokens: int = 0
    fingerprint: Fingerprint = Fingerprint()
    extra: dict[str, Any] = {}


def read_pool(path: Path) -> list[PoolRow]:
    """The rows of a pool, or the one row of a trace. Raises `InputError` naming file and line.

    A last line cut short (the writer was killed) is left out; a line that is broken elsewhere is an error. Where
    an id comes twice (more samples were recorded), the row with most samples stands in the first one's place.
    """
    return [row for _, row in numbered_pool(path)]


def numbered_pool(path: Path) -> list[tuple[int, PoolRow]]:
    """The rows of a pool as `read_pool` gives them, each with the number of its line."""
    try:
        data = path.expanduser().read_bytes()
        lines = (gzip.decompress(data) if path.suffix == ".gz" else data).split(b"\n")
    except (OSError, EOFError, zlib.error) as error:
        told = getattr(error, "strerror", None) or error
        raise InputError(f"the pool {path} cannot be read ({told}); check the path") from error
    if b'"RunStarted"' in lines[0][:40]:
        return [(1, _from_trace(path, lines))]
    rows: dict[str, tuple[int, PoolRow]] = {}
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            row = msgspec.json.decode(line, type=PoolRow)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            if number == len(lines):
                break
            raise InputError(f"the pool {path}, line {number}: {error}; it is not a pool row") from error
        first, known = rows.get(row.id, (number, None))
        if known is not None and known.question != row.question:
            raise InputError(
                f"the pool {path}, line {number}: the id {row.id!r} is that of line {first} already, which asks "
                "something else; give it its own"
            )
        if known is None or len(row.samples) > len(known.samples):
            rows[row.id] = number, row
    if not rows:
        raise InputError(f"the pool {path} holds no rows; record one with: outthink sample DATA.jsonl {path}")
    return list(rows.values())


def _from_trace(path: Path, lines: Sequence[bytes]) -> PoolRow:
    """The samples that a run's trace holds, as a pool of one question."""
    events = [msgspec.json.decode(line, type=dict[str, Any]) for line in lines[:-1] if line.strip()]
    started = events[0]
    question = text_of(next(m for m in reversed(started["messages"]) if m.get("role") == "user"))
    prompt = next((event["messages"] for event in events if event["type"] == "Prompted"), ())
    tokens = [
        event["usage"].get("prompt_tokens", 0) for event in events if event["type"] in ("CallSettled", "Recalled")
    ]
    found = [event["candidate"] for event in events if event["type"] == "Sampled"]
    samples = sorted((one for one in found if one.get("origin", "sample") == "sample"), key=lambda one: one["index"])
    if not samples:
        raise InputError(f"the trace {path} holds no samples to replay")
    return PoolRow(
        id=started["run_id"],
        question=question,
        samples=tuple(_sample(one) for one in samples),
        kind=started["answer_kind"],
        prompt_tokens=max(tokens, default=0),
        fingerprint=Fingerprint(model=started["model"], prompt=prompt_fingerprint(prompt, question)),
    )


def _sample(said: dict[str, Any]) -> PoolSample:
    logprobs: dict[str, Any] = said.get("logprobs") or {}
    return PoolSample(
        text=said["text"],
        tokens=said["tokens"],
        finish=said["finish"],
        logprob_mean=logprobs.get("mean"),
        logprob_low=logprobs.get("low"),
        logprob_tail=logprobs.get("tail"),
        logprob_shape=tuple(logprobs.get("shape") or ()),
        message=said["message"],
    )


class PoolModel:
    """A `Model` that says what was recorded.

    ``checked``: refuse a prompt or temperature that the pool was not recorded with. ``each_prompt``: bill the prompt
    with every request, as a server without prefix sharing would, instead of once a run.
    """

    def __init__(self, path: Path, rows: Sequence[PoolRow], *, checked: bool = True, each_prompt: bool = False) -> None:
        first = rows[0].fingerprint
        self.path, self.checked, self.each_prompt = path, checked, each_prompt
        self.name = first.model or path.stem
        self.source = ""
        self.slots: int | None = None
        self.context: int | None = None
        self.price: Price | None = None
        self.parameters = first.parameters
        self.lacks: set[Feature] = {"stream"}
        self._rows = {row.question: row for row in rows}
        self._known: dict[str, PoolRow] = {}

    async def complete(self, ask: Ask) -> Reply:
        if ask.continues:  # costs nothing: there is no one to ask
            refused = Refused(f"the pool {self.path} cannot go on from a beginning", 501)
            refused.sent = False
            raise refused
        row = self._row(ask)
        if self.checked:
            self._check(ask, row)
        wanted = order(row, (ask.seed or 0) - ask.index)[ask.index : ask.index + ask.n]
        if len(wanted) < ask.n:
            raise too_few(self.path, row, ask.index + ask.n)
        choices = tuple(choice_of(i, row.samples[place], ask.max_tokens) for i, place in enumerate(wanted))
        prompt = row.prompt_tokens if self.each_prompt or ask.index == 0 else 0
        return Reply(choices, Bill(prompt, sum(choice.tokens or 0 for choice in choices)))

    def stream(self, ask: Ask) -> AbstractAsyncContextManager[AsyncIterator[Delta]]:
        raise Unsupported(f"the pool {self.path} does not stream")

    async def count_prompt(self, ask: Ask) -> int | None:
        return None if ask.continues else self._row(ask).prompt_tokens

    async def can_continue(self) -> bool:
        return False

    async def aclose(self) -> None:
        """Nothing to let go of."""

    def _row(self, ask: Ask) -> PoolRow:
        """The row whose question the last message is, or begins with (instructions may follow it)."""
        text = text_of(ask.messages[-1]) if ask.messages else ""
        row = self._rows.get(text) or self._known.get(text)
        if row is None:
            held = [row for question, row in self._rows.items() if text.startswith(question)]
            row = max(held, key=lambda row: len(row.question), default=None)
            if row is None:
                raise InputError(
                    f"the pool {self.path} holds no samples for {text[:60]!r}; it answers only the questions it was "
                    "recorded for"
                )
            self._known[text] = row
        return row

    def _check(self, ask: Ask, row: PoolRow) -> None:
        other = otherwise(row, ask.messages, ask.params.get("temperature"))
        if other is not None:
            raise recorded_otherwise(self.path, other)


def otherwise(row: PoolRow, messages: Sequence[Message], temperature: float | None) -> str | None:
    """How a row was recorded where that is not how it is asked for now; None where it was recorded so."""
    return row.fingerprint.differs(Mark(prompt=prompt_fingerprint(messages, row.question), temperature=temperature))


def recorded_otherwise(path: Path, how: str) -> Unsupported:
    """The error for a pool that was recorded in another way than it is asked."""
    return Unsupported(
        f"the pool {path} was recorded with {how}; replay the technique it was recorded for, record "
        f"another pool, or take it all the same with pool:{path}?check=off"
    )


def too_few(path: Path, row: PoolRow, wanted: int) -> InputError:
    """The error for more samples than there are."""
    return InputError(
        f"the pool {path} holds {len(row.samples)} samples of {row.id!r}, and sample {wanted} is asked for; lower n, "
        "or record more"
    )


def order(row: PoolRow, seed: int) -> Sequence[int]:
    """The order in which a run of this seed meets the samples: each once."""
    places = range(len(row.samples))
    return places if seed == 0 else random.Random(f"{seed} {row.id}").sample(places, len(places))


def choice_of(index: int, found: PoolSample, limit: int | None) -> Choice:
    """A sample as a choice; cut at the limit in proportion to its text, which is all that is known of its tokens."""
    cut = limit is not None and found.tokens > limit
    text = found.text[: len(found.text) * (limit or 0) // found.tokens] if cut else found.text
    return Choice(
        index=index,
        message={"role": "assistant", "content": text} if cut or found.message is None else found.message,
        text=text,
        finish="length" if cut else found.finish,
        tokens=limit if cut else found.tokens,
        logprobs=summary_of(found),
        scores={} if cut else found.scores,
    )


def summary_of(found: PoolSample) -> LogprobSummary | None:
    """A sample's log probabilities as they were recorded; None where they were not."""
    mean, low, tail = found.logprob_mean, found.logprob_low, found.logprob_tail
    if mean is None:
        return None
    return LogprobSummary(mean, mean if low is None else low, mean if tail is None else tail, shape=found.logprob_shape)


class PoolText(NamedTuple):
    """What a pool's text means; see `PoolModel`."""

    path: Path
    checked: bool
    each_prompt: bool


def pool_text(text: str) -> PoolText:
    """Read ``pool:FILE.jsonl`` or ``pool:FILE.jsonl?check=off&prompts=each``. Raises `BadSpec`."""
    name, _, query = text.removeprefix("pool:").partition("?")
    options = dict(parse_qsl(query, keep_blank_values=True))
    if not name or (
        set(options.items()) - {("check", "off"), ("check", "on"), ("prompts", "each"), ("prompts", "once")}
    ):
        raise BadSpec(
            f"model {text!r}: write pool:FILE.jsonl, with ?check=off or ?prompts=each after it if need be", text
        )
    return PoolText(Path(name), options.get("check") != "off", options.get("prompts") == "each")


async def open_pool(text: str, **_options: object) -> PoolModel:
    """Open a pool by its text (`pool_text`). Raises `BadSpec`, `InputError`."""
    path, checked, each_prompt = pool_text(text)
    rows = await anyio.to_thread.run_sync(read_pool, path)
    return PoolModel(path, rows, checked=checked, each_prompt=each_prompt)
