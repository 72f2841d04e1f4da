"""A policy: what calibration found, as a value that is JSON. What it was fitted on is part of it."""

from __future__ import annotations

from typing import Literal

import msgspec

from outthink.adaptive.curtailment import Curtail, Lossless
from outthink.adaptive.gate import Gate, Measure
from outthink.adaptive.giving_up import GiveUp
from outthink.adaptive.hazard import Solvable
from outthink.adaptive.posterior import Weights
from outthink.adaptive.stopping import BayesFactor, Beta, Closing, Fixed, Lead, Window
from outthink.core.errors import InputError
from outthink.core.mark import Mark

VERSION = 1
AnyRule = Fixed | Lossless | Curtail | Lead | Closing | Beta | Window | BayesFactor


class Policy(msgspec.Struct, frozen=True, kw_only=True):
    """When to stop and how much to believe.

    ``gate``: when one sample is enough, None for never. ``giving_up``: when a chain is stopped in mid-generation, None
    for never; ``weights`` and ``agreement`` then count such a chain as one without an answer. ``solvable``: how
    questions differ, for a verifier of pass and fail. ``price``: accuracy a token, under which a wave is not bought.
    ``held_out``: its figures on questions that it was not fitted on, each a name and a number.
    ``fingerprint``: of the samples it was fitted on. ``fitted``: the ids of those questions, so that nobody reports on
    them. ``certified``: the rule (with a verifier, the price) passed `portfolio_fit.choose`. ``columns``: what the
    columns of ``weights`` hold, in their order: measures of a sample's log probabilities. ``agreement``: the chance
    that the second sample of a question gives the answer that the first gave, where no gate let that one pass; None:
    not known, and no drift is seen. ``labels``: ``gold``, or ``majority`` where agreement stood for right answers.
    """

    rule: AnyRule = Curtail()
    weights: Weights = Weights()
    gate: Gate | None = None
    giving_up: GiveUp | None = None
    solvable: Solvable = Solvable()
    price: float = 1e-6
    held_out: dict[str, float] = {}
    fingerprint: Mark = Mark()
    fitted: tuple[str, ...] = ()
    columns: tuple[Measure, ...] = ()
    agreement: float | None = None
    labels: Literal["gold", "majority"] = "gold"
    certified: bool = False
    limit: int = 64
    version: int = VERSION


UNCALIBRATED = Policy()


def to_json(policy: Policy) -> bytes:
    """The policy as indented JSON."""
    return msgspec.json.format(msgspec.json.encode(policy), indent=2)


def from_json(text: bytes, source: str = "the policy") -> Policy:
    """A policy from JSON. Raises `InputError` for one that is damaged or from a newer version."""
    try:
        version = msgspec.json.decode(text, type=_Versioned).version
        if version <= VERSION:
            return msgspec.json.decode(text, type=Policy, strict=False)  # temperatures were texts once
    except msgspec.DecodeError as error:
        raise InputError(f"{source} is damaged ({error}); run outthink calibrate again") from None
    raise InputError(f"{source} is of version {version}, and this outthink reads up to {VERSION}; update outthink")


class _Versioned(msgspec.Struct):
    version: int
