"""How a call is let go: with a permit and a hold together, or not at all."""

from __future__ import annotations

from collections.abc import Callable

from outthink.core.errors import BudgetExhausted
from outthink.engine.context import Limits
from outthink.engine.ledger import Hold, Want
from outthink.engine.limiter import Limiter


async def admit(
    limits: Limits,
    limiter: Limiter,
    want: Want,
    permits: int = 1,
    *,
    final: bool = True,
    barred: Callable[[], bool] = lambda: False,
) -> Hold | None:
    """Permits and a hold, together: neither is kept while waiting for the other. None once the call is ``barred``.

    Raises `BudgetExhausted` (which ends the run if ``final``) or `BudgetTooSmall` when nothing fits any more.
    """
    ledger = limits.ledger
    while True:
        await limiter.acquire(permits)
        if barred():
            limiter.release(permits)
            return None
        hold = ledger.try_hold(want)
        if hold is not None:
            return hold
        limiter.release(permits)
        if not ledger.could_fit(want):
            raise _no_room(limits, want, final)
        await ledger.freed()


def _no_room(limits: Limits, want: Want, final: bool) -> Exception:
    """The end of the budget (unless not ``final``); before anything was spent, the smallest that would do."""
    error = limits.ledger.refusal(want)
    return limits.end("budget", str(error)) if final and isinstance(error, BudgetExhausted) else error
