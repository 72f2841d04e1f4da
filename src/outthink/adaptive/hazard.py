"""With a verifier of pass and fail: how likely the next sample passes after so many failures, and when to give up.

The chance p that one sample is right is Beta(``alpha``, ``beta``) over questions, except for a share ``hopeless`` on
which it is 0. This is also the law by which coverage grows with samples (Schaeffer et al., 2025, arXiv 2502.17578).
"""

from __future__ import annotations

import math
from functools import lru_cache

import msgspec

from outthink.adaptive.state import Decision, State


class Solvable(msgspec.Struct, frozen=True):
    """How questions differ in p, and how far a verifier can be trusted with their answers.

    ``recall``: how often it passes what is right; ``false_pass``: how often it passes what is wrong (both measured on
    calibration data: public tests that pass do not make an answer right).
    """

    alpha: float = 0.5
    beta: float = 1.0
    hopeless: float = 0.1
    recall: float = 1.0
    false_pass: float = 0.0

    def hopeless_after(self, failed: int) -> float:
        """The probability that p is 0, once ``failed`` samples did not pass."""
        none = self.hopeless * (1 - self.false_pass) ** failed
        return none / (none + (1 - self.hopeless) * _moment(self, failed, 0))

    def right_next(self, failed: int) -> float:
        """The probability that the next sample is right, after ``failed`` that did not pass (the hazard)."""
        open_share = (1 - self.hopeless) * _moment(self, failed, 0)
        none = self.hopeless * (1 - self.false_pass) ** failed
        return (1 - self.hopeless) * _moment(self, failed, 1) / (open_share + none)

    def right_if_passed(self, failed: int = 0) -> float:
        """The probability that a sample is right which passes after ``failed`` that did not (its precision)."""
        right = self.right_next(failed)
        passing = self.recall * right + self.false_pass * (1 - right)
        return self.recall * right / passing if passing else 0.0


class Hazard(msgspec.Struct, frozen=True, tag="hazard"):
    """Stop at the first pass, and when the next sample is not worth its tokens.

    Sampling on after a pass would not find a better answer: the next one that passes proves as little. ``price``:
    accuracy a token; the next sample gains P(it is right and passes), at ``State.each`` tokens. ``futile`` where the
    question is likelier hopeless than not, else ``diminishing``. Without a verifier (``passed`` None) it never stops.
    """

    price: float = 1e-6
    solvable: Solvable = Solvable()

    def stop(self, state: State) -> Decision:
        if state.passed is None or not state.seen:
            return Decision(False)
        failed = state.seen - state.passed
        if state.passed:
            return Decision(True, "verified", {"precision": self.solvable.right_if_passed(failed)})
        gain = self.solvable.right_next(failed) * self.solvable.recall
        cost = self.price * max(state.each, 1.0)
        hopeless = self.solvable.hopeless_after(failed)
        numbers = {"gain": gain, "cost": cost, "hopeless": hopeless}
        if gain >= cost:
            return Decision(False, None, numbers)
        return Decision(True, "futile" if hopeless > 0.5 else "diminishing", numbers)


@lru_cache(maxsize=8192)
def _moment(law: Solvable, failed: int, power: int) -> float:
    """E p^power · P(fail | p)^failed over the Beta, by trapezoids in log-odds, where everything decays smoothly."""
    level = math.lgamma(law.alpha + law.beta) - math.lgamma(law.alpha) - math.lgamma(law.beta)
    total = 0.0
    step = 0.25
    reach = 12.0 + 40.0 / min(law.alpha, law.beta, 4.0)
    for place in range(-int(reach / step), int(reach / step) + 1):
        odds = step * place
        log_p, log_q = (
            -math.log1p(math.exp(-odds)) if odds > -700 else odds,
            -math.log1p(math.exp(odds)) if odds < 700 else -odds,
        )
        chance = math.exp(log_p)
        fails = (1 - law.recall) * chance + (1 - law.false_pass) * math.exp(log_q)
        if fails > 0 or failed == 0:
            total += math.exp(level + (law.alpha + power) * log_p + law.beta * log_q) * (
                fails**failed if failed else 1.0
            )
    return total * step
