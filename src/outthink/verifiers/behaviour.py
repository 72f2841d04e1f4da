"""What a program does with inputs for which nobody knows the right output: behaviours can be compared all the same."""

from __future__ import annotations

import re
import secrets
from collections.abc import Sequence

_DRIVER = """
_space = {{"__name__": "program"}}
exec({setup!r}, _space)
exec(compile({program!r}, "program", "exec"), _space)
for _call in {calls!r}:
    try:
        _said = "=" + repr(eval(_call, _space))
    except BaseException as _error:
        _said = "!" + type(_error).__name__
    print("\\n{mark}" + _said[:{longest}].replace("\\n", " "), flush=True)
"""
_LONGEST = 2000
_ADDRESS = re.compile(r"0x[0-9a-f]{6,}")


class Trial:
    """A program that tries another one with some calls, and what it says read back."""

    def __init__(self, program: str, calls: Sequence[str], setup: str = "") -> None:
        self._mark, self._count = secrets.token_hex(8), len(calls)
        self.code = _DRIVER.format(setup=setup, program=program, calls=list(calls), mark=self._mark, longest=_LONGEST)

    def behaviour(self, stdout: str) -> tuple[str, ...]:
        """One word a call: ``=`` and the value, ``!`` and the type of the exception, ``?`` where nothing came."""
        lines = (line for line in stdout.split("\n") if line.startswith(self._mark))
        said = [_ADDRESS.sub("0x", line[len(self._mark) :]) for line in lines][: self._count]
        return tuple(said + ["?"] * (self._count - len(said)))


def works(behaviour: tuple[str, ...]) -> bool:
    """Whether a program gave any value at all."""
    return any(one.startswith("=") for one in behaviour)
