"""From pools to a policy with its held-out figures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from outthink.adaptive.policy import Policy
from outthink.adaptive.posterior import Weights
from outthink.bench.calibrate import verified, votes
from outthink.bench.calibrate.held_out import HeldOut, held_out
from outthink.bench.calibrate.questions import Labels, Question, Recording, checked_size
from outthink.bench.verifiers.fit import parted
from outthink.core.errors import InputError

LOSSES = (0.005, 0.01)
"""Accuracy that may be asked to be lost at most."""


@dataclass(frozen=True, slots=True)
class Asked:
    """``hold_out``: part of the questions to report on. ``limit``: samples of a question, None for all that every one
    has (64 at most). ``loss``: accuracy that may be lost against all of them. ``floor``: precision of the gate, None
    for the full vote's. Raises `InputError` for what is out of range."""

    hold_out: float = 0.5
    labels: Labels = "gold"
    limit: int | None = None
    loss: float = LOSSES[0]
    floor: float | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.hold_out < 1:
            raise InputError(f"--hold-out takes 0 or a part under 1, not {self.hold_out:g}")
        if self.loss not in LOSSES:
            raise InputError(f"--loss takes {' or '.join(map(str, LOSSES))}, not {self.loss:g}")
        if self.floor is not None and not 0 < self.floor < 1:
            raise InputError(f"--gate takes a precision between 0 and 1, not {self.floor:g}")


@dataclass(frozen=True, slots=True)
class Calibration:
    """A policy, what it came to on the questions held out (None where none were), and what should be known of it."""

    policy: Policy
    held: HeldOut | None
    notices: tuple[str, ...]
    programs: bool


def calibrate(found: Recording, asked: Asked = Asked()) -> Calibration:
    """Fit a policy on one part of the questions, and report on the other. Raises `InputError` for too few."""
    limit = checked_size(len(found.questions), found.least, asked.limit, asked.hold_out)
    clusters = [question.cluster for question in found.questions]
    kept, held = parted(found.questions, clusters, asked.hold_out, asked.seed)
    _both(kept)
    programs = found.verified
    if programs:
        fitted = verified.fit(kept, limit, loss=asked.loss, seed=asked.seed)
    else:
        fitted = votes.fit(kept, limit, loss=asked.loss, seed=asked.seed, floor=asked.floor)
    policy = msgspec.structs.replace(
        fitted.policy,
        fingerprint=found.fingerprint,
        fitted=tuple(question.id for question in kept),
        labels=asked.labels,
        weights=_believed(fitted.policy.weights, asked.labels),
    )
    measured = held_out(held, policy, programs=programs, seed=asked.seed) if held else None
    if measured is not None:
        policy = msgspec.structs.replace(policy, held_out=measured.figures())
    return Calibration(policy, measured, (*fitted.notices, *_doubts(asked, measured)), programs)


def _believed(weights: Weights, labels: Labels) -> Weights:
    """Weights that were fitted on agreement give no probability of being right."""
    return weights if labels == "gold" else msgspec.structs.replace(weights, calibrated=False)


def _both(kept: Sequence[Question]) -> None:
    """Raises `InputError` where there is nothing to tell apart."""
    rights = {one.right for question in kept for one in question.samples}
    if len(rights) == 1:
        raise InputError(
            f"every sample is {'right' if True in rights else 'wrong'}, so that there is nothing to fit; record "
            "questions that the model gets right at times"
        )


def _doubts(asked: Asked, held: HeldOut | None) -> list[str]:
    """What the figures should not be taken for."""
    found: list[str] = []
    if asked.labels == "majority":
        found.append(
            "labels are the majority of all samples: accuracy and confidence are about agreeing with it, not about "
            "being right"
        )
    if held is None:
        found.append("no questions were held out: nothing is known of what it comes to on others")
        return found
    if held.difference.low <= -asked.loss:
        found.append(
            f"on the {held.questions} questions held out the interval of the difference reaches below "
            f"-{100 * asked.loss:g} points: the loss that was allowed is not confirmed there"
        )
    if held.ece > held.ece_limit:
        found.append("its confidence is further off on the held-out questions than chance explains")
    return found
