"""The books of one run: what is charged, what is held for calls in flight, and what still fits.

The promise: ``charged + held`` never passes the budget, whatever runs in parallel. A call's worst case is
held before it leaves; afterwards the hold is given back and what the call cost is charged. The ledger knows
nothing of time: deadlines are cancel scopes.
"""

from __future__ import annotations

import math

import anyio
import msgspec

from outthink.core.errors import BudgetExhausted, BudgetTooSmall
from outthink.core.usage import Budget, Cost, Role, Usage
from outthink.core.wire import Bill, Price

FLOOR = 64
"""Tokens expected of a choice before any has been settled; no call is made for fewer."""
STREAM_STEP = 256
"""New tokens to which each choice of a reply that streams is cut rather than serialise a fan-out, and which are held
at a time for a server that goes on past what it was allowed."""


class Want(msgspec.Struct, frozen=True):
    """What a call would like: ``prompt`` tokens at most, ``n`` choices of ``max_tokens`` (None: as many as fit).

    ``floor``: a choice of fewer tokens is not worth making. ``step``: where not all of it fits, choices
    of so many tokens are asked for rather than fewer choices, or one after another.
    """

    prompt: int
    n: int
    max_tokens: int | None
    floor: int
    price: Price | None = None
    step: int | None = None


class Hold:
    """Budget set aside for one call in flight. Charged in full unless it is settled."""

    __slots__ = ("max_tokens", "n", "price", "worst")

    def __init__(self, worst: Cost, n: int, max_tokens: int | None, price: Price | None) -> None:
        self.worst, self.n, self.max_tokens, self.price = worst, n, max_tokens, price


class Ledger:
    """The books of a run, or of a child run inside ``parent`` (every hold and charge counts in both)."""

    def __init__(self, budget: Budget, parent: Ledger | None = None) -> None:
        self.budget = budget
        self.charged = Cost()
        self.held = Cost()
        self.by_role: dict[Role, Usage] = {}
        self.billed = Usage()
        self.choice_tokens = 0
        self.choices = 0
        self._parent = parent
        self.bounds_cost = budget.bounds_cost or (parent is not None and parent.bounds_cost)
        self._unlimited = not budget.bounds_cost and budget.calls is None
        self._freed: anyio.Event | None = None

    @property
    def shared(self) -> bool:
        """Whether other runs may be spending from the same budget."""
        return self._parent is not None

    @property
    def needs_price(self) -> bool:
        """Whether dollars are limited, here or in a parent."""
        return self.budget.usd is not None or (self._parent is not None and self._parent.needs_price)

    @property
    def expected(self) -> int:
        """The mean length of settled choices in tokens, `FLOOR` before there is one."""
        return math.ceil(self.choice_tokens / self.choices) if self.choices else FLOOR

    def tokens_left(self, holding: bool = True) -> float:
        """Tokens that may still be charged, here and in every parent; infinite without a limit."""
        limit = math.inf if self.budget.tokens is None else self.budget.tokens
        used = self.charged + self.held if holding else self.charged
        own = limit - used.prompt_tokens - used.completion_tokens
        return own if self._parent is None else min(own, self._parent.tokens_left(holding))

    def completion_room(self, prompt: int, price: Price | None, *, holding: bool, calls: int = 1) -> float:
        """New tokens that so many more calls with this prompt may make; below zero when none may be made."""
        room = self._own_room(prompt, price, holding, calls)
        if self._parent is not None:
            room = min(room, self._parent.completion_room(prompt, price, holding=holding, calls=calls))
        return room

    def _own_room(self, prompt: int, price: Price | None, holding: bool, calls: int) -> float:
        limits, room = self.budget, math.inf
        if self._unlimited:
            return room
        used = self.charged + self.held if holding else self.charged
        if limits.calls is not None and used.calls + calls > limits.calls:
            return -1
        if limits.tokens is not None:
            room = limits.tokens - used.prompt_tokens - used.completion_tokens - prompt
        if limits.completion_tokens is not None:
            room = min(room, limits.completion_tokens - used.completion_tokens)
        if limits.usd is not None and price is not None:
            room = min(room, _tokens_for(limits.usd - used.usd - prompt * price.input / 1e6, price))
        return room

    def try_hold(self, want: Want) -> Hold | None:
        """Hold what fits now: all of it, else fewer choices, else a shorter one; None when nothing does."""
        room = self.completion_room(want.prompt, want.price, holding=True)
        rest = self._room_at_rest(want)
        unit = want.max_tokens
        alone = want.n == 1 and room == rest
        if want.step is not None and unit is not None and not alone and room < want.n * unit:
            unit = min(unit, want.step)
        wanted = msgspec.structs.replace(want, max_tokens=unit)
        grant = fit(wanted, room)
        if grant is None or (grant[1] != unit and grant != fit(wanted, rest)):
            return None  # rather than cut a choice short, wait for what calls in flight give back
        n, tokens = grant
        hold = Hold(_cost(want.prompt, n * (tokens or 0), want.price), n, tokens, want.price)
        self._move(hold.worst)
        return hold

    def hold_call(self) -> Hold | None:
        """Hold one call that takes no tokens (a program to be run); None when ``calls`` has no room for it."""
        if not self._calls_left():
            return None
        hold = Hold(Cost(calls=1), 0, 0, None)
        self._move(hold.worst)
        return hold

    def _calls_left(self) -> bool:
        most = self.budget.calls
        mine = most is None or self.charged.calls + self.held.calls < most
        return mine and (self._parent is None or self._parent._calls_left())

    def could_fit(self, want: Want) -> bool:
        """Whether something would fit if every call in flight cost nothing."""
        return fit(want, self._room_at_rest(want)) is not None

    def _room_at_rest(self, want: Want) -> float:
        return self.completion_room(want.prompt, want.price, holding=False)

    def tight(self, want: Want) -> Ledger:
        """The nearest ledger, of this one and its parents, that alone leaves no room for this."""
        if self._parent is None or fit(want, self._own_room(want.prompt, want.price, False, 1)) is None:
            return self
        return self._parent.tight(want)

    def refusal(self, want: Want) -> BudgetTooSmall | BudgetExhausted:
        """The error for a call that cannot be made: before anything was spent, it names the smallest that would do."""
        ledger = self.tight(want)
        floor = want.floor if want.max_tokens is None else min(want.floor, want.max_tokens)
        if ledger.charged == Cost() and not ledger.held.calls:
            return too_small(ledger.budget, want, floor)
        return BudgetExhausted(
            f"the budget {ledger.budget} is spent: the next call needs {want.prompt} + {floor} tokens"
        )

    def grow(self, hold: Hold, tokens: int) -> bool:
        """Hold so many new tokens more for a call in flight; False when they do not fit."""
        if self.completion_room(0, hold.price, holding=True, calls=0) < tokens:
            return False
        more = _cost(0, tokens, hold.price, calls=0)
        hold.worst += more
        self._move(more)
        return True

    def settle(self, hold: Hold, charge: Cost, usage: Usage, role: Role) -> None:
        """End a hold: give it back, charge what the call cost, and count its usage. Never awaits."""
        self._move(Cost() - hold.worst, charge, usage, role)

    def recall(self, cost: Cost, usage: Usage, role: Role, price: Price | None) -> bool:
        """Charge what was bought in an earlier run, and count it but not as billed; False when it does not fit."""
        if self.completion_room(cost.prompt_tokens, price, holding=True, calls=cost.calls) < cost.completion_tokens:
            return False
        self._move(Cost(), cost, usage, role, billed=False)
        return True

    def learn(self, tokens: int, choices: int) -> None:
        """Note the length of settled choices, for `expected`."""
        self.choice_tokens += tokens
        self.choices += choices
        if self._parent is not None:
            self._parent.learn(tokens, choices)

    async def freed(self) -> None:
        """Wait until a call in flight has settled."""
        root = self._root
        root._freed = root._freed or anyio.Event()
        await root._freed.wait()

    @property
    def _root(self) -> Ledger:
        return self if self._parent is None else self._parent._root

    def _move(
        self,
        held: Cost,
        charge: Cost | None = None,
        usage: Usage | None = None,
        role: Role = "policy",
        billed: bool = True,
    ) -> None:
        self.held += held
        if charge is not None and usage is not None:
            self.charged += charge
            known = self.by_role.get(role)
            self.by_role[role] = usage if known is None else known + usage
            if billed:
                self.billed += usage
            if self._freed is not None:
                self._freed.set()
                self._freed = None
        if self._parent is not None:
            self._parent._move(held, charge, usage, role, billed)


