"""A verifier on graded pools: does it tell right from wrong, is it calibrated, does choosing by it pay."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import msgspec
import numpy as np
from numpy.typing import NDArray

from outthink.adaptive.posterior import Weights
from outthink.api import Engine
from outthink.bench.stats import Estimate, accuracy_difference, brier, ece, ece_if_calibrated, mean_estimate
from outthink.bench.verifiers.ask import Answered, Inquiry, ask
from outthink.bench.verifiers.graded import Graded
from outthink.bench.verifiers.selection import ORDERS, SIZES, Rule, draws, replay
from outthink.core.candidate import Score
from outthink.core.errors import InputError
from outthink.core.protocols import Verifier

Floats = NDArray[np.float64]
CHOICES: tuple[Rule, ...] = ("best", "sum", "posterior")


class Gain(msgspec.Struct, frozen=True, kw_only=True):
    """Choosing among ``n`` by one rule: its accuracy, and by how much it beats the vote and chance, with intervals."""

    n: int
    rule: Rule
    accuracy: float
    over_majority: Estimate
    over_random: Estimate


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What was measured. ``left_out``: questions that the verifier was fitted on. ``auc``: over all candidates, and
    ``auc_within`` one question, which is what choosing needs (with its interval). Calibration only where it gives
    probabilities; ``ece_limit`` is the 95 % quantile of a perfectly calibrated one, were candidates independent (those
    of one question are not, so that it is strict). ``baselines`` by n. Costs are for one candidate."""

    verifier: str
    questions: int
    candidates: int
    left_out: int
    abstained: float
    accuracy: Estimate
    auc: float | None
    auc_within: Estimate | None
    brier: float | None
    brier_base: float
    ece: float | None
    ece_limit: float | None
    baselines: dict[int, dict[str, float]]
    gains: tuple[Gain, ...]
    tokens: float
    seconds: float
    warnings: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """The object that ``outthink verifier eval --json`` prints; an estimate is [value, low, high]."""
        return cast("dict[str, Any]", msgspec.to_builtins(self, str_keys=True))


async def evaluate(
    engine: Engine, verifier: Verifier, name: str, questions: Sequence[Graded], *, seed: int = 0, orders: int = ORDERS
) -> Report:
    """Measure a verifier on the questions that it was not fitted on. Raises `InputError` when none is left."""
    kept = unseen(verifier, questions)
    weights: Weights | None = getattr(getattr(verifier, "fitted", None), "weights", None)
    alone = bool(getattr(verifier, "alone", True))
    sets = [[draws(question, n, orders, seed) for n in SIZES] for question in kept]
    inquiries = [
        Inquiry(question.row.problem, question.candidates, [range(len(question.candidates)), *_flat(own, alone)])
        for question, own in zip(kept, sets, strict=True)
    ]
    answered = await ask(engine, verifier, inquiries)
    replayed = [
        _replayed(question, own, scores, weights, alone)
        for question, own, scores in zip(kept, sets, answered.scores, strict=True)
    ]
    scores = [one for found in answered.scores for one in found[0]]
    grades: Floats = np.array([grade for question in kept for grade in question.grades])
    owner = np.repeat(np.arange(len(kept)), [len(question.grades) for question in kept])
    clusters = [question.row.cluster for question in kept]
    values = [score.value for score in scores]
    told = np.array([value is not None for value in values], dtype=np.bool_)
    known: Floats = np.array([0.0 if value is None else value for value in values])[told]
    its = grades[told]
    worth: Floats = np.array([np.nan if score.worth is None else score.worth for score in scores])
    return Report(
        verifier=name,
        questions=len(kept),
        candidates=len(scores),
        left_out=len(questions) - len(kept),
        abstained=float(np.mean(np.isnan(worth))),
        accuracy=mean_estimate([float(np.mean(question.grades)) for question in kept], clusters=clusters),
        auc=auc(worth, grades),
        auc_within=_within(worth, grades, owner, clusters),
        brier=brier(known, its) if len(known) else None,
        brier_base=float(np.var(grades)),
        ece=ece(known, its) if len(known) else None,
        ece_limit=ece_if_calibrated(known, level=0.9, seed=seed).high if len(known) else None,
        **_gains(replayed, clusters),
        **_costs(answered),
    )


