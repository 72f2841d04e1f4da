"""Agreement: how much the other candidates say the same. Costs no tokens.

The candidate of highest agreement is the medoid, which stands in for a vote where open text has none. Two candidates
with answers agree when these are equal; else as far as their words do (`outthink.answers.similarity`). It measures what
the model keeps saying, and like a vote it is wrong where the model is wrong most of the time.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import anyio.lowlevel

from outthink.answers.similarity import alike, bag, evenly
from outthink.core.candidate import Candidate, Score
from outthink.core.problem import Problem
from outthink.core.protocols import Run


@dataclass(frozen=True, slots=True)
class Agreement:
    """How much the other candidates say the same, by their answers or else their words; costs no tokens."""

    alone: ClassVar[bool] = False

    async def score(self, problem: Problem, candidates: Sequence[Candidate], run: Run) -> list[Score]:
        bags = [bag(found.text) for found in candidates]
        compared = evenly([place for place, words in enumerate(bags) if words])
        scores: list[Score] = []
        for place, found in enumerate(candidates):
            await anyio.lowlevel.checkpoint()  # hundreds of long texts take their time
            others = [other for other in compared if other != place] if bags[place] else []
            known = [_agree(found, candidates[other], bags[place], bags[other]) for other in others]
            scores.append(Score(verifier="agreement", raw=sum(known) / len(known) if known else None))
        return scores


def _agree(one: Candidate, other: Candidate, words: Counter[str], theirs: Counter[str]) -> float:
    if one.answer is not None and other.answer is not None:
        return float(one.answer.key == other.answer.key)
    return alike(words, theirs)
