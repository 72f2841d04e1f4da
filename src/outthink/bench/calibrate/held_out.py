"""What a policy comes to on questions that it was not fitted on, beside every fixed number of samples."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from outthink.adaptive.hazard_fit import Trials
from outthink.adaptive.policy import Policy
from outthink.adaptive.replay_fit import Outcome, Replay
from outthink.bench.calibrate import verified, votes
from outthink.bench.calibrate.giving_up import cut
from outthink.bench.calibrate.paths import passing, replayed, stops
from outthink.bench.calibrate.questions import Question
from outthink.bench.stats import (
    Estimate,
    Resampling,
    accuracy_difference,
    brier,
    ece,
    ece_if_calibrated,
    mean_estimate,
    token_ratio,
)

Floats = NDArray[np.float64]
HOW = Resampling(resamples=4000)
CURVE = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64)
"""Fixed numbers of samples that are shown."""


@dataclass(frozen=True, slots=True)
class HeldOut:
    """Means over questions and orders. ``fixed``: accuracy and tokens by number of samples; the last is all of them.

    ``gated``: the share of paths that ended at the gate. ``brier`` and the calibration error ``ece`` are of one order;
    ``ece_limit``: 95 % of perfectly calibrated predictors of that size lie under it. Tokens are new tokens a question.
    """

    questions: int
    limit: int
    accuracy: Estimate
    tokens: float
    samples: float
    difference: Estimate
    saving: Estimate
    fixed: dict[int, tuple[float, float]]
    ideal: tuple[float, float]
    gated: float
    brier: float
    brier_base: float
    ece: float
    ece_limit: float

    def figures(self) -> dict[str, float]:
        """For the policy's file; intervals are at 95 %, ``difference`` and ``saving`` are against all samples."""
        full = self.fixed[self.limit]
        return {
            "questions": self.questions,
            "accuracy": self.accuracy.value,
            "accuracy_low": self.accuracy.low,
            "accuracy_high": self.accuracy.high,
            "tokens": self.tokens,
            "samples": self.samples,
            "full_accuracy": full[0],
            "full_tokens": full[1],
            "difference": self.difference.value,
            "difference_low": self.difference.low,
            "difference_high": self.difference.high,
            "saving": self.saving.value,
            "saving_low": self.saving.low,
            "saving_high": self.saving.high,
            "gated": self.gated,
            "brier": self.brier,
            "brier_base": self.brier_base,
            "ece": self.ece,
            "ece_limit": self.ece_limit,
            "oracle_accuracy": self.ideal[0],
            "oracle_tokens": self.ideal[1],
        }


def held_out(questions: Sequence[Question], policy: Policy, *, programs: bool, seed: int) -> HeldOut:
    """The policy replayed over questions in random orders, other ones than it was fitted in."""
    clusters = [question.cluster for question in questions]
    if programs:
        trials = verified.trials(questions, policy.limit, seed + 1)
        last = trials.stops(verified.rule_of(policy))
        sure, right = verified.confidences(trials, last, policy.solvable)
        return _measured(policy, clusters, trials, trials.at(last), sure, right, verified.ideal(trials), 0.0)
    whole, kept = replayed(questions, policy.limit, seed + 1), cut(questions, policy.giving_up)
    replay = whole if policy.giving_up is None else replayed(kept, policy.limit, seed + 1)
    last = stops(replay, policy.rule, policy.gate, kept)
    sure, right = votes.confidences(replay, last, kept, policy)
    gated = 0.0 if policy.gate is None else float(passing(replay, policy.gate, kept).mean())
    return _measured(policy, clusters, whole, replay.at(last), sure, right, votes.ideal(whole), gated)


def _measured(
    policy: Policy,
    clusters: Sequence[str],
    whole: Replay | Trials,
    spent: Outcome,
    sure: Floats,
    right: Floats,
    ideal: Outcome,
    gated: float,
) -> HeldOut:
    full = whole.fixed(policy.limit)
    accuracy = right.mean(axis=1)
    one = right[:, 0]
    return HeldOut(
        questions=len(clusters),
        limit=policy.limit,
        accuracy=mean_estimate(accuracy, clusters=clusters, how=HOW),
        tokens=float(spent.tokens.mean()),
        samples=float(spent.samples.mean()),
        difference=accuracy_difference(accuracy, full.right, clusters=clusters, how=HOW),
        saving=token_ratio(full.tokens, spent.tokens, clusters=clusters, how=HOW),
        fixed={n: _mean(whole.fixed(n)) for n in (*(k for k in CURVE if k < policy.limit), policy.limit)},
        ideal=_mean(ideal),
        gated=gated,
        brier=brier(sure[:, 0], one),
        brier_base=float(one.mean() * (1 - one.mean())),
        ece=ece(sure[:, 0], one),
        ece_limit=ece_if_calibrated(sure[:, 0], level=0.9).high,  # the upper end of 90 % is the 95 % quantile
    )


def _mean(outcome: Outcome) -> tuple[float, float]:
    return float(outcome.right.mean()), float(outcome.tokens.mean())
