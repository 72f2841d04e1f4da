"""The choices of one call as they grow, and how they become candidates."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from outthink.answers import extract
from outthink.core.candidate import Candidate, Finish, summarise_logprobs
from outthink.core.problem import Message, Problem
from outthink.core.wire import Choice, Delta


class Growing:
    """One choice of a streamed reply."""

    def __init__(self, index: int) -> None:
        self.index = index
        self.tokens = 0
        self.finish: Finish | None = None
        self._text: list[str] = []
        self._reasoning: list[str] = []
        self._logprobs: list[float] = []
        self._calls: dict[int, dict[str, Any]] = {}

    def add(self, delta: Delta) -> None:
        self._text.append(delta.text)
        self._reasoning.append(delta.reasoning)
        self._logprobs.extend(delta.logprobs)
        self.tokens += delta.tokens
        self.finish = delta.finish or self.finish
        for piece in delta.tool_calls:
            self._add_call(piece)

    def _add_call(self, piece: dict[str, Any]) -> None:
        function: dict[str, Any] = piece.get("function") or {}
        call = self._calls.setdefault(
            int(piece.get("index", 0)),
            {"id": piece.get("id"), "type": "function", "function": {"name": "", "arguments": ""}},
        )
        call["function"]["name"] += function.get("name") or ""
        call["function"]["arguments"] += function.get("arguments") or ""

    def choice(self, finish: Finish = "cancelled") -> Choice:
        """What there is of it; ``finish`` is for one that did not end by itself."""
        text, reasoning = "".join(self._text), "".join(self._reasoning) or None
        message: Message = {"role": "assistant", "content": text}
        if self._calls:
            message["tool_calls"] = [self._calls[i] for i in sorted(self._calls)]
        return Choice(
            index=self.index,
            message=message,
            text=text,
            reasoning=reasoning,
            finish=self.finish or finish,
            tokens=self.tokens,
            logprobs=summarise_logprobs(self._logprobs),
        )


def candidate(choice: Choice, problem: Problem, index: int, model: str, tokens: int) -> Candidate:
    """A choice as a candidate, its answer extracted; one cut short answers only by a final-answer marker."""
    whole = choice.finish in ("stop", "tool_calls")
    answer = extract(choice.text, problem.answer_kind, problem.choices, marked=not whole, message=choice.message)
    return Candidate(
        index=index,
        message=choice.message,
        text=choice.text,
        reasoning=choice.reasoning,
        answer=answer,
        finish=choice.finish,
        tokens=tokens,
        model=model,
        logprobs=choice.logprobs,
    )


def with_tokens(candidates: Sequence[Candidate], tokens: Sequence[int]) -> list[Candidate]:
    """The same candidates with other token counts."""
    return [
        found if found.tokens == count else msgspec.structs.replace(found, tokens=count)
        for found, count in zip(candidates, tokens, strict=True)
    ]
