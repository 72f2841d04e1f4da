"""Exact match and token F1 of short answers, as SQuAD's evaluation defines them (Rajpurkar et al., 2016)."""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Sequence

_PUNCTUATION = str.maketrans("", "", string.punctuation)
_SPECIAL = ("yes", "no", "noanswer")


def normalised(text: str) -> str:
    """Lower case, without punctuation and articles, single spaces."""
    bare = text.lower().translate(_PUNCTUATION)
    return " ".join(re.sub(r"\b(a|an|the)\b", " ", bare).split())


def exact_match(text: str, golds: Sequence[str]) -> float:
    """1.0 where the normalised text equals one of the golds, else 0.0."""
    found = normalised(text)
    return float(any(found == normalised(gold) for gold in golds))


def token_f1(text: str, golds: Sequence[str]) -> float:
    """The best F1 over the golds, of tokens in common. ``yes`` and ``no`` are all or nothing, as HotpotQA has it."""
    return max((_f1(normalised(text), normalised(gold)) for gold in golds), default=0.0)


def _f1(found: str, gold: str) -> float:
    if found == gold or found in _SPECIAL or gold in _SPECIAL:
        return float(found == gold)
    ours, theirs = found.split(), gold.split()
    common = sum((Counter(ours) & Counter(theirs)).values())
    return 2 * common / (len(ours) + len(theirs)) if common else 0.0
