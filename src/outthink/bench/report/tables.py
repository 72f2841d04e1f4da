"""The tables of a report as rows of text, for HTML and Markdown alike; and one as CSV.

A column that nobody measured is left out.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from outthink.bench.report.records import Interval, Level, Measured
from outthink.bench.report.standing import Contest, Entry, Standing
from outthink.bench.report.wording import (
    NOTHING,
    count,
    dollars,
    number,
    operations,
    probability,
    quoted,
    seconds,
    share,
    share_between,
    signed,
    signed_between,
    small,
    times,
    times_between,
)

LEVELS = ("easy", "medium", "hard")


@dataclass(frozen=True, slots=True)
class Table:
    """Column titles and rows. Names are quoted as Markdown's code; after the first ``names`` columns come figures."""

    columns: list[str]
    rows: list[list[str]]
    names: int = 1


_COSTS: tuple[tuple[str, str, Callable[[float | None], str]], ...] = (
    ("tokens", "tokens_mean", count),
    ("written", "completion_tokens_mean", count),
    ("verifiers'", "verifier_tokens_mean", count),
    ("samples", "samples_mean", count),
    ("calls", "calls_mean", count),
    ("dollars", "usd_mean", dollars),
    ("FLOPs", "flops_mean", operations),
    ("seconds, p50", "seconds_p50", seconds),
    ("p95", "seconds_p95", seconds),
    ("failed runs", "errors", count),
)


def strategies(standing: Standing) -> Table:
    """Accuracy and price of each, in order of tokens."""
    measured = [entry.measured for entry in standing.entries]
    costs = [cost for cost in _COSTS if any(getattr(one, cost[1]) for one in measured)]
    several = len(standing.entries) > 1
    return Table(
        columns=["strategy", "right, 95 % interval", *(["better than"] if several else []), *(c[0] for c in costs)],
        rows=[
            [
                quoted(entry.label),
                f"{share(entry.measured.accuracy)} {share_between(entry.measured.accuracy_ci)}".rstrip(),
                *([_better_than(standing, entry)] if several else []),
                *(written(getattr(entry.measured, field)) for _, field, written in costs),
            ]
            for entry in standing.entries
        ],
    )


def _better_than(standing: Standing, entry: Entry) -> str:
    """Numbers of the strategies it beats, told apart."""
    beaten = [standing.by_label.get(contest.worse) for contest in standing.beaten_by(entry.label)]
    return ", ".join(str(number) for number in sorted(other.number for other in beaten if other)) or NOTHING


def differences(contests: Sequence[Contest], *, verdict: bool = True) -> Table:
    """Every pair, the more accurate first; with its verdict unless the reader can tell."""
    single = any(contest.pair.mcnemar_p is not None for contest in contests)
    other_work = any(_far(contest.flops_ratio, contest.token_ratio) for contest in contests)
    timed = any(contest.seconds_ratio is not None for contest in contests)
    return Table(
        columns=[
            "strategy", "against", "difference, points", "could see", "p (Holm)",
            *(["p (McNemar)"] if single else []), "tokens",
            *(["FLOPs"] if other_work else []), *(["seconds"] if timed else []), *(["verdict"] if verdict else []),
        ],
        rows=[
            [
                quoted(contest.better),
                quoted(contest.worse),
                f"{signed(contest.by)} {signed_between(contest.between)}".rstrip(),
                number(contest.pair.detectable_difference or None),
                probability(contest.pair.holm_p),
                *([probability(contest.pair.mcnemar_p)] if single else []),
                _ratio(contest.token_ratio, contest.token_between),
                *([_ratio(contest.flops_ratio, None)] if other_work else []),
                *([_ratio(contest.seconds_ratio, None)] if timed else []),
                *((["better"] if contest.told else ["cannot tell"]) if verdict else []),
            ]
            for contest in contests
        ],
        names=2,
    )  # fmt: skip


def _far(one: float | None, other: float | None) -> bool:
    """Whether the ratio of work is another than that of tokens: the models differ in size."""
    return one is not None and other is not None and not 0.9 < one / other < 1.1


def _ratio(ratio: float | None, between: Interval | None) -> str:
    return NOTHING if ratio is None else f"{times(ratio)} {times_between(between)}".rstrip()


