"""What a judge says in one word: how likely each verdict was at that place, not only which one was sampled.

The expected verdict needs no sampling and breaks ties that the sampled token cannot (Liu et al., 2023, "G-Eval",
arXiv:2303.16634; Zhang et al., 2024, "Generative Verifiers", arXiv:2408.15240).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from outthink.core.candidate import Candidate
from outthink.core.problem import Problem, SamplingParams

TOP = 20
"""Likeliest tokens to ask for at each place: the most that servers give."""
_LEAST = 0.01
"""Probability of all verdicts together under which what was said is none."""
_AROUND = " \t\r\n▁ĠĊ\"'`*_.,:;!?()[]{}-#>="
TEN = 10
SAMPLED = "the server gives no top log probabilities; a judge's verdicts are those it sampled"
"""What to warn of where a verdict was `Verdict.sampled`."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """``shares``: the probability of each label among the labels, summing to 1. ``sampled``: the server gave no
    likeliest tokens, so that it is all on the label that was sampled."""

    shares: Mapping[str, float]
    sampled: bool = False

    @property
    def expected(self) -> float:
        """The mean of labels that are numbers."""
        return sum(float(label) * share for label, share in self.shares.items())


def asking(prompt: str, tokens: int = 1, top: int = TOP, stop: tuple[str, ...] = ()) -> tuple[Problem, SamplingParams]:
    """What to ask a run for, to be told a verdict on a prompt: the ``top`` likeliest tokens at each place with it."""
    kept = {"logprobs": True, "top_logprobs": top} if top else {}  # only a caller's own ask keeps the entries
    asked = Problem(messages=({"role": "user", "content": prompt},), answer_kind="text", params=kept)
    return asked, SamplingParams(temperature=0.0, max_tokens=tokens, stop=stop, top_logprobs=top)


def verdict(said: Candidate, labels: Sequence[str], place: int = 0) -> Verdict | None:
    """The verdict in a reply's token ``place``, in any spelling (case, blanks, marks around it); None where it is none.

    ``labels``: lower case, each one token in itself.
    """
    likeliest = _likeliest(said, place)
    if likeliest is None:
        words = said.text.split()
        word = _bare(words[0]) if words else ""
        return Verdict({label: float(label == word) for label in labels}, sampled=True) if word in labels else None
    return _shared(_by_label(likeliest, labels))


def graded(said: Candidate) -> Verdict | None:
    """A grade from 1 to 10 in a reply of up to two tokens.

    Where a tokenizer takes digits one by one, 10 begins as 1 does: the next token tells them apart where 1 was
    sampled, and where it was not, what little it had is left out.
    """
    labels = [str(grade) for grade in range(1, TEN + 1)]
    first = _likeliest(said, 0)
    if first is None:
        return verdict(said, labels)
    mass = _by_label(first, labels)
    if not mass["10"] and mass["1"]:
        whole = mass["1"]
        tenth = _tenth(said)
        mass["10"], mass["1"] = (0.0, 0.0) if tenth is None else (whole * tenth, whole * (1 - tenth))
    return _shared(mass)


def _tenth(said: Candidate) -> float | None:
    """How likely a sampled 1 is the beginning of 10; None where that cannot be told."""
    if not said.token_logprobs or _bare(str(said.token_logprobs[0].get("token"))) != "1":
        return None
    following = _likeliest(said, 1)
    if following is None:
        return 0.0 if said.finish == "stop" else None
    return min(1.0, sum(p for token, p in following.items() if token.strip() == "0"))


def _likeliest(said: Candidate, place: int) -> dict[str, float] | None:
    """The likeliest tokens at a place with their probabilities, None where the server did not tell them."""
    entries = said.token_logprobs or ()
    entry = entries[place] if place < len(entries) else {}
    top: list[dict[str, Any]] = entry.get("top_logprobs") or []
    if not top:
        return None
    found: dict[str, float] = {}
    for one in (entry, *top):
        token, logprob = one.get("token"), one.get("logprob")
        if isinstance(token, str) and isinstance(logprob, (int, float)):
            found[token] = math.exp(min(0.0, logprob))
    return found


def _by_label(likeliest: Mapping[str, float], labels: Sequence[str]) -> dict[str, float]:
    mass = dict.fromkeys(labels, 0.0)
    for token, probability in likeliest.items():
        word = _bare(token)
        if word in mass:
            mass[word] += probability
    return mass


def _shared(mass: Mapping[str, float]) -> Verdict | None:
    whole = sum(mass.values())
    return None if whole < _LEAST else Verdict({label: part / whole for label, part in mass.items()})


def _bare(token: str) -> str:
    return token.strip(_AROUND).casefold()
