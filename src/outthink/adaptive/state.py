"""What a stopping rule looks at, and what it says."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from outthink.core.candidate import StopReason


@dataclass(frozen=True, slots=True)
class State:
    """A question's samples so far.

    ``counts``: votes by answer, most first. ``silent``: samples that gave no answer; they cost and do not vote.
    ``limit``: how many samples the budget affords in all, those seen included. ``tokens``: new tokens spent on the
    samples. ``streak``: how many of the last samples in a row gave one and the same answer. ``passed``: how many
    passed a verifier of pass and fail, None where there is none.
    """

    counts: tuple[int, ...]
    silent: int = 0
    limit: int = 64
    tokens: float = 0.0
    streak: int = 0
    passed: int | None = None

    @property
    def lead(self) -> int:
        """Votes of the leader (A)."""
        return self.counts[0] if self.counts else 0

    @property
    def second(self) -> int:
        """Votes of the runner-up (B)."""
        return self.counts[1] if len(self.counts) > 1 else 0

    @property
    def seen(self) -> int:
        """Samples so far (n), silent ones included."""
        return sum(self.counts) + self.silent

    @property
    def left(self) -> int:
        """Samples that are still affordable."""
        return max(0, self.limit - self.seen)

    @property
    def each(self) -> float:
        """Mean tokens of a sample."""
        return self.tokens / self.seen if self.seen else 0.0


@dataclass(frozen=True, slots=True)
class Decision:
    """Whether to stop, why (None while going on), and the numbers it was decided by, for the event log."""

    stop: bool
    reason: StopReason | None = None
    numbers: dict[str, float] = field(default_factory=dict[str, float])


class Rule(Protocol):
    """A frozen value with one method. Example: `outthink.adaptive.stopping.Lead`.

    A rule may stop before `State.limit`; that nothing is affordable any more is for the caller to see.
    """

    def stop(self, state: State) -> Decision:
        """Whether the samples seen are enough."""
        ...


def settled(reached: bool, **numbers: float) -> Decision:
    """Stop because the vote is settled, or go on; with the numbers either way."""
    return Decision(reached, "settled" if reached else None, numbers)
