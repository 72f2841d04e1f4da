"""What running a program means: what it may use, how it ended, and what tests said of it. Nothing runs here."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

Level = Literal["interpreter", "landlock", "namespaces", "none"]
"""What held a program: a restricted interpreter; Landlock, seccomp and (where we are root) a user of its own; the same
inside namespaces; nothing but limits (``unsafe``)."""
Ended = Literal["ok", "error", "timeout", "memory", "output", "disk", "threads", "killed"]
"""How a program ended: by itself, by an exception, over a limit, or without a word (an early exit, a crash)."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What one program may use, all its threads and files together.

    ``seconds`` of wall time, ``cpu`` seconds (None: as many), ``memory`` bytes beyond the interpreter's own, bytes of
    ``output`` (standard output and error, each) and of ``disk``.
    """

    seconds: float = 10.0
    cpu: float | None = None
    memory: int = 512 << 20
    output: int = 1 << 20
    disk: int = 16 << 20


@dataclass(frozen=True, slots=True)
class Failure:
    """An exception a program raised: its type, its last line, and its traceback."""

    type: str
    message: str
    traceback: str = ""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a program did. ``reason``: one line, empty where it ended well. ``memory``: the most bytes seen."""

    ended: Ended
    level: Level
    stdout: str = ""
    stderr: str = ""
    error: Failure | None = None
    reason: str = ""
    seconds: float = 0.0
    cpu: float = 0.0
    memory: int = 0


@dataclass(frozen=True, slots=True)
class Tested:
    """One test. ``reason``: one line on why it failed: both values, an exception, or how the program ended."""

    test: str
    passed: bool
    reason: str = ""
    error: Failure | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the tests said of a program. It has passed where there are tests and every one of them passed."""

    tests: tuple[Tested, ...]
    level: Level
    outcome: Outcome
    passed: bool = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "passed", bool(self.tests) and all(tested.passed for tested in self.tests))

    @property
    def reason(self) -> str:
        """The first failure in one line, empty where all passed."""
        return next((f"{one.test}: {one.reason}" for one in self.tests if not one.passed), "")
