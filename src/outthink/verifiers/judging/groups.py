"""Which candidates are judged: each distinct text once, or only what stands for the leading answers."""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence

import msgspec

from outthink.core.candidate import Candidate


def shown(candidate: Candidate) -> str:
    """What a judge sees of a candidate: its text, and the tools it calls."""
    calls = candidate.message.get("tool_calls")
    text = candidate.text.strip()
    return f"{text}\n{msgspec.json.encode(calls).decode()}".strip() if calls else text


def distinct(texts: Sequence[str]) -> list[list[int]]:
    """The places of equal texts together, in order of the first; an empty text is in none."""
    return _grouped(texts, [bool(text) for text in texts])


def leading(candidates: Sequence[Candidate], texts: Sequence[str], top: int) -> list[list[int]]:
    """The places of the ``top`` answers given most often, each with its surest candidate first.

    What gives no answer counts by its text.
    """
    keys: list[Hashable] = [
        text if one.answer is None else (one.answer.key,) for one, text in zip(candidates, texts, strict=True)
    ]
    groups = _grouped(keys, [bool(text) for text in texts])
    groups.sort(key=lambda group: -len(group))  # stable: among equals the first seen
    return [sorted(group, key=lambda place: -_sureness(candidates[place])) for group in groups[:top]]


def _grouped(keys: Sequence[Hashable], counted: Sequence[bool]) -> list[list[int]]:
    groups: dict[Hashable, list[int]] = {}
    for place, key in enumerate(keys):
        if counted[place]:
            groups.setdefault(key, []).append(place)
    return list(groups.values())


def _sureness(candidate: Candidate) -> float:
    return -math.inf if candidate.logprobs is None else candidate.logprobs.mean
