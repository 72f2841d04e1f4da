"""CPU time per upstream call: Outthink, its_hub 1.2.0 and a bare aiohttp loop, in turn, in one run.

    python benchmarks/overhead.py [--rounds 7]

Self-consistency(n=16) over 64 problems on a local server (its own process) with 20 ms latency and without ``n``: 1,024
calls a turn, up to 64 in flight. Prints medians over the rounds and the ratios that are the claim.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable

import aiohttp
import anyio

PROBLEMS = [f"How many apples are there in {k} boxes of {k + 3}?" for k in range(2, 66)]
SAMPLES, IN_FLIGHT = 16, 64


async def outthink_turn(url: str) -> int:
    import outthink

    calls = 0
    async with outthink.Engine(f"fake@{url}", concurrency=IN_FLIGHT, cache=False) as engine:

        async def one(problem: str) -> None:
            nonlocal calls
            result = await engine.solve(problem, strategy=f"self-consistency(n={SAMPLES})")
            calls += result.usage.calls

        async with anyio.create_task_group() as group:
            for problem in PROBLEMS:
                group.start_soon(one, problem)
    return calls


async def its_hub_turn(url: str) -> int:
    from its_hub import LMOrchestrator, OpenAICompatibleLanguageModel, SelfConsistency
    from its_hub.core.algorithms.self_consistency import create_regex_projection_function

    model = OpenAICompatibleLanguageModel(url, "none", "fake", temperature=0.7, max_tokens=400)
    technique = SelfConsistency(
        create_regex_projection_function(r"answer is ([\d.]+)"), orchestrator=LMOrchestrator(IN_FLIGHT)
    )
    await asyncio.gather(*(technique.ainfer(model, problem, SAMPLES) for problem in PROBLEMS))
    await model.close()
    return SAMPLES * len(PROBLEMS)


async def bare_turn(url: str) -> int:
    gate = asyncio.Semaphore(IN_FLIGHT)
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:

        async def one(problem: str, seed: int) -> str:
            body = {"model": "fake", "messages": [{"role": "user", "content": problem}], "temperature": 0.7}
            async with gate, session.post(f"{url}/chat/completions", json=body | {"seed": seed}) as reply:
                return (await reply.json())["choices"][0]["message"]["content"]

        await asyncio.gather(*(one(problem, i) for problem in PROBLEMS for i in range(SAMPLES)))
    return SAMPLES * len(PROBLEMS)


def measure(turn: Callable[[str], Awaitable[int]], url: str) -> tuple[float, float]:
    """CPU and wall milliseconds a call."""
    cpu, wall = time.process_time(), time.perf_counter()
    calls = asyncio.run(turn(url))  # pyright: ignore[reportArgumentType]
    return (time.process_time() - cpu) * 1e3 / calls, (time.perf_counter() - wall) * 1e3 / calls


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=7)
    rounds = parser.parse_args().rounds
    command = [sys.executable, "-m", "outthink.models.fake_server", "--latency", "0.02", "--accuracy", "0.3", "--no-n"]
    turns = {"bare": bare_turn, "outthink": outthink_turn, "its_hub": its_hub_turn}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        url = server.stdout.readline().strip()
        try:
            for turn in turns.values():  # imports and first connections are not what is measured
                measure(turn, url)
            figures = [{name: measure(turn, url) for name, turn in turns.items()} for _ in range(rounds)]
        finally:
            server.terminate()
    for name in turns:
        cpu, wall = (statistics.median(row[name][i] for row in figures) for i in (0, 1))
        print(f"{name:<9} {cpu:.3f} ms CPU a call   {wall:.3f} ms wall a call")
    for other, place, what in (("its_hub", 0, "CPU"), ("bare", 0, "CPU"), ("bare", 1, "wall")):
        ratios = sorted(row["outthink"][place] / row[other][place] for row in figures)
        middle = statistics.median(ratios)
        print(
            f"outthink / {other:<8} {what:<4} {middle:.2f}  ({ratios[0]:.2f} to {ratios[-1]:.2f} over {rounds} rounds)"
        )


if __name__ == "__main__":
    main()
