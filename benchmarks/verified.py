"""What a verifier of pass and fail saves, by the rules of `adaptive_pools`: against every fixed best-of-n.

    python benchmarks/verified.py [--game24 POOLS] [--orders 100] [--splits 6]

Reads the recorded programs in benchmarks/pools (a public test verifies, all tests decide), and, with ``--game24``, the
folder with GPT-4's chains for the Game of 24 (the exact check verifies and decides). Questions are halved by a seed,
each half reported by what was fitted on the other: the law of failures (`outthink.adaptive.hazard_fit`) and the price
of `auto`, the smallest fixed n, and the smallest n of "until one passes, at most n", all chosen by one procedure
(`outthink.adaptive.portfolio_fit.choose`). "Meets (a)": the 95 % interval of the accuracy difference to best of all
lies above -0.5 point. New tokens; those of the chains, of which only the text is known, are words, numbers and signs.

``cut`` are the same chains ended at their first line from which 24 cannot be reached: wrong arithmetic, numbers that
are not there, or a rest that does not make 24. A chain that was cut counts as wrong. No model.
"""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from outthink.adaptive import hazard_fit
from outthink.adaptive.hazard import Hazard
from outthink.adaptive.hazard_fit import Trials
from outthink.adaptive.portfolio_fit import Tried, choose
from outthink.adaptive.replay_fit import Outcome
from outthink.bench.calibrate.verified import DEAREST, ideal
from outthink.bench.rows import text_mark
from outthink.bench.stats import Estimate, Resampling, accuracy_difference, token_ratio
from outthink.models.pool import read_pool

Ints = NDArray[np.int64]
LOSS = 0.005
HOW = Resampling(resamples=4000)
POOLS = Path(__file__).resolve().parent / "pools"
PROGRAMS = {
    "MBPP, 0.5B": "mbpp200_05b.jsonl.gz",
    "MBPP, held out, 0.5B": "mbpp177_05b.jsonl.gz",
    "MBPP, 1.5B": "mbpp200_15b.jsonl.gz",
}
LINE = re.compile(r"^(-?[\d./]+) ([-+*/]) (-?[\d./]+) = (-?[\d./]+) \(left: ([^)]*)\)", re.MULTILINE)


class Set(NamedTuple):
    """Recorded samples, question by question."""

    right: list[list[bool]]
    passed: list[list[bool]]
    tokens: list[list[int]]


def programs(file: Path) -> Set:
    """A packed pool: the verdicts on one public test, and the marks of what is right."""
    found = Set([], [], [])
    for row in read_pool(file):
        found.right.append([text_mark(one.text) in row.extra["right"] for one in row.samples])
        found.passed.append([one.scores["tests"] == 1 for one in row.samples])
        found.tokens.append([one.tokens for one in row.samples])
    return found


def chains(file: Path, *, cut: bool) -> Set:
    """Chains of the Game of 24, each graded where it was published."""
    found = Set([], [], [])
    for line in file.read_text().splitlines():
        row: dict[str, Any] = json.loads(line)
        ends = [end_of(text, tuple(row["numbers"])) if cut else None for text in row["samples"]]
        right = [bool(ok) and end is None for ok, end in zip(row["correct"], ends, strict=True)]
        found.right.append(right)
        found.passed.append(right)
        found.tokens.append([pieces(text[:end]) for text, end in zip(row["samples"], ends, strict=True)])
    return found


def pieces(text: str) -> int:
    return len(re.findall(r"[A-Za-z]+|\d+|[^\sA-Za-z\d]", text))


def end_of(text: str, numbers: tuple[int, ...]) -> int | None:
    """Where the first line ends from which 24 cannot be reached; None where each can go on."""
    have = sorted(Fraction(number) for number in numbers)
    for found in LINE.finditer(text):
        try:
            one, other, result = (Fraction(found[place]) for place in (1, 3, 4))
            left = sorted(Fraction(part) for part in found[5].split())
        except (ValueError, ZeroDivisionError):
            return found.end()
        if have is None or not follows(have, one, found[2], other, result, left) or not reaches(tuple(left)):
            return found.end()
        have = left
    return None


def follows(
    have: list[Fraction], one: Fraction, sign: str, other: Fraction, result: Fraction, left: list[Fraction]
) -> bool:
    """Whether a line takes two of the numbers there are, reckons well, and leaves what remains."""
    rest = list(have)
    for number in (one, other):
        if number not in rest:
            return False
        rest.remove(number)
    return result in results(one, other, sign) and sorted([*rest, result]) == left


