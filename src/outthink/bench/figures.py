"""From the files of a bench to its summary: every figure with its interval. Needs numpy and scipy (extra ``bench``)."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from outthink.bench.curves import COARSE, Scaling, ends, finite, scaling
from outthink.bench.plan import Plan, family, own_n
from outthink.bench.results import QUESTIONS, ROWS, QuestionRow, RunRow, read_lines
from outthink.bench.stats import (
    Resampling,
    accuracy_estimate,
    brier,
    compare,
    ece,
    ece_if_calibrated,
    holm,
    iso_accuracy_saving,
    pareto,
    reliability,
)
from outthink.bench.stats.comparison import Comparison
from outthink.bench.summary import CurvePoint, IsoAccuracy, Pair, Part, Point, Reliable, StrategyFigures, Summary

Floats = NDArray[np.float64]
HOW = Resampling()
_COUNTS = ("correct", "tokens", "completion_tokens", "verifier_tokens", "samples", "calls", "usd", "flops", "seconds")
EASY, MEDIUM = 0.5, 0.1
"""From which difficulty (the accuracy of a single sample) on a question is easy, or medium."""


class Runs:
    """The runs of one strategy on one model, questions × repeats; NaN where nothing is known."""

    def __init__(self, strategy: str, model: str, questions: int, repeats: int) -> None:
        self.strategy, self.model = strategy, model
        self.values = {name: np.full((questions, repeats), np.nan) for name in (*_COUNTS, "confidence")}
        self.stops: Counter[str] = Counter()

    def take(self, place: int, row: RunRow) -> None:
        for name, values in self.values.items():
            value = getattr(row, name)
            if value is not None:
                values[place, row.repeat] = value
        self.stops[row.stop_reason or "error"] += 1

    def each(self, name: str) -> Floats:
        """The mean over repeats of each question."""
        return np.asarray(self.values[name].mean(axis=1), dtype=np.float64)

    def mean(self, name: str) -> float | None:
        """The mean over questions, None where some are not known."""
        mean = float(self.values[name].mean())
        return None if math.isnan(mean) else mean


def summarised(folder: Path, plan: Plan, command: str = "") -> Summary:
    """The summary of what a folder holds. Raises `InputError` for files that are not whole."""
    questions = list(read_lines(folder / QUESTIONS, QuestionRow))
    every = _runs(folder, plan, questions)
    clusters = [question.cluster for question in questions]
    labels = [plan.label(runs.strategy, runs.model) for runs in every]
    curves = scaling(folder, plan, clusters)
    figures = [_figures(runs, label, clusters) for runs, label in zip(every, labels, strict=True)]
    families = curves.families or _given(every, plan, clusters)
    return Summary(
        data=plan.data,
        kind=plan.kind,
        repeats=plan.repeats,
        seed=plan.seed,
        budget=plan.budget,
        samples=curves.size,
        strategies=figures,
        pairs=_pairs(every, labels, plan, clusters),
        random=curves.random,
        oracle=curves.oracle,
        frontier=_frontier(every, labels, families),
        curves=families,
        random_curve=curves.random_curve,
        oracle_curve=curves.oracle_curve,
        majority_curve=curves.majority_curve,
        iso_accuracy=_iso_accuracy(every, labels, curves, clusters),
        by_difficulty={label: _by_difficulty(runs, questions) for runs, label in zip(every, labels, strict=True)},
        commands=[command] if command else [],
        fingerprint=plan.source,
        version=plan.version,
        notes=_notes(plan, figures, curves),
    )


def _runs(folder: Path, plan: Plan, questions: Sequence[QuestionRow]) -> list[Runs]:
    places = {question.id: place for place, question in enumerate(questions)}
    every = {entry: Runs(*entry, len(questions), plan.repeats) for entry in plan.entries}
    for row in read_lines(folder / ROWS, RunRow):
        every[row.strategy, row.model].take(places[row.id], row)
    return list(every.values())


def _figures(runs: Runs, label: str, clusters: Sequence[str]) -> StrategyFigures:
    accuracy = accuracy_estimate(runs.each("correct"), clusters=clusters, how=HOW)
    seconds = runs.values["seconds"]
    timed = not np.isnan(seconds).all()
    error, calibrated, score, curve = _calibration(runs)
    return StrategyFigures(
        strategy=runs.strategy,
        model=runs.model,
        label=label,
        accuracy=accuracy.value,
        accuracy_ci=ends(accuracy),
        tokens_mean=runs.mean("tokens") or 0.0,
        completion_tokens_mean=runs.mean("completion_tokens") or 0.0,
        verifier_tokens_mean=runs.mean("verifier_tokens") or 0.0,
        samples_mean=runs.mean("samples") or 0.0,
        calls_mean=runs.mean("calls") or 0.0,
        usd_mean=runs.mean("usd"),
        flops_mean=runs.mean("flops"),
        seconds_p50=float(np.nanquantile(seconds, 0.5)) if timed else None,
        seconds_p95=float(np.nanquantile(seconds, 0.95)) if timed else None,
        confidence_ece=error,
        ece_if_calibrated_95=calibrated,
        brier=score,
        reliability=curve,
        stop_reasons=dict(sorted(runs.stops.items())),
        errors=runs.stops["error"],
    )


def _calibration(runs: Runs) -> tuple[float | None, float | None, float | None, list[Reliable]]:
    """Expected calibration error, what it would be if calibrated (95 %), Brier score, and the reliability curve.

    Repeats of a question are not independent, so the error is taken a repeat at a time, one outcome a question.
    """
    sure, right = runs.values["confidence"], runs.values["correct"]
    known = (sure >= 0) & (sure <= 1)  # a share of scores that may be negative is no probability
    if not known[:, 0].any():
        return None, None, None, []
    repeats = [place for place in range(sure.shape[1]) if known[:, place].any()]
    errors = [ece(sure[known[:, r], r], right[known[:, r], r]) for r in repeats]
    first, outcome = sure[known[:, 0], 0], right[known[:, 0], 0]
    bins = [Reliable(b.low, b.high, b.questions, b.confidence, b.accuracy) for b in reliability(first, outcome)]
    return float(np.mean(errors)), ece_if_calibrated(first).high, brier(sure[known], right[known]), bins


def _pairs(every: Sequence[Runs], labels: Sequence[str], plan: Plan, clusters: Sequence[str]) -> list[Pair]:
    """Every two strategies, the later one first: it is usually the one that is to be shown better."""
    places = [(i, j) for j in range(len(every)) for i in range(j + 1, len(every))]
    compared = [
        compare(
            (every[i].each("correct"), _spent(every[i])),
            (every[j].each("correct"), _spent(every[j])),
            clusters=clusters,
            how=HOW,
        )
        for i, j in places
    ]
    adjusted = holm([one.p for one in compared])
    once = plan.kind == "live" and plan.repeats == 1
    return [
        _pair((labels[i], every[i]), (labels[j], every[j]), one, p, once)
        for (i, j), one, p in zip(places, compared, adjusted, strict=True)
    ]


def _spent(runs: Runs) -> Floats:
    """Tokens of each question; ones where every run failed before it cost any, since a ratio needs something."""
    tokens = runs.each("tokens")
    return tokens if tokens.sum() > 0 else np.ones_like(tokens)


def _pair(a: tuple[str, Runs], b: tuple[str, Runs], found: Comparison, holm_p: float, once: bool) -> Pair:
    spent = bool(a[1].mean("tokens") and b[1].mean("tokens"))
    return Pair(
        a=a[0],
        b=b[0],
        accuracy_diff=found.accuracy_diff.value,
        accuracy_diff_ci=ends(found.accuracy_diff),
        accuracy_diff_p=found.p,
        holm_p=holm_p,
        mcnemar_p=found.mcnemar_p if once else None,
        detectable_difference=finite(found.detectable),
        distinguishable=found.ranks(holm_p),
        token_ratio=finite(found.token_ratio.value) if spent else None,
        token_ratio_ci=ends(found.token_ratio) if spent else (None, None),
        flops_ratio=_over(a[1].mean("flops"), b[1].mean("flops")),
        seconds_ratio=_over(a[1].mean("seconds"), b[1].mean("seconds")),
    )


def _over(a: float | None, b: float | None) -> float | None:
    return a / b if a is not None and b else None


def _given(every: Sequence[Runs], plan: Plan, clusters: Sequence[str]) -> dict[str, list[CurvePoint]]:
    """Curves through strategies that differ by n only, as they were run."""
    found: dict[str, list[CurvePoint]] = {}
    for runs in every:
        name = family(runs.strategy)
        if name is not None:
            accuracy = accuracy_estimate(runs.each("correct"), clusters=clusters, how=HOW)
            point = (own_n(runs.strategy) or 0, runs.mean("tokens") or 0.0, accuracy.value, *ends(accuracy))
            found.setdefault(plan.label(name, runs.model), []).append(point)
    return {name: sorted(points) for name, points in found.items() if len(points) > 1}


def _frontier(
    every: Sequence[Runs], labels: Sequence[str], families: dict[str, list[CurvePoint]]
) -> dict[str, list[Point]]:
    """For each technique the points that are worth their tokens, and for each strategy its own."""
    found = {
        name: pareto([(tokens, accuracy) for _, tokens, accuracy, *_ in points]) for name, points in families.items()
    }
    for runs, label in zip(every, labels, strict=True):
        found.setdefault(label, [(runs.mean("tokens") or 0.0, runs.mean("correct") or 0.0)])
    return found


def _iso_accuracy(
    every: Sequence[Runs], labels: Sequence[str], curves: Scaling, clusters: Sequence[str]
) -> list[IsoAccuracy]:
    """What the fixed curves need for each strategy's accuracy, but for the curve that it is itself a point of."""
    found: list[IsoAccuracy] = []
    for runs, label in zip(every, labels, strict=True):
        own = runs.each("tokens"), runs.each("correct")
        for name, fixed in curves.fixed.items():
            if name != family(runs.strategy) and own[0].sum() > 0:
                saved = iso_accuracy_saving(fixed, own, clusters=clusters, how=COARSE)
                found.append(IsoAccuracy(label, name, float(own[1].mean()), finite(saved.value), ends(saved)))
    return found


