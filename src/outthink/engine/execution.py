"""Running code for a run: each program is one call of a role, held, timed, settled and put on record."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

import anyio

from outthink.core.errors import InputError, SandboxError
from outthink.core.events import Executed
from outthink.core.execution import Level, Outcome, Verdict
from outthink.core.usage import Cost, Role, Usage
from outthink.engine.context import Limits, RunContext
from outthink.sandbox import Sandbox

Ran = TypeVar("Ran", Verdict, Outcome)


async def executed(context: RunContext, limits: Limits, role: Role, work: Callable[[Sandbox], Awaitable[Ran]]) -> Ran:
    """Do one thing with the engine's sandbox. What was begun counts as a call, however it ends.

    Raises `SandboxError` where there is none, `BudgetExhausted` at the deadline or when no call is left.
    """
    if context.sandbox is None:
        raise SandboxError("this run has no sandbox to run code in; ask an Engine")
    limits.check_time()
    found: Ran | None = None
    with anyio.CancelScope(deadline=limits.deadline):
        found = await _settled(context, limits, role, work, await context.sandbox.opened())
    if found is None:
        raise limits.end("deadline", "the deadline came while a program was running")
    return found


async def _settled(
    context: RunContext, limits: Limits, role: Role, work: Callable[[Sandbox], Awaitable[Ran]], sandbox: Sandbox
) -> Ran:
    ledger, began = limits.ledger, context.log.clock()
    hold = ledger.hold_call()
    if hold is None:
        raise limits.end("budget", f"the budget {ledger.budget} is spent: no call is left to run a program with")
    found: Ran | None = None
    cost = Cost(calls=1)
    try:
        found = await work(sandbox)
        return found
    except InputError:
        cost = Cost()  # nothing was run
        raise
    finally:  # no await here: cancellation cannot lose the books
        seconds = context.log.clock() - began
        ledger.settle(hold, cost, Usage(calls=cost.calls, seconds=seconds), role)
        if cost.calls:
            passed, level, reason = _told(found)
            context.log.emit(
                Executed(
                    role=role,
                    passed=passed,
                    level=level,
                    seconds=round(seconds, 6),
                    reason=reason,
                    charged=ledger.charged,
                    held=ledger.held,
                )
            )


def _told(found: Verdict | Outcome | None) -> tuple[bool, Level | None, str]:
    if found is None:
        return False, None, "it was cut off"
    passed = found.passed if isinstance(found, Verdict) else found.ended == "ok"
    return passed, found.level, found.reason
