"""What adaptive stopping saves on recorded pools, against the best simple rule and against every fixed N.

    python benchmarks/adaptive_pools.py POOLS [--set gpqa aime] [--orders 100] [--splits 6]

``POOLS`` is a folder with the pools of best-of-infinity (``boinf_gpqa_diamond.jsonl``, ``boinf_aime2024.jsonl``,
``boinf_aime2025.jsonl``): final answers and tokens of several models, no text. A split parts models and questions in
halves: rules are fitted on half of the models × half of the questions, and reported on the other half of both. "Meets
(a)" means: the 95 % interval of the accuracy difference to 64 samples, paired, clustered by question and pooled over
models, lies above -0.5 point. Every family of rules is tuned by the same procedure on the same data
(`outthink.adaptive.portfolio_fit.choose`); ``auto`` is that procedure over all families. One core, no model.

Samples without any tokens (calls that failed when the pool was recorded) are left out, and questions with fewer than
64 others; a sample without an answer costs its tokens and does not vote.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from outthink.adaptive.allocate import Market
from outthink.adaptive.policy import AnyRule
from outthink.adaptive.portfolio_fit import Choice, Tried, adaptive_ladders, choose, simple_ladders, tried
from outthink.adaptive.posterior import Evidence, Weights, posterior
from outthink.adaptive.posterior_fit import Recorded, fit_prefixes
from outthink.adaptive.replay_fit import Outcome, Question, Replay
from outthink.adaptive.value import knowledge_gradient
from outthink.answers import extract
from outthink.bench.stats import (
    Estimate,
    Resampling,
    accuracy_difference,
    brier,
    ece,
    ece_if_calibrated,
    token_ratio,
)
from outthink.core.problem import AnswerKind

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
SETS: dict[str, tuple[tuple[str, ...], AnswerKind]] = {
    "gpqa": (("boinf_gpqa_diamond",), "choice"),
    "aime": (("boinf_aime2024", "boinf_aime2025"), "number"),
}
LIMIT, LOSS = 64, 0.005
SINGLE = ((0, 3),)
CROSSED = ((0, 3), (3, 0), (1, 2), (2, 1))
"""Which block is fitted on, and which reported."""
HOW = Resampling(resamples=2000)
NAMES = {"bayes-factor": "best-of-infinity", "window": "ESC", "fixed": "fixed N", "beta": "ASC Beta"}


def read(folder: Path, name: str) -> list[Question]:
    """The recorded questions of a set."""
    files, kind = SETS[name]
    keys: dict[str, str | None] = {}

    def key(text: str | None) -> str | None:
        if text not in keys:
            answer = extract(f"So it is \\boxed{{{text}}}.", kind) if text else None
            keys[text or ""] = answer.key if answer else None
        return keys[text or ""]

    found: list[Question] = []
    for file in files:
        for line in (folder / f"{file}.jsonl").read_text().splitlines():
            row: dict[str, Any] = json.loads(line)
            kept = [(key(said), cost) for said, cost in zip(row["answers"], row["tokens"], strict=True) if cost > 0]
            if len(kept) >= LIMIT:
                answers, tokens = zip(*kept, strict=True)
                place = f"{row['dataset']} {row['problem_num']}"
                found.append(Question(answers, tokens, key(row["answer"]), place, row["model"]))
    return found


@dataclass(frozen=True)
class Data:
    """A set, replayed once: what every rule comes to on every question of every model."""

    name: str
    replay: Replay
    full: Outcome
    rules: list[Tried]

    @property
    def simple(self) -> list[Tried]:
        return [one for one in self.rules if one.ladder in simple_ladders()]

    def of(self, rule: AnyRule) -> Outcome:
        """What a rule comes to, looked up."""
        return next((one.outcome for one in self.rules if one.rule == rule), self.full)


def replayed(folder: Path, name: str, orders: int) -> Data:
    replay = Replay(read(folder, name), orders=orders, limit=LIMIT)
    rules = tried(replay, simple_ladders(LIMIT) | adaptive_ladders())
    return Data(name, replay, replay.fixed(LIMIT), rules)


def quarters(data: Data, seed: int) -> Ints:
    """Which of the 2 × 2 blocks (half of the models × half of the questions) each row is in, 0 to 3."""
    random = np.random.default_rng(seed)
    models = sorted({question.model for question in data.replay.questions})
    places = sorted({question.cluster for question in data.replay.questions})
    first_models = set(random.permutation(models)[: len(models) // 2].tolist())
    first_places = set(random.permutation(places)[: len(places) // 2].tolist())
    return np.array(
        [2 * (q.model not in first_models) + (q.cluster not in first_places) for q in data.replay.questions]
    )


def part(outcome: Outcome, rows: Ints) -> Outcome:
    return Outcome(outcome.right[rows], outcome.tokens[rows], outcome.samples[rows])


def chosen(data: Data, rows: Ints) -> dict[str, Choice]:
    """What each family, and auto (all of them), is tuned to on these rows."""
    clusters = [data.replay.clusters[row] for row in rows]
    rules = [Tried(one.rule, one.ladder, part(one.outcome, rows)) for one in data.rules]
    full = part(data.full, rows)
    families = {
        name: choose([one for one in rules if one.ladder == name], full, clusters, loss=LOSS)
        for name in simple_ladders()
    }
    return families | {"auto": choose(rules, full, clusters, loss=LOSS)}


@dataclass(frozen=True)
class Report:
    """Rows that are reported on, and what each family came to on them (each row by a rule fitted elsewhere)."""

    rows: Ints
    clusters: list[str]
    full: Outcome
    outcomes: dict[str, Outcome]
    choices: list[dict[str, Choice]]

    def difference(self, outcome: Outcome) -> Estimate:
        return accuracy_difference(outcome.right, self.full.right, clusters=self.clusters, how=HOW)

    def meets(self, outcome: Outcome) -> bool:
        """Whether (a) holds; the interval is only made where the mean leaves a chance."""
        hope = float(np.mean(outcome.right - self.full.right)) > -LOSS
        return hope and self.difference(outcome).low > -LOSS

    def ratio(self, other: Outcome) -> Estimate:
        """How many times the tokens of auto another takes."""
        return token_ratio(other.tokens, self.outcomes["auto"].tokens, clusters=self.clusters, how=HOW)


def reported(data: Data, blocks: Ints, pairs: Sequence[tuple[int, int]]) -> Report:
    """Rules fitted on the first block of each pair and reported on the second."""
    choices = [chosen(data, np.flatnonzero(blocks == fit)) for fit, _ in pairs]
    parts = [np.flatnonzero(blocks == report) for _, report in pairs]
    rows = np.concatenate(parts)
    outcomes = {
        name: joined([part(data.of(choice[name].rule), rows) for choice, rows in zip(choices, parts, strict=True)])
        for name in choices[0]
    }
    return Report(rows, [data.replay.clusters[row] for row in rows], part(data.full, rows), outcomes, choices)


def joined(outcomes: Sequence[Outcome]) -> Outcome:
    columns = zip(*((one.right, one.tokens, one.samples) for one in outcomes), strict=True)
    return Outcome(*(np.concatenate(column) for column in columns))


def cheapest_fixed(data: Data, report: Report) -> tuple[int, Outcome]:
    """The smallest fixed N that meets (a) on the reported rows, in hindsight."""
    for n in range(1, LIMIT):
        outcome = part(data.replay.fixed(n), report.rows)
        if report.meets(outcome):
            return n, outcome
    return LIMIT, report.full


def cheapest_simple(report: Report) -> str | None:
    """The family, tuned on the fit half, that is cheapest among those that meet (a) on the reported rows."""
    names = [
        name for name in simple_ladders() if report.choices[0][name].certified and report.meets(report.outcomes[name])
    ]
    return min(names, key=lambda name: report.outcomes[name].tokens.mean(), default=None)


def hindsight(data: Data, report: Report) -> tuple[AnyRule, Outcome] | None:
    """The simple rule that would have been cheapest of all that meet (a) on the reported rows: not a fair choice."""
    ranked = sorted(
        ((one.rule, part(one.outcome, report.rows)) for one in data.simple), key=lambda one: one[1].tokens.mean()
    )
    return next(((rule, outcome) for rule, outcome in ranked if report.meets(outcome)), None)


def oracle(data: Data, rows: Ints) -> Outcome:
    """Stopping with the right answer known: at the first sample whose vote is right if 64 samples end right, else at
    the first sample of all. The accuracy is that of 64 samples, or better by luck."""
    right = data.replay.right
    ends = right[:, :, -1]
    return part(data.replay.at(np.where(ends, right.argmax(axis=2), 0)), rows)


def times(found: Estimate) -> str:
    return f"{found.value:.2f} [{found.low:.2f}, {found.high:.2f}]"


def points(found: Estimate) -> str:
    return f"{100 * found.value:+.2f} [{100 * found.low:+.2f}, {100 * found.high:+.2f}]"


def row(report: Report, name: str, outcome: Outcome, tuned: str) -> str:
    saved = report.full.tokens.mean() / outcome.tokens.mean()
    return (
        f"| {name} | {tuned} | {100 * outcome.right.mean():.2f} | {points(report.difference(outcome))} | "
        f"{'yes' if report.meets(outcome) else 'no'} | {outcome.samples.mean():.1f} | {outcome.tokens.mean():,.0f} | "
        f"{saved:.2f} | {times(report.ratio(outcome))} |"
    )


def spoken(rule: AnyRule) -> str:
    shown = {name: getattr(rule, name) for name in rule.__struct_fields__ if name not in ("unit", "prior", "unseen")}
    return f"{type(rule).__name__.lower()}({', '.join(f'{name}={value}' for name, value in shown.items() if value)})"


def head(*columns: str) -> None:
    print(f"| {' | '.join(columns)} |\n|{'---|' * len(columns)}")


def table(data: Data, report: Report) -> None:
    """The figures (a), (b), (c) of one report."""
    gap = "difference to N = 64, points"
    head(
        "rule",
        "tuned to",
        "accuracy %",
        gap,
        "meets (a)",
        "samples",
        "tokens",
        "× fewer than 64",
        "× the tokens of auto",
    )
    for name, outcome in report.outcomes.items():
        rules = [choice[name] for choice in report.choices]
        tuned = "; ".join(spoken(choice.rule) + ("" if choice.certified else " (not certified)") for choice in rules)
        print(row(report, f"**{name}**" if name == "auto" else NAMES.get(name, name), outcome, tuned))
    n, fixed = cheapest_fixed(data, report)
    print(row(report, "(b) cheapest fixed N, in hindsight", fixed, f"N = {n}"))
    if best := hindsight(data, report):
        print(row(report, "cheapest simple rule, in hindsight", best[1], spoken(best[0])))
    ideal = oracle(data, report.rows)
    print(row(report, "oracle", ideal, "knows the gold answer"))
    auto = report.outcomes["auto"].tokens.mean()
    part_of = np.log(report.full.tokens.mean() / auto) / np.log(report.full.tokens.mean() / ideal.tokens.mean())
    name = cheapest_simple(report)
    met = "met" if report.meets(report.outcomes["auto"]) else "NOT met"
    print(f"\n(a) {met} by auto.")
    print(
        f"(b) {times(report.ratio(fixed))} × fewer tokens than the cheapest fixed N to meet it (in hindsight N = {n})."
    )
    if name:
        fewer = times(report.ratio(report.outcomes[name]))
        print(
            f"(c) {fewer} × fewer than the cheapest simple rule, tuned alike, that meets it ({NAMES.get(name, name)})."
        )
    else:
        print("(c) no simple rule tuned on the fit half meets it.")
    print(f"Of the oracle's saving (in log tokens) auto obtains {100 * part_of:.0f} %.\n")


def stability(data: Data, splits: int, pairs: Sequence[tuple[int, int]]) -> None:
    """The same over other splits: how often each rule meets (a), and the ratios (b) and (c)."""
    met: dict[str, list[float]] = {}
    ratios: dict[str, list[float]] = {"b": [], "c": [], "best": []}
    for seed in range(splits):
        report = reported(data, quarters(data, seed), pairs)
        auto = report.outcomes["auto"].tokens.mean()
        for name, outcome in report.outcomes.items():
            if all(choice[name].certified for choice in report.choices):
                met.setdefault(name, []).append(float(report.meets(outcome)))
                ratios.setdefault(name, []).append(float(outcome.tokens.mean() / auto))
        ratios["b"].append(float(cheapest_fixed(data, report)[1].tokens.mean() / auto))
        if name := cheapest_simple(report):
            ratios["c"].append(float(report.outcomes[name].tokens.mean() / auto))
        tuned = [report.outcomes[name] for name in simple_ladders() if report.choices[0][name].certified]
        ratios["best"].append(float(min(outcome.tokens.mean() for outcome in tuned) / auto) if tuned else np.nan)
    ratio = "× the tokens of auto: median (least, most)"
    head(f"over {splits} splits", "certified", "meets (a) where reported", ratio)
    for name in met:
        print(f"| {NAMES.get(name, name)} | {len(met[name])} | {sum(met[name]):.0f} | {spread(ratios[name])} |")
    print(f"| (b) cheapest fixed N in hindsight | | | {spread(ratios['b'])} |")
    print(f"| (c) cheapest simple rule that meets (a) there | | {len(ratios['c'])} | {spread(ratios['c'])} |")
    print(f"| cheapest certified simple rule, whether or not it meets (a) there | | | {spread(ratios['best'])} |\n")


def spread(values: Sequence[float]) -> str:
    known = [value for value in values if np.isfinite(value)]
    return f"{np.median(known):.2f} ({min(known):.2f}, {max(known):.2f})" if known else "-"


def drawn_prefixes(data: Data, rows: Ints, rule: AnyRule, orders: int, seed: int) -> list[Recorded]:
    """What was seen where the rule stopped, in so many orders a row (rows outer)."""
    last = data.replay.stops(rule)
    found: list[Recorded] = []
    for place in rows:
        question = data.replay.questions[place]
        named = {key: index for index, key in enumerate(dict.fromkeys(a for a in question.answers if a is not None))}
        for order in range(seed, seed + orders):
            said = data.replay.answers[place, order, : last[place, order] + 1].tolist()
            items = tuple(Evidence(None if index < 0 else str(index)) for index in said)
            found.append(Recorded(items, str(named.get(question.gold or "", -2))))
    return found


def calibration(data: Data, blocks: Ints, report: Report, pairs: Sequence[tuple[int, int]], orders: int = 20) -> None:
    """Whether the confidence with which auto stops means what it says on models and questions never fitted."""
    passed = {"brier": 0, "slope": 0, "ece": 0}
    fitted: list[tuple[Weights, AnyRule, Ints]] = []
    for choice, (fit, reported_on) in zip(report.choices, pairs, strict=True):
        rule, fit_rows = choice["auto"].rule, np.flatnonzero(blocks == fit)
        weights = fit_prefixes(drawn_prefixes(data, fit_rows, rule, 8, 0), each=8)
        fitted.append((weights, rule, np.flatnonzero(blocks == reported_on)))
    for order in range(orders):
        found = [confidences(drawn_prefixes(data, rows, rule, 1, order), weights) for weights, rule, rows in fitted]
        sure, right = (np.concatenate(column) for column in zip(*found, strict=True))
        briers = brier(sure, right), right.mean() * (1 - right.mean())
        steep = slope(sure, right, report.clusters)
        errors = ece(sure, right), ece_if_calibrated(sure, level=0.9).high  # the upper end of 90 % is the 95 % quantile
        passed["brier"] += briers[0] < briers[1]
        passed["slope"] += steep.low <= 1 <= steep.high
        passed["ece"] += errors[0] <= errors[1]
        if order == 0:
            print(f"One order, {len(sure)} answers: mean confidence {sure.mean():.3f}, accuracy {right.mean():.3f}.")
            print("Brier {:.4f}, of the base rate {:.4f}.".format(*briers))
            print(f"Calibration slope {times(steep)}.")
            print("Calibration error {:.4f}, 95 % quantile if perfectly calibrated {:.4f}.".format(*errors))
    passes = ", ".join(f"{name} in {count}" for name, count in passed.items())
    print(f"Of {orders} orders passes: {passes}.\n")


def confidences(prefixes: Sequence[Recorded], weights: Weights) -> tuple[Floats, Floats]:
    found = [posterior(prefix.evidence, weights) for prefix in prefixes]
    right = [one.leader == prefix.gold for one, prefix in zip(found, prefixes, strict=True)]
    return np.array([one.confidence for one in found]), np.array(right, dtype=np.float64)


def slope(sure: Floats, right: Floats, clusters: Sequence[str]) -> Estimate:
    """The logistic calibration slope, its interval by resampling clusters."""
    kept = np.clip(sure, 1e-4, 1 - 1e-4)
    logits = np.log(kept / (1 - kept))
    names = {name: index for index, name in enumerate(dict.fromkeys(clusters))}
    index = np.array([names[name] for name in clusters])
    random = np.random.default_rng(0)
    draws = [random.multinomial(len(names), np.full(len(names), 1 / len(names)))[index] for _ in range(200)]
    found = sorted(logistic(logits, right, draw.astype(np.float64)) for draw in draws)
    return Estimate(logistic(logits, right, np.ones(len(sure))), found[4], found[194])


def logistic(x: Floats, y: Floats, weights: Floats) -> float:
    """The slope of a weighted logistic regression, by Newton's method."""
    design, beta = np.stack([np.ones_like(x), x]), np.array([0.0, 1.0])
    for _ in range(25):
        chance = 1 / (1 + np.exp(-(beta @ design)))
        curve = (design * (weights * chance * (1 - chance))) @ design.T + 1e-9 * np.eye(2)
        beta = beta + np.clip(np.linalg.solve(curve, design @ (weights * (y - chance))), -2, 2)
    return float(beta[1])


