"""What the servers that speak the OpenAI protocol do differently, as one table.

Facts measured on llama.cpp here, else read in the servers' own documentation: vLLM and SGLang go on from a last
assistant message when told to (``continue_final_message``), Ollama and llama.cpp whenever there is one, and
llama.cpp then repeats the beginning in a plain reply (in a stream it does not). OpenAI begins a new turn.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import msgspec

Name = Literal["openai", "llamacpp", "vllm", "sglang", "ollama"]


class Dialect(msgspec.Struct, frozen=True):
    """``continues``: what to send for a last assistant message to be gone on with, None where it cannot be.
    ``echoes``: plain replies repeat the beginning that they go on from. ``bills_choices``: a plain bill covers one
    choice only, and a stream has a bill for each. ``caps_thinking``: where a cap on thinking tokens goes."""

    name: Name
    continues: Mapping[str, Any] | None = None
    echoes: bool = False
    bills_choices: bool = False
    caps_thinking: str = "reasoning_effort"


_TOLD = {"continue_final_message": True, "add_generation_prompt": False}
DIALECTS: dict[str, Dialect] = {
    "openai": Dialect("openai"),
    "llamacpp": Dialect("llamacpp", {}, echoes=True, bills_choices=True, caps_thinking="reasoning_budget_tokens"),
    "vllm": Dialect("vllm", _TOLD, caps_thinking="thinking_token_budget"),
    "sglang": Dialect("sglang", _TOLD, caps_thinking="chat_template_kwargs.thinking_budget"),
    "ollama": Dialect("ollama", {}),
}
_OWNERS = {"llamacpp": "llamacpp", "vllm": "vllm", "sglang": "sglang", "library": "ollama"}
_LOW, _MEDIUM = 1024, 8192


class _Listed(msgspec.Struct):
    id: str = ""
    owned_by: str = ""
    max_model_len: int | None = None
    meta: dict[str, Any] | None = None


class _Models(msgspec.Struct):
    data: list[_Listed] = []


class Served(msgspec.Struct, frozen=True):
    """What a server's list of models tells: its dialect, and of one model the context and the number of weights."""

    dialect: Dialect
    models: tuple[str, ...] = ()
    context: int | None = None
    parameters: float | None = None


def read_models(data: bytes, name: str) -> Served:
    """Read ``/v1/models``; a list that cannot be read tells of a plain OpenAI server."""
    try:
        listed = msgspec.json.decode(data, type=_Models).data
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return Served(DIALECTS["openai"])
    owners = [_OWNERS[one.owned_by] for one in listed if one.owned_by in _OWNERS]
    own = next((one for one in listed if one.id == name), listed[0] if len(listed) == 1 else _Listed())
    meta = own.meta or {}
    context, weights = own.max_model_len or meta.get("n_ctx"), meta.get("n_params")
    return Served(
        DIALECTS[owners[0] if owners else "openai"],
        tuple(one.id for one in listed),
        context if isinstance(context, int) and context > 0 else None,
        float(weights) if isinstance(weights, int) and weights > 0 else None,
    )


def thinking_cap(dialect: Dialect, tokens: int) -> dict[str, Any]:
    """The parameters that cap thinking at ``tokens``; ``reasoning_effort`` is as near as OpenAI's protocol comes."""
    if dialect.caps_thinking == "reasoning_effort":
        return {"reasoning_effort": "low" if tokens <= _LOW else "medium" if tokens <= _MEDIUM else "high"}
    outer, _, inner = dialect.caps_thinking.partition(".")
    return {outer: {inner: tokens}} if inner else {outer: tokens}