def results(one: Fraction, other: Fraction, signs: str = "+-*/") -> list[Fraction]:
    made = {"+": one + other, "-": one - other, "*": one * other}
    if other:
        made["/"] = one / other
    return [made[sign] for sign in signs if sign in made]


@cache
def reaches(numbers: tuple[Fraction, ...]) -> bool:
    """Whether 24 can be made of all these numbers."""
    if len(numbers) == 1:
        return numbers[0] == 24
    places = range(len(numbers))
    return any(
        reaches(tuple(sorted([*(numbers[k] for k in places if k not in (i, j)), made])))
        for i in places
        for j in places
        if i != j
        for made in results(numbers[i], numbers[j])
    )


@dataclass(frozen=True)
class Halved:
    """What each family came to, every question reported by a rule that was fitted on the other half."""

    full: Outcome
    families: dict[str, Outcome]
    tuned: dict[str, list[str]]


def ladders(data: Set, rows: Ints, trials: Trials) -> list[Tried[Any]]:
    """Rules of all families; what `auto` knows is fitted on ``rows``."""
    law = hazard_fit.fit([data.right[row] for row in rows], [data.passed[row] for row in rows])
    limit = trials.limit
    least = LOSS / float(trials.tokens[rows, :, -1].mean())
    priced = [Hazard(least * 2.0**step, solvable=law) for step in range(DEAREST)]
    passing = np.argmax(trials.passes > 0, axis=2) + limit * (trials.passes[:, :, -1] == 0)
    until = [(n, trials.at(np.minimum(passing, n - 1))) for n in range(limit, 0, -1)]
    return [
        *(Tried(f"n={n}", "fixed n", trials.fixed(n)) for n in range(limit, 0, -1)),
        *(Tried(f"n={n}", "until one passes, at most n", outcome) for n, outcome in until),
        *(Tried(f"price={rule.price:.2g}", "auto", trials.at(trials.stops(rule))) for rule in priced),
    ]