def adapts(data: Data, report: Report) -> None:
    """Samples and tokens by how often one sample is right: more for the harder, fewer again for the hopeless."""
    chance = np.array(
        [
            np.mean([a == data.replay.questions[place].gold for a in data.replay.questions[place].answers])
            for place in report.rows
        ]
    )
    auto = report.outcomes["auto"]
    one = part(data.replay.fixed(1), report.rows)
    head("one sample is right in", "rows", "samples", "tokens", "accuracy %", "of 64 samples %", "of one %")
    for low, high in ((0.95, 1.01), (0.8, 0.95), (0.6, 0.8), (0.4, 0.6), (0.2, 0.4), (0.05, 0.2), (0.0, 0.05)):
        here = (chance >= low) & (chance < high)
        if here.any():
            figures = [100 * values[here].mean() for values in (auto.right, report.full.right, one.right)]
            bin_name = f"{100 * low:.0f} to {min(100, 100 * high):.0f} %"
            spent = f"{auto.samples[here].mean():.1f} | {auto.tokens[here].mean():,.0f}"
            print(f"| {bin_name} | {here.sum()} | {spent} | {' | '.join(f'{figure:.1f}' for figure in figures)} |")
    print()


def allocation(data: Data, report: Report, weights: Weights, per_question: Sequence[int] = (4, 8, 16)) -> None:
    """One budget over a model's reported questions: by gain a token, against an even split of the same tokens."""
    head("samples a question if even", "accuracy %, even", "by gain a token", "difference, points", "tokens, ratio")
    models = sorted({data.replay.questions[place].model for place in report.rows})
    for size in per_question:
        even, ours, spent_even, spent_ours = (np.zeros(len(report.rows)) for _ in range(4))
        orders = 10
        for model in models:
            places = [index for index, place in enumerate(report.rows) if data.replay.questions[place].model == model]
            for order in range(orders):
                budget = sum(data.replay.tokens[report.rows[index], order, size - 1] for index in places)
                share = budget / len(places)
                for index in places:
                    last = max(
                        0, int(np.searchsorted(data.replay.tokens[report.rows[index], order], share, "right")) - 1
                    )
                    even[index] += data.replay.right[report.rows[index], order, last] / orders
                    spent_even[index] += data.replay.tokens[report.rows[index], order, last] / orders
                limit = sum(
                    data.replay.tokens[report.rows[index], order][
                        max(0, int(np.searchsorted(data.replay.tokens[report.rows[index], order], share, "right")) - 1)
                    ]
                    for index in places
                )
                for index, last in marketed(data, report.rows, places, order, limit, weights).items():
                    ours[index] += data.replay.right[report.rows[index], order, last] / orders
                    spent_ours[index] += data.replay.tokens[report.rows[index], order, last] / orders
        gain = accuracy_difference(ours, even, clusters=report.clusters, how=HOW)
        print(f"| {size} | {100 * even.mean():.2f} | {100 * ours.mean():.2f} | {points(gain)} | "
              f"{spent_ours.mean() / spent_even.mean():.3f} |")  # fmt: skip
    print()


