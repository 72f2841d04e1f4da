"""What a call cost, by the first rule that applies (DESIGN, "Settlement"). Pure functions.

1. A reply with a bill: that.
2. An error status before any body: one call, no tokens.
3. Begun and then cut, unreadable, timed out or cancelled, or a reply without a bill: the prompt's known
   count or bound, and what arrived; for an unreadable plain body, the mean choice of this run times n.
   Marked ``estimated``; the budget is charged the full hold.
4. Never sent: nothing.
"""

from __future__ import annotations

import msgspec

from outthink.core.errors import ServerError
from outthink.core.usage import Cost, Usage
from outthink.core.wire import Bill, Price
from outthink.engine.ledger import Hold


class Ending(msgspec.Struct, kw_only=True):
    """What is known when a call ends. ``arrived``: new tokens seen, None when none could be counted. ``refused``: it
    was told that it cannot be answered as it was asked (a prompt longer than the context)."""

    n: int
    prompt: int
    mean: int
    seconds: float = 0.0
    sent: bool = True
    bill: Bill | None = None
    error: ServerError | None = None
    refused: bool = False
    arrived: int | None = None


def settle(ending: Ending, hold: Hold, price: Price | None, parameters: float | None) -> tuple[Usage, Cost]:
    """The usage to count and the cost to charge for one call."""
    error = ending.error
    if ending.bill is not None:  # rule 1
        usage = priced(ending.bill, ending.seconds, price, parameters)
        return usage, Cost(1, usage.prompt_tokens, usage.completion_tokens, usage.usd or 0.0)
    if not ending.sent or (error is not None and not error.sent):  # rule 4
        return Usage(seconds=ending.seconds), Cost()
    if ending.refused or (error is not None and error.status is not None and not error.began):  # rule 2
        return Usage(calls=1, seconds=ending.seconds), Cost(calls=1)
    completion = ending.arrived
    if completion is None:  # rule 3
        unread = error is not None and error.began
        completion = (
            min(ending.mean * ending.n, hold.worst.completion_tokens or ending.mean * ending.n) if unread else 0
        )
    usage = priced(Bill(ending.prompt, completion), ending.seconds, price, parameters)
    usage = msgspec.structs.replace(usage, estimated=True, unsettled_calls=1)
    actual = Cost(1, ending.prompt, completion, usage.usd or 0.0)
    return usage, _larger(hold.worst, actual)


def _larger(a: Cost, b: Cost) -> Cost:
    return Cost(
        max(a.calls, b.calls),
        max(a.prompt_tokens, b.prompt_tokens),
        max(a.completion_tokens, b.completion_tokens),
        max(a.usd, b.usd),
    )


def priced(bill: Bill, seconds: float, price: Price | None, parameters: float | None) -> Usage:
    """What a bill counts as: one call, with its dollars and FLOPs where they can be known."""
    tokens = bill.prompt_tokens + bill.completion_tokens
    return Usage(
        calls=1,
        prompt_tokens=bill.prompt_tokens,
        cached_tokens=bill.cached_tokens,
        completion_tokens=bill.completion_tokens,
        reasoning_tokens=bill.reasoning_tokens,
        usd=None if price is None else price.of(bill),
        seconds=seconds,
        flops=None if parameters is None else 2 * parameters * tokens,
    )


def apportion(total: int, weights: list[int]) -> list[int]:
    """Split ``total`` in proportion to ``weights`` into whole numbers that sum to it exactly."""
    whole = sum(weights)
    if not whole:
        weights, whole = [1] * len(weights), len(weights)
    parts, given, seen = list[int](), 0, 0
    for weight in weights:
        seen += weight
        upto = total * seen // whole
        parts.append(upto - given)
        given = upto
    return parts
