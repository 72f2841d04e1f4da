"""How many samples a run still affords, judged by what those so far have cost."""

from __future__ import annotations

import math

from outthink.core.protocols import Run


class Affordable:
    """Up to ``most`` samples, fewer where tokens or time would end before; begun before the first is asked for."""

    def __init__(self, run: Run, most: int) -> None:
        self.most = most
        self._tokens, self._seconds = run.tokens_left(), run.time_left()

    def left(self, run: Run, asked: int) -> int:
        """Samples still to come after ``asked``; at least one short of ``most``, since only the books know for sure."""
        left = self.most - asked
        if left <= 0 or asked == 0:
            return max(0, left)
        tokens, seconds = run.tokens_left(), run.time_left()
        spent = self._tokens - tokens if tokens < math.inf else 0.0
        if spent > 0:
            left = min(left, int(tokens * asked / spent))
        took = 0.0 if self._seconds is None or seconds is None else self._seconds - seconds
        if seconds is not None and took > 0:
            left = min(left, int(seconds * asked / took))
        return max(1, left)
