"""``summary.json``: the contract of a bench with its report, and with whoever reads it. Public; see CHANGELOG.md.

Accuracies and probabilities are in [0, 1], money is US dollars, times are seconds; an interval is [low, high] at 95 %,
an end null where it is unbounded. Strategies are named by their text, followed by ``@ MODEL`` where there are several
models (``label``).
"""

from __future__ import annotations

from typing import Any

import msgspec

Interval = tuple[float | None, float | None]
Point = tuple[float, float]
CurvePoint = tuple[int, float, float, float | None, float | None]
"""k, mean tokens, accuracy, and the ends of its interval."""


class Data(msgspec.Struct, frozen=True):
    """What was asked: the file as it was named, how many questions, SHA-256."""

    path: str
    questions: int
    fingerprint: str


class Reliable(msgspec.Struct, frozen=True):
    """A bin of the reliability curve: ``n`` questions (their first repeat), mean confidence, mean accuracy, and the
    ends (``lo``, ``hi``) of Wilson's interval of the accuracy."""

    lo: float
    hi: float
    n: int
    confidence: float
    accuracy: float


class StrategyFigures(msgspec.Struct, frozen=True, kw_only=True):
    """One strategy on one model, means over questions of means over repeats.

    ``confidence_ece``: expected calibration error, the mean over repeats; ``ece_if_calibrated_95``: what a perfectly
    calibrated confidence of the same size stays under in 95 of 100 benches.
    """

    strategy: str
    model: str
    label: str
    accuracy: float
    accuracy_ci: Interval
    tokens_mean: float
    completion_tokens_mean: float
    verifier_tokens_mean: float
    samples_mean: float
    calls_mean: float
    usd_mean: float | None
    flops_mean: float | None
    seconds_p50: float | None
    seconds_p95: float | None
    confidence_ece: float | None
    ece_if_calibrated_95: float | None
    brier: float | None
    reliability: list[Reliable]
    stop_reasons: dict[str, int]
    errors: int


class Pair(msgspec.Struct, frozen=True, kw_only=True):
    """``a`` against ``b``, paired by question: ``accuracy_diff`` is a minus b, ratios are a over b.

    ``accuracy_diff_p``: sign-flip permutation test; ``holm_p``: the same, corrected for all pairs; ``mcnemar_p`` for
    single live runs only. ``distinguishable``: significant after correction and not under ``detectable_difference``,
    the smallest that a bench of this size finds with power 0.8. Where it is false, nothing may be ranked.
    """

    a: str
    b: str
    accuracy_diff: float
    accuracy_diff_ci: Interval
    accuracy_diff_p: float
    holm_p: float
    mcnemar_p: float | None
    detectable_difference: float | None
    distinguishable: bool
    token_ratio: float | None
    token_ratio_ci: Interval
    flops_ratio: float | None
    seconds_ratio: float | None


class IsoAccuracy(msgspec.Struct, frozen=True):
    """How many times ``a``'s tokens the curve ``b`` needs for a's accuracy; null where it never gets there."""

    a: str
    b: str
    accuracy: float
    ratio: float | None
    ratio_ci: Interval


class Part(msgspec.Struct, frozen=True):
    """A strategy on the ``n`` questions of one difficulty; null where there are none."""

    n: int
    accuracy: float | None
    tokens: float | None


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """A whole bench.

    ``random``: a single sample; ``oracle``: the best of all that a pool holds (``samples`` a question). ``curves``: by
    technique apart from its n, replayed at growing n with early stops; the others are exact expectations over k samples
    drawn without replacement, all k paid for. ``by_difficulty``: a single sample right in half or more (easy), a tenth
    or more (medium), less (hard). ``kind``: ``pool`` or ``live``. ``repeats``: runs (or orders of replay) a question.
    """

    data: Data
    kind: str
    repeats: int
    seed: int
    budget: str
    samples: int | None
    strategies: list[StrategyFigures]
    pairs: list[Pair]
    random: float | None
    oracle: float | None
    frontier: dict[str, list[Point]]
    curves: dict[str, list[CurvePoint]]
    random_curve: list[CurvePoint]
    oracle_curve: list[CurvePoint]
    majority_curve: list[CurvePoint]
    iso_accuracy: list[IsoAccuracy]
    by_difficulty: dict[str, dict[str, Part]]
    commands: list[str]
    fingerprint: dict[str, Any]
    version: str
    notes: list[str]
