"""What choosing by scores is worth: replays of a question's pool, beside chance, the vote and the perfect choice.

Every rule sees the same draws (without replacement; the whole pool once where n is its size), ties are split evenly,
and the expected grade of what is chosen is averaged over draws: one value a question, so that comparisons are paired.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal, get_args

import numpy as np

from outthink.adaptive.posterior import Weights
from outthink.bench.verifiers.graded import Graded
from outthink.core.candidate import Candidate, Score
from outthink.strategies.weighing import posterior_of, worths

Rule = Literal["random", "oracle", "majority", "best", "sum", "posterior"]
"""``best``: the candidate of highest worth. ``sum`` and ``posterior``: as in ``best-of-n(aggregate=…)``."""
RULES: tuple[Rule, ...] = get_args(Rule)
SIZES = (2, 4, 8, 16)
ORDERS = 20
Scorer = Callable[[Sequence[int]], tuple[Sequence[Score], Weights | None]]
"""The scores of the samples in these places as one set, and the posterior's weights that go with them."""


def draws(question: Graded, n: int, orders: int = ORDERS, seed: int = 0) -> list[list[int]]:
    """Sets of n samples of a question, the same for every verifier; none where it has fewer."""
    size = len(question.candidates)
    if size <= n:
        return [list(range(size))] if size == n else []
    random = np.random.default_rng([seed, n, *question.row.id.encode()])
    found: list[list[int]] = [sorted(random.permutation(size)[:n].tolist()) for _ in range(orders)]
    return found


def replay(question: Graded, sets: Sequence[Sequence[int]], scorer: Scorer) -> dict[Rule, float]:
    """Each rule's expected grade over these sets."""
    found: dict[Rule, list[float]] = {rule: [] for rule in RULES}
    for places in sets:
        scores, weights = scorer(places)
        for rule, value in chosen(question, places, scores, weights).items():
            found[rule].append(value)
    return {rule: float(np.mean(values)) for rule, values in found.items()}


def chosen(
    question: Graded, places: Sequence[int], scores: Sequence[Score], weights: Weights | None = None
) -> dict[Rule, float]:
    """The expected grade of what each rule chooses of one set."""
    candidates = [question.candidates[i] for i in places]
    grades = [question.grades[i] for i in places]
    own = worths(scores)
    classes: dict[str, list[int]] = {}
    for i, found in enumerate(candidates):
        if found.answer is not None:
            classes.setdefault(found.answer.key, []).append(i)
    worth_of = {key: float(np.mean([grades[i] for i in group])) for key, group in classes.items()}
    answered = [i for group in classes.values() for i in group] or list(range(len(candidates)))
    return {
        "random": float(np.mean(grades)),
        "oracle": max(grades),
        "majority": _top({key: float(len(group)) for key, group in classes.items()}, worth_of),
        "best": _top({str(i): own[i] for i in answered}, {str(i): grades[i] for i in answered}),
        "sum": _top({key: sum(own[i] for i in group) for key, group in classes.items()}, worth_of),
        "posterior": _top(_posterior(candidates, scores, weights), worth_of),
    }


def _posterior(candidates: Sequence[Candidate], scores: Sequence[Score], weights: Weights | None) -> dict[str, float]:
    return posterior_of(candidates, scores, weights).probabilities


def _top(standing: dict[str, float], grades: dict[str, float]) -> float:
    """The mean grade of what stands highest; 0 where nothing stands."""
    if not standing:
        return 0.0
    highest = max(standing.values())
    return float(np.mean([grades[key] for key, value in standing.items() if value >= highest - 1e-9]))