def halved(data: Set, trials: Trials, seed: int) -> Halved:
    """Both halves crossed."""
    count = len(data.right)
    order = np.random.default_rng(seed).permutation(count)
    halves = (np.sort(order[: count // 2]), np.sort(order[count // 2 :]))
    full = trials.fixed(trials.limit)
    families: dict[str, Outcome] = {}
    tuned: dict[str, list[str]] = {}
    for fitted, reported in (halves, halves[::-1]):
        tried = ladders(data, fitted, trials)
        for name in dict.fromkeys(one.ladder for one in tried):
            own = [Tried(one.rule, name, part(one.outcome, fitted)) for one in tried if one.ladder == name]
            choice = choose(own, part(full, fitted), [str(row) for row in fitted], loss=LOSS)
            rule = choice.rule if choice.certified else own[0].rule  # the most cautious of its family
            came_to = next(one.outcome for one in tried if one.ladder == name and one.rule == rule)
            whole = families.setdefault(name, Outcome(*(np.zeros(count) for _ in range(3))))
            for into, value in zip((whole.right, whole.tokens, whole.samples), values(came_to), strict=True):
                into[reported] = value[reported]
            tuned.setdefault(name, []).append(f"{rule}{'' if choice.certified else ' (most cautious)'}")
    return Halved(full, families, tuned)


def values(outcome: Outcome) -> tuple[NDArray[np.float64], ...]:
    return outcome.right, outcome.tokens, outcome.samples


def part(outcome: Outcome, rows: Ints) -> Outcome:
    return Outcome(*(value[rows] for value in values(outcome)))


def hindsight(trials: Trials, full: Outcome) -> int:
    """The smallest fixed n that meets (a) on what is reported."""
    return next(n for n in range(1, trials.limit + 1) if meets(trials.fixed(n), full))


def meets(outcome: Outcome, full: Outcome) -> bool:
    """Whether (a) holds: by the interval, or because every single answer is the same."""
    same = np.array_equal(outcome.right, full.right)
    return same or accuracy_difference(outcome.right, full.right, how=HOW).low > -LOSS


def report(title: str, data: Set, orders: int, splits: int) -> None:
    trials = Trials(*data, orders=orders, limit=min(64, *map(len, data.right)))
    found = halved(data, trials, 0)
    full, auto, n = found.full, found.families["auto"], hindsight(trials, found.full)
    lines = {**found.families, f"cheapest fixed n in hindsight, {n}": trials.fixed(n), "oracle": ideal(trials)}
    one, most = (f"{100 * outcome.right.mean():.1f} %" for outcome in (trials.fixed(1), full))
    print(f"\n### {title}: {len(data.right)} questions\n")
    print(f"One sample {one}, best of {trials.limit} {most} for {full.tokens.mean():,.0f} new tokens.\n")
    print(
        "| rule | tuned to | right, % | to best of all, points | meets (a) | samples | new tokens | × those of auto |"
    )
    print("|---|---|---|---|---|---|---|---|")
    for name, outcome in lines.items():
        same = np.array_equal(outcome.right, full.right)
        points = "0, the same answers" if same else told(accuracy_difference(outcome.right, full.right, how=HOW), 100)
        cells = (
            name,
            "; ".join(found.tuned.get(name, [])),
            f"{100 * outcome.right.mean():.1f}",
            points,
            "yes" if meets(outcome, full) else "no",
            f"{outcome.samples.mean():.1f}",
            f"{outcome.tokens.mean():,.0f}",
            told(token_ratio(outcome.tokens, auto.tokens, how=HOW)),
        )
        print(f"| {' | '.join(cells)} |")
    others = [halved(data, trials, seed) for seed in range(splits)]
    met = sum(meets(one.families["auto"], one.full) for one in others)
    spent = [one.families["auto"].tokens.mean() for one in others]
    best = [trials.fixed(n).tokens.mean() / tokens for tokens in spent]
    alike = [one.families["fixed n"].tokens.mean() / tokens for one, tokens in zip(others, spent, strict=True)]
    print(f"\nOver {splits} splits `auto` meets (a) in {met}; its saving against the cheapest fixed n in hindsight:")
    print(f"{spread(best)} times; against the one tuned alike: {spread(alike)} times (median, least, most).")


def cut_short(folder: Path, orders: int) -> None:
    """As many chains that are cut as are as often right as 64 whole ones, until one passes, against all 64."""
    whole, cut = (chains(folder / "game24_gpt4_cot100.jsonl", cut=cut) for cut in (False, True))
    best = Trials(*whole, orders=orders, limit=64).fixed(64)
    trials = Trials(*cut, orders=orders, limit=min(map(len, cut.right)))
    n = next(n for n in range(1, trials.limit + 1) if trials.fixed(n).right.mean() >= best.right.mean())
    stopped = trials.at(np.minimum(np.where(trials.passes > 0, 0, 1).sum(axis=2), n - 1))
    points = told(accuracy_difference(stopped.right, best.right, how=HOW), 100)
    ratio = told(token_ratio(best.tokens, stopped.tokens, how=HOW))
    right = 100 * stopped.right.mean()
    print(f"\nAt most {n} chains that are cut, until one passes: {right:.1f} % right, {points} points")
    print(f"to the best of 64 whole ones, for {ratio} times fewer new tokens ({n} is the fewest in hindsight).")


def told(found: Estimate, scale: float = 1) -> str:
    sign = "+" if scale > 1 else ""
    value, low, high = (format(scale * part, f"{sign}.2f") for part in (found.value, found.low, found.high))
    return f"{value} [{low}, {high}]"


def spread(ratios: Sequence[float]) -> str:
    return f"{np.median(ratios):.2f} ({min(ratios):.2f}, {max(ratios):.2f})"


def main(game24: Path | None, orders: int, splits: int) -> None:
    for title, name in PROGRAMS.items():
        if (POOLS / name).exists():
            report(title, programs(POOLS / name), orders, splits)
    if game24 is not None:
        for title, name, cut in (
            ("Game of 24, GPT-4, answers only", "game24_gpt4_io100.jsonl", False),
            ("Game of 24, GPT-4, chains", "game24_gpt4_cot100.jsonl", False),
            ("Game of 24, GPT-4, chains that are cut", "game24_gpt4_cot100.jsonl", True),
        ):
            report(title, chains(game24 / name, cut=cut), orders, splits)
        cut_short(game24, orders)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--game24", type=Path)
    parser.add_argument("--orders", type=int, default=100)
    parser.add_argument("--splits", type=int, default=6)
    given = parser.parse_args()
    main(given.game24, given.orders, given.splits)
