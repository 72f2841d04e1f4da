"""Which questions to show: those where strategies differ most, some that nobody got, some that everybody got.

Reads the rows as a stream, twice: for the accuracies, then for the answers of the questions chosen.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest
from pathlib import Path

from outthink.bench.report.records import Outcome, Question, read_outcomes, read_questions
from outthink.bench.report.standing import Standing

MOST = 40
"""Questions shown at most."""
_OF_A_KIND = 4
"""Of them, those that nobody got, and those that everybody got."""
APART = 0.25
"""By how much a strategy's accuracy on a question must lie above (below) the others' mean to win (lose) it."""
_EACH_WAY = 6
_SHOWN_ANSWERS = 3


@dataclass(slots=True)
class _Mean:
    total: float = 0.0
    n: int = 0


@dataclass(frozen=True, slots=True)
class Lead:
    """A strategy's accuracy on a question, and the mean of the others'."""

    id: str
    own: float
    others: float

    @property
    def by(self) -> float:
        return self.own - self.others


@dataclass(frozen=True, slots=True)
class Balance:
    """Where a strategy won and lost against the mean of the others, the widest first; ``even`` counts the rest."""

    label: str
    won: list[Lead]
    lost: list[Lead]
    even: int


@dataclass(slots=True)
class Answers:
    """A strategy on one question: mean accuracy, how many runs, and its answers with how often each was given."""

    accuracy: float
    runs: int
    given: Counter[str] = field(default_factory=Counter[str])

    def common(self) -> list[tuple[str, int]]:
        """The answers given most, ties in the order of their text."""
        return sorted(self.given.items(), key=lambda pair: (-pair[1], pair[0]))[:_SHOWN_ANSWERS]


@dataclass(frozen=True, slots=True)
class Example:
    """A question to show. ``number`` counts from 1 and names its place in the page; ``why`` says why it is shown."""

    number: int
    id: str
    why: str
    question: Question | None
    answers: dict[str, Answers]


class Accuracies:
    """Mean accuracy by question and strategy (both in order of first appearance), from a stream of rows."""

    def __init__(self, standing: Standing, outcomes: Iterable[Outcome]) -> None:
        self.labels = [entry.label for entry in standing.entries]
        means: dict[str, dict[str, _Mean]] = {}
        self.repeats = 0
        for row in outcomes:
            if row.correct is None:
                continue
            mean = means.setdefault(row.id, {}).setdefault(standing.name(row.strategy, row.model), _Mean())
            mean.total += row.correct
            mean.n += 1
            self.repeats = max(self.repeats, mean.n)
        self.of = {
            question: {label: (mean.total / mean.n, mean.n) for label, mean in found.items()}
            for question, found in means.items()
        }

    def balance(self, label: str) -> Balance:
        """Where one strategy won and lost."""
        leads = [lead for question in self.of if (lead := self._lead(question, label))]
        return Balance(
            label=label,
            won=sorted((lead for lead in leads if lead.by >= APART), key=lambda lead: -lead.by),
            lost=sorted((lead for lead in leads if lead.by <= -APART), key=lambda lead: lead.by),
            even=sum(abs(lead.by) < APART for lead in leads),
        )

    def _lead(self, question: str, label: str) -> Lead | None:
        found = self.of[question]
        others = [accuracy for name, (accuracy, _) in found.items() if name != label]
        return Lead(question, found[label][0], sum(others) / len(others)) if label in found and others else None

    def chosen(self, balances: Sequence[Balance]) -> dict[str, str]:
        """Ids to show with why, those alike together and in the order of the data."""
        means = {q: sum(accuracy for accuracy, _ in found.values()) / len(found) for q, found in self.of.items()}
        failed = [question for question, mean in means.items() if mean == 0]
        solved = [question for question, mean in means.items() if mean == 1]
        room = MOST - 2 * _OF_A_KIND
        sides = [[lead.id for lead in side[:_EACH_WAY]] for one in balances for side in (one.won, one.lost)]
        if any(sides):
            contested = list(dict.fromkeys(q for turn in zip_longest(*sides) for q in turn if q is not None))[:room]
        else:  # one strategy, or all alike: what is right as often as wrong teaches most
            unsteady = sorted((q for q, mean in means.items() if 0 < mean < 1), key=lambda q: abs(means[q] - 0.5))
            contested = unsteady[: room // 2]
        why = dict.fromkeys(contested, "strategies differ" if any(sides) else "sometimes right")
        each = _OF_A_KIND if why else MOST // 4
        why |= dict.fromkeys(failed[:each], "nobody right") | dict.fromkeys(solved[:each], "always right")
        reasons = list(dict.fromkeys(why.values()))
        place = {question: place for place, question in enumerate(self.of)}
        return dict(sorted(why.items(), key=lambda item: (reasons.index(item[1]), place[item[0]])))


def examples(directory: Path, standing: Standing, accuracies: Accuracies, balances: Sequence[Balance]) -> list[Example]:
    """The questions chosen, with their texts, samples and every strategy's answers."""
    chosen = accuracies.chosen(balances)
    texts = {question.id: question for question in read_questions(directory) if question.id in chosen}
    answers: dict[str, dict[str, Answers]] = {
        question: {label: Answers(*accuracies.of[question][label]) for label in accuracies.labels
                   if label in accuracies.of[question]}
        for question in chosen
    }  # fmt: skip
    for row in read_outcomes(directory):
        found = answers.get(row.id, {}).get(standing.name(row.strategy, row.model))
        if found is not None and row.correct is not None:
            found.given["no answer" if row.answer is None else row.answer] += 1
    return [
        Example(number, question, why, texts.get(question), answers[question])
        for number, (question, why) in enumerate(chosen.items(), start=1)
    ]


def shown_leads(balance: Balance, numbers: dict[str, int], most: int = 5) -> tuple[list[Lead], list[Lead]]:
    """Of a strategy's wins and losses, those that the page shows as examples."""
    won, lost = ([lead for lead in side if lead.id in numbers][:most] for side in (balance.won, balance.lost))
    return won, lost
