"""The bench: strategies compared on a data set (live) or on a pool of recorded samples (replay)."""

from __future__ import annotations

import gzip
import os
from importlib import import_module
from pathlib import Path

import anyio.to_thread
import msgspec

from outthink.batch.progress import Report, silent
from outthink.bench.live import bench_live
from outthink.bench.plan import Asked
from outthink.bench.pools import bench_pool
from outthink.bench.results import SUMMARY, put
from outthink.bench.summary import Summary
from outthink.core.errors import InputError


async def bench(
    source: str | os.PathLike[str], folder: str | os.PathLike[str], asked: Asked, report: Report = silent
) -> Summary:
    """Run or replay what is asked into a folder (see `outthink.bench.results`), and summarise it.

    ``source``: a pool by its path or as ``pool:FILE?check=off&prompts=each``, or a data set as `load` takes it. A
    folder with the same bench in it is gone on with. Raises `InputError`, and `ServerError` when a server cannot be
    used at all.
    """
    source, folder = os.fspath(source), Path(folder)
    try:
        figures, report_of = import_module("outthink.bench.figures"), import_module("outthink.bench.report")
    except ImportError as error:
        raise InputError(f"a bench needs {error.name}; install it with: pip install 'outthink[bench]'") from error
    run = bench_pool if is_pool(source) else bench_live
    plan = await run(source, folder, asked, report)
    summary: Summary = await anyio.to_thread.run_sync(figures.summarised, folder, plan, asked.command)
    put(folder / SUMMARY, [msgspec.json.format(msgspec.json.encode(summary), indent=1), b"\n"])
    await anyio.to_thread.run_sync(report_of.write, folder)
    return summary


def is_pool(source: str) -> bool:
    """Whether a file holds recorded samples; decided by its first line."""
    if source.startswith("pool:"):
        return True
    try:
        with gzip.open(source) if source.endswith(".gz") else Path(source).open("rb") as file:
            first = file.readline()
    except (OSError, EOFError):
        return False  # the data's reader says what is wrong with it
    try:
        row = msgspec.json.decode(first, type=_Sampled)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return False
    return isinstance(row.samples, list) or row.type == "RunStarted"


class _Sampled(msgspec.Struct):
    """What tells a pool from data."""

    samples: object = None
    type: object = None
