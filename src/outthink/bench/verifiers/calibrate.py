"""Raw scores made probabilities on graded pools: one verifier by a curve, several by logistic regression and a curve.

A verifier gets weight only where it lowers the loss on held-out questions by more than one standard error; what each
was found worth alone, and its weight beside the others, stand in the file's report.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from outthink.api import Engine
from outthink.bench.verifiers.ask import Inquiry, ask
from outthink.bench.verifiers.fit import FOLDS, Worth, fit_curve, fit_head, folds, gained, log_loss, log_odds
from outthink.bench.verifiers.graded import Graded, enough, origin
from outthink.bench.verifiers.table import WEIGHT
from outthink.bench.verifiers.train import fit_weights
from outthink.core.errors import InputError
from outthink.core.protocols import Verifier
from outthink.verifiers.fitted import Fitted
from outthink.verifiers.heads import Linear, logistic

Floats = NDArray[np.float64]


async def calibrate(
    engine: Engine, verifiers: Sequence[Verifier], questions: Sequence[Graded], seed: int = 0
) -> Fitted:
    """The file of ``calibrated`` (one verifier) or ``stack`` (several). Raises `InputError` for too few questions, and
    for verifiers that go by one name."""
    enough(questions)
    mark = origin(questions)
    names, raw = await _raw(engine, verifiers, questions)
    if len(set(names)) < len(names):
        raise InputError(f"two verifiers go by the name of {', '.join(names)}; leave one of them out")
    grades = np.array([grade for question in questions for grade in question.grades])
    sizes = [len(question.grades) for question in questions]
    rows = _Rows(
        raw=raw,
        grades=grades,
        weight=np.repeat([WEIGHT / size for size in sizes], sizes),
        clusters=[question.row.cluster for question, size in zip(questions, sizes, strict=True) for _ in range(size)],
        seed=seed,
    )
    worth, head, report = _single(rows) if len(verifiers) == 1 else _stacked(rows, names)
    fill = rows.fill()
    fitted = Fitted(
        kind="calibrated" if len(verifiers) == 1 else "stack",
        columns=tuple(names),
        fill=tuple(fill.tolist()),
        head=head,
        curve=worth.curve,
        mark=mark,
        ids=tuple(question.row.id for question in questions),
        base_rate=float(np.average(grades, weights=rows.weight)),
        report={"questions": len(questions), "samples": len(grades), **worth.told(), "alone": report},
    )
    if worth.curve is None:
        return fitted
    values = _values(fitted, raw, fill, sizes)
    return msgspec.structs.replace(fitted, weights=fit_weights(questions, values, seed))


class _Rows(msgspec.Struct):
    """Raw scores, candidates × verifiers with NaN for "cannot tell", beside grades; each question weighs the same."""

    raw: Floats
    grades: Floats
    weight: Floats
    clusters: list[str]
    seed: int

    def fill(self) -> Floats:
        """The mean of each column: what stands for a score that is missing."""
        known = ~np.isnan(self.raw)
        return np.where(known, self.raw, 0.0).sum(axis=0) / np.maximum(1, known.sum(axis=0))

    def filled(self) -> Floats:
        return np.where(np.isnan(self.raw), self.fill(), self.raw)

    def curve(self, raw: Floats, kept: NDArray[np.bool_] | None = None) -> Worth:
        """What a curve over these raw scores is worth."""
        mask = np.ones(len(raw), dtype=np.bool_) if kept is None else kept
        names = [name for name, keep in zip(self.clusters, mask.tolist(), strict=True) if keep]
        return fit_curve(raw[mask], self.grades[mask], self.weight[mask], names, self.seed)


async def _raw(engine: Engine, verifiers: Sequence[Verifier], questions: Sequence[Graded]) -> tuple[list[str], Floats]:
    names: list[str] = []
    columns: list[list[float]] = []
    for verifier in verifiers:
        inquiries = [
            Inquiry(question.row.problem, question.candidates, [range(len(question.candidates))])
            for question in questions
        ]
        answered = await ask(engine, verifier, inquiries)
        scores = [score for found in answered.scores for score in found[0]]
        if all(score.raw is None for score in scores):
            why = f" ({answered.warnings[0]})" if answered.warnings else ""
            raise InputError(f"the verifier {scores[0].verifier} told nothing of these samples{why}; leave it out")
        names.append(next(score.verifier for score in scores if score.raw is not None))
        columns.append([float("nan") if score.raw is None else score.raw for score in scores])
    return names, np.stack([np.array(column) for column in columns], axis=1)


def _single(rows: _Rows) -> tuple[Worth, None, dict[str, Any]]:
    worth = rows.curve(rows.raw[:, 0], ~np.isnan(rows.raw[:, 0]))
    return worth, None, {}


def _stacked(rows: _Rows, names: Sequence[str]) -> tuple[Worth, Linear, dict[str, Any]]:
    """Verifiers taken in one by one while held-out loss falls by more than its standard error."""
    x, chosen = rows.filled(), list[int]()
    where = folds(rows.clusters, rows.seed)
    base = _loss(np.zeros((len(x), 1)), rows, where)
    best, told = (
        base,
        {name: rows.curve(rows.raw[:, i], ~np.isnan(rows.raw[:, i])).told() for i, name in enumerate(names)},
    )
    while left := [i for i in range(len(names)) if i not in chosen]:
        losses = {i: _loss(x[:, [*chosen, i]], rows, where) for i in left}
        first = min(left, key=lambda i: float(np.average(losses[i], weights=rows.weight)))
        gain, error = gained(best - losses[first], rows.weight, rows.clusters)
        if gain <= error:
            break
        chosen.append(first)
        best = losses[first]
    kept = sorted(chosen)
    some = fit_head("linear", x[:, kept], rows.grades, rows.weight) if kept else Linear((), 0.0)
    weights = dict(zip(kept, some.weights, strict=True)) if isinstance(some, Linear) else {}
    bias = some.bias if isinstance(some, Linear) else 0.0
    head = Linear(tuple(weights.get(i, 0.0) for i in range(len(names))), bias)
    odds = _crossed(x[:, kept], rows, where) if kept else np.zeros(len(x))
    report = {name: {**told[name], "weight": head.weights[i]} for i, name in enumerate(names)}
    return rows.curve(odds), head, report


def _crossed(x: Floats, rows: _Rows, where: NDArray[np.int64]) -> Floats:
    """Log odds by heads that were fitted without the row's fold."""
    odds = np.zeros(len(x))
    for fold in range(FOLDS):
        out = where == fold
        if out.any():
            odds[out] = log_odds(fit_head("linear", x[~out], rows.grades[~out], rows.weight[~out]), x[out])
    return odds


def _loss(x: Floats, rows: _Rows, where: NDArray[np.int64]) -> Floats:
    p = np.array([logistic(float(one)) for one in _crossed(x, rows, where)])
    return log_loss(p, rows.grades)


def _values(fitted: Fitted, raw: Floats, fill: Floats, sizes: Sequence[int]) -> list[list[float | None]]:
    """Each sample's probability by the fitted curve, by question; None where nothing was told of it."""
    values: list[float | None] = []
    for row in raw:
        told = fitted.curve is not None and not bool(np.all(np.isnan(row)))
        mended: list[float] = np.where(np.isnan(row), fill, row).tolist()
        values.append(fitted.curve.of(fitted.raw(mended)) if told and fitted.curve is not None else None)
    ends = np.cumsum([0, *sizes]).tolist()
    return [values[a:b] for a, b in pairwise(ends)]
