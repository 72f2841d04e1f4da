"""Benches that never were: the three files that a report is made of, with all that is awkward about real ones.

python tests/bench/made_bench.py DIR [full|one|nulls|live|zero|many|models]   writes the files and the report
"""

from __future__ import annotations

import json
import math
import random
import statistics
import sys
from pathlib import Path

HOSTILE = (
    "</pre></script><script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\">{{ 7*7 }}"
)
WRONG = [None, "17", "0", "1/3", HOSTILE, "18 dollars and then some"]
STRATEGIES = {  # accuracy of one sample is raised by so much at most; mean tokens; samples
    "direct": (0.0, 130, 1),
    "cot": (0.04, 260, 1),
    "self-consistency(n=4)": (0.10, 1010, 4),
    "self-consistency(n=16)": (0.17, 4050, 16),
    "best-of-n(n=4, verifier=confidence)": (0.03, 1035, 4),
    "best-of-n(n=16, verifier=judge)": (0.20, 6900, 16),
    "refine(self-consistency(n=4), rounds=2)": (0.09, 2300, 12),
    "auto": (0.16, 1650, 6.4),
}
FAMILIES = {
    "self-consistency": "self-consistency(n=16)",
    "best-of-n(verifier=confidence)": "best-of-n(n=4, verifier=confidence)",
    "best-of-n(verifier=judge)": "best-of-n(n=16, verifier=judge)",
}
QUESTIONS = [
    "A cinema sold {a} tickets at 8 dollars and {b} tickets at 5 dollars. How many dollars did it take in?",
    "Natalia has {a} apples and gives {b} of them to each of her friends until fewer than {b} are left. How many are "
    "left over at the end, and how many friends were given some? Answer with the number left over.",
    "Сколько будет {a} + {b}·2? 答えは数字で。 ∑ x² ≤ √π — naïve café 🎟️",
    "def f(xs):\n    total = {a}\n    for x in xs:\n        if x % 2:\n            total += x * {b}\n    return total\n"
    "\nWhat does f([1, 2, 3]) return? Answer with a Python literal.",
]
TEXTS = [
    "First {a} × 8 = {x}. Then {b} × 5 = {y}.\n\nSo the answer is **{z}**.",
    "```python\ndef f(xs: list[int]) -> int:\n    return sum(x for x in xs if {b} < x < {a})\n```\nAnswer: {z}.",
    "\\boxed{{{z}}} " + HOSTILE,
    "Let me think step by step, at length. " * 260 + "The answer is {z}.",
    "Control \x1b[31mred\x1b[0m and \x00 null, \u202eright to left; answer {z}",
]


def made_bench(
    directory: Path,
    *,
    strategies: dict[str, tuple[float, float, float]] | None = None,
    models: tuple[str, ...] = ("qwen2.5-coder-0.5b",),
    questions: int = 200,
    repeats: int = 20,
    live: bool = False,
    nulls: bool = False,
    zero: bool = False,
    seed: int = 7,
) -> Path:
    """Write summary.json, rows.jsonl and questions.jsonl; the same arguments write the same bytes."""
    draw = random.Random(seed)
    strategies = STRATEGIES if strategies is None else strategies
    directory.mkdir(parents=True, exist_ok=True)
    known = [_question(place, draw, zero) for place in range(questions)]
    with (directory / "questions.jsonl").open("w", encoding="utf-8") as file:
        file.writelines(json.dumps(one, ensure_ascii=False) + "\n" for one in known)
    means: dict[str, list[float]] = {}
    with (directory / "rows.jsonl").open("w", encoding="utf-8") as file:
        for question in known:
            for model in models:
                for name, (lift, tokens, samples) in strategies.items():
                    label = f"{name} @ {model}" if len(models) > 1 else name
                    chance = _chance(question["difficulty"], lift + 0.12 * models.index(model), zero, draw)
                    runs = [
                        _row(name, model, question, r, chance, tokens, samples, live, nulls, draw)
                        for r in range(repeats)
                    ]
                    means.setdefault(label, []).append(statistics.mean(run["correct"] for run in runs))
                    file.writelines(json.dumps(run, ensure_ascii=False) + "\n" for run in runs)
    summary = _summary(means, strategies, models, known, repeats, live, nulls)
    (directory / "summary.json").write_text(json.dumps(summary), encoding="utf-8")
    return directory


