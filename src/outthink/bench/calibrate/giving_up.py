"""From which log probability on a chain is given up in mid-generation, and what recorded samples come to then.

A recorded chain is there whole. Which ones would have been given up is known from their lowest group of tokens; where
they would have been stopped is estimated from the means of their parts, at the later end.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from outthink.adaptive.gate import Gate
from outthink.adaptive.giving_up import GiveUp
from outthink.adaptive.policy import AnyRule
from outthink.adaptive.portfolio_fit import Tried, choose
from outthink.adaptive.replay_fit import Outcome, Replay
from outthink.bench.calibrate.paths import replayed, stops
from outthink.bench.calibrate.questions import Question, Sample
from outthink.core.candidate import GROUP, PARTS
from outthink.verifiers.confidence import stop_threshold

KEPT = (0.99, 0.98, 0.95, 0.9, 0.85, 0.8, 0.7)
"""Thresholds that are tried: those that so many of the recorded chains stay above."""
LEAST = 0.02
"""Part of the tokens that it has to spare."""


def cut(questions: Sequence[Question], giving_up: GiveUp | None) -> Sequence[Question]:
    """The questions as they are answered with hopeless chains given up, which are without an answer, and cost what they
    had cost by then. Questions whose prompt is longer than what is spared stay as they are, as in `auto`."""
    if giving_up is None:
        return questions
    return [
        replace(question, samples=tuple(_cut(one, giving_up.below) for one in question.samples))
        if giving_up.pays(question.prompt)
        else question
        for question in questions
    ]


def _cut(sample: Sample, below: float) -> Sample:
    if _low(sample) >= below:
        return sample
    return replace(sample, key=None, right=False, whole=False, tokens=_stopped_at(sample, below), logprobs=None)


def _low(sample: Sample) -> float:
    """The mean of its lowest group of tokens; infinite where it holds none that is known."""
    return math.inf if sample.logprobs is None or sample.tokens < GROUP else sample.logprobs.low


def _stopped_at(sample: Sample, below: float) -> int:
    """After how many tokens it is stopped: at the end of the first run of parts, just long enough to hold a group,
    whose mean lies below; else after all it has."""
    shape = sample.logprobs.shape if sample.logprobs else ()
    ends = [place * sample.tokens // PARTS for place in range(len(shape) + 1)]
    start, total = 0, 0.0
    for place, mean in enumerate(shape):
        total += mean * (ends[place + 1] - ends[place])
        while ends[place + 1] - ends[start + 1] >= GROUP:
            total -= shape[start] * (ends[start + 1] - ends[start])
            start += 1
        size = ends[place + 1] - ends[start]
        if size >= GROUP and total / size < below:
            return ends[place + 1]
    return sample.tokens


def fit(
    questions: Sequence[Question], whole: Replay, rule: AnyRule, gate: Gate | None, *, loss: float, seed: int
) -> tuple[GiveUp | None, str]:
    """The threshold that takes the fewest tokens with this rule and gate, or why there is none.

    It is certified as rules are (`choose`), against all samples of ``whole``, the questions replayed with this seed.
    The prompts that its separate requests send again count among its tokens.
    """
    tried = _thresholds(questions)
    if not any(one.saves for one in tried):
        return None, _nowhere(questions)
    paying = [one for one in tried if any(one.pays(question.prompt) for question in questions)]
    if not paying:
        most, prompt = max(one.saves for one in tried), min(question.prompt for question in questions)
        return None, f"no chain is given up: that spares {most:.0f} tokens a sample, and each would send {prompt} again"
    outcomes = [Tried(one, "giving up", _outcome(questions, one, whole.limit, rule, gate, seed)) for one in paying]
    choice = choose(outcomes, whole.fixed(whole.limit), whole.clusters, loss=loss)
    if not isinstance(choice.rule, GiveUp):
        return None, f"no chain is given up: no threshold can be certified to lose at most {loss:.1%} with the rule"
    spared = 1 - choice.tokens / float(whole.at(stops(whole, rule, gate, questions)).tokens.mean())
    if spared < 0:
        return None, "no chain is given up: more would be spent, since a vote without those chains takes more samples"
    if spared < LEAST:
        return None, f"no chain is given up: of the tokens {spared:.1%} would be spared"
    return choice.rule, ""


def _thresholds(questions: Sequence[Question]) -> list[GiveUp]:
    """What is tried, from cautious to daring, with what each spares."""
    samples = [one for question in questions for one in question.samples]
    lows = [low for one in samples if (low := _low(one)) < math.inf]
    found: list[GiveUp] = []
    for below in dict.fromkeys(stop_threshold(lows, kept) for kept in KEPT if lows):
        spared = sum(one.tokens - _cut(one, below).tokens for one in samples)
        found.append(GiveUp(below, round(spared / len(samples), 3)))
    return found


def _outcome(
    questions: Sequence[Question], giving_up: GiveUp, limit: int, rule: AnyRule, gate: Gate | None, seed: int
) -> Outcome:
    """What the policy comes to with it; each sample but the first sends its prompt again, which is counted."""
    kept = cut(questions, giving_up)
    replay = replayed(kept, limit, seed)
    found = replay.at(stops(replay, rule, gate, kept))
    again = np.array([question.prompt if giving_up.pays(question.prompt) else 0 for question in questions])
    return Outcome(found.right, found.tokens + again * (found.samples - 1), found.samples)


def _nowhere(questions: Sequence[Question]) -> str:
    """Why nothing is spared at any threshold; empty without log probabilities, which the gate's notice tells."""
    known = [one for question in questions for one in question.samples if one.logprobs is not None]
    if not known:
        return ""
    if all(one.tokens < GROUP for one in known):
        return f"no chain is given up: none is as long as the {GROUP} tokens that are judged"
    if not any(one.logprobs and one.logprobs.shape for one in known):
        return "no chain is given up: the pool does not tell where chains grew unsure (logprob_shape); record it anew"
    return "no chain is given up: none that grew much less sure than others did so before its end"
