"""From the bytes of a request to what the engine is asked; nothing is dropped in silence.

All that the engine does not carry out itself goes into `Problem.params` by its own name and reaches the model as it
came. What is read here is checked here, so that a bad value costs nothing.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Collection, Mapping
from typing import Annotated, Any, Literal, cast, get_args

import msgspec
from msgspec import Meta

from outthink import plugins
from outthink.core.errors import InputError
from outthink.core.problem import Problem
from outthink.core.usage import Budget
from outthink.gateway.errors import Rejected

Effort = Literal["none", "minimal", "low", "medium", "high", "xhigh"]
_EFFORTS = {"minimal": "low", "low": "low", "medium": "medium", "high": "high", "xhigh": "high"}
"""What `auto` makes of an effort that thinks at all."""
_CONSUMED = ("model", "messages", "stream", "stream_options", "reasoning_effort", "outthink")
"""Fields that end here; all others are the model's."""


class Thinking(msgspec.Struct, forbid_unknown_fields=True):
    """The ``outthink`` object of a request: how much to think."""

    strategy: str | None = None
    budget: dict[str, int | float] | str | None = None

    def limits(self) -> Budget | None:
        """The budget, None without one; raises `BadSpec`."""
        if self.budget is None or isinstance(self.budget, str):
            return None if self.budget is None else Budget.parse(self.budget)
        return Budget.parse(",".join(f"{name}={value}" for name, value in self.budget.items()))


class _StreamOptions(msgspec.Struct):
    include_usage: bool | None = None


class _Message(msgspec.Struct):
    role: str
    content: str | list[dict[str, Any]] | None = None


class _Body(msgspec.Struct):
    """The fields that are read on the way, by the protocol's types and ranges."""

    model: str
    messages: Annotated[list[_Message], Meta(min_length=1)]
    n: Annotated[int, Meta(ge=1, le=128)] | None = None
    stream: bool | None = None
    stream_options: _StreamOptions | None = None
    temperature: Annotated[float, Meta(ge=0, le=2)] | None = None
    top_p: Annotated[float, Meta(ge=0, le=1)] | None = None
    max_tokens: Annotated[int, Meta(ge=1)] | None = None
    max_completion_tokens: Annotated[int, Meta(ge=1)] | None = None
    seed: int | None = None
    stop: str | list[str] | None = None
    logprobs: bool | None = None
    top_logprobs: Annotated[int, Meta(ge=0, le=20)] | None = None
    tools: list[dict[str, Any]] | None = None
    response_format: dict[str, Any] | None = None
    reasoning_effort: str | None = None
    outthink: Thinking | None = None


class ChatRequest(msgspec.Struct, frozen=True, kw_only=True):
    """One request, understood. ``asked`` is its model field as sent, ``model`` the model's text for the engine."""

    asked: str
    model: str
    problem: Problem
    strategy: str | None
    budget: Budget | None
    seed: int
    n: int = 1
    stream: bool = False
    include_usage: bool = False


def read_chat(
    data: bytes, models: Mapping[str, str], default: str | None, aliases: Collection[str] = ()
) -> ChatRequest:
    """A chat completion request. ``models``: texts by public id; ``aliases``: of the configuration, which a client's
    strategy may name besides. Raises `InputError` before anything is spent."""
    given, body = _read(data)
    _check(given, body)
    model, suffix = _model(body.model, models)
    thinking = body.outthink or Thinking()
    explicit = thinking.strategy or suffix
    strategy = explicit or default
    if explicit is not None:
        _check_reach(explicit, {*models, *aliases})
    if strategy is not None:
        _check_strategy(strategy)
    params = {name: value for name, value in given.items() if name not in _CONSUMED}
    if body.reasoning_effort is not None and explicit is not None and plugins.strategy_text(explicit) == "direct":
        params["reasoning_effort"] = body.reasoning_effort
    elif body.reasoning_effort not in (None, *get_args(Effort)):
        efforts = ", ".join(get_args(Effort))
        raise Rejected(f"reasoning_effort takes {efforts}, not {body.reasoning_effort!r}", param="reasoning_effort")
    else:
        strategy = _with_effort(strategy, body.reasoning_effort, explicit is not None)
    tools = tuple(params.pop("tools")) if body.tools else ()
    return ChatRequest(
        asked=body.model,
        model=model,
        problem=Problem.of(Problem(messages=tuple(given["messages"]), tools=tools, params=params)),
        strategy=strategy,
        budget=thinking.limits(),
        seed=secrets.randbelow(1 << 31) if body.seed is None else body.seed,
        n=body.n or 1,
        stream=bool(body.stream),
        include_usage=bool(body.stream_options and body.stream_options.include_usage),
    )