def _question(place: int, draw: random.Random, zero: bool) -> dict:
    a, b = draw.randint(10, 99), draw.randint(2, 9)
    level = 0.0 if zero else min(1.0, max(0.0, draw.betavariate(0.6, 1.0)))
    level = round(level * 16) / 16
    gold = str(a * 8 + b * 5)
    samples = []
    for _ in range(16):
        right = draw.random() < level
        answer = gold if right else None if draw.random() < 0.1 else str(draw.randint(1, 900))
        text = draw.choice(TEXTS).format(a=a, b=b, x=a * 8, y=b * 5, z=answer)
        samples.append({"text": text, "answer": answer, "correct": float(right), "tokens": draw.randint(40, 500)})
    question = QUESTIONS[place % len(QUESTIONS)].format(a=a, b=b)
    question += HOSTILE if place % 23 == 5 else " This is told at length." * 150 if place % 29 == 7 else ""
    return {
        "id": f"gsm-{place}" if place % 11 else f"<b>{place}</b>", "question": question, "gold": gold,
        "grader": "number", "kind": "number", "cluster": "", "difficulty": level, "samples": samples,
    }  # fmt: skip


def _chance(level: float, lift: float, zero: bool, draw: random.Random) -> float:
    if zero or level in (0, 1):
        return level
    return min(
        1.0, max(0.0, level + (4 * lift if level > 0.3 else -lift) * level * (1 - level) * 1.6 + draw.gauss(0, 0.12))
    )


def _row(name, model, question, repeat, chance, tokens, samples, live, nulls, draw):
    right = draw.random() < chance
    used = max(20, int(draw.gauss(tokens, tokens / 4)))
    return {
        "strategy": name, "model": model, "id": question["id"], "repeat": repeat, "correct": float(right),
        "answer": question["gold"] if right else draw.choice(WRONG),
        "confidence": None if nulls else round(min(1.0, max(0.0, draw.gauss(chance, 0.2))), 3),
        "confidence_source": "votes", "stop_reason": draw.choice(["exhausted", "settled"]), "samples": samples,
        "calls": 1,
        "prompt_tokens": 90, "completion_tokens": used - 90, "tokens": used, "verifier_tokens": 0, "usd": None,
        "seconds": draw.random() if live else None, "flops": None,
    }  # fmt: skip


def _summary(means, strategies, models, known, repeats, live, nulls):
    n = len(known)
    labels = list(means)
    spread = {label: statistics.pstdev(means[label]) / math.sqrt(n) for label in labels}
    figures, pairs = [], []
    for label in labels:
        name, _, model = label.partition(" @ ")
        _, tokens, samples = strategies[name]
        accuracy, half = statistics.mean(means[label]), 1.96 * spread[label]
        figures.append({
            "strategy": name, "model": model or models[0], "label": label, "accuracy": accuracy,
            "accuracy_ci": [max(0.0, accuracy - half), min(1.0, accuracy + half)], "tokens_mean": tokens,
            "completion_tokens_mean": tokens - 90, "verifier_tokens_mean": 1800 if "judge" in name else 0,
            "samples_mean": samples, "calls_mean": None if nulls else samples, "usd_mean": None, "errors": 0,
            "flops_mean": None if nulls else tokens * 1e9, "seconds_p50": 1.2 * samples if live else None,
            "seconds_p95": 3.4 * samples if live else None, **_confidence(accuracy, label, nulls),
            "stop_reasons": {} if nulls else {"exhausted": 60 * repeats, "settled": (n - 60) * repeats},
        })  # fmt: skip
    for place, a in enumerate(labels):
        for b in labels[place + 1 :]:
            pairs.append(_pair(a, b, means, strategies, live))
    ks = (1, 2, 3, 4, 6, 8, 12, 16)
    base = statistics.mean(q["difficulty"] for q in known)
    top = {family: statistics.mean(means[own]) for family, own in FAMILIES.items() if own in means}
    curves = {family: _rising(strategies[FAMILIES[family]], base, end, ks) for family, end in top.items()}
    pool = not live and not nulls and len(labels) > 1
    return {
        "data": {"path": "/data/pools/gsm8k_train.jsonl", "questions": n, "fingerprint": "9f2c" * 16},
        "kind": "live" if live else "pool", "repeats": repeats, "seed": 0, "budget": "", "samples": 16,
        "strategies": figures, "pairs": pairs,
        "random": None if nulls else statistics.mean(q["difficulty"] for q in known),
        "oracle": None if nulls else statistics.mean(float(q["difficulty"] > 0) for q in known),
        "frontier": {name: [[row[1], row[2]] for row in rows] for name, rows in curves.items()} if pool else {},
        "curves": curves if pool else {},
        "random_curve": [[k, k * 250, base, base - 0.06, base + 0.06] for k in ks] if pool else [],
        "oracle_curve": [[k, k * 250, min(0.95, base + 0.12 * math.log2(k)), None, None] for k in ks] if pool else [],
        "majority_curve": [[k, base + 0.026 * math.log2(k)] for k in ks] if pool else [],
        "iso_accuracy": [
            {"a": "auto", "b": "self-consistency", "accuracy": 0.5, "ratio": 2.31, "ratio_ci": [1.6, 3.4]},
            {"a": "auto", "b": "best-of-n", "accuracy": 0.5, "ratio": None, "ratio_ci": [4.1, None]},
        ] if pool and "auto" in strategies else [],
        "by_difficulty": {} if nulls else _by_difficulty(means, strategies, known),
        "commands": [
            "outthink sample gsm8k_train.jsonl pool.jsonl --n 16",
            'outthink bench pool.jsonl --strategy direct --strategy "self-consistency(n=16)" --out bench --seed 0',
        ],
        "fingerprint": {"model": "qwen2.5-coder-0.5b", "sha256": "1d9614638d18", "temperature": 0.7, "prompt": "a1b2"},
        "version": "0.1.0", "notes": ["GSM8K's training questions may be in the model's training data."],
    }  # fmt: skip


