"""A policy for programs that a test can be asked of: how questions differ, what a pass is worth, when to give up."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from outthink.adaptive import hazard_fit
from outthink.adaptive.hazard import Hazard, Solvable
from outthink.adaptive.hazard_fit import Trials
from outthink.adaptive.policy import Policy
from outthink.adaptive.portfolio_fit import Tried, choose
from outthink.adaptive.replay_fit import Outcome
from outthink.bench.calibrate.paths import ORDERS
from outthink.bench.calibrate.questions import Question
from outthink.bench.calibrate.votes import Fit

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
DOUBTFUL = 0.5
"""Chance that a program which passes is right under which this is said."""
DEAREST = 24
"""Prices that are tried: doubled so often from the one that is never too dear."""


def trials(questions: Sequence[Question], limit: int, seed: int, orders: int = ORDERS) -> Trials:
    """The questions in random orders."""
    rights, passes = _columns(questions)
    tokens = [[one.tokens for one in question.samples] for question in questions]
    return Trials(rights, passes, tokens, orders=orders, limit=limit, seed=seed)


def _columns(questions: Sequence[Question]) -> tuple[list[list[bool]], list[list[bool]]]:
    rights = [[one.right for one in question.samples] for question in questions]
    return rights, [[bool(one.passed) for one in question.samples] for question in questions]


def fit(questions: Sequence[Question], limit: int, *, loss: float, seed: int) -> Fit:
    """The policy for at most ``limit`` programs: the dearest price that loses no more than ``loss`` of the accuracy of
    the first of all that passes."""
    found = hazard_fit.fit(*_columns(questions))
    replay = trials(questions, limit, seed)
    full = replay.fixed(limit)
    least = loss / max(1.0, float(full.tokens.mean()))
    rules = [Hazard(least * 2.0**step, solvable=found) for step in range(DEAREST)]
    tried = [Tried(rule, "hazard", replay.at(replay.stops(rule))) for rule in rules]
    choice = choose(tried, full, [question.cluster for question in questions], loss=loss)
    price, notices = least, list[str]()
    if choice.certified and isinstance(choice.rule, Hazard):
        price = choice.rule.price
    else:
        notices.append(
            f"no price can be certified to lose at most {loss:.1%} on {len(questions)} questions: the price is "
            f"{loss:g} over the tokens of all samples; record more questions, or allow --loss 0.01"
        )
    if found.right_if_passed() < DOUBTFUL:
        notices.append(f"a first program that passes is right in {found.right_if_passed():.0%} only: show more tests")
    policy = Policy(solvable=found, price=price, certified=choice.certified, limit=limit)
    return Fit(policy, tuple(notices))


def rule_of(policy: Policy) -> Hazard:
    """The rule that a policy stands for where there is a verifier."""
    return Hazard(policy.price, solvable=policy.solvable)


def confidences(replay: Trials, last: Ints, law: Solvable) -> tuple[Floats, Floats]:
    """Of every path where it ended: the probability of its answer, and whether it is right. Questions × orders."""
    place = last[:, :, None]
    passes = np.take_along_axis(replay.passes, place, 2)[:, :, 0]
    failed = last + 1 - passes
    right = np.take_along_axis(replay.right, place, 2)[:, :, 0].astype(np.float64)
    counts = range(replay.limit + 1)
    sure = np.array([law.right_if_passed(count) for count in counts])
    doubtful = np.array([_right_if_failed(law, count) for count in counts])
    return np.where(passes > 0, sure[failed], doubtful[failed]), right


def _right_if_failed(law: Solvable, failed: int) -> float:
    """The probability that one of so many samples that all failed is right."""
    chance = law.right_next(max(0, failed - 1))
    missed = (1 - law.recall) * chance
    failing = missed + (1 - law.false_pass) * (1 - chance)
    return missed / failing if failing else 0.0


def ideal(replay: Trials) -> Outcome:
    """Stopping at the first program that passes and is right, else at once where there is none."""
    ends = replay.right[:, :, -1]
    return replay.at(np.where(ends, replay.right.argmax(axis=2), 0))
