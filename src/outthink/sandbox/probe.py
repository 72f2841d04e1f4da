"""What this machine offers for running untrusted code, found out by trying."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec

from outthink.core.errors import InputError
from outthink.core.execution import Level
from outthink.core.finding import Finding
from outthink.sandbox.warm import start

_FENCES: tuple[Level, ...] = ("landlock", "namespaces")


@dataclass(frozen=True, slots=True)
class Capability:
    """A level, whether this machine offers it, and why not."""

    level: Level
    offered: bool
    why: str = ""


def capabilities() -> list[Capability]:
    """Each level from the weakest up. Starts a process per level (0.1 s each; blocks)."""
    found = find_spec("pydantic_monty") is not None
    offered = [Capability("interpreter", found, "" if found else "pip install 'outthink[sandbox]'")]
    for level in _FENCES:
        try:
            start([level]).close()
        except InputError as error:
            offered.append(Capability(level, False, str(error)))
        else:
            offered.append(Capability(level, True))
    return offered


def check() -> list[Finding]:
    """What ``outthink doctor`` says of it: the best level there is, or why there is none."""
    levels = capabilities()
    best = next((one.level for one in reversed(levels) if one.offered and one.level in _FENCES), None)
    if best is not None:
        return [Finding("sandbox", "ok", f"untrusted code can be fenced in ({best})")]
    why = next(one.why for one in reversed(levels) if one.level in _FENCES)
    return [Finding("sandbox", "warn", f"no fences for untrusted code here: {why}", "use a Linux with Landlock")]
