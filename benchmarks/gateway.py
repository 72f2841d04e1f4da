"""What the gateway adds to a direct request, against the same request straight to the server, in turn, in one run.

    python benchmarks/gateway.py [--rounds 7] [--requests 200]

The server and the gateway are processes of their own, the server answers at once. One client, one request at a time on
a connection that is kept. Prints the medians over the rounds and the difference that is the claim.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import subprocess
import sys
import time

import aiohttp

MESSAGES = [{"role": "user", "content": "Tell me about weeks."}]


async def turn(url: str, model: str, requests: int, stream: bool) -> float:
    """Milliseconds a request, from sending it to its last byte."""
    body = {"model": model, "messages": MESSAGES, "seed": 1, "stream": stream}
    connector = aiohttp.TCPConnector(limit=1)
    async with aiohttp.ClientSession(connector=connector) as session:
        began = 0.0
        for number in range(-10, requests):  # the first ten open connections and fill caches
            if number == 0:
                began = time.perf_counter()
            async with session.post(f"{url}/chat/completions", json=body) as reply:
                data = await reply.read()
                if reply.status != 200:
                    raise SystemExit(f"{url} answered {reply.status}: {data[:200]!r}")
    return (time.perf_counter() - began) * 1e3 / requests


def started(*command: str) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, "-m", *command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--requests", type=int, default=200)
    options = parser.parse_args()
    with started("outthink.models.fake_server") as server:
        assert server.stdout is not None
        straight = server.stdout.readline().strip()
        with started("outthink", "serve", "--port", "0", "--model", f"fake@{straight}") as gateway:
            assert gateway.stderr is not None
            through = gateway.stderr.readline().split()[-1]
            try:
                report(straight, through, options.rounds, options.requests)
            finally:
                gateway.terminate()
                server.terminate()


def report(straight: str, through: str, rounds: int, requests: int) -> None:
    for stream in (False, True):
        pairs = [
            (
                asyncio.run(turn(straight, "fake", requests, stream)),
                asyncio.run(turn(through, "fake+direct", requests, stream)),
            )
            for _ in range(rounds)
        ]
        added = sorted(ours - theirs for theirs, ours in pairs)
        ratio = statistics.median(ours / theirs for theirs, ours in pairs)
        theirs, ours = (statistics.median(column) for column in zip(*pairs, strict=True))
        print(
            f"{'streamed' if stream else 'plain':<8}  straight {theirs:.2f} ms   through the gateway {ours:.2f} ms   "
            f"adds {statistics.median(added):.2f} ms ({added[0]:.2f} to {added[-1]:.2f} over {rounds} rounds), "
            f"ratio {ratio:.1f}"
        )


if __name__ == "__main__":
    main()