def _by_difficulty(runs: Runs, questions: Sequence[QuestionRow]) -> dict[str, Part]:
    difficulty = np.array([np.nan if one.difficulty is None else one.difficulty for one in questions])
    parts = {
        "easy": difficulty >= EASY,
        "medium": (difficulty >= MEDIUM) & (difficulty < EASY),
        "hard": difficulty < MEDIUM,
    }
    right, tokens = runs.each("correct"), runs.each("tokens")
    return {
        name: Part(int(chosen.sum()), _mean(right[chosen]), _mean(tokens[chosen])) for name, chosen in parts.items()
    }


def _mean(values: Floats) -> float | None:
    return float(values.mean()) if len(values) else None


def _notes(plan: Plan, figures: Sequence[StrategyFigures], curves: Scaling) -> list[str]:
    notes = [
        f"{plan.data.questions} questions; intervals are at 95 % and are about questions like these: questions (or "
        "clusters of them) are resampled, paired between strategies."
    ]
    if plan.kind == "pool":
        notes.append(
            f"Replayed in {plan.repeats} orders of {curves.size} recorded samples a question, without a model: nothing "
            "was measured in seconds, and a strategy that takes nearly all samples hardly varies from order to order."
        )
    if curves.capped:
        notes.append(f"Some questions hold more samples; the exact curves use the first {curves.size} of each.")
    failed = {one.label: one.errors for one in figures if one.errors}
    if failed:
        told = ", ".join(f"{count} of {label}" for label, count in failed.items())
        notes.append(f"Runs that came to nothing count as wrong: {told}.")
    return notes
