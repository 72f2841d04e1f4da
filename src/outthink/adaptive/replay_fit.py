"""Replays stopping rules over recorded samples, in many random orders at once.

Needs numpy; loaded only for calibration and benchmarks. Arrays are questions × orders × samples, all in one order of
questions. A rule is asked once for each distinct state, so that what is measured is the rule that runs.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from outthink.adaptive.curtailment import Curtail, leads_at_end
from outthink.adaptive.state import Rule, State
from outthink.adaptive.stopping import BayesFactor, Window, density_of_root, distribution_of_root

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Question:
    """A recorded question: each sample's answer (None for none) and new tokens, and the key of the right answer.

    ``cluster`` groups what is not independent: the same question put to several models.
    """

    answers: tuple[str | None, ...]
    tokens: tuple[int, ...]
    gold: str | None
    cluster: str = ""
    model: str = ""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a rule comes to, a value a question: mean over orders of accuracy in [0, 1], tokens and samples."""

    right: Floats
    tokens: Floats
    samples: Floats


class Replay:
    """``orders`` random orders of the first ``limit`` samples of each question, with votes and costs as they grow.

    A tie goes to the answer seen first. ``drawn``: which recorded sample each is. Raises `ValueError` where a question
    has fewer samples than ``limit``.
    """

    def __init__(self, questions: Sequence[Question], *, orders: int = 100, limit: int = 64, seed: int = 0) -> None:
        shape = (len(questions), orders, limit)
        self.questions, self.limit = tuple(questions), limit
        self.clusters = [question.cluster for question in questions]
        self.answers, self.drawn = np.zeros(shape, dtype=np.int16), np.zeros(shape, dtype=np.int32)
        self.lead, self.second = np.zeros(shape, dtype=np.int16), np.zeros(shape, dtype=np.int16)
        self.streak = np.zeros(shape, dtype=np.int16)
        self.right: Bools = np.zeros(shape, dtype=np.bool_)
        self.tokens = np.zeros(shape, dtype=np.float64)
        self.shape_of_votes = np.zeros(shape, dtype=np.int64)
        self._chances: dict[float, Floats] = {}
        self._bayes: dict[float, Floats] = {}
        random = np.random.default_rng(seed)
        for place, question in enumerate(questions):
            self._fill(place, question, random)

    def _fill(self, place: int, question: Question, random: np.random.Generator) -> None:
        size, (_, orders, limit) = len(question.answers), self.answers.shape
        if size < limit:
            raise ValueError(f"a question has {size} samples and {limit} are to be replayed; record more")
        names = {key: index for index, key in enumerate(dict.fromkeys(a for a in question.answers if a is not None))}
        ids = np.array([-1 if answer is None else names[answer] for answer in question.answers])
        drawn = np.argsort(random.random((orders, size)), axis=1)[:, :limit]
        said = ids[drawn]
        self.drawn[place] = drawn
        self.answers[place] = said
        self.tokens[place] = np.cumsum(np.array(question.tokens, dtype=np.float64)[drawn], axis=1)
        given = said[:, :, None] == np.arange(max(1, len(names)))
        counts = np.cumsum(given, axis=1)
        first = np.where(given.any(axis=1), given.argmax(axis=1), limit)
        leader = (counts * (limit + 1) - first[:, None, :]).argmax(axis=2)
        ranked: Ints = -np.sort(-counts, axis=2).astype(np.int64)
        self.lead[place] = ranked[:, :, 0]
        self.second[place] = ranked[:, :, 1] if len(names) > 1 else 0
        self.right[place] = (leader == names.get(question.gold or "", -1)) & (ranked[:, :, 0] > 0)
        hashed = np.cumprod(np.full(ranked.shape[2], 6364136223846793005, dtype=np.int64))  # of votes, whoever's
        self.shape_of_votes[place] = np.sum(ranked * hashed, axis=2)
        run = np.zeros(orders, dtype=np.int64)
        for n in range(limit):
            same = (said[:, n] == said[:, n - 1]) & (n > 0)
            run = np.where(said[:, n] < 0, 0, np.where(same, run + 1, 1))
            self.streak[place, :, n] = run

    def outcome(self, rule: Rule) -> Outcome:
        """What the rule comes to when samples arrive one by one."""
        return self.at(self.stops(rule))

    def at(self, last: Ints) -> Outcome:
        """What stopping after sample ``last`` (from 0; questions × orders) comes to."""
        return ended(self.right, self.tokens, last)

    def fixed(self, n: int) -> Outcome:
        """What n samples come to."""
        return self.at(np.full(self.lead.shape[:2], n - 1))

    def stops(self, rule: Rule) -> Ints:
        """The last sample (from 0) that the rule lets be drawn; questions × orders."""
        if isinstance(rule, Curtail):
            return self.curtailed_at(self.risks(rule), rule.risk)
        if isinstance(rule, BayesFactor):
            return _first(self._factors(rule.unseen) >= rule.factor)
        if isinstance(rule, Window):
            return _first((self.streak >= rule.size) & (np.arange(1, self.limit + 1) % rule.size == 0))
        last = np.full(self.lead.shape[:2], self.limit - 1)
        going: tuple[Ints, Ints] = np.divmod(np.arange(last.size), last.shape[1])
        for n in range(self.limit - 1):
            stopped = self._asked(rule, going, n)
            last[going[0][stopped], going[1][stopped]] = n
            going = (going[0][~stopped], going[1][~stopped])
            if not len(going[0]):
                break
        return last

    def _asked(self, rule: Rule, going: tuple[Ints, Ints], n: int) -> Bools:
        """Which of these paths the rule stops after sample n: asked once a distinct state."""
        keys = self.shape_of_votes[going[0], going[1], n]
        _, firsts, inverse = np.unique(keys, return_index=True, return_inverse=True)
        said = [rule.stop(self.state(int(going[0][first]), int(going[1][first]), n)).stop for first in firsts]
        return np.array(said, dtype=np.bool_)[inverse.ravel()]

    def state(self, question: int, order: int, n: int) -> State:
        """The state of one path after sample n (from 0)."""
        answers: list[int] = self.answers[question, order, : n + 1].tolist()
        said = Counter(answers)
        silent = said.pop(-1, 0)
        counts = tuple(sorted(said.values(), reverse=True))
        spent, streak = float(self.tokens[question, order, n]), int(self.streak[question, order, n])
        return State(counts, silent, self.limit, spent, streak)

    def risks(self, rule: Curtail) -> Floats:
        """The least ``risk`` with which a curtailing rule of this kind stops in each state; infinite for never."""
        chance = self.chances(rule.prior)
        seen = np.arange(1, self.limit + 1)
        rest = (seen - self.lead - self.second) / seen
        grown = (np.maximum(self.tokens, 1.0) / rule.unit) ** rule.growth
        with np.errstate(invalid="ignore"):
            needed = (1 - chance) / (grown * np.exp(rule.diffuse * rest))
        return np.where(chance >= 1 - Curtail.most, needed, np.inf)

    def curtailed_at(self, risks: Floats, risk: float) -> Ints:
        """`stops` of such a rule at one risk: the first state that needs no more."""
        return _first(risks <= risk * (1 + 1e-12))

    def _factors(self, unseen: float) -> Floats:
        """The Bayes factor of every state, 0 without a vote: `leads_in_truth` for all votes with one leader at once."""
        if unseen not in self._bayes:
            _, firsts, inverse = np.unique(self.shape_of_votes.ravel(), return_index=True, return_inverse=True)
            paths: list[int] = firsts.tolist()
            _, orders, limit = self.lead.shape
            counts = [
                self.state(path // (orders * limit), path // limit % orders, path % limit).counts for path in paths
            ]
            factors = np.zeros(len(counts))
            leads = np.array([votes[0] if votes else 0 for votes in counts])
            for lead in set(leads[leads > 0].tolist()):
                here: list[int] = np.flatnonzero(leads == lead).tolist()
                factors[here] = _bayes_factors([counts[place] for place in here], lead, unseen)
            self._bayes[unseen] = np.reshape(factors[inverse.ravel()], self.lead.shape)
        return self._bayes[unseen]

    def chances(self, prior: float = 1.0) -> Floats:
        """`leads_at_end` of every state, 0 without a vote; questions × orders × samples. Kept for the next asker."""
        if prior not in self._chances:
            self._chances[prior] = self._chances_of(prior)
        return self._chances[prior]

    def _chances_of(self, prior: float) -> Floats:
        limit = self.limit
        seen = np.broadcast_to(np.arange(1, limit + 1), self.lead.shape)
        keys = (self.lead.astype(np.int64) * (limit + 1) + self.second) * (limit + 1) + seen
        distinct, inverse = np.unique(keys, return_inverse=True)
        values = np.zeros(len(distinct))
        for place, key in enumerate(distinct.tolist()):
            votes, n = divmod(key, limit + 1)
            lead, second = divmod(votes, limit + 1)
            values[place] = leads_at_end(lead, second, n, limit - n, prior) if lead else 0.0
        return np.reshape(values[inverse], keys.shape)


def ended(right: Bools, tokens: Floats, last: Ints) -> Outcome:
    """What stopping after sample ``last`` (questions × orders) comes to; the other arrays as in `Replay`."""
    place = last[:, :, None]
    rights = np.take_along_axis(right, place, 2)[:, :, 0].mean(axis=1)
    spent = np.take_along_axis(tokens, place, 2)[:, :, 0].mean(axis=1)
    return Outcome(rights, spent, last.mean(axis=1) + 1.0)


def _first(done: Bools) -> Ints:
    """The first sample after which a path is done, at the latest the last."""
    stopped: Bools = np.array(done, dtype=np.bool_)
    stopped[:, :, -1] = True
    return np.argmax(stopped, axis=2)


def _bayes_factors(counts: Sequence[tuple[int, ...]], lead: int, unseen: float) -> Floats:
    """K · P / (1 - P) as in `BayesFactor`, for votes whose leader has ``lead``: one product over the others' votes."""
    first = np.array(density_of_root(lead + 1, lead + 1))
    with np.errstate(divide="ignore"):
        others = np.log([distribution_of_root(votes + 1, lead + 1) for votes in range(1, lead + 1)])
        rest = np.log(distribution_of_root(unseen + 1, lead + 1))
    met = np.zeros((len(counts), lead))
    for place, votes in enumerate(counts):
        for count in votes[1:]:
            met[place, count - 1] += 1
    below = np.exp(met @ np.maximum(others, -1e6) + np.maximum(rest, -1e6))
    chance = below @ first / first.sum()
    return (np.array([len(votes) for votes in counts]) + 1) * chance / np.maximum(1 - chance, 1e-12)
