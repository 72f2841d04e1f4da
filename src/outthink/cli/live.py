"""What a run shows while it thinks, and the line it leaves behind; both read events only."""

from __future__ import annotations

import sys
from collections.abc import Callable

from rich.console import Console, ConsoleOptions, RenderResult
from rich.live import Live
from rich.table import Table
from rich.text import Text

from outthink.core.candidate import Candidate, Result
from outthink.core.events import (
    CallFailed,
    CallSettled,
    CallStarted,
    Decided,
    Event,
    Executed,
    RunStarted,
    Sampled,
    Scored,
    Voted,
    Warned,
)
from outthink.core.usage import Budget, Cost
from outthink.engine.log import EventLog

_SAMPLES, _ANSWERS, _NOTES, _LIMITS = 8, 4, 2, 3
"""Lines of each part of the view, at most; with title and footer some twenty in all."""
_NARROW = 64
"""Columns under which the ends of the samples' texts are left out."""
_STOP = {
    "settled": "vote decided",
    "exhausted": "full course",
    "budget": "budget spent",
    "deadline": "time is up",
    "diminishing": "more is not worth its tokens",
    "futile": "given up",
    "unscorable": "open text, nothing to vote on",
}


class View:
    """The state of a run as its events tell it, and how it looks. ``clock``: seconds since the run began."""

    def __init__(self, clock: Callable[[], float] | None = None) -> None:
        self._clock, self._last = clock, 0.0
        self.title = ""
        self.candidates: dict[int, Candidate] = {}
        self.scores: dict[int, float | None] = {}
        self.votes: dict[str, int] = {}
        self.seen, self.n = 0, 0
        self.decision = ""
        self.notes: list[str] = []
        self.charged, self.held, self.budget = Cost(), Cost(), Budget()
        self.flying: dict[int, int] = {}
        self.retried, self.failed = 0, 0

    @property
    def seconds(self) -> float:
        return self._clock() if self._clock else self._last

    def take(self, event: Event) -> None:
        """Take one event in."""
        self._last = max(self._last, event.t)
        match event:
            case RunStarted():
                self.title, self.budget = f"{event.strategy} on {event.model}", event.budget
            case CallStarted():
                self.flying = {**self.flying, event.call: event.n}
                self.held += event.held
            case Sampled() if event.candidate.origin != "verdict":
                self.candidates = {**self.candidates, event.candidate.index: event.candidate}
            case CallSettled():
                self.charged, self.held = event.charged, event.held
                self.flying = {call: n for call, n in self.flying.items() if call != event.call}
            case Executed():
                self.charged, self.held = event.charged, event.held
            case Voted():
                self.votes, self.seen, self.n = event.votes, event.seen, event.n
            case Decided():
                self.decision = decision(event)
            case Scored():
                self.scores = {**self.scores, **event.scores}
            case CallFailed():
                self._failed(event)
            case Warned():
                self.notes.append(event.message)
            case _:
                pass

    def _failed(self, event: CallFailed) -> None:
        if event.retry_in is None:
            self.failed += 1
            self.notes.append(event.error)
        else:
            self.retried += 1
            self.notes.append(f"{event.error}; trying again in {event.retry_in:.1f} s")

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """The view as it is now, for a terminal of this size."""
        width, signs = options.max_width, "#=." if options.ascii_only else "█▒░"
        notes, limits = self.notes[-_NOTES:], self._limits()
        below = 2 + min(_ANSWERS + 1, len(self.votes)) + len(notes) + len(limits) + bool(self.decision)
        if self.title:
            yield _line(self.title, "bold cyan")
        if self.candidates:
            yield self._samples(max(1, min(_SAMPLES, console.size.height - 1 - below)), width)
        if self.votes:
            yield self._bars(width, signs)
        if self.decision:
            yield _line(self.decision, "dim")
        for note in notes:
            yield _line(f"! {note}", "yellow")
        if limits:
            yield _meters(limits, width, signs)
        yield _line(self._footer(), "dim")

    def _samples(self, lines: int, width: int) -> Table:
        """The samples that landed last, in order of index."""
        rows = Table.grid(padding=(0, 2, 0, 0))
        for justify in ("right", "left", "right", "left"):
            rows.add_column(justify=justify, no_wrap=True)
        room = width - 24 - max(8, width // 4)
        for found in sorted(list(self.candidates.values())[-lines:], key=lambda one: one.index):
            score = self.scores.get(found.index)
            answer = "no answer" if found.answer is None else " ".join(found.answer.text.split())
            rows.add_row(
                Text(f"#{found.index}", "dim"),
                Text(_cut(answer, max(8, width // 4)), "bold" if found.answer else "dim"),
                Text(f"{found.tokens} tokens" if score is None else f"{found.tokens} tokens, {score:.2f}", "dim"),
                Text(_end(found, room) if width >= _NARROW else "", "dim"),
            )
        return rows

    def _bars(self, width: int, signs: str) -> Table:
        bars = _grid()
        room = max(8, min(32, width - 32))
        for place, (answer, votes) in enumerate(list(self.votes.items())[:_ANSWERS]):
            style = "bold green" if place == 0 else ""
            bar = _bar(votes / max(1, self.n), 0, room, signs)
            share = f"{votes} of {self.n}" if place == 0 else f"{votes}"
            bars.add_row(Text(_cut(answer, max(8, width // 4)), style), Text(bar, style), Text(share, style))
        if (more := len(self.votes) - _ANSWERS) > 0:
            bars.add_row(Text(f"and {more} more", "dim"), Text(""), Text(""))
        return bars

    def _limits(self) -> list[tuple[str, float, float, float]]:
        """Each limit that is set: its name, what is gone, what is held for calls in flight, and the limit."""
        gone, held, budget = self.charged, self.held, self.budget
        known = (
            ("tokens", _tokens(gone), _tokens(held), budget.tokens),
            ("new tokens", gone.completion_tokens, held.completion_tokens, budget.completion_tokens),
            ("calls", gone.calls, held.calls, budget.calls),
            ("usd", gone.usd, held.usd, budget.usd),
            ("seconds", self.seconds, 0.0, budget.seconds),
        )
        return [(name, used, kept, limit) for name, used, kept, limit in known if limit is not None][:_LIMITS]

    def _footer(self) -> str:
        parts = [f"{self.seconds:.1f} s", f"{_tokens(self.charged):,} tokens"]
        if self.flying:
            parts.append(f"{sum(self.flying.values())} thinking")
        parts += [f"{count} {what}" for count, what in ((self.retried, "retried"), (self.failed, "failed")) if count]
        return " · ".join(parts)


def _meters(limits: list[tuple[str, float, float, float]], width: int, signs: str) -> Table:
    """What is left of each limit, as bars."""
    meters = _grid()
    room = max(8, min(32, width - 36))
    for name, used, held, limit in limits:
        left = max(0.0, limit - used)
        style = "yellow" if left < 0.2 * limit else "blue"
        told = f"{left:.1f}" if name == "seconds" else f"{left:.4f}" if name == "usd" else f"{left:,.0f}"
        bar = Text(_bar(left / limit, held / limit, room, signs), style)
        meters.add_row(Text(name, "dim"), bar, Text(f"{told} of {limit:,g} left"))
    return meters


def _grid() -> Table:
    grid = Table.grid(padding=(0, 2, 0, 0))
    for _ in range(3):
        grid.add_column(no_wrap=True, overflow="ellipsis")
    return grid


def _tokens(cost: Cost) -> int:
    return cost.prompt_tokens + cost.completion_tokens


def _bar(share: float, held: float, room: int, signs: str) -> str:
    """A bar with a full share, and one that is held."""
    full = round(room * max(0.0, min(1.0, share - held)))
    grey = min(room - full, round(room * held))
    return signs[0] * full + signs[1] * grey + signs[2] * (room - full - grey)


def _line(text: str, style: str) -> Text:
    return Text(" ".join(text.split()), style, no_wrap=True, overflow="ellipsis")


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else text[: width - 1] + "…"


def _end(found: Candidate, room: int) -> str:
    """The end of a sample's text, which is where its answer is."""
    mark = "from the cache: " if found.cached else "cut: " if found.finish == "length" else ""
    text = " ".join(found.text.split())
    room = max(8, room - len(mark))
    return mark + (text if len(text) <= room else "…" + text[1 - room :])


async def follow(log: EventLog, transient: bool = False) -> None:
    """Show a run on standard error until it ends: live on a terminal, elsewhere its warnings only.

    ``transient``: leave nothing of it on the terminal.
    """
    if not sys.stderr.isatty():
        async for event in log.follow():
            if isinstance(event, Warned):
                print(f"outthink: {event.message}", file=sys.stderr, flush=True)
        return
    view = View(lambda: log.seconds)
    with Live(  # it must leave the other streams alone: the answer goes to standard output
        view,
        console=Console(stderr=True, highlight=False),
        refresh_per_second=8,
        transient=transient,
        redirect_stdout=False,
        redirect_stderr=False,
    ):
        async for event in log.follow():
            view.take(event)


def decision(event: Decided) -> str:
    """A decision in one line."""
    if event.action != "stop":
        return f"{event.action}: {event.reason}"
    seen = int(event.numbers.get("seen", 0))
    return f"stopped after {seen} sample{'' if seen == 1 else 's'}: {event.reason}"


def summary(result: Result) -> str:
    """One line: votes, confidence, what it cost, and why it stopped."""
    parts: list[str] = []
    if result.votes and result.confidence_source in ("vote_share", "weighted_share", "calibrated"):
        total = sum(result.votes.values())
        parts.append("votes " + ", ".join(f"{answer}: {count}" for answer, count in list(result.votes.items())[:5]))
        if silent := len(result.candidates) - total:
            parts.append(f"{silent} without an answer")
    if result.confidence is not None:
        source = (result.confidence_source or "").replace("_", " ")
        parts.append(f"confidence {result.confidence:.2f} ({source})")
    used = result.usage
    estimated = "about " if used.estimated else ""
    parts.append(
        f"{estimated}{used.tokens} tokens ({used.prompt_tokens} prompt + {used.completion_tokens} new) "
        f"in {used.calls} call{'s' if used.calls != 1 else ''}"
    )
    if cached := sum(found.cached for found in result.candidates):
        parts.append(f"{cached} sample{'s' if cached != 1 else ''} from the cache")
    if used.usd:
        parts.append(f"${used.usd:.4f}")
    parts.append(f"{used.seconds:.1f} s")
    parts.append(_STOP.get(result.stop_reason, result.stop_reason))
    return " · ".join(parts)
