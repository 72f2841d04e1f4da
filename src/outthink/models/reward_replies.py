"""What reward servers reply, as pure functions; the sources of these facts are named in `reward_wire`."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

import msgspec

from outthink.core.errors import BadReply
from outthink.core.wire import Bill, RateCall, Rating

Values = Sequence[float]


class _Meta(msgspec.Struct):
    prompt_tokens: int | None = None


class _Details(msgspec.Struct):
    cached_tokens: int | None = None


class _Usage(msgspec.Struct):
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    prompt_tokens_details: _Details | None = None


class _Row(msgspec.Struct):
    """One text's values, under the name that its endpoint gives them."""

    index: int | None = None
    data: list[float | list[float]] | None = None
    probs: list[float | list[float]] | None = None
    embedding: list[float | list[float]] | float | None = None
    score: float | None = None
    relevance_score: float | None = None
    meta_info: _Meta | None = None


class _Top(msgspec.Struct):
    token: str
    logprob: float


class _Place(msgspec.Struct):
    top_logprobs: list[_Top] = []


class _Logprobs(msgspec.Struct):
    content: list[_Place] | None = None
    top_logprobs: list[dict[str, float]] | None = None


class _Choice(msgspec.Struct):
    index: int | None = None
    logprobs: _Logprobs | None = None


class _Body(msgspec.Struct):
    data: list[_Row] | None = None
    results: list[_Row] | None = None
    choices: list[_Choice] | None = None
    scores: list[float | list[float]] | None = None
    embedding: list[float | list[float]] | float | None = None
    meta_info: _Meta | None = None
    usage: _Usage | None = None


_decode = msgspec.json.Decoder(_Body | list[_Row]).decode


def read(data: bytes, call: RateCall, where: str) -> Rating:
    """The values and the bill in a reply. Raises `BadReply` for one that cannot be read.

    An answer with another number of values than it has steps has none.
    """
    try:
        body = _decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadReply(f"{where} sent a reply that is no rating ({error}); is it a reward model?") from error
    found = _READ[call.endpoint](body, call)
    if len(found) != len(call.answers):
        raise BadReply(f"{where} rated {len(found)} texts of {len(call.answers)}; is it a reward model?")
    return Rating(tuple(_fitting(values, count) for values, count in zip(found, call.values, strict=True)), _bill(body))


def _fitting(values: Values, count: int) -> tuple[float, ...]:
    return tuple(values) if len(values) == count and all(map(math.isfinite, values)) else ()


def _rows(body: _Body | list[_Row]) -> list[_Row]:
    """One row a text, in the order of the texts."""
    if isinstance(body, _Body):
        alone = [] if body.embedding is None else [_Row(embedding=body.embedding, meta_info=body.meta_info)]
        rows = body.data or body.results or alone
    else:
        rows = body
    return sorted(rows, key=lambda row: row.index or 0)


def _read_pooled(body: _Body | list[_Row], call: RateCall) -> list[Values]:
    return [_pooled(row, call.process) for row in _rows(body)]


def _pooled(row: _Row, process: bool) -> Values:
    """A value a step (of a row of classes the last, which is "right"); of a whole text the last token's."""
    given = row.data or row.probs or row.embedding or []
    parts = given if isinstance(given, list) else [given]
    flat = [(part[-1] if part else math.nan) if isinstance(part, list) else part for part in parts]
    return flat if process else flat[-1:]


def _read_scored(body: _Body | list[_Row], call: RateCall) -> list[Values]:
    if isinstance(body, _Body) and body.scores is not None:  # SGLang: the probability of each label, right first
        return [scores[:1] if isinstance(scores, list) else [scores] for scores in body.scores]
    return [[] if row.score is None else [row.score] for row in _rows(body)]


def _read_reranked(body: _Body | list[_Row], call: RateCall) -> list[Values]:
    found = (row.score if row.relevance_score is None else row.relevance_score for row in _rows(body))
    return [[] if value is None else [value] for value in found]


def _read_signs(body: _Body | list[_Row], call: RateCall) -> list[Values]:
    choices = (body.choices or []) if isinstance(body, _Body) else []
    return [_chance(_likeliest(choice)) for choice in sorted(choices, key=lambda choice: choice.index or 0)]


def _likeliest(choice: _Choice) -> Mapping[str, float]:
    """The likeliest tokens at a choice's first place, as chat or as completions give them."""
    given = choice.logprobs or _Logprobs()
    if given.content:
        return {top.token: top.logprob for top in given.content[0].top_logprobs}
    return given.top_logprobs[0] if given.top_logprobs else {}


def _chance(likeliest: Mapping[str, float]) -> Values:
    """The probability of ``+`` against ``-``; nothing where neither is among the likeliest."""
    signs = {"+": 0.0, "-": 0.0}
    for token, logprob in likeliest.items():
        if (sign := token.strip("▁ ")) in signs:
            signs[sign] += math.exp(logprob)
    whole = signs["+"] + signs["-"]
    return [signs["+"] / whole] if whole else []


def _read_plain(body: _Body | list[_Row], call: RateCall) -> list[Values]:
    scores = (body.scores or []) if isinstance(body, _Body) else []
    return [given if isinstance(given, list) else [given] for given in scores]


_READ: dict[str, Callable[[_Body | list[_Row], RateCall], list[Values]]] = {
    "pooling": _read_pooled,
    "classify": _read_pooled,
    "score": _read_scored,
    "rerank": _read_reranked,
    "chat": _read_signs,
    "completions": _read_signs,
    "plain": _read_plain,
}


def _bill(body: _Body | list[_Row]) -> Bill | None:
    """What a reply says it cost: ``usage``, or SGLang's ``meta_info`` of each text."""
    usage = body.usage if isinstance(body, _Body) else None
    if usage is not None and usage.prompt_tokens is not None:
        cached = (usage.prompt_tokens_details or _Details()).cached_tokens
        return Bill(usage.prompt_tokens, usage.completion_tokens or 0, cached or 0)
    each = [None if row.meta_info is None else row.meta_info.prompt_tokens for row in _rows(body)]
    known = [tokens for tokens in each if tokens is not None]
    return Bill(sum(known), 0) if known and len(known) == len(each) else None
