"""A policy for answers that can be counted: the certified rule, the one-sample gate, the giving up of hopeless chains,
the answer posterior."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from outthink.adaptive import gate_fit, posterior_fit
from outthink.adaptive.curtailment import Curtail
from outthink.adaptive.gate import MEASURES, Gate, Measure, measured
from outthink.adaptive.policy import AnyRule, Policy
from outthink.adaptive.portfolio_fit import adaptive_ladders, choose, lower, simple_ladders, tried
from outthink.adaptive.posterior import Evidence, Weights, posterior
from outthink.adaptive.posterior_fit import Recorded
from outthink.adaptive.replay_fit import Outcome, Replay
from outthink.bench.calibrate import giving_up
from outthink.bench.calibrate.paths import passing, replayed, stops
from outthink.bench.calibrate.questions import LEAST, Question, Sample
from outthink.bench.verifiers.fit import folds, gained

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
PREFIXES, FOLDS = 8, 5
"""Prefixes of a question that teach the posterior; parts of a cross-fit."""
SURE = 2.0
"""Standard errors of gain from which log probabilities weigh: at 1, on 30 questions, noise was let in at times, which
then cost points of accuracy."""


@dataclass(frozen=True, slots=True)
class Fit:
    """A policy's parts. ``notices``: what could not be had, and why."""

    policy: Policy
    notices: tuple[str, ...]


def fit(questions: Sequence[Question], limit: int, *, loss: float, seed: int, floor: float | None) -> Fit:
    """The policy for at most ``limit`` samples that loses no more than ``loss`` of the accuracy of all of them."""
    replay = replayed(questions, limit, seed)
    full = replay.fixed(limit)
    each = float(full.tokens.mean()) / limit
    choice = choose(tried(replay, simple_ladders(limit) | adaptive_ladders(each)), full, replay.clusters, loss=loss)
    notices: list[str] = []
    if not choice.certified:
        notices.append(
            f"no rule can be certified to lose at most {loss:.1%} on {len(questions)} questions: it stops by "
            "curtailment at 0.95, which is not calibrated; record more questions, or allow --loss 0.01"
        )
    gate, why = _gate(replay, choice.rule, questions, loss, floor)
    if gate is None:
        notices.append(why)
    spared, why = giving_up.fit(questions, replay, choice.rule, gate, loss=loss, seed=seed)
    if spared is not None:  # from here on, chains end as they will
        questions = giving_up.cut(questions, spared)
        replay = replayed(questions, limit, seed)
    weights, columns, told = _posterior(replay, choice.rule, questions, seed)
    notices += filter(None, (why, told))
    policy = Policy(
        rule=choice.rule,
        weights=weights,
        gate=gate,
        giving_up=spared,
        price=loss / max(1.0, float(full.tokens.mean())),
        columns=columns,
        agreement=_agreement(replay, gate, questions),
        certified=choice.certified,
        limit=limit,
    )
    return Fit(policy, tuple(notices))


def _agreement(replay: Replay, gate: Gate | None, questions: Sequence[Question]) -> float | None:
    """How often two samples agree, where the first does not pass the gate."""
    open_ = np.ones(replay.lead.shape[:2], np.bool_) if gate is None else ~passing(replay, gate, questions)
    return float((replay.streak[:, :, 1] > 1)[open_].mean()) if open_.any() else None


def evidence(samples: Sequence[Sample], columns: Sequence[Measure]) -> tuple[Evidence, ...]:
    """What samples say to the answer posterior."""
    return tuple(Evidence(one.key, measured(one.logprobs, columns), one.whole) for one in samples)


def _gate(
    replay: Replay, rule: AnyRule, questions: Sequence[Question], loss: float, floor: float | None
) -> tuple[Gate | None, str]:
    """The gate, or why there is none. It must keep within the loss together with the rule, too."""
    size = min(len(question.samples) for question in questions)
    kept = [question.samples[:size] for question in questions]
    measures: dict[Measure, Floats] = {
        name: np.array([[_or_nan(one, name) for one in samples] for samples in kept], dtype=np.float64)
        for name in MEASURES
    }
    if not any(np.isfinite(values).any() for values in measures.values()):
        return None, "no log probabilities were recorded: no gate for single samples, and no column for the posterior"
    full = replay.fixed(replay.limit)
    index = np.unique(np.array(replay.clusters), return_inverse=True)[1].astype(np.int64)
    right = np.array([[float(one.right) for one in samples] for samples in kept])
    found = gate_fit.fit(gate_fit.Singles(measures, right, full.right, index), floor=floor, loss=loss)
    wanted = "the full vote" if floor is None else f"{floor:g}"
    if found is None:
        return None, f"no gate: single samples are not surely as right as {wanted}, however sure their words are"
    if floor is None:
        together = replay.at(stops(replay, rule, found, questions))
        if rule != Curtail() and float(lower(together.right - full.right, index)) <= -loss:
            return None, "no gate: with the rule it would lose more than was allowed"
    return found, ""