def marketed(
    data: Data, rows: Ints, places: Sequence[int], order: int, budget: float, weights: Weights
) -> dict[int, int]:
    """The last sample of each question when tokens go where they gain most. What would pass the budget is not begun."""
    replay, market = data.replay, Market()
    last = dict.fromkeys(places, 0)
    budget -= sum(replay.tokens[rows[index], order, 0] for index in places)

    def offer(index: int) -> None:
        if last[index] < LIMIT - 1:
            wave = knowledge_gradient(replay.state(int(rows[index]), order, last[index]), weights)
            market.offer(str(index), wave.rate)

    for index in places:
        offer(index)
    while (name := market.take()) is not None:
        index = int(name)
        cost = replay.tokens[rows[index], order, last[index] + 1] - replay.tokens[rows[index], order, last[index]]
        if cost <= budget:  # one sample at a time, so that the next is weighed anew
            budget -= cost
            last[index] += 1
            offer(index)
    return last


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pools", type=Path)
    parser.add_argument("--set", nargs="+", choices=SETS, default=list(SETS))
    parser.add_argument("--orders", type=int, default=100)
    parser.add_argument("--splits", type=int, default=6)
    asked = parser.parse_args()
    sys.stdout.reconfigure(line_buffering=True)  # pyright: ignore[reportAttributeAccessIssue]
    for name in asked.set:
        data = replayed(asked.pools, name, asked.orders)
        blocks = quarters(data, 0)
        models = {question.model for question in data.replay.questions}
        print(f"## {name}: {len(models)} models, {len(set(data.replay.clusters))} questions\n")
        one = reported(data, blocks, SINGLE)
        print("### One split: fitted on half of the models × half of the questions, reported on the others\n")
        table(data, one)
        print("### Crossed: each quarter reported by rules fitted on the opposite quarter\n")
        crossed = reported(data, blocks, CROSSED)
        table(data, crossed)
        print("### Other splits, one half each\n")
        stability(data, asked.splits, SINGLE)
        print("### Other splits, crossed\n")
        stability(data, asked.splits, CROSSED)
        print("### Confidence, one half\n")
        calibration(data, blocks, one, SINGLE)
        print("### Confidence, crossed\n")
        calibration(data, blocks, crossed, CROSSED)
        print("### Adapts\n")
        adapts(data, crossed)
        print("### One budget for many questions\n")
        weights = fit_prefixes(
            drawn_prefixes(data, np.flatnonzero(blocks == 0), one.choices[0]["auto"].rule, 8, 0), each=8
        )
        allocation(data, one, weights)


if __name__ == "__main__":
    main()