def fit(want: Want, room: float) -> tuple[int, int | None] | None:
    """How many choices of how many tokens fit ``room`` new tokens: shrunk in n first, then in length.

    None when not even one choice of ``want.floor`` tokens does.
    """
    if room == math.inf:
        return want.n, want.max_tokens
    if want.max_tokens == 0:  # a call that makes no tokens
        return (want.n, 0) if room >= 0 else None
    if want.max_tokens is not None and room >= want.max_tokens > 0:
        return min(want.n, int(room // want.max_tokens)), want.max_tokens
    floor = want.floor if want.max_tokens is None else min(want.floor, want.max_tokens)
    return (1, int(room)) if room >= floor else None


def too_small(budget: Budget, want: Want, floor: int) -> BudgetTooSmall:
    """The error for a budget that cannot fit one call, with the smallest that would."""
    tokens, completion = budget.tokens, budget.completion_tokens
    if tokens is not None and tokens < want.prompt + floor:
        smallest = want.prompt + floor
        return BudgetTooSmall(
            f"budget tokens={tokens} does not fit one call: this prompt takes up to {want.prompt} tokens and an "
            f"answer about {floor}; the smallest that does is tokens={smallest}",
            smallest,
        )
    if completion is not None and completion < floor:
        return BudgetTooSmall(
            f"budget completion_tokens={completion} does not fit one answer of about {floor} tokens; "
            f"the smallest that does is completion_tokens={floor}",
            floor,
        )
    price = want.price
    smallest_usd = 0.0 if price is None else (want.prompt * price.input + floor * price.output) / 1e6
    return BudgetTooSmall(
        f"the budget's usd does not fit one call; the smallest that does is usd={smallest_usd:.2g}",
        smallest_usd,
    )


def _cost(prompt: int, completion: int, price: Price | None, calls: int = 1) -> Cost:
    usd = 0.0 if price is None else price.of(Bill(prompt, completion))
    return Cost(calls, prompt, completion, usd)


def _tokens_for(dollars: float, price: Price) -> float:
    if not price.output:
        return math.inf if dollars >= 0 else -1
    return math.floor(dollars * 1e6 / price.output)
