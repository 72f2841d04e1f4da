"""``outthink doctor``: one line a check, with what to do about each fault."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import AsyncIterator, Callable, Iterable

import anyio
import msgspec
import typer
from rich.console import Console
from rich.text import Text

from outthink import plugins
from outthink.api import Engine
from outthink.cli import complete
from outthink.core.errors import InputError, OutthinkError
from outthink.core.finding import Finding
from outthink.engine.cache import examine, switched_off
from outthink.models import machine
from outthink.models.paths import cache_file
from outthink.models.probe import Probe

_STYLES = {"ok": "green", "warn": "yellow", "fail": "bold red"}


def register(root: typer.Typer, summary: str) -> None:
    root.command("doctor", help=summary)(doctor)


def doctor(
    model: str | None = typer.Option(
        None, "--model", "-m", help="The model to look at; of a server, what it can do.", autocompletion=complete.models
    ),
    no_generate: bool = typer.Option(False, "--no-generate", help="Send nothing to any model."),
    timeout: float = typer.Option(30.0, "--timeout", help="Seconds to wait for the first byte of a reply."),
    as_json: bool = typer.Option(False, "--json", help="Print one JSON object."),
    debug: bool = typer.Option(False, "--debug", help="Show where an error comes from."),
) -> None:
    """Check this machine, and what models need."""
    del debug  # read at the edge
    found: list[Finding] = []

    async def run() -> None:
        async for finding in findings(model, not no_generate, timeout):
            found.append(finding)
            if not as_json:
                _show(finding)

    anyio.run(run)
    failed = sum(finding.state == "fail" for finding in found)
    if as_json:
        print(json.dumps({"ok": not failed, "checks": [msgspec.structs.asdict(finding) for finding in found]}))
    raise typer.Exit(2 if failed else 0)


async def findings(model: str | None, generate: bool, timeout: float) -> AsyncIterator[Finding]:
    """Every check in order; what cannot be checked is a finding, too."""
    for name, check in _MACHINE:
        for finding in _tried(name, check):
            yield finding
    try:
        async with Engine(model, timeout=timeout, cache=False) as engine:
            async for finding in _of_model(engine, generate):
                yield finding
    except (OutthinkError, OSError) as error:
        yield Finding("model", "fail", str(error))
    for name, check in plugins.checks().items():
        for finding in _tried(name, check):
            yield finding
    yield _cache()
    yield machine.threads()
    yield _terminal()


async def _of_model(engine: Engine, generate: bool) -> AsyncIterator[Finding]:
    """The model that would be used: its file and engine where it is embedded, then what it answers."""
    text = engine.model
    scheme = "http" if text in engine.config.models else plugins.model_scheme(text)
    if scheme == "gguf":
        weights, size, missing = machine.weights(text)
        yield machine.memory(size)
        yield machine.disk(missing)
        yield weights
        yield (loads := machine.engine())
        if "fail" in (weights.state, loads.state):
            return
    if not generate:
        yield Finding("reply", "ok", f"not asked of {text} (--no-generate)")
        return
    probe = Probe((await engine.line()).model)
    if scheme == "http":
        async for finding in probe.findings():
            yield finding
        return
    try:
        yield await probe.answers()
    except InputError as error:  # a pool has no answer to what it was not asked
        yield Finding("reply", "warn", str(error))


def _tried(name: str, check: Callable[[], Finding | Iterable[Finding]]) -> list[Finding]:
    try:
        found = check()
        return [found] if isinstance(found, Finding) else list(found)
    except (OutthinkError, OSError, ValueError) as error:
        return [Finding(name, "fail", str(error))]


_MACHINE: tuple[tuple[str, Callable[[], Finding | Iterable[Finding]]], ...] = (
    ("python", machine.python),
    ("cores", machine.cores),
    ("files", machine.places),
    ("configuration", machine.configuration),
)


def _cache() -> Finding:
    found = examine(cache_file())
    off = " (off by OUTTHINK_CACHE)" if switched_off() else ""
    if found is None:
        return Finding("cache", "ok", f"empty{off}")
    if found.fault is not None:
        remedy = "nothing is to be done: the next run sets it aside and begins a new one"
        return Finding("cache", "warn", f"damaged ({found.fault})", remedy)
    return Finding("cache", "ok", f"{found.samples:,} samples in {found.bytes / 1e6:.1f} MB, sound{off}")


def _terminal() -> Finding:
    size = shutil.get_terminal_size()
    encoding = (sys.stderr.encoding or "").lower()
    colours = "no colours (NO_COLOR)" if os.environ.get("NO_COLOR") else os.environ.get("TERM", "TERM is not set")
    if not sys.stderr.isatty():
        return Finding("terminal", "ok", "none on standard error: no live view")
    found = f"{size.columns} x {size.lines}, {encoding}, {colours}"
    if "utf" not in encoding:
        return Finding("terminal", "warn", found, "run: export LANG=C.UTF-8, or bars and signs will be escaped")
    return Finding("terminal", "ok", found)


def _show(finding: Finding) -> None:
    line = Text.assemble((f"{finding.state:<5}", _STYLES[finding.state]), f"{finding.name:<14} {finding.found}")
    if finding.remedy:
        line.append(f"; {finding.remedy}")
    Console(highlight=False, soft_wrap=True).print(line)
