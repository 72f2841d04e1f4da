"""What is asked: the conversation, the kind of answer, and what the caller set."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any, Literal, get_args

import msgspec

from outthink.core.errors import BadProblem

Message = dict[str, Any]
"""One chat message in the OpenAI shape, kept as it came."""

AnswerKind = Literal[
    "auto",
    "number",
    "choice",
    "boolean",
    "expression",
    "span",
    "literal",
    "code",
    "json",
    "text",
    "tool_call",
]
ANSWER_KINDS: tuple[str, ...] = get_args(AnswerKind)


class SamplingParams(msgspec.Struct, frozen=True, omit_defaults=True):
    """How to sample. None leaves the choice to the server; a caller's own value (`Problem.params`) wins.

    ``max_tokens`` counts new tokens of one choice; ``logprobs`` asks for the tokens' log probabilities,
    ``top_logprobs`` for those of so many likeliest tokens at each place (20 is what servers give at most).
    ``thinking``: at most so many tokens of a reasoning model's own thinking, as near as its server can be told.
    ``stop_below``: a choice whose mean log probability over a sliding group of tokens (`outthink.core.candidate.GROUP`)
    falls below this is stopped there, ``cancelled``; each choice is then a stream of its own.
    """

    temperature: float | None = None
    top_p: float | None = None
    max_tokens: int | None = None
    stop: tuple[str, ...] = ()
    logprobs: bool = False
    top_logprobs: int = 0
    thinking: int | None = None
    stop_below: float | None = None


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """A question to a model, never with its gold answer.

    ``messages``: chat messages, several turns and parts kept as they came. ``answer_kind``: what an answer
    is (``auto``: decided from the question, then from the first candidate). ``choices``: the labels or
    texts to choose from, for ``choice``. ``params``: what the caller set explicitly, by the OpenAI
    protocol's names; these win over a strategy's defaults.
    """

    messages: tuple[Message, ...]
    id: str = ""
    answer_kind: AnswerKind = "auto"
    choices: tuple[str, ...] = ()
    context: tuple[str, ...] = ()
    tests: str | None = None
    tools: tuple[dict[str, Any], ...] = ()
    params: dict[str, Any] = {}

    @classmethod
    def of(cls, problem: Problem | str, answer_kind: AnswerKind = "auto") -> Problem:
        """Take text as one user message; raises `BadProblem` when there is nothing to answer."""
        if isinstance(problem, str):
            problem = cls(messages=({"role": "user", "content": problem},), answer_kind=answer_kind)
        if problem.answer_kind not in ANSWER_KINDS:
            raise BadProblem(f"answer kind {problem.answer_kind!r} does not exist; use {', '.join(ANSWER_KINDS)}")
        question = problem.question
        if not question.strip() and not problem.asks:
            raise BadProblem("the question is empty; give the text of a question")
        if not question.isascii():
            try:
                question.encode()
            except UnicodeEncodeError as error:
                raise BadProblem(f"the question is not text that UTF-8 can hold ({error.reason}); mend it") from error
        return problem

    @property
    def question(self) -> str:
        """The text of the last user message (its text parts joined)."""
        for message in reversed(self.messages):
            if message.get("role") == "user":
                return text_of(message)
        return ""

    @property
    def asks(self) -> bool:
        """Whether the last user message holds anything: text, or a part of another type (an image, a file)."""
        content = next((m.get("content") for m in reversed(self.messages) if m.get("role") == "user"), None)
        parts: list[dict[str, Any]] = [] if content is None or isinstance(content, str) else content
        return bool(self.question.strip()) or any(part.get("type") != "text" for part in parts)

    def limit(self, default: int | None) -> int | None:
        """New tokens of the visible answer: what the caller set, by its older or newer name, else ``default``."""
        return self.params.get("max_completion_tokens", self.params.get("max_tokens", default))


def text_of(message: Message) -> str:
    """A message's text: its content, or its text parts joined by newlines."""
    content = message.get("content")
    if isinstance(content, str):
        return content
    parts: list[dict[str, Any]] = content or []
    return "\n".join(str(part.get("text", "")) for part in parts if part.get("type") == "text")


def prompt_fingerprint(messages: Sequence[Message], question: str) -> str:
    """A prompt apart from its question: 12 hex digits, equal for all questions that one technique asks."""
    shape = msgspec.json.encode(messages).replace(msgspec.json.encode(question)[1:-1], b"{question}")
    return hashlib.blake2b(shape, digest_size=6).hexdigest()
