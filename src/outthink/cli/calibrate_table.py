"""A calibration as text."""

from __future__ import annotations

from collections.abc import Iterator

from outthink.adaptive.policy import AnyRule, Policy
from outthink.bench.calibrate.fitting import Calibration
from outthink.bench.calibrate.held_out import HeldOut
from outthink.core.candidate import GROUP


def told(found: Calibration, file: str) -> str:
    """What was fitted, and a table of what it comes to."""
    lines = [f"{file}: fitted on {len(found.policy.fitted):,} questions, at most {found.policy.limit} samples each"]
    lines += [f"{name:<12} {said}" for name, said in _parts(found.policy, found.programs)]
    return "\n".join([*lines, *(() if found.held is None else _table(found.held))])


def _parts(policy: Policy, programs: bool) -> Iterator[tuple[str, str]]:
    standing = "certified" if policy.certified else "not certified"
    if programs:
        law = policy.solvable
        yield "questions", f"p ~ Beta({law.alpha:.2f}, {law.beta:.2f}), hopeless {law.hopeless:.1%}"
        yield "a test", f"passes {law.recall:.1%} of right programs and {law.false_pass:.1%} of wrong ones"
        yield "price", f"{policy.price:.2g} a token ({standing})"
        return
    yield "rule", f"{_spoken(policy.rule)} ({standing})"
    if policy.gate is not None:
        gate = policy.gate
        yield "gate", f"log probability {gate.measure} >= {gate.least:.3f}: right in {gate.precision:.1%}"
    if policy.giving_up is not None:
        found = policy.giving_up
        yield (
            "giving up",
            f"a chain of which {GROUP} tokens lie under {found.below:.3f}: spares {found.saves:.0f} a sample",
        )
    weights = policy.weights
    with_ = f", with log probability {policy.columns[0]}" if policy.columns else ""
    yield (
        "posterior",
        f"log votes {weights.log_count:+.2f}, share {weights.share:+.2f}, none {weights.none:+.2f}{with_}",
    )
    yield "price", f"{policy.price:.2g} a token"


def _spoken(rule: AnyRule) -> str:
    shown = [f"{name}={getattr(rule, name):g}" for name in rule.__struct_fields__ if name not in ("prior", "unseen")]
    return f"{type(rule).__name__.lower()}({', '.join(shown)})"


def _table(held: HeldOut) -> Iterator[str]:
    low, high = 100 * held.difference.low, 100 * held.difference.high
    yield f"\non {held.questions:,} questions held out    right, %    new tokens a question"
    for n, (accuracy, tokens) in held.fixed.items():
        yield f"  N = {n:<24} {100 * accuracy:9.1f} {tokens:14,.0f}"
    yield f"  the policy ({held.samples:.1f} samples){'':<7} {100 * held.accuracy.value:9.1f} {held.tokens:14,.0f}"
    yield f"  oracle stopping{'':<13} {100 * held.ideal[0]:9.1f} {held.ideal[1]:14,.0f}"
    yield f"against N = {held.limit}: {100 * held.difference.value:+.2f} points [{low:+.2f}, {high:+.2f}], " + (
        f"{held.saving.value:.2f} [{held.saving.low:.2f}, {held.saving.high:.2f}] times fewer tokens"
    )
    yield f"confidence: Brier {held.brier:.3f} (base rate {held.brier_base:.3f}), calibration error {held.ece:.3f} " + (
        f"(95 % of calibrated ones are under {held.ece_limit:.3f})"
    )
    if held.gated:
        yield f"the gate lets {held.gated:.1%} of the questions pass with one sample"
