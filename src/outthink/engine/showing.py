"""Pieces of a live sample as its reader gets them: by the OpenAI protocol, thinking told apart from the answer."""

from __future__ import annotations

from typing import Any

from outthink.core.events import Grew
from outthink.core.wire import Delta
from outthink.engine.partial import entries

_OPEN, _CLOSE = "<think>", "</think>"


class Showing:
    """One sample that streams. ``logprobs``: whether its reader asked for them."""

    def __init__(self, index: int, logprobs: bool) -> None:
        self._index, self._logprobs = index, logprobs
        self._thinking = Thinking()

    def piece(self, delta: Delta) -> Grew | None:
        """The event of a piece; None while there is nothing to show of it."""
        thought, text = self._thinking.feed(delta.text, last=delta.finish is not None)
        fields: dict[str, Any] = {
            "content": text,
            "reasoning_content": delta.reasoning + thought,
            "tool_calls": delta.tool_calls,
            **delta.extra,
        }
        shown = {name: value for name, value in fields.items() if value}
        logprobs = entries([delta.raw_logprobs]) if self._logprobs and delta.raw_logprobs else None
        return Grew(index=self._index, delta=shown, logprobs=logprobs) if shown or logprobs else None


class Thinking:
    """Streamed text in two: what is between ``<think>`` at its very beginning and ``</think>``, and the rest.

    What may yet turn out to be one of the marks is held back until it is told.
    """

    def __init__(self) -> None:
        self._state = "begin"  # then "inside" and "closed", or "text" at once
        self._held = ""

    def feed(self, text: str, *, last: bool = False) -> tuple[str, str]:
        """The thinking and the text that are known with this piece."""
        held, self._held = self._held + text, ""
        if self._state == "begin":
            begun = held.lstrip()
            if not last and _OPEN.startswith(begun[: len(_OPEN)]) and len(begun) < len(_OPEN):
                self._held = held
                return "", ""
            self._state = "inside" if begun.startswith(_OPEN) else "text"
            held = begun.removeprefix(_OPEN) if self._state == "inside" else held
        thought = ""
        if self._state == "inside":
            thought, closed, held = held.partition(_CLOSE)
            if not closed:
                size = 0 if last else _begun(thought, _CLOSE)
                self._held = thought[len(thought) - size :]
                return thought[: len(thought) - size], ""
            self._state = "closed"
        if self._state == "closed":  # the blank between the thinking and the answer is neither's
            held = held.lstrip()
            self._state = "text" if held else "closed"
        return thought, held


def _begun(text: str, mark: str) -> int:
    """How many characters at the end of a text may be the beginning of a mark."""
    return next((size for size in range(len(mark) - 1, 0, -1) if text.endswith(mark[:size])), 0)
