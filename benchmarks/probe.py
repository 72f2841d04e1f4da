"""Does weighted voting with a trained probe beat the plain vote on questions it was not trained on?

    python benchmarks/probe.py POOL.jsonl [--repeats 3] [--sizes 4 8 16] [--orders 20]

Cross-fitting by question: each fifth of the questions is scored by probes that were trained (head, curve and posterior
weights chosen by cross-validation inside) on the other four. Several sets of features and two labelings are shown;
``chosen`` takes in each fold the one whose posterior loses least on the training side, so that its line is free of the
choice. Every rule sees the same draws; intervals are paired, over questions.
"""

from __future__ import annotations

import argparse
import json
import time
from collections import defaultdict
from pathlib import Path

import anyio
import msgspec
import numpy as np

from outthink.bench.grading import Grader
from outthink.bench.stats import accuracy_difference
from outthink.bench.verifiers.evaluate import auc
from outthink.bench.verifiers.fit import folds
from outthink.bench.verifiers.graded import Graded, graded, read_graded
from outthink.bench.verifiers.selection import draws, replay
from outthink.bench.verifiers.table import LABELS
from outthink.bench.verifiers.train import Recipe, train_probe
from outthink.models.pool import PoolRow, PoolSample
from outthink.verifiers.chains import chain, numbers_of
from outthink.verifiers.features import GROUPS, rows_of
from outthink.verifiers.fitted import Fitted
from outthink.verifiers.probe import score_rows

SETS = {
    "confidence": ("position", "logprobs"),
    "votes": ("position", "votes"),
    "steps": ("position", "steps", "symbolic"),
    "answer": ("position", "answer"),
    "process": tuple(group for group in GROUPS if group != "votes"),
    "everything": tuple(GROUPS),
}
Grades = dict[tuple[str, str, int], dict[str, list[float]]]
"""By probe, rule and n: each question's expected grades, one a repeat."""


def read(path: str) -> list[Graded]:
    """A pool of ours, or one whose samples have ``pred``, ``correct`` and scores of their own."""
    with Path(path).open(encoding="utf-8") as lines:
        first = json.loads(lines.readline())
        if "tokens" in first["samples"][0]:
            return anyio.run(read_graded, [path])
        lines.seek(0)
        return [_foreign(json.loads(line)) for line in lines]


def _foreign(row: dict) -> Graded:
    samples = tuple(
        PoolSample(text=one["text"], tokens=len(one["text"]) // 4, scores={"rm_score": one["rm_score"]})
        for one in row["samples"]
    )
    pool = PoolRow(id=row["id"], question=row["question"], answer=row["answer"], kind="expression", samples=samples)
    found = anyio.run(_graded, msgspec.structs.replace(pool, extra={"grader": "math"}))
    return Graded(found.row, found.candidates, tuple(float(one["correct"]) for one in row["samples"]), found.mark)


async def _graded(row: PoolRow) -> Graded:
    async with Grader() as grader:
        return await graded(row, row.id, grader)


def measure(
    fitted: Fitted, name: str, test: list[Graded], asked: argparse.Namespace, seed: int, grades: Grades
) -> None:
    """Replay the test questions with a probe's scores."""
    for question in test:

        def scorer(places, question=question):
            candidates = [question.candidates[i] for i in places]
            return [score_rows(fitted, rows) for rows in rows_of(question.text, candidates)], fitted.weights

        for n in asked.sizes:
            sets = draws(question, n, asked.orders, seed)
            for rule, value in replay(question, sets, scorer).items() if sets else ():
                grades[name, rule, n].setdefault(question.row.id, []).append(value)


def within(fitted: Fitted, test: list[Graded]) -> list[float]:
    """AUC inside each question that has right and wrong samples."""
    found = []
    for question in test:
        scores = [score_rows(fitted, rows) for rows in rows_of(question.text, question.candidates)]
        worth = np.array([np.nan if score.worth is None else score.worth for score in scores])
        found.append(auc(worth, np.array(question.grades)))
    return [value for value in found if value is not None]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("pool")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--sizes", type=int, nargs="+", default=[4, 8, 16])
    parser.add_argument("--orders", type=int, default=20)
    parser.add_argument("--heads", nargs="+", default=["linear"])
    asked = parser.parse_args()
    questions = read(asked.pool)
    began, grades, inside = time.perf_counter(), defaultdict(dict), defaultdict(list)
    for seed in range(asked.repeats):
        where = folds([question.row.cluster for question in questions], seed)
        for fold in range(5):
            train = [question for question, place in zip(questions, where, strict=True) if place != fold]
            test = [question for question, place in zip(questions, where, strict=True) if place == fold]
            probes: dict[str, Fitted] = {}
            for name, groups in SETS.items():
                for labels in LABELS:
                    recipe = Recipe(groups, labels, tuple(asked.heads))
                    probes[f"{name}, {labels}"] = train_probe(train, recipe, seed=seed)
            best = min(probes, key=lambda name: probes[name].report.get("posterior_loss", 9.0))
            probes["chosen"] = probes[best]
            for name, fitted in probes.items():
                measure(fitted, name, test, asked, seed, grades)
                inside[name] += within(fitted, test)
            print(f"repeat {seed} fold {fold}: {best} ({time.perf_counter() - began:.0f} s)", flush=True)
    report(questions, grades, inside, asked)
    cost(questions, probes["process, outcome"])


def cost(questions: list[Graded], fitted: Fitted) -> None:
    """CPU time of scoring each question's whole pool, with nothing remembered from before."""
    times = []
    for question in questions:
        chain.cache_clear()
        numbers_of.cache_clear()
        began = time.process_time()
        for rows in rows_of(question.text, question.candidates):
            score_rows(fitted, rows)
        times.append(1e3 * (time.process_time() - began))
    print(
        f"\nscoring a question's {len(questions[0].candidates)} candidates: median {np.median(times):.1f} ms of CPU, ",
        end="",
    )
    print(f"at most {max(times):.1f} ms")


def report(questions: list[Graded], grades: Grades, inside: dict[str, list[float]], asked: argparse.Namespace) -> None:
    """The table, in Markdown."""
    rate = np.mean([np.mean(question.grades) for question in questions])
    print(f"\n{len(questions)} questions, {asked.repeats} repeats of 5 folds; a sample is right {rate:.3f}\n")
    sizes = [n for n in asked.sizes if ("chosen", "majority", n) in grades]
    ids = [question.row.id for question in questions]
    clusters = [question.row.cluster for question in questions]

    def column(name: str, rule: str, n: int) -> np.ndarray:
        return np.array([np.mean(grades[name, rule, n][identity]) for identity in ids])

    for rule in ("random", "majority", "oracle"):
        print(f"{rule}: " + ", ".join(f"n={n} {column('chosen', rule, n).mean():.3f}" for n in sizes))
    heads = " | ".join(f"{rule} n={n}" for n in sizes for rule in ("posterior", "sum", "best"))
    print(f"\n| features, labels | AUC within | {heads} |\n|---|---|" + "---|" * 3 * len(sizes))
    for name in inside:
        cells = [f"{np.mean(inside[name]):.3f}"]
        for n in sizes:
            for rule in ("posterior", "sum", "best"):
                found = accuracy_difference(column(name, rule, n), column(name, "majority", n), clusters=clusters)
                cells.append(f"{100 * found.value:+.1f} [{100 * found.low:+.1f}, {100 * found.high:+.1f}]")
        print(f"| {name} | " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()