def _or_nan(sample: Sample, measure: Measure) -> float:
    (value,) = measured(None if sample.key is None else sample.logprobs, (measure,))
    return math.nan if value is None else value


def _posterior(
    replay: Replay, rule: AnyRule, questions: Sequence[Question], seed: int
) -> tuple[Weights, tuple[Measure, ...], str]:
    """The posterior's weights, from random prefixes; with the best column of log probabilities where cross-validation
    finds it worth more than `SURE` standard errors at the places where the rule stops. Also why there is none.

    Weights from the rule's own stops were no better there, and worse elsewhere, on most of eight recorded pools.
    """
    where = folds(replay.clusters, seed, FOLDS)
    columns: tuple[Measure, ...] = ()
    told = ""
    enough = min(int((where != part).sum()) for part in range(FOLDS)) >= LEAST
    if enough and any(one.logprobs is not None for question in questions for one in question.samples):
        last = replay.stops(rule)
        base = _crossed(replay, last, questions, (), where)
        losses = {name: _crossed(replay, last, questions, (name,), where) for name in MEASURES}
        best = min(MEASURES, key=lambda name: float(losses[name].mean()))
        gain, error = gained(base - losses[best], np.ones(len(base)), replay.clusters)
        if gain > SURE * error:
            columns = (best,)
        else:
            told = f"log probabilities add nothing to votes ({gain:+.4f} ± {error:.4f} nats a question): left out"
    return _fitted(questions, columns, replay.limit), columns, told


def _fitted(questions: Sequence[Question], columns: tuple[Measure, ...], longest: int) -> Weights:
    recorded = [Recorded(evidence(question.samples, columns), question.gold) for question in questions]
    return posterior_fit.fit(recorded, columns=len(columns), prefixes=PREFIXES, longest=longest)


def prefixes(
    replay: Replay, last: Ints, questions: Sequence[Question], columns: Sequence[Measure], orders: int
) -> list[list[Recorded]]:
    """What was seen where each path ended, for the first orders of each question."""
    found: list[list[Recorded]] = []
    for place, question in enumerate(questions):
        items = evidence(question.samples, columns)
        ends: list[int] = last[place, :orders].tolist()
        drawn: list[list[int]] = [replay.drawn[place, order, : end + 1].tolist() for order, end in enumerate(ends)]
        found.append([Recorded(tuple(items[one] for one in path), question.gold) for path in drawn])
    return found


def _crossed(
    replay: Replay, last: Ints, questions: Sequence[Question], columns: tuple[Measure, ...], where: Ints
) -> Floats:
    """Minus the log probability of the right answer (or of none), a mean a question, by weights fitted without it."""
    losses = np.zeros(len(questions))
    drawn = prefixes(replay, last, questions, columns, PREFIXES)
    for part in range(FOLDS):
        others = [question for question, fold in zip(questions, where, strict=True) if fold != part]
        weights = _fitted(others, columns, replay.limit)
        for place, own in enumerate(drawn):
            if where[place] == part:
                losses[place] = sum(_loss(one, weights) for one in own) / len(own)
    return losses


def _loss(drawn: Recorded, weights: Weights) -> float:
    found = posterior(drawn.evidence, weights)
    return -math.log(max(1e-6, found.probabilities.get(drawn.gold or "", found.none)))


def confidences(replay: Replay, last: Ints, questions: Sequence[Question], policy: Policy) -> tuple[Floats, Floats]:
    """Of every path where it ended: the probability of its answer, and whether it is right. Questions × orders."""
    orders = replay.drawn.shape[1]
    drawn = [one for own in prefixes(replay, last, questions, policy.columns, orders) for one in own]
    told = [posterior(one.evidence, policy.weights) for one in drawn]
    sure: Floats = np.reshape([one.confidence for one in told], (len(questions), orders))
    pairs = zip(told, drawn, strict=True)
    right = [float(one.leader is not None and one.leader == seen.gold) for one, seen in pairs]
    if policy.gate is not None:
        sure = np.where(passing(replay, policy.gate, questions), policy.gate.precision, sure)
    return sure, np.reshape(right, sure.shape)


def ideal(replay: Replay) -> Outcome:
    """Stopping with the right answer known: at the first right vote where all samples end right, else at once."""
    ends = replay.right[:, :, -1]
    return replay.at(np.where(ends, replay.right.argmax(axis=2), 0))
