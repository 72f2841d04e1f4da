"""Figures of verifiers as text."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from outthink.bench.verifiers.evaluate import Report
from outthink.bench.verifiers.steps import StepReport
from outthink.verifiers.fitted import Fitted

Estimate = tuple[float, float, float]


def told_fit(fitted: Fitted, file: str) -> str:
    """What was fitted, and whether it is worth any weight."""
    report = fitted.report
    lines = [f"{file}: {fitted.kind} fitted on {report['samples']:,} samples of {report['questions']:,} questions"]
    loss, base, gain, error = (report[name] for name in ("log_loss", "base_log_loss", "gain", "gain_se"))
    lines.append(
        f"log loss on held-out questions {loss:.3f}, of the base rate {base:.3f} (gain {gain:.3f} ± {error:.3f})"
    )
    if fitted.curve is None:
        lines.append("it shows no value here, and gets no weight: answers will be chosen by their votes alone")
    alone: dict[str, dict[str, Any]] = report.get("alone", {})
    for name, found in alone.items():
        kept = f"weight {found['weight']:.3g}" if found["weight"] else "no weight"
        lines.append(f"  {name}: gain alone {found['gain']:.3f} ± {found['gain_se']:.3f}, {kept}")
    return "\n".join(lines)


def told_pool(report: Report) -> str:
    """A report on pools as a few lines and a table."""
    return "\n".join(_pool_lines(report))


def _pool_lines(report: Report) -> Iterator[str]:
    yield f"{report.verifier}: {report.candidates:,} candidates of {report.questions:,} questions"
    if report.left_out:
        yield f"{report.left_out:,} questions left out: it was fitted on them"
    if report.abstained:
        yield f"could not tell of {report.abstained:.1%} of the candidates"
    yield f"a candidate is right     {_of(report.accuracy)}"
    if report.auc is not None:
        inside = "" if report.auc_within is None else f"; within a question {_of(report.auc_within)}"
        yield f"AUC                      {report.auc:.3f}{inside}"
    if report.brier is None:
        yield "calibration              none: it gives scores, no probabilities"
    else:
        yield f"Brier score              {report.brier:.3f} (base rate {report.brier_base:.3f})"
        yield f"calibration error        {report.ece:.3f} (95 % of calibrated ones are under {report.ece_limit:.3f})"
    yield f"cost of a candidate      {report.tokens:,.0f} tokens, {report.seconds * 1e3:,.2f} ms"
    for n, found in report.baselines.items():
        yield f"n={n:<3} random {found['random']:.3f}  majority {found['majority']:.3f}  oracle {found['oracle']:.3f}"
        for gain in report.gains:
            if gain.n == n:
                over = f"over majority {_of(gain.over_majority, '+')}  over random {_of(gain.over_random, '+')}"
                yield f"      {gain.rule:<9} {gain.accuracy:.3f}  {over}"
    yield from (f"warning: {message}" for message in report.warnings)


def told_steps(report: StepReport) -> str:
    """A report on labelled steps as a few lines."""
    lines = [
        f"{report.verifier}: {report.rows:,} solutions",
        f"first-error F1           {report.f1:.3f} (constant {report.constant_f1:.3f}, coin {report.coin_f1:.3f})",
    ]
    if report.erroneous is not None:
        lines.append(f"with a wrong step        {_of(report.erroneous)}")
    if report.correct is not None:
        lines.append(f"without                  {_of(report.correct)}")
    if report.abstained:
        lines.append(f"could not tell of {report.abstained:.1%} of the steps")
    lines.append(f"cost of a step           {report.tokens:,.0f} tokens, {report.seconds * 1e3:,.2f} ms")
    return "\n".join([*lines, *(f"warning: {message}" for message in report.warnings)])


def _of(found: Estimate, sign: str = "") -> str:
    value, low, high = found
    return f"{value:{sign}.3f} [{low:{sign}.3f}, {high:{sign}.3f}]"
