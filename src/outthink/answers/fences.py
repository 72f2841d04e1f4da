"""Fenced blocks (Markdown's ``` and ~~~) in a text."""

from __future__ import annotations

import re

_FENCE = re.compile(
    r"^[ \t]*(?:```|~~~)[ \t]*([\w+-]*)[^\n]*\n(.*?)^[ \t]*(?:```|~~~)[ \t]*$", re.DOTALL | re.MULTILINE
)


def blocks(text: str) -> list[tuple[str, str]]:
    """The closed blocks of a text, each its language and what is in it."""
    return _FENCE.findall(text)


def fenced(text: str) -> str | None:
    """What is in the last fenced block."""
    found = blocks(text) if "```" in text or "~~~" in text else []
    return found[-1][1] if found else None
