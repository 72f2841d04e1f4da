"""How long a bench on a pool takes, and what memory: 200 questions × 16 samples, four strategies, 100 orders.

    python benchmarks/bench.py [--questions 200] [--samples 16] [--repeats 100]

The pool is generated: chains of about 100 words from a seed, with log probabilities, on questions of all difficulties.
Prints the seconds of the whole command (start of Python to the last file), those of processor time, and the peak
memory of it and of its workers together, sampled twenty times a second (proportional set size).
"""

from __future__ import annotations

import argparse
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import msgspec

from outthink.models.pool import Fingerprint, PoolRow, PoolSample

STRATEGIES = (
    "self-consistency(n=16)",
    "self-consistency(n=8)",
    "best-of-n(n=16)",
    "best-of-n(n=8, verifier=symbolic)",
)
WORDS = (
    "first",
    "we",
    "take",
    "the",
    "given",
    "values",
    "then",
    "combine",
    "them",
    "and",
    "check",
    "that",
    "each",
    "step",
)


def pool(path: Path, questions: int, samples: int) -> None:
    """Write a pool of questions whose samples are right with a chance of their own."""
    draw = random.Random(0)
    with path.open("wb") as file:
        for number in range(questions):
            chance, gold = draw.betavariate(1, 1), draw.randrange(10, 99)
            said = [_sample(draw, gold if draw.random() < chance else draw.randrange(10, 99)) for _ in range(samples)]
            row = PoolRow(
                id=f"q{number}",
                question=f"What do {number} boxes of {gold} hold?",
                samples=tuple(said),
                answer=str(gold),
                kind="number",
                prompt_tokens=250,
                fingerprint=Fingerprint(model="generated", temperature=0.7, parameters=5e8),
            )
            file.write(msgspec.json.encode(row) + b"\n")


def _sample(draw: random.Random, answer: int) -> PoolSample:
    words = " ".join(draw.choices(WORDS, k=draw.randrange(60, 140)))
    a, b = draw.randrange(2, 50), draw.randrange(2, 50)
    text = f"{words}. So {a} + {b} = {a + b + (draw.random() < 0.2)}.\nThe answer is {answer}."
    mean = -draw.random()
    return PoolSample(text=text, tokens=len(text) // 5, logprob_mean=mean, logprob_low=2 * mean, logprob_tail=mean)


def _memory(pid: int) -> int:
    """Bytes of a process and its children."""
    total = 0
    for one in (pid, *_children(pid)):
        try:
            for line in Path(f"/proc/{one}/smaps_rollup").read_text().splitlines():
                if line.startswith("Pss:"):
                    total += 1024 * int(line.split()[1])
        except OSError:
            continue  # it has just ended
    return total


def _children(pid: int) -> list[int]:
    found: list[int] = []
    for tasks in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            own = [int(text) for text in tasks.read_text().split()]
        except OSError:
            continue
        for child in own:
            found += [child, *_children(child)]
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in (("questions", 200), ("samples", 16), ("repeats", 100)):
        parser.add_argument(f"--{name}", type=int, default=default)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "pool.jsonl")
        pool(path, given.questions, given.samples)
        command = [sys.executable, "-m", "outthink", "bench", str(path), "--out", f"{folder}/out"]
        command += ["--repeats", str(given.repeats)]
        for strategy in STRATEGIES:
            command += ["--strategy", strategy]
        began, peak = time.monotonic(), 0
        child = subprocess.Popen(command)
        while child.poll() is None:
            peak = max(peak, _memory(child.pid))
            time.sleep(0.05)
        seconds = time.monotonic() - began
        rows = Path(folder, "out", "rows.jsonl").read_bytes().count(b"\n")
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    print(
        f"{rows:,} runs in {seconds:.1f} s ({used.ru_utime + used.ru_stime:.1f} s of processor time) on "
        f"{os.cpu_count()} processors, {peak / 1e6:.0f} MB at most"
    )


if __name__ == "__main__":
    main()
