"""How far a job has come; what the faces show of it is theirs."""

from __future__ import annotations

import time
from collections.abc import Callable

import msgspec

from outthink.batch.shares import Allocation
from outthink.core.usage import Usage
from outthink.engine.ledger import Ledger


class Progress(msgspec.Struct, kw_only=True):
    """``rows`` ended now (``errors`` of them without an answer), ``kept`` from before.

    ``done`` and ``whole`` measure the work in one unit (bytes of input, or rows); ``whole`` is None where the end is
    not known. ``begun``: what was done when this run began. Times are seconds. ``allocation``: at the end of a job
    with one budget over many rows, how it was shared out.
    """

    ledger: Ledger
    whole: float | None = None
    rows: int = 0
    errors: int = 0
    kept: int = 0
    done: float = 0.0
    begun: float = 0.0
    allocation: Allocation | None = None
    started: float = msgspec.field(default_factory=time.monotonic)

    @property
    def seconds(self) -> float:
        return time.monotonic() - self.started

    @property
    def usage(self) -> Usage:
        """What this run's answers cost, all roles; ``billed`` in the ledger is what was paid for now."""
        return sum(self.ledger.by_role.values(), Usage())

    @property
    def left(self) -> float | None:
        """Seconds to go at the pace so far, None where nothing tells."""
        worked = self.done - self.begun
        if self.whole is None or worked <= 0:
            return None
        return max(0.0, self.seconds * (self.whole - self.done) / worked)


Report = Callable[[Progress], None]


def silent(progress: Progress) -> None:
    """Report to nobody."""