def _rising(strategy, base: float, end: float, ks) -> list[list[float]]:
    """A curve from a single sample's accuracy through a strategy's own."""
    _, tokens, samples = strategy
    heights = [base + (end - base) * math.log2(k) / math.log2(samples) for k in ks]
    return [[k, k * tokens / samples, y, y - 0.06, y + 0.06] for k, y in zip(ks, heights, strict=True)]


def _confidence(accuracy: float, label: str, nulls: bool) -> dict:
    if nulls:
        return {"confidence_ece": None, "ece_if_calibrated_95": None, "brier": None, "reliability": []}
    bins = []
    for place in range(6):
        sure = 0.2 + 0.15 * place
        right = max(0.0, sure - (0.18 if "direct" in label or "judge" in label else 0.03))
        right = right if accuracy else 0.0
        bins.append(
            {"lo": max(0, right - 0.12), "hi": right + 0.12, "n": 20 + place * 5, "confidence": sure, "accuracy": right}
        )
    wrong = "direct" in label or "judge" in label
    return {
        "confidence_ece": 0.17 if wrong else 0.05,
        "ece_if_calibrated_95": 0.081,
        "brier": 0.19,
        "reliability": bins,
    }


def _pair(a: str, b: str, means, strategies, live: bool) -> dict:
    differences = [x - y for x, y in zip(means[a], means[b], strict=True)]
    mean, sd = statistics.mean(differences), statistics.pstdev(differences) / math.sqrt(len(differences))
    p = math.erfc(abs(mean) / sd / math.sqrt(2)) if sd else 1.0
    ratio = strategies[a.partition(" @ ")[0]][1] / strategies[b.partition(" @ ")[0]][1]
    holm = min(1.0, p * 10)
    return {
        "a": a, "b": b, "accuracy_diff": mean, "accuracy_diff_ci": [mean - 1.96 * sd, mean + 1.96 * sd],
        "accuracy_diff_p": p, "holm_p": holm, "mcnemar_p": p if live else None, "detectable_difference": 2.8 * sd,
        "distinguishable": holm < 0.05 and abs(mean) >= 2.8 * sd, "token_ratio": ratio,
        "token_ratio_ci": [ratio * 0.95, ratio * 1.05],
        "flops_ratio": ratio * (1 + 2 * a.endswith("1.5b")) / (1 + 2 * b.endswith("1.5b")),
        "seconds_ratio": ratio if live else None,
    }  # fmt: skip


def _by_difficulty(means, strategies, known):
    levels = ["easy" if q["difficulty"] >= 0.5 else "medium" if q["difficulty"] >= 0.1 else "hard" for q in known]
    found = {}
    for label, values in means.items():
        tokens = strategies[label.partition(" @ ")[0]][1]
        found[label] = {
            level: _part([v for v, own in zip(values, levels, strict=True) if own == level], tokens)
            for level in ("easy", "medium", "hard")
        }
    return found


def _part(values: list[float], tokens: float) -> dict:
    return {
        "n": len(values),
        "accuracy": statistics.mean(values) if values else None,
        "tokens": tokens if values else None,
    }


MANY = {f"tree-search(width={w}, depth={d}, verifier=process-reward)": (0.01 * w * d, 900 * w * d / 2 + 40 * w, w * d)
        for w in (2, 3, 4) for d in (2, 4)} | STRATEGIES  # fmt: skip
CASES = {
    "full": {},
    "one": {"strategies": {"self-consistency(n=16)": STRATEGIES["self-consistency(n=16)"]}},
    "nulls": {"nulls": True, "strategies": dict(list(STRATEGIES.items())[:3])},
    "live": {"live": True, "repeats": 1, "questions": 60, "strategies": dict(list(STRATEGIES.items())[:4])},
    "zero": {"zero": True, "questions": 30, "strategies": dict(list(STRATEGIES.items())[:2])},
    "many": {"strategies": MANY, "repeats": 5},
    "models": {
        "models": ("qwen2.5-coder-0.5b", "qwen2.5-coder-1.5b"),
        "strategies": dict(list(STRATEGIES.items())[:4]),
    },
}
"""Arguments of benches worth looking at."""


if __name__ == "__main__":
    from outthink.bench.report import write

    print(*write(made_bench(Path(sys.argv[1]), **CASES[sys.argv[2] if len(sys.argv) > 2 else "full"])), sep="\n")
