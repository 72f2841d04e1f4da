"""Whether a policy still fits what it meets: predicted against observed disagreement, over the last questions."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field


@dataclass(slots=True)
class Drift:
    """For each sample after a question's first ones, how likely it was to agree with the leader, and whether it did.

    ``window``: samples remembered. ``z``: how many standard errors apart is drift; 4 raises a false alarm in fewer than
    1 of 1,000 windows even where samples of one question hang together (``spread`` widens the error for that).
    """

    window: int = 400
    least: int = 60
    z: float = 4.0
    spread: float = 2.0
    _seen: deque[tuple[float, bool]] = field(default_factory=deque[tuple[float, bool]])

    def add(self, expected: float, agreed: bool) -> None:
        """One sample: the predicted chance that it says what the leader said, and whether it did."""
        self._seen.append((expected, agreed))
        while len(self._seen) > self.window:
            self._seen.popleft()

    @property
    def gap(self) -> float:
        """Observed minus predicted agreement, in [-1, 1]; 0 while there is nothing."""
        n = len(self._seen)
        return math.fsum(agreed - expected for expected, agreed in self._seen) / n if n else 0.0

    @property
    def drifted(self) -> bool:
        """Whether the gap is more than chance makes it; False until ``least`` samples were seen."""
        n = len(self._seen)
        if n < self.least:
            return False
        variance = math.fsum(expected * (1 - expected) for expected, _ in self._seen)
        error = self.spread * math.sqrt(max(variance, 1.0)) / n
        return abs(self.gap) > self.z * error


@dataclass(slots=True)
class Drifts:
    """A `Drift` for each policy by its name, for what lives longer than a run.

    ``most``: of how many policies something is remembered, the last that were asked for. Where each question adds one
    pair of samples (did the second agree with the first, as `Policy.agreement` says), the pairs are independent, and
    ``Drift.spread`` makes up for an agreement that was itself estimated, on a hundred questions or more.
    """

    most: int = 64
    _known: dict[str, Drift] = field(default_factory=dict[str, Drift])

    def of(self, policy: str) -> Drift:
        """What is remembered of this policy."""
        found = self._known[policy] = self._known.pop(policy, None) or Drift()
        while len(self._known) > self.most:
            del self._known[next(iter(self._known))]
        return found
