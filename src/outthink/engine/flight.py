"""One request in the air: what arrives of it, and its books when it ends."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence

import msgspec

from outthink.core.candidate import Candidate
from outthink.core.errors import InputError, ServerError
from outthink.core.events import CallSettled, CallStarted, GivenUp, Overdraft, Sampled
from outthink.core.problem import Problem
from outthink.core.usage import Role, Usage
from outthink.core.wire import Ask, Bill, Choice, Delta, Rate, Reply
from outthink.engine.context import Limits, Line, RunContext
from outthink.engine.ledger import STREAM_STEP, Hold
from outthink.engine.pace import Turn
from outthink.engine.partial import Growing, apart, candidate, gone_on, with_certainty, with_parent, with_tokens
from outthink.engine.settle import Ending, apportion, settle
from outthink.engine.showing import Showing

Land = Callable[[Candidate], None]


class Job(msgspec.Struct, frozen=True):
    """Samples ``index`` to ``index + n - 1`` of one prompt, after ``attempts`` failed tries.

    ``said``: the beginning that they go on from, of ``parent``.
    ``live``: streamed, each piece put on record as it comes. ``stop_below``: see `SamplingParams`.
    """

    ask: Ask
    problem: Problem
    index: int
    n: int
    attempts: int = 0
    said: str = ""
    parent: Candidate | None = None
    live: bool = False
    stop_below: float | None = None

    def part(self, start: int, n: int) -> Job:
        """A part of it, as a job of its own."""
        return msgspec.structs.replace(self, index=self.index + start, n=n)

    def halves(self) -> tuple[Job, Job]:
        return self.part(0, self.n // 2), self.part(self.n // 2, self.n - self.n // 2)


class Asker:
    """Who asks: one run (or child run), in one role, of one model."""

    def __init__(self, context: RunContext, limits: Limits, line: Line, role: Role = "policy") -> None:
        self.context, self.limits, self.line = context, limits, line
        self.role: Role = role
        self.ledger = limits.ledger

    @property
    def kept(self) -> list[Candidate]:
        """Where candidates go: what a verifier is told is no answer of the run."""
        return self.context.verdicts if self.role == "verifier" else self.context.candidates

    def own(self, found: Candidate) -> Candidate:
        """A candidate marked as what this role makes of it."""
        return msgspec.structs.replace(found, origin="verdict") if self.role == "verifier" else found

    def learn(self, tokens: int, choices: int) -> None:
        """Note the length of settled choices; a verdict tells nothing of an answer's."""
        if self.role != "verifier":
            self.ledger.learn(tokens, choices)


