"""What can be told of each step of each candidate at no extra pass, as plain numbers.

Agreement with the other candidates of the set is shrunk towards one half, so that one alone is neither praised nor
blamed. Features of the whole candidate (its answer's votes, how it ended) count at its last step only, so that a chain
under way is not judged by what it has not said yet.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

from outthink.core.candidate import WHOLE, Candidate
from outthink.verifiers.chains import Step, chain, numbers_of

GROUPS: dict[str, tuple[str, ...]] = {
    "position": ("place", "length", "final", "said", "rambling"),
    "logprobs": ("sure", "surer", "low", "lower", "tail", "shape"),
    "steps": ("shared", "shared_least", "stated", "reached"),
    "symbolic": ("held", "false"),
    "answer": ("used", "whole", "negative", "given", "size"),
    "votes": ("share", "lead", "top", "spread"),
}
"""The features by group: each name is explained where it is computed."""
FEATURES: tuple[str, ...] = tuple(name for names in GROUPS.values() for name in names)
Row = dict[str, float]


def rows_of(question: str, candidates: Sequence[Candidate]) -> list[list[Row]]:
    """For each candidate, the features of each of its steps, in order."""
    chains = [chain(question, found.text) for found in candidates]
    crowd = _Crowd.of(question, candidates, chains)
    return [_rows(found, steps, crowd) for found, steps in zip(candidates, chains, strict=True)]


@dataclass(frozen=True, slots=True)
class _Crowd:
    """What the set has in common: the question's numbers, how many candidates state each number and give each answer,
    and their means."""

    asked: frozenset[str]
    size: int
    stating: Counter[str]
    votes: Counter[str]
    mean: float
    low: float
    tokens: float

    @classmethod
    def of(cls, question: str, candidates: Sequence[Candidate], chains: Sequence[Sequence[Step]]) -> _Crowd:
        stating: Counter[str] = Counter()
        for steps in chains:
            stating.update({number for step in steps for number in step.results})
        known = [found.logprobs for found in candidates if found.logprobs is not None]
        return cls(
            asked=frozenset(numbers_of(question)),
            size=len(candidates),
            stating=stating,
            votes=Counter(found.answer.key for found in candidates if found.answer is not None),
            mean=_mean([one.mean for one in known]),
            low=_mean([one.low for one in known]),
            tokens=_mean([math.log1p(found.tokens) for found in candidates]),
        )

    def share(self, others: int) -> float:
        """The part of the other candidates that ``others`` are, shrunk towards one half."""
        return (others + 0.5) / self.size


def _rows(found: Candidate, steps: Sequence[Step], crowd: _Crowd) -> list[Row]:
    shared = [_mean([crowd.share(crowd.stating[number] - 1) for number in step.results], 0.5) for step in steps]
    stated = list(accumulate(len(step.results) > 0 for step in steps))
    least = list(accumulate(shared, min))
    held, false = (list(accumulate(counts)) for counts in ([s.held for s in steps], [s.false for s in steps]))
    sum_shared = list(accumulate((s - 0.5) * (len(step.results) > 0) for s, step in zip(shared, steps, strict=True)))
    logged = _logged(found, crowd)
    used: set[str] = set()
    rows: list[Row] = []
    for i, step in enumerate(steps):
        used |= step.numbers & crowd.asked
        rows.append(
            {
                **_NOTHING,
                **logged,
                "shape": _shape(found, step),
                "place": math.log1p(i),
                "length": math.log1p(step.end - step.start),
                "shared": sum_shared[i] / max(1, stated[i]),  # mean agreement of the results so far, less one half
                "shared_least": least[i] - 0.5,  # that of the least shared step so far
                "stated": math.log1p(stated[i]),  # steps so far that arrive at something new
                "used": len(used) / len(crowd.asked) if crowd.asked else 0.5,  # of the question's numbers, so far
                "held": held[i] / (held[i] + false[i]) if held[i] + false[i] else 0.5,
                "false": math.log1p(false[i]),
            }
        )
    if found.finish in WHOLE or found.answer is not None:
        rows[-1] |= _ending(found, steps, crowd)
    return rows


_AT_THE_END = ("final", "said", "rambling", "reached", "whole", "negative", "given", "size", *GROUPS["votes"])
_NOTHING: Row = dict.fromkeys(_AT_THE_END, 0.0)


def _ending(found: Candidate, steps: Sequence[Step], crowd: _Crowd) -> Row:
    """Features of the whole candidate, for its last step."""
    row: Row = {
        "final": 1.0,  # it has come to its end
        "said": float(found.answer is not None),  # it gives an answer
        "rambling": math.log1p(found.tokens) - crowd.tokens,  # longer than the others
        "spread": len(crowd.votes) / crowd.size,  # different answers in the set
    }
    if found.answer is not None:
        own = crowd.votes[found.answer.key]
        rival = max((count for key, count in crowd.votes.items() if key != found.answer.key), default=0)
        row |= {
            "share": crowd.share(own - 1),  # of the others that give this answer
            "lead": (own - rival) / crowd.size,
            "top": float(own >= rival),
            "reached": float(any(found.answer.text.lstrip("-") in step.results for step in steps)),  # it was worked out
            **_plausible(found.answer.text, crowd.asked),
        }
    return row


def _plausible(answer: str, asked: frozenset[str]) -> Row:
    """What a number as an answer looks like beside the question's; nothing for other answers."""
    value = _number(answer)
    if value is None:
        return {}
    largest = max((abs(number) for text in asked if (number := _number(text)) is not None), default=0.0)
    return {
        "whole": float(value == int(value)),
        "negative": float(value < 0),
        "given": float(answer.lstrip("-") in asked),  # it is one of the question's own numbers
        "size": max(-3.0, min(3.0, math.log1p(abs(value)) - math.log1p(largest))),
    }


def _number(text: str) -> float | None:
    """The value of a canonical number, where a float can hold it."""
    top, _, bottom = text.partition("/")
    try:
        value = float(top) / float(bottom or 1)
    except (ValueError, ZeroDivisionError):
        return None
    return value if math.isfinite(value) else None


def _logged(found: Candidate, crowd: _Crowd) -> Row:
    """What its log probabilities say, and how they compare with the others'; zeros without them."""
    summary = found.logprobs
    if summary is None:
        return dict.fromkeys(("sure", "surer", "low", "lower", "tail"), 0.0)
    return {
        "sure": summary.mean,
        "surer": summary.mean - crowd.mean,
        "low": summary.low,
        "lower": summary.low - crowd.low,
        "tail": summary.tail - summary.mean,
    }


def _shape(found: Candidate, step: Step) -> float:
    """The log probability of the least sure part of the step against the whole; 0 where only the whole is known."""
    summary = found.logprobs
    if summary is None or not summary.shape or not found.text:
        return 0.0
    parts, size = summary.shape, len(found.text)
    first = min(step.start * len(parts) // size, len(parts) - 1)
    last = min(max(step.end - 1, 0) * len(parts) // size, len(parts) - 1)
    return min(parts[first : last + 1]) - summary.mean


def _mean(values: Sequence[float], nothing: float = 0.0) -> float:
    return sum(values) / len(values) if values else nothing
