"""A model provider for Inspect, so that any Inspect evaluation runs through a strategy (docs/evaluations.md).

``inspect eval TASK --model outthink/MODEL -M strategy="self-consistency(n=8)" -M budget=tokens=4000``. Inspect loads
this module by the entry point group ``inspect_ai``. What it configures reaches the model as it is said, or is refused;
calls are tried again here, not by Inspect.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Mapping, Sequence
from typing import Any

from inspect_ai.model import (
    ChatMessage,
    GenerateConfig,
    ModelAPI,
    ModelOutput,
    ModelUsage,
    StopReason,
    messages_to_openai,
    model_output_from_openai,
    modelapi,
)
from inspect_ai.tool import ToolChoice, ToolFunction, ToolInfo

from outthink import plugins
from outthink.api import Engine
from outthink.core.errors import BudgetExhausted, ContextOverflow, OutthinkError, Unsupported
from outthink.core.events import CallSettled, RunEnded
from outthink.core.problem import Problem
from outthink.core.usage import Usage
from outthink.engine.log import EventLog
from outthink.gateway.reply import Head, completion
from outthink.gateway.request import ChatRequest, Thinking

_SENT = {
    "max_tokens": "max_tokens",
    "temperature": "temperature",
    "top_p": "top_p",
    "top_k": "top_k",
    "stop_seqs": "stop",
    "seed": "seed",
    "num_choices": "n",
    "frequency_penalty": "frequency_penalty",
    "presence_penalty": "presence_penalty",
    "logit_bias": "logit_bias",
    "logprobs": "logprobs",
    "top_logprobs": "top_logprobs",
    "reasoning_effort": "reasoning_effort",
    "verbosity": "verbosity",
}
"""What is sent on as it is, by Inspect's name and the protocol's."""
_CONVERTED = ("parallel_tool_calls", "response_schema", "extra_body")
_INSPECTS = (
    *("max_retries", "timeout", "attempt_timeout", "stream_idle_timeout", "max_connections", "adaptive_connections"),
    *("system_message", "max_tool_output", "internal_tools", "cache", "cache_prompt", "fail_on_refusal"),
    "reasoning_history",
)
"""What Inspect carries out itself, or only hints at what servers do by themselves."""
_INSTEAD = {"best_of": "a strategy: -M strategy=best-of-n(n=8)", "extra_headers": "headers in config.toml"}


@modelapi("outthink")
class OutthinkAPI(ModelAPI):
    """``outthink/MODEL``: a catalog name, an alias of the configuration, ``NAME@URL``, or any other model text.

    ``-M`` takes ``strategy`` and ``budget`` (each generation's), ``concurrency`` (generations at a time), ``timeout``
    (seconds to the first byte of a reply) and ``cache`` (use samples that were bought before; it takes a seed).
    """

    def __init__(
        self,
        model_name: str,
        base_url: str | None = None,
        api_key: str | None = None,
        config: GenerateConfig = GenerateConfig(),
        *,
        strategy: str | Sequence[str] | None = None,
        budget: str | Sequence[str] | dict[str, int | float] | None = None,
        concurrency: int = 64,
        timeout: float | None = None,
        cache: bool = False,
    ) -> None:
        super().__init__(model_name, base_url, api_key, config=config)
        if api_key is not None:
            raise Unsupported("a key is not passed on; put it into OUTTHINK_API_KEY")
        parameters_of(config, tools=False)
        limits = budget if budget is None or isinstance(budget, Mapping) else _whole(budget)
        self._strategy = None if strategy is None else _whole(strategy)
        self._budget = Thinking(budget=limits).limits()
        if self._strategy is not None:
            plugins.strategy(self._strategy)  # a wrong one is told before anything is asked
        self._text = model_name if base_url is None else f"{model_name}@{base_url}"
        self._concurrency, self._timeout, self._cache = concurrency, timeout, cache
        self._engine: Engine | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    async def generate(
        self,
        input: list[ChatMessage],  # noqa: A002 - Inspect's own name for it
        tools: list[ToolInfo],
        tool_choice: ToolChoice,
        config: GenerateConfig,
    ) -> ModelOutput:
        """One run; a prompt that is too long, or a budget without an answer, is an output that says so."""
        request = await self._request(input, tools, tool_choice, config)
        logs: list[EventLog] = []
        try:
            result = await (await self._opened()).solve(
                request.problem,
                strategy=request.strategy,
                budget=request.budget,
                seed=request.seed,
                watch=logs.append,
            )
        except ContextOverflow as error:
            return _without_answer(self.model_name, "model_length", error, logs)
        except BudgetExhausted as error:
            return _without_answer(self.model_name, "max_tokens", error, logs)
        events = logs[0].events
        said = completion(Head.of(request), request, result, events)
        output = await model_output_from_openai(said)
        output.metadata, output.time = said["outthink"], result.usage.seconds
        prompts = [event.usage.prompt_tokens for event in events if isinstance(event, CallSettled)]
        output.input_context_tokens = max(prompts, default=None)  # the usage adds up many calls' prompts
        if output.usage is not None:
            output.usage.total_cost = result.usage.usd
        return output

    async def aclose(self) -> None:
        """Let go of the model; the next generation opens it anew."""
        engine, self._engine = self._engine, None
        if engine is not None:
            await engine.__aexit__(None, None, None)

    def max_connections(self) -> int:
        return self._concurrency

    def connection_key(self) -> str:
        return self._text

    async def _opened(self) -> Engine:
        """The engine of this event loop; Inspect keeps a model for the next evaluation, which has a loop of its own."""
        loop = asyncio.get_running_loop()
        if self._loop is not loop:
            stale, self._engine, self._loop = self._engine, None, loop
            if stale is not None:
                await stale.__aexit__(None, None, None)
        if self._engine is None:
            self._engine = Engine(self._text, concurrency=self._concurrency, timeout=self._timeout, cache=self._cache)
        return self._engine

    async def _request(
        self, messages: list[ChatMessage], tools: list[ToolInfo], tool_choice: ToolChoice, config: GenerateConfig
    ) -> ChatRequest:
        params = parameters_of(config, bool(tools))
        if tools:
            params["tool_choice"] = _choice(tool_choice)
        said: list[Any] = await messages_to_openai(messages)
        problem = Problem(messages=tuple(said), tools=tuple(_tool(tool) for tool in tools), params=params)
        return ChatRequest(
            asked=self.model_name,
            model=self._text,
            problem=Problem.of(problem),
            strategy=self._strategy,
            budget=self._budget,
            seed=secrets.randbelow(1 << 31) if config.seed is None else config.seed,
            n=config.num_choices or 1,
        )


def parameters_of(config: GenerateConfig, tools: bool) -> dict[str, Any]:
    """The protocol's parameters for a configuration. Raises `Unsupported` for what would not be honoured."""
    given = {name: value for name, value in config if value is not None}
    unknown = given.keys() - {*_SENT, *_CONVERTED, *_INSPECTS}
    for name in sorted(unknown):
        raise Unsupported(f"{name} cannot be honoured by outthink; use {_INSTEAD.get(name, 'it with another model')}")
    if "top_logprobs" in given and not given.get("logprobs"):
        raise Unsupported("top_logprobs needs logprobs; set both")
    params = {known: given[name] for name, known in _SENT.items() if name in given}
    if tools and "parallel_tool_calls" in given:
        params["parallel_tool_calls"] = given["parallel_tool_calls"]
    if config.response_schema is not None:
        schema = config.response_schema.model_dump(exclude_none=True)
        schema["schema"] = schema.pop("json_schema")
        params["response_format"] = {"type": "json_schema", "json_schema": schema}
    return params | (config.extra_body or {})


def _whole(text: str | Sequence[str]) -> str:
    """A value of ``-M``, which Inspect has split at its commas."""
    return text if isinstance(text, str) else ",".join(text)


def _tool(tool: ToolInfo) -> dict[str, Any]:
    function = {"name": tool.name, "description": tool.description}
    return {"type": "function", "function": function | {"parameters": tool.parameters.model_dump(exclude_none=True)}}


def _choice(choice: ToolChoice) -> Any:
    if isinstance(choice, ToolFunction):
        return {"type": "function", "function": {"name": choice.name}}
    return "required" if choice == "any" else choice


def _without_answer(model: str, reason: StopReason, error: OutthinkError, logs: Sequence[EventLog]) -> ModelOutput:
    """An output that says why there is no answer, with what was spent on it."""
    output = ModelOutput.from_content(model, "", stop_reason=reason, error=str(error))
    last = logs[0].events[-1] if logs and logs[0].events else None
    used = last.usage if isinstance(last, RunEnded) else Usage()
    output.usage = ModelUsage(
        input_tokens=used.prompt_tokens - used.cached_tokens,
        input_tokens_cache_read=used.cached_tokens,
        output_tokens=used.completion_tokens,
        total_tokens=used.tokens,
        total_cost=used.usd,
    )
    output.metadata = {"stop_reason": getattr(error, "reason", None), "usage": used.to_dict()}
    output.time = used.seconds
    return output
