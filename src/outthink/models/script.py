"""What a scripted model says: pure and deterministic, so that tests know every answer and every token.

One word with the space before it is one token. Nothing here is random: all is drawn by hashing the script's seed,
the prompt and the sample's seed.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from outthink.core.candidate import Finish
from outthink.core.problem import Message, text_of

_WORDS = ("first", "we", "take", "the", "given", "values", "then", "combine", "them", "and", "check", "that")


@dataclass(frozen=True)
class Said:
    """One choice: its tokens, their log probabilities, and how it ended. ``tops``: the likeliest tokens at each place
    with their log probabilities, where the script has them."""

    tokens: tuple[str, ...]
    logprobs: tuple[float, ...]
    finish: Finish
    tops: tuple[Mapping[str, float], ...] = ()

    @property
    def text(self) -> str:
        return "".join(self.tokens)

    def entries(self, places: range) -> list[dict[str, Any]]:
        """The entries of a ``logprobs`` object by the OpenAI protocol."""
        found: list[dict[str, Any]] = []
        for i in places:
            top = [{"token": token, "logprob": p} for token, p in self.tops[i].items()] if self.tops else []
            found.append({"token": self.tokens[i], "logprob": self.logprobs[i], "top_logprobs": top})
        return found


@dataclass(frozen=True)
class Script:
    """A model with known accuracy.

    ``accuracy``: the chance that a sample is right. ``answers``: right answers by a text found in the prompt (else
    a number drawn from the prompt). ``wrong``: how many wrong answers there are, the first twice as likely as the
    next. ``words``: the length of a chain. ``replies``: fixed texts instead, taken in turn by the sample's seed.
    """

    accuracy: float = 0.7
    answers: Mapping[str, str] = field(default_factory=dict[str, str])
    wrong: int = 4
    words: int = 12
    seed: int = 0
    replies: Sequence[str] = ()

    def answer(self, prompt: str) -> str:
        """The right answer to a prompt."""
        known = next((right for key, right in self.answers.items() if key in prompt), None)
        return str(10 + self._draw(prompt, "answer") % 90) if known is None else known

    def is_right(self, prompt: str, seed: int) -> bool:
        """Whether the sample of this seed gives the right answer."""
        return self._draw(prompt, "right", seed) / 2**64 < self.accuracy

    def say(self, messages: Sequence[Message], seed: int, max_tokens: int | None, stop: Sequence[str] = ()) -> Said:
        """The sample of this seed, cut at ``max_tokens`` or before a stop text."""
        text = self._going_on(messages, seed) if _begun(messages) else self._text(text_of(messages[-1]), seed)
        for mark in stop:
            text = text.partition(mark)[0]
        tokens = re.findall(r"\s*\S+", text)
        cut = max_tokens is not None and len(tokens) > max_tokens
        kept = tuple(tokens[:max_tokens] if cut else tokens)
        logprobs = tuple(-(1 + self._draw(text, "logprob", i) % 200) / 100 for i in range(len(kept)))
        return Said(kept, logprobs, "length" if cut else "stop")

    def _going_on(self, messages: Sequence[Message], seed: int) -> str:
        """What follows a beginning of its own words; after "The answer is" the answer, after any other the whole."""
        said, prompt = text_of(messages[-1]), text_of(messages[-2])
        whole = self._text(prompt, seed)
        if whole.startswith(said):
            return whole[len(said) :]
        answer = self.answer(prompt) if self.is_right(prompt, seed) else "1001"
        return f" {answer}." if said.endswith(" is") else whole

    def _text(self, prompt: str, seed: int) -> str:
        if self.replies:
            return self.replies[seed % len(self.replies)]
        answer = self.answer(prompt)
        if not self.is_right(prompt, seed):
            rank = 1
            while rank < self.wrong and self._draw(prompt, "wrong", seed, rank) % 2:
                rank += 1
            answer = str(1000 + rank)
        chain = " ".join(_WORDS[i % len(_WORDS)] for i in range(max(0, self.words - 4)))
        return f"{chain} The answer is {answer}.".strip()

    def _draw(self, *parts: object) -> int:
        data = "\x1f".join(map(str, (self.seed, *parts))).encode()
        return int.from_bytes(hashlib.blake2b(data, digest_size=8).digest(), "big")


def _begun(messages: Sequence[Message]) -> bool:
    return len(messages) > 1 and messages[-1].get("role") == "assistant"


def count_prompt(messages: Sequence[Message]) -> int:
    """A prompt's tokens: its words, and four for each message."""
    return sum(4 + len(text_of(message).split()) for message in messages)
