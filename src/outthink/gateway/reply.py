"""From a `Result` to the choices, the usage and the ``outthink`` object that a client gets. Pure functions."""

from __future__ import annotations

import secrets
import time
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from outthink.core.candidate import Candidate, Finish, Result
from outthink.core.events import Event, Warned
from outthink.core.problem import Message
from outthink.core.usage import ROLES, Usage
from outthink.gateway.request import ChatRequest

_REASONS: Mapping[Finish, str] = {"cancelled": "length", "error": "content_filter"}


class Head(msgspec.Struct, frozen=True):
    """What a completion and each of its chunks begin with."""

    id: str
    created: int
    model: str

    @classmethod
    def of(cls, request: ChatRequest) -> Head:
        return cls(f"chatcmpl-{secrets.token_hex(12)}", int(time.time()), request.asked)


def completion(head: Head, request: ChatRequest, result: Result, events: Sequence[Event]) -> dict[str, Any]:
    """A whole ``chat.completion``."""
    shown = ranked(result, request.n)
    return {
        "id": head.id,
        "object": "chat.completion",
        "created": head.created,
        "model": head.model,
        "choices": [
            {
                "index": index,
                "message": _complete_message(candidate),
                "finish_reason": finish_reason(candidate),
                "logprobs": logprobs_of(candidate.token_logprobs),
            }
            for index, candidate in enumerate(shown)
        ],
        "usage": usage_of(result, shown),
        "outthink": thought(result, request, events),
    }


def ranked(result: Result, n: int) -> list[Candidate]:
    """The answer and the ``n - 1`` candidates next to it.

    After a vote: one of each class by its votes, then more of the classes in the same order, then those without an
    answer. Without one: in order of their index. A sample that went on from an earlier one stands for both.
    """
    answer = _answer_of(result)
    latest = {found.index: found for found in result.candidates if found.index != answer.index}
    others = [found for found in latest.values() if found.finish in _WHOLE]
    if result.confidence_source in ("vote_share", "weighted_share"):
        others = _by_votes(answer, others)
    return [answer, *others][:n]


def _answer_of(result: Result) -> Candidate:
    """The candidate that the result shows (its thinking may have been taken out), or one of its own making."""
    found = next((one for one in result.candidates if one.message is result.message), None)
    found = found or next((one for one in result.candidates[::-1] if one.text.endswith(result.text)), None)
    if found is None:
        return Candidate(
            index=-1, message=result.message, text=result.text, finish="stop", tokens=0, model=result.model
        )
    return msgspec.structs.replace(found, message=result.message, text=result.text)


_WHOLE: tuple[Finish, ...] = ("stop", "length", "tool_calls")


def _by_votes(answer: Candidate, others: Sequence[Candidate]) -> list[Candidate]:
    classes: dict[str, list[Candidate]] = {answer.answer.key: [answer]} if answer.answer else {}
    for found in others:
        if found.answer is not None:
            classes.setdefault(found.answer.key, []).append(found)
    winner, *losers = classes.values()
    losers.sort(key=lambda found: -len(found))  # stable: a tie goes by index
    firsts = [found[0] for found in losers]
    rest = [more for found in (winner, *losers) for more in found[1:]]
    return firsts + rest + [found for found in others if found.answer is None]


def finish_reason(candidate: Candidate) -> str:
    """The protocol's word; what a limit cut short ended by ``length``."""
    if "function_call" in candidate.message:
        return "function_call"
    return _REASONS.get(candidate.finish, candidate.finish)


def logprobs_of(entries: Sequence[dict[str, Any]] | None) -> dict[str, Any] | None:
    return None if entries is None else {"content": entries, "refusal": None}


def _complete_message(candidate: Candidate) -> Message:
    """A message as the model gave it, with the fields that typed clients need."""
    return {"role": "assistant", "content": None, "refusal": None, **message_of(candidate)}


def message_of(candidate: Candidate) -> Message:
    """The message; thinking that the model left in its text is beside it, but that of a technique stays internal."""
    message = candidate.message
    if candidate.origin != "sample" or not candidate.reasoning or message.keys() & {"reasoning_content", "reasoning"}:
        return message
    return {**message, "reasoning_content": candidate.reasoning}


def usage_of(result: Result, shown: Sequence[Candidate]) -> dict[str, Any]:
    """What the answer truly cost; what is not shown of it (hidden samples, verifiers) counts as reasoning.

    Of a sample that is shown beside hidden ones, its own reasoning is not told apart from its text.
    """
    used = result.usage
    hidden = used.completion_tokens - sum(found.tokens for found in shown)
    reasoning = used.reasoning_tokens if len(shown) == len(result.candidates) else 0
    return {
        "prompt_tokens": used.prompt_tokens,
        "completion_tokens": used.completion_tokens,
        "total_tokens": used.tokens,
        "prompt_tokens_details": {"cached_tokens": used.cached_tokens},
        "completion_tokens_details": {"reasoning_tokens": min(used.completion_tokens, max(0, hidden) + reasoning)},
    }


def thought(result: Result, request: ChatRequest, events: Sequence[Event]) -> dict[str, Any]:
    """The ``outthink`` object beside a completion: how the answer was reached and what each role spent."""
    roles = {role: result.by_role.get(role, Usage()).to_dict() for role in ROLES}
    return {
        "answer": result.answer and result.answer.text,
        "confidence": result.confidence,
        "confidence_source": result.confidence_source,
        "stop_reason": result.stop_reason,
        "votes": result.votes,
        "strategy": result.strategy,
        "model": result.model,
        "seed": request.seed,
        "usage": {**result.usage.to_dict(), "by_role": roles},
        "warnings": [event.message for event in events if isinstance(event, Warned)],
        "run_id": result.run_id,
    }


def cost_headers(usage: Usage) -> dict[str, str]:
    """The true spend, for LiteLLM and others who record it; no cost where no price is known."""
    headers = {"x-litellm-total-tokens": str(usage.tokens)}
    if usage.usd is not None:
        headers["x-litellm-response-cost"] = str(usage.usd)
    return headers
