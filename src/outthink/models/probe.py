"""What a model's backend can do, found out by asking: a few tiny requests, each of at most `MOST` new tokens.

This is diagnosis and spends outside any run; `Probe` counts what it cost. Nothing is remembered of it but what the
model itself learns (`Model.lacks`).
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from outthink.core.errors import Lacks, OutthinkError, Refused
from outthink.core.finding import Finding
from outthink.core.protocols import Model
from outthink.core.wire import Ask, Bill, Delta, Reply

MOST = 8
"""New tokens of a choice, at most."""
_HELLO = ({"role": "user", "content": "Say hello."},)
_COUNT = (
    {"role": "user", "content": "Count from one to ten in digits, with commas."},
    {"role": "assistant", "content": "1, 2, 3, 4,"},
)


@runtime_checkable
class _Lists(Protocol):
    async def names(self) -> tuple[str, ...] | None: ...


@dataclass
class Probe:
    """The checks of one open model, in order: `findings` yields each as it is known."""

    model: Model
    calls: int = 0
    tokens: int = 0
    _bill: Bill | None = field(default=None, repr=False)

    async def findings(self) -> AsyncIterator[Finding]:
        """Never raises `OutthinkError`: a check that fails is a finding; without a reply there are no more."""
        try:
            yield await self._listed()
            yield await self.answers()
        except OutthinkError as error:
            known = isinstance(error, Refused) and error.status not in (401, 403, 404)
            yield Finding("server", "fail", str(error), "ask its operator" if known else "")
            return
        for name, check in (
            ("n", self._several),
            ("logprobs", self._logprobs),
            ("seed", self._seed),
            ("streaming", self._stream),
            ("counting", self._count),
            ("continuing", self._continue),
        ):
            try:
                yield await check()
            except Lacks as error:
                yield Finding(name, "warn", str(error), "it is done without")
            except OutthinkError as error:
                yield Finding(name, "warn", f"the request failed: {error}")
        yield Finding("cost", "ok", f"{self.calls} requests and {self.tokens} tokens were spent on these checks")

    async def _ask(self, ask: Ask) -> Reply:
        self.calls += 1
        reply = await self.model.complete(ask)
        self._note(reply.bill)
        return reply

    def _note(self, bill: Bill | None) -> None:
        if bill is not None:
            self.tokens += bill.prompt_tokens + bill.completion_tokens

    async def _listed(self) -> Finding:
        names = await self.model.names() if isinstance(self.model, _Lists) else None
        if names is None:
            return Finding("server", "ok", "reached; it lists no models")
        if self.model.name in names:
            return Finding("server", "ok", f"reached; it lists {self.model.name}" + _among(len(names)))
        shown = ", ".join(names[:5]) + (", …" if len(names) > 5 else "") if names else "none"
        return Finding("server", "warn", f"reached; {self.model.name} is not in its list", f"it has: {shown}")

    async def answers(self) -> Finding:
        """One token, asked for and timed. Raises `OutthinkError`."""
        began = time.monotonic()
        reply = await self._ask(Ask(messages=_HELLO, max_tokens=1))
        took, self._bill = time.monotonic() - began, reply.bill
        if reply.bill is None:
            remedy = "costs will be estimates, and tight budgets are charged in full"
            return Finding("reply", "warn", f"one token in {took:.2f} s, without usage", remedy)
        made = reply.bill.completion_tokens
        if made > 1:
            return Finding("reply", "warn", f"{made} tokens where 1 was asked for", "budgets may be passed by it")
        return Finding("reply", "ok", f"one token in {took:.2f} s, with usage")

    async def _several(self) -> Finding:
        reply = await self._ask(Ask(messages=_HELLO, n=2, max_tokens=1))
        if len(reply.choices) == 2:
            return Finding("n", "ok", "several choices in one request")
        return Finding("n", "warn", f"{len(reply.choices)} choice where 2 were asked for", "samples are asked singly")

    async def _logprobs(self) -> Finding:
        reply = await self._ask(Ask(messages=_HELLO, max_tokens=1, logprobs=True))
        if any(choice.logprobs for choice in reply.choices):
            return Finding("logprobs", "ok", "token log probabilities are given")
        return Finding("logprobs", "warn", "none are given", "best-of-n cannot weigh by confidence here")

    async def _seed(self) -> Finding:
        ask = Ask(messages=_HELLO, max_tokens=MOST, seed=7, params={"temperature": 1.0})
        first, second = await self._ask(ask), await self._ask(ask)
        if "seed" in self.model.lacks:
            return Finding("seed", "warn", "is not taken", "runs cannot be repeated here")
        if first.choices[0].text == second.choices[0].text:
            return Finding("seed", "ok", "one seed, one text")
        return Finding("seed", "warn", "one seed gave two texts", "runs cannot be repeated exactly here")

    async def _stream(self) -> Finding:
        if "stream" in self.model.lacks:
            return Finding("streaming", "warn", "none", "a deadline cuts whole calls")
        self.calls += 1
        pieces: list[Delta] = []
        async with self.model.stream(Ask(messages=_HELLO, max_tokens=MOST)) as deltas:
            async for delta in deltas:
                pieces.append(delta)
        bill = next((piece.bill for piece in pieces if piece.bill is not None), None)
        self._note(bill)
        if bill is None:
            return Finding("streaming", "warn", "works, without usage", "what streams cost will be estimates")
        return Finding("streaming", "ok", "works, with usage at its end")

    async def _count(self) -> Finding:
        count = None if "count" in self.model.lacks else await self.model.count_prompt(Ask(messages=_HELLO))
        if count is None:
            return Finding("counting", "warn", "no endpoint that counts prompts", "budgets use a bound by bytes")
        billed = None if self._bill is None else self._bill.prompt_tokens
        if billed is not None and billed != count:
            return Finding("counting", "warn", f"counts {count} tokens for a prompt billed at {billed}")
        return Finding("counting", "ok", "prompts are counted before they are sent")

    async def _continue(self) -> Finding:
        missing = Finding("continuing", "warn", "it starts a new turn instead of going on", "think and rescue ask anew")
        if not await self.model.can_continue():
            return missing
        reply = await self._ask(Ask(messages=_COUNT, max_tokens=MOST, continues=True, params={"temperature": 0.0}))
        going_on = reply.choices[0].text.lstrip().startswith("5")
        return Finding("continuing", "ok", "goes on from a given beginning") if going_on else missing


def _among(count: int) -> str:
    return "" if count == 1 else f" among {count}"
