"""The sandbox on programs with known verdicts, and its speed.

    python benchmarks/sandbox.py DATA.jsonl [--small 1000] [--level namespaces] [--quick]

``DATA.jsonl``: rows with ``answer`` (a reference program), ``tests`` (assert statements), and ``test_imports``. Every
reference must pass; every reference with its answers spoiled (each test held against a program that returns a fresh
object) must fail. Then small programs against three tests each, as many at a time as there are processors.
"""

from __future__ import annotations

import argparse
import asyncio
import time
from pathlib import Path
from typing import Any

from lines import read_lines

from outthink.sandbox import Limits, Sandbox, Verdict

SMALL = "def f(x):\n    return sorted(x)[::-1]\n"
SMALL_TESTS = [f"assert f([{i}, 3, 2]) == sorted([{i}, 3, 2], reverse=True)" for i in range(3)]


async def graded(sandbox: Sandbox, row: dict[str, Any], code: str) -> Verdict:
    return await sandbox.check(code, row["tests"], "\n".join(row.get("test_imports") or []), Limits(seconds=30))


async def references(sandbox: Sandbox, rows: list[dict[str, Any]]) -> None:
    began = time.perf_counter()
    verdicts = await asyncio.gather(*(graded(sandbox, row, row["answer"]) for row in rows))
    seconds = time.perf_counter() - began
    for row, verdict in zip(rows, verdicts, strict=True):
        if not verdict.passed:
            print(f"FAILED {row['id']} ({verdict.level}): {verdict.reason}")
    passed = sum(verdict.passed for verdict in verdicts)
    levels = {level: sum(v.level == level for v in verdicts) for level in sorted({v.level for v in verdicts})}
    print(f"references: {passed} of {len(rows)} pass in {seconds:.1f} s ({levels})")


async def spoiled(sandbox: Sandbox, rows: list[dict[str, Any]]) -> None:
    """Nothing that always returns the same may pass all of a problem's tests by being clever about equality."""
    cheat = (
        "class Same(int):\n    __eq__ = lambda *_: True\n    __ne__ = lambda *_: False\n    __hash__ = int.__hash__\n"
        "    __lt__ = __gt__ = __le__ = __ge__ = __eq__\n\ndef {name}(*_, **__):\n    return Same(987654321)\n"
    )
    verdicts = await asyncio.gather(*(graded(sandbox, row, cheat.format(name=row["entry_point"])) for row in rows))
    print(f"an int that equals everything: {sum(v.passed for v in verdicts)} of {len(rows)} pass")
    for row, verdict in zip(rows, verdicts, strict=True):
        if verdict.passed:
            print(f"PASSED {row['id']}: {row['tests']}")


async def speed(sandbox: Sandbox, count: int) -> None:
    began = time.perf_counter()
    verdicts = await asyncio.gather(*(sandbox.check(f"{SMALL}# {i}\n", SMALL_TESTS) for i in range(count)))
    seconds = time.perf_counter() - began
    assert all(verdict.passed for verdict in verdicts)
    print(f"small programs: {count} in {seconds:.1f} s, {count / seconds:.0f} a second ({verdicts[0].level})")


async def main(options: argparse.Namespace) -> None:
    rows = read_lines(Path(options.data))
    async with Sandbox(level=options.level, quick=options.quick) as sandbox:
        await references(sandbox, rows)
        await spoiled(sandbox, rows)
        await speed(sandbox, options.small)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data")
    parser.add_argument("--small", type=int, default=1000)
    parser.add_argument("--level", default=None, choices=["landlock", "namespaces"])
    parser.add_argument("--quick", action="store_true", help="try the restricted interpreter first")
    asyncio.run(main(parser.parse_args()))
