"""What a run shows while it thinks, and the line it leaves behind; both read events only."""

from __future__ import annotations

import sys

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from outthink.core.candidate import Candidate, Result
from outthink.core.events import (
    CallFailed,
    CallSettled,
    CallStarted,
    Event,
    RunStarted,
    Sampled,
    Voted,
    Warned,
)
from outthink.core.usage import Budget, Cost
from outthink.engine.log import EventLog

_SHOWN = 8
_STOP = {
    "settled": "vote decided",
    "exhausted": "full course",
    "budget": "budget spent",
    "deadline": "time is up",
    "unscorable": "open text, nothing to vote on",
}


class View:
    """The state of a run as its events tell it, and how it looks."""

    def __init__(self) -> None:
        self.title = ""
        self.candidates: list[Candidate] = []
        self.votes: dict[str, int] = {}
        self.seen, self.n = 0, 0
        self.notes: list[str] = []
        self.charged, self.held, self.budget = Cost(), Cost(), Budget()
        self.asked = 0
        self.seconds = 0.0

    def take(self, event: Event) -> None:
        """Take one event in."""
        self.seconds = max(self.seconds, event.t)
        match event:
            case RunStarted():
                self.title, self.budget = f"{event.strategy} on {event.model}", event.budget
            case CallStarted():
                self.asked += event.n
                self.held += event.held
            case Sampled():
                self.candidates.append(event.candidate)
            case CallSettled():
                self.charged, self.held = event.charged, event.held
            case Voted():
                self.votes, self.seen, self.n = event.votes, event.seen, event.n
            case CallFailed():
                self.notes.append(f"{event.error}" + ("" if event.retry_in is None else ", trying again"))
            case Warned():
                self.notes.append(event.message)
            case _:
                pass

    def render(self) -> Group:
        """The view as rich renderables, at most some twenty lines."""
        rows = Table.grid(padding=(0, 2))
        for found in self.candidates[-_SHOWN:]:
            answer = "no answer" if found.answer is None else found.answer.text
            rows.add_row(
                Text(f"#{found.index}", style="dim"),
                Text(answer[:40], style="bold" if found.answer else "dim"),
                Text(f"{found.tokens} tokens", style="dim"),
                Text(_tail(found), style="dim", no_wrap=True, overflow="ellipsis"),
            )
        parts = [Text(self.title, style="bold cyan"), rows]
        if self.votes:
            parts.append(self._bars())
        parts += [Text(f"! {note[:160]}", style="yellow") for note in self.notes[-2:]]
        return Group(*parts, Text(self._footer(), style="dim"))

    def _bars(self) -> Table:
        bars = Table.grid(padding=(0, 1))
        for place, (answer, votes) in enumerate(list(self.votes.items())[:4]):
            width = round(24 * votes / max(1, self.n))
            style = "green" if place == 0 else "white"
            bars.add_row(Text(answer[:24], style=style), Text("█" * width, style=style), Text(str(votes)))
        return bars

    def _footer(self) -> str:
        spent = self.charged.prompt_tokens + self.charged.completion_tokens
        limit = "" if self.budget.tokens is None else f" of {self.budget.tokens}"
        waiting = self.asked - len(self.candidates)
        parts = [f"{spent}{limit} tokens", f"{self.seconds:.1f} s"]
        if self.budget.seconds is not None:
            parts[-1] += f" of {self.budget.seconds:g}"
        if waiting > 0:
            parts.append(f"{waiting} thinking")
        return " · ".join(parts)


def _tail(found: Candidate) -> str:
    return " ".join(found.text.split())[-70:]


async def follow(log: EventLog) -> None:
    """Show a run on standard error until it ends: live on a terminal, elsewhere its warnings only."""
    if not sys.stderr.isatty():
        async for event in log.follow():
            if isinstance(event, Warned):
                print(f"outthink: {event.message}", file=sys.stderr, flush=True)
        return
    view, console = View(), Console(stderr=True)
    with Live(  # it must leave the other streams alone: the answer goes to standard output
        view.render(), console=console, refresh_per_second=8, redirect_stdout=False, redirect_stderr=False
    ) as live:
        async for event in log.follow():
            view.take(event)
            live.update(view.render())


def summary(result: Result) -> str:
    """One line: votes, confidence, what it cost, and why it stopped."""
    parts: list[str] = []
    if result.votes and result.confidence_source == "vote_share":
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
