"""Settings of the embedded engine, one at a time against its defaults, in turn within a run.

    python benchmarks/embedded_settings.py [--model qwen2.5-coder-0.5b]

Each loads the model anew and asks for one prompt eight times over (or as many times as there are slots): new tokens a
second of the whole request, reading the prompt included. A quiet machine: nothing else may run.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import subprocess
import sys
import time

from outthink.core.problem import Problem
from outthink.core.wire import Ask
from outthink.models import embedded
from outthink.strategies.prompts import few_shot

QUESTION = "A cinema sold 45 tickets at 8 dollars and 30 tickets at 5 dollars. How many dollars did it take in?"
DEFAULTS = {"SLOTS": embedded.SLOTS, "BATCH": embedded.BATCH}
VARIANTS: dict[str, tuple[dict[str, int], dict[str, str]]] = {
    "defaults": ({}, {}),
    "4 slots": ({"SLOTS": 4}, {}),
    "16 slots": ({"SLOTS": 16}, {}),
    "batch 64": ({"BATCH": 64}, {}),
    "batch 256": ({"BATCH": 256}, {}),
    "batch 512": ({"BATCH": 512}, {}),
    "one thread": ({}, {"OMP_NUM_THREADS": "1", "OMP_THREAD_LIMIT": "1"}),
    "endless spinning": ({}, {"OMP_WAIT_POLICY": "active"}),
    "no spinning": ({}, {"OMP_WAIT_POLICY": "passive"}),
}


async def speed(name: str, settings: dict[str, int]) -> float:
    for constant, value in settings.items():
        setattr(embedded, constant, value)
    path, entry = embedded.locate(name)
    model = embedded.EmbeddedModel(name, path, entry)
    model.slots = embedded.SLOTS
    await model.load()
    try:
        messages = few_shot(Problem.of(QUESTION, "number"), 4)
        await model.complete(Ask(messages=({"role": "user", "content": "Hi"},), max_tokens=4))
        began = time.perf_counter()
        reply = await model.complete(
            Ask(messages=messages, n=embedded.SLOTS, seed=0, max_tokens=64, params={"temperature": 0.7})
        )
        return (reply.bill.completion_tokens if reply.bill else 0) / (time.perf_counter() - began)
    finally:
        await model.aclose()


def main() -> None:
    parser = argparse.ArgumentParser(description="Settings of the embedded engine, one at a time.")
    parser.add_argument("--model", default="qwen2.5-coder-0.5b")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--variant")
    options = parser.parse_args()
    if options.variant:  # a process of its own: OpenMP reads its settings once
        print(asyncio.run(speed(options.model, DEFAULTS | VARIANTS[options.variant][0])))
        return
    found: dict[str, list[float]] = {name: [] for name in VARIANTS}
    for _ in range(options.rounds):
        for name, (_, environment) in VARIANTS.items():
            command = [sys.executable, __file__, "--model", options.model, "--variant", name]
            done = subprocess.run(
                command, env={**os.environ, **environment}, capture_output=True, text=True, check=True
            )
            found[name].append(float(done.stdout))
    base = found["defaults"]
    for name, values in found.items():
        ratios = sorted(value / other for value, other in zip(values, base, strict=True))
        middle, ratio = sorted(values)[len(values) // 2], ratios[len(ratios) // 2]
        told = f"{ratio:.2f} of the defaults ({ratios[0]:.2f} to {ratios[-1]:.2f})"
        print(f"{name:<17} {middle:6.1f} new tokens a second   {told}")


if __name__ == "__main__":
    main()
