"""What ``outthink calibrate`` costs: a made-up pool, fitted in a process of its own.

    OMP_NUM_THREADS=1 python benchmarks/calibrate.py [--questions 500] [--samples 32]

Questions differ in how often one sample is right; wrong samples spread over a few answers; log probabilities tell a
little. Prints seconds of wall clock and the largest resident memory, start of the interpreter included.
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any


def pool(questions: int, samples: int, seed: int = 0) -> str:
    """The lines of a pool."""
    draw = random.Random(seed)
    return "".join(json.dumps(row(place, samples, draw)) + "\n" for place in range(questions))


def row(place: int, samples: int, draw: random.Random) -> dict[str, Any]:
    """One question: p ~ Beta(1.2, 0.8), five wrong answers of falling frequency, one sample of 20 without any."""
    chance, gold = draw.betavariate(1.2, 0.8), draw.randint(10, 99)
    wrong = [gold + step for step in draw.sample(range(1, 90), 5)]

    def sample() -> dict[str, Any]:
        right = draw.random() < chance
        said = gold if right else draw.choices(wrong, (8, 4, 2, 1, 1))[0]
        ending = f"The answer is {said}." if draw.random() > 0.05 else "I do not know."
        mean = -0.4 + 0.1 * right + draw.gauss(0, 0.15)
        text = f"Let us see what there is to add, and how much of it. {ending}"
        low, tail = mean - abs(draw.gauss(0.2, 0.1)), mean + draw.gauss(0, 0.05)
        return {
            "text": text, "tokens": draw.randint(60, 240), "logprob_mean": mean, "logprob_low": low,
            "logprob_tail": tail,
        }  # fmt: skip

    mark = {"model": "made-up", "prompt": "0" * 12, "temperature": 0.7}
    return {
        "id": f"q{place}", "question": f"What is question {place}?", "answer": str(gold), "kind": "number",
        "fingerprint": mark, "samples": [sample() for _ in range(samples)],
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--questions", type=int, default=500)
    parser.add_argument("--samples", type=int, default=32)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "pool.jsonl"
        file.write_text(pool(asked.questions, asked.samples))
        began = time.perf_counter()
        command = [sys.executable, "-m", "outthink", "calibrate", str(file), "-o", str(Path(folder) / "policy.json")]
        subprocess.run(command, check=True)
        took = time.perf_counter() - began
    memory = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    print(f"{asked.questions} questions × {asked.samples} samples: {took:.1f} s, {memory:,.0f} MB")


if __name__ == "__main__":
    main()
