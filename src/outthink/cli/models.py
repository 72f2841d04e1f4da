"""``outthink models``: list, pull, path and rm."""

from __future__ import annotations

import json
import sys
from collections.abc import Generator
from contextlib import contextmanager

import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

from outthink.core.errors import ModelFileError
from outthink.models.catalog import DEFAULT, ENTRIES, find
from outthink.models.download import Progress as Report
from outthink.models.download import pull, remove
from outthink.models.gguf import check_gguf
from outthink.models.paths import models_dir

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Model files on this machine.")
_debug = typer.Option(False, "--debug", help="Show where an error comes from.")


def register(root: typer.Typer, summary: str) -> None:
    root.add_typer(app, name="models", help=summary)


@app.command("list")
def list_models(
    as_json: bool = typer.Option(False, "--json", help="Print one JSON array."), debug: bool = _debug
) -> None:
    """List the models known by name, and whether each is here."""
    del debug
    rows = [
        {
            "name": entry.name,
            "bytes": entry.bytes,
            "licence": entry.licence,
            "present": (models_dir() / entry.file).exists(),
            "path": str(models_dir() / entry.file),
            "default": entry.name == DEFAULT,
        }
        for entry in ENTRIES
    ]
    if as_json:
        print(json.dumps(rows))
        return
    for entry in ENTRIES:
        here = "here" if (models_dir() / entry.file).exists() else "-"
        default = "(default)" if entry.name == DEFAULT else ""
        print(f"{entry.name:<20} {entry.bytes / 1e6:>6.0f} MB  {entry.licence}  {here:<5} {default}".rstrip())


@app.command("pull")
def pull_model(name: str = typer.Argument(DEFAULT), debug: bool = _debug) -> None:
    """Fetch a model, verify it, and print its path."""
    del debug
    entry = find(name)
    with _reporting() as report:
        path = pull(entry, report)
    print(path)


@app.command("path")
def path_of(name: str = typer.Argument(DEFAULT), debug: bool = _debug) -> None:
    """Print where a model's file is."""
    del debug
    entry = find(name)
    path = models_dir() / entry.file
    if not path.exists():
        raise ModelFileError(f"model {name!r} is not on this machine; run: outthink models pull {name}")
    check_gguf(path, entry)
    print(path)


@app.command("rm")
def remove_model(name: str, debug: bool = _debug) -> None:
    """Remove a model's file and what an interrupted pull left."""
    del debug
    print(f"freed {remove(find(name)) / 1e6:.0f} MB", file=sys.stderr)


@contextmanager
def _reporting() -> Generator[Report]:
    """A progress bar on a terminal, a line per step elsewhere; both on standard error."""
    if not sys.stderr.isatty():
        said: list[str] = []

        def tell(what: str, done: int, total: int) -> None:
            if what not in said:
                said.append(what)
                print(f"{what} ({done / 1e6:.0f} of {total / 1e6:.0f} MB)", file=sys.stderr, flush=True)

        yield tell
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task("looking for the model", total=None)
        yield lambda what, done, total: bar.update(task, description=what, completed=done, total=total)
