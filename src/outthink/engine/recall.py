"""Samples of earlier runs in place of new ones: charged and counted as they were bought, but not billed again."""

from __future__ import annotations

import msgspec

from outthink.core.events import Recalled, Sampled
from outthink.core.usage import Cost, Usage
from outthink.core.wire import Bill
from outthink.engine.cache import Kept
from outthink.engine.flight import Asker, Job, Land
from outthink.engine.partial import recalled
from outthink.engine.settle import priced


def recall(caller: Asker, job: Job, land: Land) -> list[Job]:
    """Land what the cache has of a job and the budget affords; returns what is left of it to ask for."""
    context, source, seed = caller.context, caller.line.model.source, job.ask.seed
    if context.cache is None or seed is None or not source:
        return [job]
    seeds = range(seed + job.index, seed + job.index + job.n)
    found = context.cache.find(source, job.ask, seeds, context.warn)
    if not found:
        return [job]
    landed: list[int] = []
    total, calls = Usage(), set[bytes]()
    for one in found:
        usage = _usage(caller, one, first=one.call not in calls)
        cost = Cost(usage.calls, usage.prompt_tokens, usage.completion_tokens, usage.usd or 0.0)
        if not caller.ledger.recall(cost, usage, caller.role, caller.line.model.price):
            break
        calls.add(one.call)
        total += usage
        sample = caller.own(recalled(one.sample, job.problem, one.seed - seed, caller.line.model.name))
        caller.kept.append(sample)
        context.log.emit(Sampled(candidate=sample))
        caller.learn(sample.tokens, 1)
        land(sample)
        landed.append(sample.index)
    if landed:
        context.learn_prompt(caller.line, job.ask.messages, found[0].bill.prompt_tokens)
        context.log.emit(
            Recalled(
                role=caller.role,
                prompt=context.prompt_id(job.ask.messages),
                indexes=tuple(landed),
                usage=total,
                charged=caller.ledger.charged,
                held=caller.ledger.held,
            )
        )
    return _rest(job, set(landed))


def _usage(caller: Asker, one: Kept, first: bool) -> Usage:
    """What a sample cost: its own tokens, and with the first of each request that request's prompt."""
    model, bill = caller.line.model, one.bill
    prompt, cached = (bill.prompt_tokens, bill.cached_tokens) if first else (0, 0)
    usage = priced(Bill(prompt, one.sample.tokens, cached), 0.0, model.price, model.parameters)
    return usage if first else msgspec.structs.replace(usage, calls=0)


def _rest(job: Job, landed: set[int]) -> list[Job]:
    """The runs of samples that are still missing."""
    parts: list[Job] = []
    start = 0
    for place in range(job.n + 1):
        if place == job.n or job.index + place in landed:
            if place > start:
                parts.append(job.part(start, place - start))
            start = place + 1
    return parts
