"""When a chain is hopeless: its words grew so unsure that it is stopped there, and does not vote."""

from __future__ import annotations

import msgspec


class GiveUp(msgspec.Struct, frozen=True):
    """A chain is given up where a sliding group of tokens (`outthink.core.candidate.GROUP`) has a mean log probability
    (natural) under ``below``. ``saves``: new tokens a sample that this spared on average where it was fitted."""

    below: float
    saves: float

    def pays(self, prompt: float) -> bool:
        """Whether it spares more than it costs. A chain that may be stopped is a request of its own, so that k samples
        send the ``prompt`` (tokens) k times, where one request of k choices sends it once: (k - 1) / k of it a sample,
        which for all k is less than once."""
        return self.saves > prompt
