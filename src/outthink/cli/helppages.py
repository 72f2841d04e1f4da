"""The ``--help`` of every command as one page: ``python -m outthink.cli.helppages > docs/help.md``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import typer.main

from outthink.cli import COMMANDS, app

_WIDTH = 100
"""Columns, whatever the terminal has."""
_HEAD = """\
# Every command

Made by `python -m outthink.cli.helppages > docs/help.md`; a test fails when it is stale.
"""


def pages() -> str:
    """The whole page."""
    parts = [_HEAD]
    for path, text in _helps():
        parts.append(f"## {path}\n\n```text\n{text}\n```\n")
    return "\n".join(parts)


def _helps() -> Iterator[tuple[str, str]]:
    yield from _of(typer.main.get_command(app(None)), ())
    for name in COMMANDS:
        root: Any = typer.main.get_command(app(name))
        yield from _of(root.commands[name], (name,))


def _of(command: Any, path: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    """A command, and (for a group that is not the root) its commands."""
    title = " ".join(("outthink", *path))
    context = command.context_class(
        command, info_name=title, terminal_width=_WIDTH, max_content_width=_WIDTH, help_option_names=["-h", "--help"]
    )
    lines = command.get_help(context).splitlines()
    yield title, "\n".join(line.rstrip() for line in lines).strip()
    if path:
        for name, inner in getattr(command, "commands", {}).items():
            yield from _of(inner, (*path, name))


if __name__ == "__main__":
    print(pages(), end="")