def unseen(verifier: Verifier, questions: Sequence[Graded]) -> list[Graded]:
    """The questions that a fitted verifier was not fitted on. Raises `InputError` when there is none."""
    ids = fitted_ids(verifier)
    kept = [question for question in questions if question.row.id not in ids]
    if not kept:
        raise InputError(
            f"all {len(questions)} questions were used to fit this verifier; give a pool of others, or hold some "
            "back when training (--hold-out 0.3)"
        )
    return kept


def fitted_ids(verifier: Verifier) -> set[str]:
    """The ids of all questions that a verifier, or one inside it, was fitted on."""
    inner: list[Verifier] = [*getattr(verifier, "verifiers", ())]
    if (one := getattr(verifier, "verifier", None)) is not None:
        inner.append(one)
    own: tuple[str, ...] = getattr(getattr(verifier, "fitted", None), "ids", ())
    return set(own).union(*map(fitted_ids, inner))


def auc(worth: Floats, grades: Floats) -> float | None:
    """The chance that a right candidate scores above a wrong one, ties counting half; None where either is missing."""
    known = ~np.isnan(worth)
    right, wrong = worth[known & (grades >= 0.5)], np.sort(worth[known & (grades < 0.5)])
    if not len(right) or not len(wrong):
        return None
    below, upto = np.searchsorted(wrong, right, "left"), np.searchsorted(wrong, right, "right")
    return float(np.mean(np.add(below, upto))) / (2 * len(wrong))


def _within(worth: Floats, grades: Floats, owner: NDArray[np.int64], clusters: Sequence[str]) -> Estimate | None:
    """The mean AUC over the questions that have both right and wrong candidates."""
    found = {place: auc(worth[owner == place], grades[owner == place]) for place in range(len(clusters))}
    kept = {place: value for place, value in found.items() if value is not None}
    return mean_estimate(list(kept.values()), clusters=[clusters[place] for place in kept]) if kept else None


def _flat(own: Sequence[Sequence[Sequence[int]]], alone: bool) -> list[Sequence[int]]:
    """The sets to be scored each for itself: none for a verifier whose scores do not depend on the set."""
    return [] if alone else [places for of_size in own for places in of_size]


def _replayed(
    question: Graded,
    sets: Sequence[Sequence[Sequence[int]]],
    scores: Sequence[Sequence[Score]],
    weights: Weights | None,
    alone: bool,
) -> dict[int, dict[Rule, float]]:
    """Each rule's expected grade by n."""
    by_set = dict(zip((tuple(places) for places in _flat(sets, alone)), scores[1:], strict=True)) if not alone else {}

    def scorer(places: Sequence[int]) -> tuple[Sequence[Score], Weights | None]:
        return ([scores[0][i] for i in places] if alone else by_set[tuple(places)]), weights

    return {n: replay(question, own, scorer) for n, own in zip(SIZES, sets, strict=True) if own}


def _gains(replayed: Sequence[dict[int, dict[Rule, float]]], clusters: Sequence[str]) -> dict[str, Any]:
    baselines: dict[int, dict[str, float]] = {}
    gains: list[Gain] = []
    for n in SIZES:
        kept = [place for place, found in enumerate(replayed) if n in found]
        if not kept:
            continue
        mine = [clusters[place] for place in kept]

        def column(rule: Rule, n: int = n, kept: Sequence[int] = kept) -> list[float]:
            return [replayed[place][n][rule] for place in kept]

        baselines[n] = {rule: float(np.mean(column(rule))) for rule in ("random", "majority", "oracle")}
        gains += [
            Gain(
                n=n,
                rule=rule,
                accuracy=float(np.mean(column(rule))),
                over_majority=accuracy_difference(column(rule), column("majority"), clusters=mine),
                over_random=accuracy_difference(column(rule), column("random"), clusters=mine),
            )
            for rule in CHOICES
        ]
    return {"baselines": baselines, "gains": tuple(gains)}


def _costs(answered: Answered) -> dict[str, Any]:
    return {
        "tokens": answered.usage.tokens / max(1, answered.scored),
        "seconds": answered.seconds / max(1, answered.scored),
        "warnings": tuple(answered.warnings),
    }
