"""Parts of a text that are set apart: fenced blocks (Markdown's ``` and ~~~), and what stands between tags."""

from __future__ import annotations

import re

_FENCE = re.compile(
    r"^[ \t]*(?:```|~~~)[ \t]*([\w+-]*)[^\n]*\n(.*?)^[ \t]*(?:```|~~~)[ \t]*$", re.DOTALL | re.MULTILINE
)
_OPENED = re.compile(r"^[ \t]*(?:```|~~~)[ \t]*([\w+-]*)[^\n]*\n(.*)\Z", re.DOTALL | re.MULTILINE)


def blocks(text: str) -> list[tuple[str, str]]:
    """The closed blocks of a text, each its language and what is in it."""
    return _FENCE.findall(text)


def begun(text: str) -> tuple[str, str] | None:
    """The block at the end of a text that no line of its own closes: its language and what is in it."""
    if "```" not in text and "~~~" not in text:
        return None
    end = 0
    for match in _FENCE.finditer(text):
        end = match.end()
    opened = _OPENED.search(text, end)
    return None if opened is None else (opened[1], opened[2].partition("```")[0])


def fenced(text: str) -> str | None:
    """What is in the last fenced block."""
    found = blocks(text) if "```" in text or "~~~" in text else []
    return found[-1][1] if found else None


def between(tag: re.Pattern[str], text: str) -> list[str]:
    """What stands between an opening tag and the next closing one. ``tag`` finds both, its group 1 not empty in these.

    One pass: a pattern for the whole pair takes quadratic time on a text of opening tags only.
    """
    found, start = list[str](), -1
    for match in tag.finditer(text):
        if not match[1]:
            start = match.end()
        elif start >= 0:
            found.append(text[start : match.start()])
            start = -1
    return found
