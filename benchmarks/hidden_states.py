"""Is one hidden state of a whole candidate worth its second reading? A set of features for the probe, tried out.

    llama-server -m MODEL.gguf --embeddings --pooling last …
    python benchmarks/hidden_states.py record POOL.jsonl OUT.npz --url http://127.0.0.1:8080
    python benchmarks/hidden_states.py score POOL.jsonl OUT.npz

``record`` has a server of llama.cpp read question and solution of each candidate once and keeps its last hidden state;
it prints the seconds. ``score`` cross-fits by question, as `probe.py` does: the probe's own features of each candidate,
the principal components of its hidden state, and both; the answer posterior weighs the votes by what each says. The
same draws for all, points over the plain vote, paired intervals over questions. No model.
"""

from __future__ import annotations

import argparse
import json
import time
import urllib.request
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import anyio
import numpy as np
from numpy.typing import NDArray
from results import points

from outthink.adaptive.posterior import Weights
from outthink.bench.stats import accuracy_difference
from outthink.bench.verifiers.evaluate import auc
from outthink.bench.verifiers.fit import fit_head, folds, log_odds, sklearn
from outthink.bench.verifiers.graded import Graded, read_graded
from outthink.bench.verifiers.selection import draws, replay
from outthink.bench.verifiers.table import table
from outthink.bench.verifiers.train import Recipe, fit_weights
from outthink.core.candidate import Score
from outthink.models.pool import read_pool
from outthink.verifiers.heads import logistic

Floats = NDArray[np.float64]
COMPONENTS, FOLDS, SIZES, ORDERS = 16, 5, (4, 8, 16), 20


def record(pool: Path, out: Path, url: str) -> None:
    states: list[list[float]] = []
    began = time.perf_counter()
    for row in read_pool(pool):
        texts = [f"{row.question}\n\n{sample.text}" for sample in row.samples]
        body = json.dumps({"input": texts}).encode()
        request = urllib.request.Request(f"{url}/v1/embeddings", body, {"content-type": "application/json"})
        with urllib.request.urlopen(request) as reply:
            found = json.load(reply)["data"]
        states += [one["embedding"] for one in sorted(found, key=lambda one: one["index"])]
    seconds = time.perf_counter() - began
    np.savez_compressed(out, states=np.array(states, dtype=np.float32), seconds=seconds)
    print(f"{len(states)} candidates read in {seconds:.0f} s")


def components(states: Floats, train: NDArray[np.bool_]) -> Floats:
    """The principal components of all states, by those of the training side; each of spread 1 there."""
    found = sklearn("decomposition").PCA(COMPONENTS, whiten=True, random_state=0).fit(states[train])
    return found.transform(states)


def crossed(x: Floats, y: Floats, weight: Floats, owner: NDArray[np.int64], seed: int) -> Floats:
    """Each row's probability by a head that did not see its question."""
    where = folds(owner.tolist(), seed)
    odds = np.zeros(len(x))
    for fold in range(FOLDS):
        out = where == fold
        odds[out] = log_odds(fit_head("linear", x[~out], y[~out], weight[~out]), x[out])
    return np.array([logistic(one) for one in odds.tolist()])


def by_question(values: Floats, owner: NDArray[np.int64], places: Sequence[int]) -> list[list[float | None]]:
    return [values[owner == place].tolist() for place in places]


def score(pool: Path, file: Path) -> None:
    questions = anyio.run(read_graded, [str(pool)])
    rows = table(questions)
    ends = np.flatnonzero(rows.last & rows.whole)
    ends = ends[np.lexsort((rows.sample[ends], rows.question[ends]))]
    owner, y, weight = rows.question[ends], rows.y[ends], np.ones(len(ends))
    own, states = rows.columns(Recipe().features)[ends], np.load(file)["states"].astype(np.float64)
    gains: dict[tuple[str, int], dict[int, list[float]]] = defaultdict(lambda: defaultdict(list))
    inside: dict[str, list[float]] = defaultdict(list)
    for seed in range(2):
        where = folds(list(range(len(questions))), seed)
        for fold in range(FOLDS):
            train = where[owner] != fold
            hidden = components(states, train)
            sets = {"probe's own": own, "hidden state": hidden, "both": np.hstack([own, hidden])}
            for name, x in sets.items():
                kept = [place for place in range(len(questions)) if where[place] != fold]
                values = crossed(x[train], y[train], weight[train], owner[train], seed)
                weights = fit_weights([questions[p] for p in kept], by_question(values, owner[train], kept), seed)
                head = fit_head("linear", x[train], y[train], weight[train])
                told = np.array([logistic(one) for one in log_odds(head, x[~train]).tolist()])
                for place in (p for p in range(len(questions)) if where[p] == fold):
                    mine = told[owner[~train] == place]
                    inside[name] += [found for found in [auc(mine, np.array(questions[place].grades))] if found]
                    measure(questions[place], place, mine, weights, name, seed, gains)
    report(questions, inside, gains)


def measure(
    question: Graded, place: int, told: Floats, weights: Weights, name: str, seed: int,
    gains: dict[tuple[str, int], dict[int, list[float]]],
) -> None:  # fmt: skip
    """One question's expected grades by the vote, and by the posterior with these scores."""

    def scorer(places: Sequence[int]) -> tuple[list[Score], Weights]:
        return [Score(verifier=name, raw=float(told[i]), value=float(told[i])) for i in places], weights

    for n in SIZES:
        if sets := draws(question, n, ORDERS, seed):
            found = replay(question, sets, scorer)
            gains[name, n][place].append(found["posterior"])
            gains["vote", n][place].append(found["majority"])


def report(questions: Sequence[Graded], inside: dict[str, list[float]], gains: dict) -> None:
    sizes = [n for n in SIZES if ("vote", n) in gains]
    print(f"{len(questions)} questions\n\n| features | AUC within a question | {' | '.join(f'n={n}' for n in sizes)} |")
    print("|---|---|" + "---|" * len(sizes))

    def column(name: str, n: int) -> Floats:
        return np.array([np.mean(gains[name, n][place]) for place in range(len(questions))])

    votes = " | ".join(f"{100 * column('vote', n).mean():.1f} %" for n in sizes)
    print(f"| the vote | | {votes} |")
    for name, values in inside.items():
        cells = [points(accuracy_difference(column(name, n), column("vote", n))) for n in sizes]
        print(f"| {name} | {np.mean(values):.3f} | {' | '.join(cells)} |")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("action", choices=["record", "score"])
    parser.add_argument("pool", type=Path)
    parser.add_argument("states", type=Path)
    parser.add_argument("--url", default="http://127.0.0.1:8080")
    given = parser.parse_args()
    if given.action == "record":
        record(given.pool, given.states, given.url)
    else:
        score(given.pool, given.states)
