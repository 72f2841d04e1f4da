"""The choices of one call as they grow, and how they become candidates."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import msgspec

from outthink.answers import extract
from outthink.core.candidate import GROUP, WHOLE, Answer, Candidate, Finish, summarise_logprobs
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
        self.group: float | None = None  # the mean log probability of the last whole group of tokens
        self._logprobs: list[float] = []
        self._window = 0.0
        self._calls: dict[int, dict[str, Any]] = {}
        self._extra: dict[str, Any] = {}
        self._raw_logprobs: list[bytes] = []

    def add(self, delta: Delta) -> None:
        self._text.append(delta.text)
        self._reasoning.append(delta.reasoning)
        self._count_group(delta.logprobs)
        self.tokens += delta.tokens
        self.finish = delta.finish or self.finish
        if delta.raw_logprobs:
            self._raw_logprobs.append(delta.raw_logprobs)
        if delta.extra:
            self._extra = merged(self._extra, delta.extra)
        for piece in delta.tool_calls:
            self._add_call(piece)

    def _count_group(self, logprobs: Sequence[float]) -> None:
        """Take in log probabilities; the lowest group among those that they complete is ``group``."""
        known, self.group = self._logprobs, None
        for logprob in logprobs:
            known.append(logprob)
            self._window += logprob - (known[-GROUP - 1] if len(known) > GROUP else 0.0)
            if len(known) >= GROUP:
                mean = self._window / GROUP
                self.group = mean if self.group is None else min(mean, self.group)

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
        message: Message = {"role": "assistant", "content": text, **self._extra}
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
            raw_logprobs=tuple(self._raw_logprobs),
        )


def merged(known: Any, more: Any) -> Any:
    """A streamed value with its next piece: texts and lists run on, objects are merged, the rest is replaced."""
    if isinstance(known, dict) and isinstance(more, dict):
        old, new = cast("dict[str, Any]", known), cast("dict[str, Any]", more)
        return {**old, **{name: merged(old.get(name), value) for name, value in new.items()}}
    if isinstance(known, str) and isinstance(more, str):
        return known + more
    if isinstance(known, list) and isinstance(more, list):
        return [*cast("list[Any]", known), *cast("list[Any]", more)]
    return cast("Any", known) if more is None else more


class _Sent(msgspec.Struct):
    content: list[dict[str, Any]] | None = None


def entries(raw: Sequence[bytes]) -> tuple[dict[str, Any], ...]:
    """The tokens' entries in ``logprobs`` objects, as the server sent them."""
    return tuple(entry for piece in raw for entry in msgspec.json.decode(piece, type=_Sent).content or ())


def with_certainty(found: Candidate, raw: Sequence[bytes]) -> Candidate:
    """The candidate with the certainty of its tokens, where the server told the likeliest at each place."""
    tops = [[float(top["logprob"]) for top in entry.get("top_logprobs") or ()] for entry in entries(raw)]
    places = [-sum(top) / len(top) for top in tops if top]
    if not places or found.logprobs is None:
        return found
    certainty = sum(places) / len(places)
    return msgspec.structs.replace(found, logprobs=msgspec.structs.replace(found.logprobs, certainty=certainty))


def candidate(choice: Choice, problem: Problem, index: int, model: str, tokens: int) -> Candidate:
    """A choice as a candidate, its answer extracted; one cut short answers only by a final-answer marker."""
    asked = problem.params.get("logprobs")
    return Candidate(
        index=index,
        message=choice.message,
        text=choice.text,
        reasoning=choice.reasoning,
        answer=_answer(choice, problem),
        finish=choice.finish,
        tokens=tokens,
        model=model,
        logprobs=choice.logprobs,
        token_logprobs=entries(choice.raw_logprobs) if asked and choice.raw_logprobs else None,
        scores=choice.scores,
    )


def apart(choice: Choice) -> Choice:
    """Thinking that a server left in the text (between ``<think>`` and ``</think>``) told apart from the answer."""
    text = choice.text.lstrip()
    if choice.reasoning is not None or not text.startswith("<think>"):
        return choice
    thought, closed, answer = text.removeprefix("<think>").partition("</think>")
    visible = answer.strip() if closed else ""
    return msgspec.structs.replace(
        choice, text=visible, reasoning=thought.strip(), message={**choice.message, "content": visible}
    )


def gone_on(choice: Choice, said: str) -> Choice:
    """A choice that goes on from ``said``, whole. What a server took for thinking is part of it, in its place."""
    text = said + (choice.reasoning or "") + choice.text
    message: Message = {**choice.message, "content": text}
    message.pop("reasoning_content", None)
    message.pop("reasoning", None)
    return msgspec.structs.replace(choice, text=text, reasoning=None, message=message)


def with_parent(found: Candidate, parent: Candidate | None, *, continues: bool) -> Candidate:
    """Marked as going on from ``parent`` (whose log probabilities speak for the longer part), or as revising it."""
    if not continues and parent is None:
        return found
    return msgspec.structs.replace(
        found,
        origin="continue" if continues else "revise",
        parent=None if parent is None else parent.index,
        logprobs=parent.logprobs if continues and parent is not None else found.logprobs,
    )


def recalled(sample: Candidate, problem: Problem, index: int, model: str) -> Candidate:
    """A sample of an earlier run as a candidate of this one: its answer is read anew, for the kind asked for now."""
    answer = _answer(sample, problem)
    return msgspec.structs.replace(sample, index=index, answer=answer, model=model, cached=True)


def _answer(said: Choice | Candidate, problem: Problem) -> Answer | None:
    cut = said.finish not in WHOLE
    return extract(said.text, problem.answer_kind, problem.choices, marked=cut, message=said.message)


def with_tokens(candidates: Sequence[Candidate], tokens: Sequence[int]) -> list[Candidate]:
    """The same candidates with other token counts."""
    return [
        found if found.tokens == count else msgspec.structs.replace(found, tokens=count)
        for found, count in zip(candidates, tokens, strict=True)
    ]
