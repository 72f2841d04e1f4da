"""Strategy expressions: text to a syntax tree and back. It knows no names, and evaluates nothing.

    call   = NAME [ "(" [ item { "," item } ] ")" ]
    item   = [ NAME "=" ] value
    value  = call | NUMBER | TEXT | "[" [ value { "," value } ] "]" | "true" | "false" | "none"

Names begin with a letter and hold letters, digits, ``-``, ``_`` and ``.``; anything else is TEXT in single or
double quotes, with backslash before a quote or a backslash.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NoReturn, TypeAlias

from outthink.core.errors import BadSpec

DEEPEST, LONGEST = 50, 10_000
OFF = "off"
"""The word for no policy at all, where one would be a file."""
_WORDS: dict[str, bool | None] = {"true": True, "false": False, "none": None}
_NAME = re.compile(r"[A-Za-z](?:[\w.]|-(?=\w))*", re.ASCII)
_NUMBER = re.compile(r"[-+]?(?:\d+\.\d+|\d+)(?:[eE][-+]?\d+)?(?![\w.])", re.ASCII)
_TEXT = re.compile(r"'((?:[^'\\]|\\.)*)'|\"((?:[^\"\\]|\\.)*)\"", re.DOTALL)


@dataclass(frozen=True)
class Call:
    """A name with arguments. ``column`` (from 1) is where it stood, and takes no part in equality."""

    name: str
    args: tuple[Value, ...] = ()
    kwargs: tuple[tuple[str, Value], ...] = ()
    column: int = field(default=0, compare=False)

    def __str__(self) -> str:
        return render(self)


Value: TypeAlias = "Call | str | int | float | bool | tuple[Value, ...] | None"


def render(value: Value) -> str:
    """The text of a value; `parse` reads it back to an equal one."""
    if isinstance(value, Call):
        parts = [render(arg) for arg in value.args] + [f"{name}={render(arg)}" for name, arg in value.kwargs]
        return f"{value.name}({', '.join(parts)})" if parts else value.name
    if isinstance(value, str):
        escaped = value.replace("\\", "\\\\").replace('"', '\\"')
        return f'"{escaped}"'
    if isinstance(value, tuple):
        return f"[{', '.join(map(render, value))}]"
    return (
        {True: "true", False: "false"}[value] if isinstance(value, bool) else "none" if value is None else repr(value)
    )


def parse(text: str) -> Call:
    """Read one strategy expression; raises `BadSpec` with the column of what is wrong."""
    return _Parser(text).whole()


class _Parser:
    def __init__(self, text: str) -> None:
        self.text, self.at, self.depth = text, 0, 0

    def whole(self) -> Call:
        if len(self.text) > LONGEST:
            self.fail(f"is longer than {LONGEST} characters")
        if not self.peek():
            self.fail("is empty; write a strategy such as self-consistency(n=8)")
        found = self.call()
        if self.peek():
            self.fail(f"goes on with {self.peek()!r} where it should end")
        return found

    def call(self) -> Call:
        self.peek()
        column = self.at + 1
        match = _NAME.match(self.text, self.at)
        if match is None:
            self.fail(f"needs a name where {self.peek() or 'the end'!r} stands")
        self.at = match.end()
        args: list[Value] = []
        kwargs: dict[str, Value] = {}
        if self.peek() == "(":
            for _ in self.items("(", ")"):
                self.item(args, kwargs)
        return Call(match[0], tuple(args), tuple(kwargs.items()), column)

    def item(self, args: list[Value], kwargs: dict[str, Value]) -> None:
        self.peek()
        start, match = self.at, _NAME.match(self.text, self.at)
        if match is not None:
            self.at = match.end()
            if self.peek() == "=":
                self.at += 1
                name = match[0].replace("-", "_")
                if name in kwargs:
                    self.at = start
                    self.fail(f"gives {match[0]!r} twice")
                kwargs[name] = self.value()
                return
            self.at = start
        if kwargs:
            self.fail("has a positional argument after a named one; put it first or name it")
        args.append(self.value())

    def value(self) -> Value:
        sign = self.peek()
        if sign == "[":
            return tuple(self.value() for _ in self.items("[", "]"))
        if sign in ("'", '"'):
            match = _TEXT.match(self.text, self.at)
            if match is None:
                self.fail(f"has a quote {sign} that is not closed")
            self.at = match.end()
            inner = match[1] if match[1] is not None else match[2]
            return re.sub(r"\\(.)", r"\1", inner, flags=re.DOTALL)
        if match := _NUMBER.match(self.text, self.at):
            self.at = match.end()
            return int(match[0]) if re.fullmatch(r"[-+]?\d+", match[0]) else float(match[0])
        if not sign or _NAME.match(self.text, self.at) is None:
            self.fail(f"needs a value where {sign or 'the end'!r} stands (text with @, / or spaces goes in quotes)")
        found = self.call()
        bare = not found.args and not found.kwargs
        return _WORDS[found.name] if bare and found.name in _WORDS else found

    def items(self, opening: str, closing: str) -> Iterator[None]:
        """Once for each item between two brackets; the caller reads the item."""
        opened = self.at
        self.at += 1
        self.depth += 1
        if self.depth > DEEPEST:
            self.fail(f"is nested deeper than {DEEPEST}")
        while (sign := self.peek()) != closing:
            if not sign:
                self.at = opened
                self.fail(f"has a {opening} that is not closed")
            yield None
            if self.peek() == ",":
                self.at += 1
            elif (found := self.peek()) not in (closing, ""):
                self.fail(f"needs , or {closing} where {found!r} stands")
        self.at += 1
        self.depth -= 1

    def peek(self) -> str:
        """The next character that is not white space, empty at the end."""
        while self.at < len(self.text) and self.text[self.at].isspace():
            self.at += 1
        return self.text[self.at : self.at + 1]

    def fail(self, what: str) -> NoReturn:
        column = self.at + 1
        shown = self.text if len(self.text) <= 80 else self.text[:77] + "..."
        raise BadSpec(f"strategy {shown!r}, column {column}: it {what}", self.text, column)