def _read(data: bytes) -> tuple[dict[str, Any], _Body]:
    """The body as it came (without nulls, which mean "not given"), and the fields that are read of it."""
    try:
        given = msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Rejected(f"the body is not JSON ({error}); send one JSON object") from error
    if not isinstance(given, dict):
        raise Rejected("the body is not a JSON object; send one with model and messages")
    fields = cast("dict[str, Any]", given)
    known = set(_Body.__struct_fields__)
    fields = {name: value for name, value in fields.items() if value is not None or name not in known}
    try:
        return fields, msgspec.convert(fields, _Body)
    except msgspec.ValidationError as error:
        raise _invalid(str(error)) from error


def _invalid(told: str) -> Rejected:
    """A validation error with the field it is about."""
    reason, _, path = told.partition(" - at ")
    place = path.strip("`").removeprefix("$").removeprefix(".")
    missing = re.search(r"missing required field `(\w+)`", reason)
    named = missing[1] if missing and not place else re.split(r"[.\[]", place)[0]
    return Rejected(f"{place}: {reason}" if place else reason, param=named or None)


def _check(given: dict[str, Any], body: _Body) -> None:
    """What the protocol says of fields together."""
    if body.max_tokens is not None and body.max_completion_tokens is not None:
        raise Rejected("give max_tokens or max_completion_tokens, not both", param="max_tokens")
    if body.top_logprobs is not None and not body.logprobs:
        raise Rejected("top_logprobs needs logprobs: true", param="top_logprobs")
    options: dict[str, Any] = given.get("stream_options") or {}
    if options and not body.stream:
        raise Rejected("stream_options needs stream: true", param="stream_options")
    for name, value in options.items():
        if value and name != "include_usage":
            raise Rejected(f"stream_options.{name} cannot be honoured here; leave it out", param="stream_options")


def _model(asked: str, models: Mapping[str, str]) -> tuple[str, str | None]:
    """The model's text and the strategy behind its name, for ``MODEL`` or ``MODEL+STRATEGY``."""
    if asked in models:
        return models[asked], None
    for name in sorted(models, key=len, reverse=True):
        if asked.startswith(f"{name}+"):
            return models[name], asked[len(name) + 1 :]
    raise unknown_model(asked, models)


def unknown_model(asked: str, models: Mapping[str, str]) -> Rejected:
    """The error for a model this gateway does not serve."""
    return Rejected(
        f"the model {asked!r} does not exist here; use {', '.join(models)}, or MODEL+STRATEGY",
        status=404,
        param="model",
        code="model_not_found",
    )


def _with_effort(strategy: str | None, effort: str | None, explicit: bool) -> str | None:
    """The strategy for an effort, which an explicit strategy without such a parameter is above."""
    if effort == "none" and not explicit:
        return "direct"
    if effort not in _EFFORTS:
        return strategy
    asked = plugins.with_argument(strategy or "auto", "effort", _EFFORTS[effort])
    return asked or (strategy if explicit else f"auto(effort={_EFFORTS[effort]})")


def _check_reach(text: str, known: Collection[str]) -> None:
    """A client's strategy may name this server's models and none of its files, nor any server of its own choice: the
    server's key would be sent there."""
    try:
        reached = plugins.reached_for(text)
    except InputError as error:
        raise Rejected(str(error), param="strategy", code="invalid_strategy") from error
    for name, value in reached:
        if name in plugins.FILES:
            told = f"{name} names a file of the server, which a request may not; have it set as the server's strategy"
        elif value not in known:
            told = f"{name}={value!r} is no model of this server; use {', '.join(sorted(known))}"
        else:
            continue
        raise Rejected(told, param="strategy", code="invalid_strategy")


def _check_strategy(text: str) -> None:
    try:
        plugins.strategy(text)
    except InputError as error:
        raise Rejected(str(error), param="strategy", code="invalid_strategy") from error
