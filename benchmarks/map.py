"""Rows a second and peak memory of ``outthink map``, beside bare client loops over the same rows in the same run.

    python benchmarks/map.py [--rows 100000] [--rounds 1] [--concurrency 64] [--latency 0] [--cache] [--profile FILE]

``direct`` against a local server (its own process). Without latency, the worst case, nothing hides what a row costs
here; ``--latency 0.1`` is still a fast model. Each side is a process of its own, so that its peak memory is its own;
in each round they run one after another, in turned order. ``openai`` is the official client, ``aiohttp`` the least
that posts and reads JSON; neither retries, counts, extracts an answer or knows a budget. The aim: at least 0.8 of the
``openai`` loop's rows a second, and under 200 MB. The server takes a core for itself.
"""

from __future__ import annotations

import argparse
import asyncio
import cProfile
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import aiohttp
import openai

from outthink import Engine
from outthink.batch.map import Plan, map_file

SIDES = ("openai", "aiohttp", "outthink")


async def outthink_side(url: str, source: str, target: str, concurrency: int, cache: bool) -> None:
    async with Engine(f"fake@{url}", concurrency=concurrency, cache=cache) as engine:
        await map_file(engine, source, target, Plan(strategy="direct", concurrency=concurrency))


class Bare:
    """The least that answers every row: read a line, ask, write a line; no more than the answer, what it cost and
    the log probabilities are wanted, as ``direct`` does."""

    def __init__(self, source: str, target: str, concurrency: int) -> None:
        self._source, self._target, self._concurrency = source, target, concurrency

    async def run(self, ask: Callable[[dict[str, Any]], Awaitable[tuple[str, dict[str, Any]]]]) -> None:
        with open(self._source, "rb") as lines, open(self._target, "wb", buffering=0) as out:

            async def worker() -> None:
                for line in lines:
                    row = json.loads(line)
                    messages = [{"role": "user", "content": row["question"]}]
                    text, usage = await ask({"model": "fake", "messages": messages, "logprobs": True, "seed": 0})
                    out.write(json.dumps({"id": row["id"], "text": text, "usage": usage}).encode() + b"\n")

            await asyncio.gather(*(worker() for _ in range(self._concurrency)))


async def aiohttp_side(url: str, bare: Bare) -> None:
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:

        async def ask(body: dict[str, Any]) -> tuple[str, dict[str, Any]]:
            async with session.post(f"{url}/chat/completions", json=body) as reply:
                said = await reply.json()
            return said["choices"][0]["message"]["content"], said["usage"]

        await bare.run(ask)


async def openai_side(url: str, bare: Bare) -> None:
    async with openai.AsyncOpenAI(base_url=url, api_key="none", max_retries=0) as client:

        async def ask(body: dict[str, Any]) -> tuple[str, dict[str, Any]]:
            said = await client.chat.completions.create(**body)
            assert said.usage is not None
            return said.choices[0].message.content or "", said.usage.model_dump()

        await bare.run(ask)


def run_side(options: argparse.Namespace) -> None:
    """One side, in this process; prints seconds, seconds of CPU, and peak megabytes."""
    common = (options.source, options.target, options.concurrency)
    if options.side == "outthink":
        work = outthink_side(options.url, *common, options.cache)
    else:
        work = {"aiohttp": aiohttp_side, "openai": openai_side}[options.side](options.url, Bare(*common))
    began, cpu = time.perf_counter(), time.process_time()
    if options.profile:
        with cProfile.Profile() as profile:
            asyncio.run(work)
        profile.dump_stats(options.profile)
    else:
        asyncio.run(work)
    seconds = time.perf_counter() - began
    cpu, peak = time.process_time() - cpu, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps([seconds, cpu, peak]))


def measure(side: str, options: argparse.Namespace, url: str, folder: Path) -> tuple[float, float, float]:
    """Rows a second, milliseconds of CPU a row, and peak megabytes of one side."""
    target = folder / f"{side}.jsonl"
    target.unlink(missing_ok=True)
    command = [sys.executable, __file__, "--side", side, "--url", url, "--source", str(folder / "in.jsonl")]
    command += ["--target", str(target), "--concurrency", str(options.concurrency)]
    command += ["--cache"] if options.cache else []
    command += ["--profile", options.profile] if options.profile and side == "outthink" else []
    home = {**os.environ, "OUTTHINK_HOME": str(folder / f"home{time.monotonic_ns()}")}
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=home)
    with target.open("rb") as lines:
        rows = sum(b'"error"' not in line for line in lines)
    assert rows == options.rows, f"{side} answered {rows} of {options.rows} rows"
    seconds, cpu, peak = json.loads(done.stdout)
    return options.rows / seconds, cpu * 1e3 / options.rows, peak


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--concurrency", type=int, default=64)
    parser.add_argument("--latency", type=float, default=0.0, help="seconds before the server replies")
    parser.add_argument("--cache", action="store_true", help="keep samples, as the command line does by default")
    parser.add_argument("--profile", help="write a cProfile of outthink's side here")
    for name in ("side", "url", "source", "target"):
        parser.add_argument(f"--{name}", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.side:
        run_side(options)
        return
    server = [sys.executable, "-m", "outthink.models.fake_server", "--latency", str(options.latency)]
    with tempfile.TemporaryDirectory() as text, subprocess.Popen(server, stdout=subprocess.PIPE, text=True) as serving:
        folder = Path(text)
        with (folder / "in.jsonl").open("w") as rows:
            for i in range(options.rows):
                rows.write(json.dumps({"id": f"row-{i}", "question": f"How many are {i} apples and 3 pears?"}) + "\n")
        assert serving.stdout is not None
        url = serving.stdout.readline().strip()
        try:
            rounds = [
                {side: measure(side, options, url, folder) for side in (SIDES if number % 2 else SIDES[::-1])}
                for number in range(options.rounds)
            ]
        finally:
            serving.terminate()
    for side in SIDES:
        pace, cpu, peak = (statistics.median(one[side][i] for one in rounds) for i in range(3))
        print(f"{side:<9} {pace:7.0f} rows/s   {cpu:.3f} ms CPU a row   peak {peak:4.0f} MB")
    for side in SIDES[:-1]:
        ratios = sorted(one["outthink"][0] / one[side][0] for one in rounds)
        cpu = statistics.median(one[side][1] / one["outthink"][1] for one in rounds)
        spread = f"({ratios[0]:.2f} to {ratios[-1]:.2f})"
        print(f"outthink / {side:<8} {statistics.median(ratios):.2f} rows/s {spread}   {cpu:.2f} rows per CPU second")


if __name__ == "__main__":
    main()
