"""Options that several commands share, worded and completed alike."""

from __future__ import annotations

from typing import Any

import typer

from outthink.cli import complete
from outthink.core.errors import InputError

MODEL: Any = typer.Option(
    None,
    "--model",
    "-m",
    help="A catalog name, an alias, FILE.gguf, or NAME@http://host:port/v1.",
    autocompletion=complete.models,
)
STRATEGY: Any = typer.Option(
    None, "--strategy", "-s", help='For example "self-consistency(n=16)".', autocompletion=complete.strategies
)
BUDGET: Any = typer.Option(
    None, "--budget", "-b", help="For example tokens=4000,seconds=20,calls=16.", autocompletion=complete.budgets
)
ANSWER: Any = typer.Option(
    "auto",
    "--answer",
    help="The kind of answer: number, choice, boolean, span, text, …",
    autocompletion=complete.kinds,
)
SEED: Any = typer.Option(None, "--seed", help="Sample i uses seed + i; 0 unless given.")
TIMEOUT: Any = typer.Option(None, "--timeout", help="Seconds to wait for the first byte of a reply.")
CONCURRENCY: Any = typer.Option(64, "--concurrency", help="Calls in flight at one server.")
NO_CACHE: Any = typer.Option(False, "--no-cache", help="Buy every sample anew.")
UNSAFE_EXEC: Any = typer.Option(
    False, "--unsafe-exec", help="Where this machine has no fences for code a model wrote, run it without."
)
DEBUG: Any = typer.Option(False, "--debug", help="Show where an error comes from.")


def above_zero(**given: int | None) -> None:
    """Raises `InputError` naming the first of these options that is given and under 1."""
    for name, value in given.items():
        if value is not None and value < 1:
            raise InputError(f"--{name.replace('_', '-')} takes a whole number above 0, not {value}")
