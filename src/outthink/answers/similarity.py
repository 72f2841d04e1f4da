"""How alike open answers are, by their words and pairs of neighbouring words; no model is asked.

The F1 of both together, as by SQuAD and ROUGE-1 and -2: 1 for the same words in the same order, 0 for none in common.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise

_WORD = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]|[^\W_]+")  # scripts without blanks go by the letter
LONGEST, MOST = 20_000, 64
"""Characters of a text, and texts that each is compared with."""


def bag(text: str) -> Counter[str]:
    """The words of a text and its pairs of neighbouring words, each with how often it comes."""
    words = _WORD.findall(text[:LONGEST].casefold())
    return Counter(words) + Counter(map(" ".join, pairwise(words)))


def alike(one: Counter[str], other: Counter[str]) -> float:
    """The F1 of two bags, 0 to 1; 0 where one is empty."""
    whole = one.total() + other.total()
    return 2 * (one & other).total() / whole if whole and one and other else 0.0


def evenly(places: Sequence[int], most: int = MOST) -> Sequence[int]:
    """At most ``most`` of the places, spread evenly."""
    if len(places) <= most:
        return places
    return [places[i * len(places) // most] for i in range(most)]