class Flight:
    """One request in the air: what has arrived of it, and its books when it ends, however it ends."""

    def __init__(self, caller: Asker, job: Job, hold: Hold, prompt: int, land: Land, turn: Turn | None = None) -> None:
        context = caller.context
        context.calls += 1
        self.answered = 0
        self._caller, self._job, self._hold, self._land, self._turn = caller, job, hold, land, turn
        self._call, self._id = context.calls, secrets.token_bytes(8)
        self._grown: dict[int, Growing] = {}
        self._showing: dict[int, Showing] = {}
        self._found: dict[int, int] = {}  # sample index to its place among the run's candidates
        self._ending = Ending(n=hold.n, prompt=prompt, mean=caller.ledger.expected)
        self._began = context.log.clock()
        seed = None if job.ask.seed is None else job.ask.seed + job.index
        self._ask = msgspec.structs.replace(job.ask, n=hold.n, index=job.index, max_tokens=hold.max_tokens, seed=seed)
        context.log.emit(
            CallStarted(
                call=self._call,
                role=caller.role,
                model=caller.line.model.name,
                prompt=context.prompt_id(job.ask.messages),
                index=job.index,
                n=hold.n,
                max_tokens=hold.max_tokens,
                attempt=job.attempts + 1,
                held=hold.worst,
            )
        )

    async def complete(self) -> None:
        self._ending.arrived = 0  # what a cancelled call has shown
        try:
            reply = await self._caller.line.model.complete(self._ask)
        except ServerError as error:
            self._ending.error, self._ending.arrived = error, None
            raise
        except InputError:
            self._ending.refused = True
            raise
        self._ending.bill = reply.bill
        self._heard(reply.rate)
        self._take(reply)

    def _heard(self, rate: Rate | None) -> None:
        if rate is not None:
            worst = self._hold.worst
            self._caller.line.heard(rate, self._began, self._turn, worst.prompt_tokens + worst.completion_tokens)

    def _take(self, reply: Reply) -> None:
        counts = _counts(reply, self._ending.mean)
        if reply.bill is None:
            self._ending.arrived = sum(counts)
        for choice, tokens in zip(reply.choices[: self._hold.n], counts, strict=False):
            self._add(self._candidate(choice, tokens))
        self._answer_for(len(reply.choices))

    def _answer_for(self, choices: int) -> None:
        """How many of the job's samples this reply stands for; those a server left out are lost."""
        self.answered = self._hold.n
        if choices == 1 < self._hold.n:
            self._caller.line.model.lacks.add("n")
            self._caller.context.warn(
                f"{self._caller.line.model.name} gives one choice whatever n is; asking for them one by one"
            )
            self.answered = 1

    async def stream(self) -> None:
        self._ending.arrived = 0
        try:
            async with self._caller.line.model.stream(self._ask) as deltas:
                async for delta in deltas:
                    if delta.index is None:
                        self._ending.bill = delta.bill
                        self._heard(delta.rate)
                        continue
                    grown = self._grown.get(delta.index) or self._grown.setdefault(delta.index, Growing(delta.index))
                    grown.add(delta)
                    if self._job.live:
                        self._show(delta.index, delta)
                    self._ending.arrived += delta.tokens
                    if delta.finish is not None:
                        self._keep([self._add_grown(grown)])
                    elif self._hopeless(grown) or not self._covered():
                        break
        except ServerError as error:
            self._ending.error = error
            if self._job.live and self._grown:
                error.retryable = False  # its beginning has been shown, and another try would say something else
            raise
        except InputError:
            self._ending.refused = not self._grown
            raise
        self._answer_for(len(self._grown))

    def _show(self, choice: int, delta: Delta) -> None:
        """Put a piece of a live sample on record."""
        if choice not in self._showing:
            logprobs = bool(self._job.problem.params.get("logprobs"))
            self._showing[choice] = Showing(self._job.index + choice, logprobs)
        piece = self._showing[choice].piece(delta)
        if piece is not None:
            self._caller.context.log.emit(piece)

    def _hopeless(self, grown: Growing) -> bool:
        """Whether this sample (the only one of its stream) is to be stopped here, which is put on record."""
        threshold, group = self._job.stop_below, grown.group
        if threshold is None or group is None or group >= threshold or self._hold.n > 1:
            return False
        self._caller.context.log.emit(
            GivenUp(
                index=self._job.index,
                tokens=grown.tokens,
                max_tokens=self._ask.max_tokens,
                group=group,
                threshold=threshold,
            )
        )
        return True

    def _covered(self) -> bool:
        """False when a reply has passed what it was allowed (a server may ignore ``max_tokens``) and no more can
        be held for it, so that it must be cut."""
        held = self._hold.worst.completion_tokens
        arrived = self._ending.arrived or 0
        running = self._hold.n - len(self._found)
        if not self._caller.ledger.bounds_cost or arrived + running < held:
            return True
        return self._caller.ledger.grow(self._hold, running * STREAM_STEP) or self._caller.ledger.grow(
            self._hold, 2 * running
        )

    def close(self) -> Usage:
        """Settle and record, and say what it cost. Never awaits, so that cancellation cannot lose the books."""
        caller, ending, hold = self._caller, self._ending, self._hold
        model, ledger = caller.line.model, caller.ledger
        ending.seconds = caller.context.log.clock() - self._began
        if self._grown:
            self._keep_partial()
        usage, charge = settle(ending, hold, model.price, model.parameters)
        ledger.settle(hold, charge, usage, caller.role)
        if ending.bill is not None:
            self._reconcile(ending.bill.completion_tokens)
            caller.learn(ending.bill.completion_tokens, max(1, len(self._found)))
            caller.context.learn_prompt(caller.line, self._ask.messages, ending.bill.prompt_tokens)
            if ledger.bounds_cost and charge.prompt_tokens + charge.completion_tokens > (
                hold.worst.prompt_tokens + hold.worst.completion_tokens
            ):
                caller.line.margin += max(0, charge.prompt_tokens - hold.worst.prompt_tokens)
                caller.context.log.emit(Overdraft(call=self._call, held=hold.worst, actual=charge))
        self._keep(list(self._found))
        caller.context.log.emit(CallSettled(call=self._call, usage=usage, charged=ledger.charged, held=ledger.held))
        return usage

    def _keep(self, indexes: Sequence[int]) -> None:
        """Put samples into the cache: each of a stream at its end, and all once more with the bill."""
        context, kept = self._caller.context, self._caller.kept
        line, ask = self._caller.line, self._job.ask
        if context.cache is None or ask.seed is None or not line.model.source or not indexes:
            return
        bill = self._ending.bill or Bill(self._ending.prompt, self._ending.arrived or 0)
        samples = [(ask.seed + index, kept[self._found[index]]) for index in indexes]
        context.cache.keep(line.model.source, ask, self._id, bill, samples, context.warn)

    def _keep_partial(self) -> None:
        """What was cut short is kept, and at the deadline handed on: it may be all there is."""
        at_deadline = self._caller.context.log.clock() >= self._caller.limits.deadline
        for grown in self._grown.values():
            if self._job.index + grown.index not in self._found:
                self._add_grown(grown, landing=at_deadline or self._ending.error is None)

    def _add_grown(self, grown: Growing, landing: bool = True) -> int:
        found = self._candidate(grown.choice(), grown.tokens)
        self._add(found, landing)
        return found.index

    def _candidate(self, choice: Choice, tokens: int) -> Candidate:
        job, model = self._job, self._caller.line.model.name
        choice = gone_on(choice, job.said) if job.ask.continues else apart(choice)
        found = candidate(choice, job.problem, job.index + choice.index, model, tokens)
        if found.logprobs is not None and not job.ask.logprobs:
            # asked for to count by only: a vote must not depend on whether they came
            found = msgspec.structs.replace(found, logprobs=None)
        if job.ask.top_logprobs and found.logprobs is not None:
            found = with_certainty(found, choice.raw_logprobs)
        return self._caller.own(with_parent(found, job.parent, continues=job.ask.continues))

    def _add(self, found: Candidate, landing: bool = True) -> None:
        kept = self._caller.kept
        self._found[found.index] = len(kept)
        kept.append(found)
        self._caller.context.log.emit(Sampled(candidate=found))
        if landing:
            self._land(found)

    def _reconcile(self, billed: int) -> None:
        """Make the candidates' own counts sum to the bill (streams count a little differently)."""
        candidates = self._caller.kept
        places = list(self._found.values())
        found = [candidates[place] for place in places]
        if sum(c.tokens for c in found) != billed and found:
            parts = apportion(billed, [c.tokens for c in found])
            for place, renewed in zip(places, with_tokens(found, parts), strict=True):
                candidates[place] = renewed


def _counts(reply: Reply, mean: int) -> list[int]:
    """New tokens of each choice, summing to the bill where there is one."""
    known = [choice.tokens for choice in reply.choices]
    if reply.bill is None:
        return [mean if tokens is None else tokens for tokens in known]
    if None not in known and sum(tokens or 0 for tokens in known) == reply.bill.completion_tokens:
        return [tokens or 0 for tokens in known]
    return apportion(reply.bill.completion_tokens, [len(choice.text) for choice in reply.choices])
