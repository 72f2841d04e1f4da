"""Exact match of short answers, as SQuAD's evaluation defines it (Rajpurkar et al., 2016)."""

from __future__ import annotations

import re
import string
from collections.abc import Sequence

_PUNCTUATION = str.maketrans("", "", string.punctuation)


def normalised(text: str) -> str:
    """Lower case, without punctuation and articles, single spaces."""
    bare = text.lower().translate(_PUNCTUATION)
    return " ".join(re.sub(r"\b(a|an|the)\b", " ", bare).split())


def exact_match(text: str, golds: Sequence[str]) -> float:
    """1.0 where the normalised text equals one of the golds, else 0.0."""
    found = normalised(text)
    return float(any(found == normalised(gold) for gold in golds))
