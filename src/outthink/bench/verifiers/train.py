"""Training a probe: which head, how well calibrated, and whether it is worth any weight, all on held-out questions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec
import numpy as np
from numpy.typing import NDArray

from outthink.adaptive import posterior_fit
from outthink.adaptive.posterior import Evidence, Weights, logit, posterior
from outthink.bench.verifiers.fit import FOLDS, HEADS, HeadKind, fit_curve, fit_head, folds, log_loss, log_odds
from outthink.bench.verifiers.graded import Graded, enough, origin
from outthink.bench.verifiers.table import Completed, Labels, Table, table
from outthink.core.candidate import WHOLE
from outthink.verifiers.features import GROUPS
from outthink.verifiers.fitted import Fitted
from outthink.verifiers.heads import logistic

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a probe is trained: groups of features, labels, and heads to choose from.

    Without the candidate's own votes unless they are asked for: the answer posterior counts them already.
    """

    groups: tuple[str, ...] = tuple(group for group in GROUPS if group != "votes")
    labels: Labels = "outcome"
    heads: tuple[HeadKind, ...] = HEADS

    @property
    def features(self) -> tuple[str, ...]:
        return tuple(name for group in self.groups for name in GROUPS[group])


def train_probe(
    questions: Sequence[Graded], recipe: Recipe = Recipe(), *, completed: Completed | None = None, seed: int = 0
) -> Fitted:
    """A probe fitted on graded questions. Raises `InputError` for too few, or where there is nothing to tell apart."""
    enough(questions)
    mark = origin(questions)
    rows = table(questions, recipe.labels, completed, seed)
    names = _known(rows, recipe.features)
    x = rows.columns(names)
    where = folds([questions[int(place)].row.cluster for place in rows.question], seed)
    crossed = {head: cross_fitted(head, x, rows, where) for head in recipe.heads}
    ends = rows.last
    losses = {head: _loss(odds[ends], rows, ends) for head, odds in crossed.items()}
    head = min(recipe.heads, key=lambda name: losses[name])
    owners = rows.question[ends].tolist()
    outcome = rows.y[ends]
    worth = fit_curve(crossed[head][ends], outcome, rows.weight[ends], owners, seed)
    fitted = Fitted(
        kind="probe",
        columns=names,
        fill=tuple(np.average(x, axis=0, weights=rows.weight).tolist()),
        head=fit_head(head, x, rows.y, rows.weight),
        curve=worth.curve,
        mark=mark,
        ids=tuple(question.row.id for question in questions),
        base_rate=float(np.average(outcome, weights=rows.weight[ends])),
        report={
            "questions": len(questions),
            "samples": sum(len(question.candidates) for question in questions),
            "labels": recipe.labels,
            "head": head,
            "heads": losses,
            **worth.told(),
        },
    )
    if worth.curve is None:
        return fitted
    values = _values(questions, rows, [worth.curve.of(one) for one in crossed[head].tolist()])
    weights = fit_weights(questions, values, seed)
    counts = msgspec.structs.replace(posterior_fit.fit(_evidence(questions, values), seed=seed), columns=())
    losses = {
        "posterior_loss": _answer_loss(questions, values, weights),
        "votes_loss": _answer_loss(questions, values, counts),
    }
    return msgspec.structs.replace(fitted, weights=weights, report=fitted.report | losses)


def cross_fitted(head: HeadKind, x: Floats, rows: Table, where: NDArray[np.int64]) -> Floats:
    """Each row's log odds by a head that was fitted without its fold."""
    found = np.zeros(len(x))
    for fold in range(FOLDS):
        out = where == fold
        if out.any():
            found[out] = log_odds(fit_head(head, x[~out], rows.y[~out], rows.weight[~out]), x[out])
    return found


def fit_weights(questions: Sequence[Graded], values: Sequence[Sequence[float | None]], seed: int = 0) -> Weights:
    """The answer posterior's weights, with the log odds of these (held-out) values as its one column."""
    return posterior_fit.fit(_evidence(questions, values), columns=1, seed=seed)


def _evidence(questions: Sequence[Graded], values: Sequence[Sequence[float | None]]) -> list[posterior_fit.Recorded]:
    return [evidence_of(question, own) for question, own in zip(questions, values, strict=True)]


def _answer_loss(questions: Sequence[Graded], values: Sequence[Sequence[float | None]], weights: Weights) -> float:
    """Mean minus log probability of the right answer (or of none) over whole pools, in nats."""
    losses: list[float] = []
    for found in _evidence(questions, values):
        told = posterior(found.evidence, weights)
        losses.append(-math.log(max(1e-6, told.probabilities.get(found.gold or "", told.none))))
    return sum(losses) / len(losses)


def evidence_of(question: Graded, values: Sequence[float | None]) -> posterior_fit.Recorded:
    """One question for the posterior: its candidates' answers and values, and the key of the right one."""
    rights = [
        found.answer.key
        for found, grade in zip(question.candidates, question.grades, strict=True)
        if found.answer is not None and grade >= 0.5
    ]
    evidence = tuple(
        Evidence(
            None if found.answer is None else found.answer.key,
            (None if value is None else logit(value),),
            found.finish in WHOLE,
        )
        for found, value in zip(question.candidates, values, strict=True)
    )
    return posterior_fit.Recorded(evidence, max(set(rights), key=rights.count) if rights else None)


def _known(rows: Table, names: Sequence[str]) -> tuple[str, ...]:
    """The features that tell samples apart in this pool (no log probabilities: they are all zero)."""
    x = rows.columns(names)
    return tuple(name for name, spread in zip(names, np.ptp(x, axis=0).tolist(), strict=True) if spread > 1e-9)


def _loss(odds: Floats, rows: Table, ends: NDArray[np.bool_]) -> float:
    p = np.array([logistic(one) for one in odds.tolist()])
    return float(np.average(log_loss(p, rows.y[ends]), weights=rows.weight[ends]))


def _values(questions: Sequence[Graded], rows: Table, values: Sequence[float]) -> list[list[float | None]]:
    """The value of each sample in its whole pool, by question."""
    found: list[list[float | None]] = [[None] * len(question.candidates) for question in questions]
    for place in np.flatnonzero(rows.last & rows.whole).tolist():
        found[int(rows.question[place])][int(rows.sample[place])] = values[place]
    return found