def savings(standing: Standing) -> Table | None:
    """Tokens at the same accuracy; None where that was not worked out."""
    if not standing.savings:
        return None
    return Table(
        columns=["to be as accurate as", "(right)", "this needs", "its tokens, 95 % interval"],
        rows=[
            [
                quoted(one.a),
                share(one.accuracy),
                quoted(one.b),
                f"{'not reached' if one.ratio is None else times(one.ratio)} {times_between(one.ratio_ci)}".rstrip(),
            ]
            for one in standing.savings
        ],
    )


def difficulty(standing: Standing) -> Table | None:
    """Accuracy and tokens on easy, medium and hard questions; None where that was not worked out."""
    found = [(entry, standing.of(entry, standing.summary.by_difficulty or {})) for entry in standing.entries]
    known = [(entry, parts) for entry, parts in found if parts]
    levels = [level for level in LEVELS if any(level in parts and parts[level].n for _, parts in known)]
    if not levels:
        return None
    asked = {level: max(parts[level].n for _, parts in known if level in parts) for level in levels}
    return Table(
        columns=["strategy", *(f"{level} ({asked[level]:,})" for level in levels)]
        + [f"tokens, {level}" for level in levels],
        rows=[
            [quoted(entry.label), *(share(part(parts, level).accuracy) for level in levels)]
            + [count(part(parts, level).tokens) for level in levels]
            for entry, parts in known
        ],
    )


def part(parts: dict[str, Level], level: str) -> Level:
    return parts.get(level) or Level()


def calibration(standing: Standing) -> Table | None:
    """Whether confidence means what it says; None where none was given."""
    known = [entry for entry in standing.entries if entry.measured.confidence_ece is not None]
    if not known:
        return None
    return Table(
        columns=["strategy", "calibration error", "if calibrated, up to", "Brier score", "verdict"],
        rows=[
            [
                quoted(entry.label),
                small(entry.measured.confidence_ece),
                small(_calibrated_up_to(entry.measured)),
                small(entry.measured.brier),
                _trust(entry.measured),
            ]
            for entry in known
        ],
    )


def _calibrated_up_to(measured: Measured) -> float | None:
    bound = measured.ece_if_calibrated_95
    return bound[1] if isinstance(bound, tuple) else bound


def _trust(measured: Measured) -> str:
    bound, error = _calibrated_up_to(measured), measured.confidence_ece
    if bound is None or error is None:
        return NOTHING
    if error <= bound:
        return "no sign of miscalibration"
    bins = measured.reliability or ()
    over = sum(one.n * (one.confidence - one.accuracy) for one in bins)
    return "says too much" if over > 0 else "says too little" if over < 0 else "miscalibrated"


def stops(standing: Standing) -> Table | None:
    """Why runs ended, as shares; None where nobody said, or all ended alike."""
    counted = [entry.measured.stop_reasons or {} for entry in standing.entries]
    reasons = sorted({reason for found in counted for reason in found})
    if len(reasons) < 2:
        return None
    return Table(
        columns=["strategy", *reasons],
        rows=[
            [quoted(entry.label), *(_part_of(found.get(reason, 0), sum(found.values())) for reason in reasons)]
            for entry, found in zip(standing.entries, counted, strict=True)
        ],
    )


def _part_of(some: int, total: int) -> str:
    return share(some / total, 0) if some and total else NOTHING


_CSV = (
    "tokens_mean", "completion_tokens_mean", "verifier_tokens_mean", "samples_mean", "calls_mean", "usd_mean",
    "flops_mean", "seconds_p50", "seconds_p95", "confidence_ece", "brier",
)  # fmt: skip


def as_csv(standing: Standing) -> str:
    """One row a strategy, in the order of the bench, figures as measured; empty where nothing was."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["strategy", "model", "accuracy", "accuracy_low", "accuracy_high", *_CSV])
    for one in standing.summary.strategies:
        low, high = one.accuracy_ci or (None, None)
        writer.writerow([one.strategy, one.model, one.accuracy, low, high, *(getattr(one, name) for name in _CSV)])
    return out.getvalue()
