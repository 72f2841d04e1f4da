"""``outthink chat``: a conversation in the terminal; lines that begin with / change how it thinks.

Answers go to standard output, all else to standard error. Reading happens in this thread and thinking in another, so
that Ctrl-C ends the answer that is being thought about and nothing more.
"""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path

import anyio
import typer
from anyio.abc import TaskGroup
from anyio.from_thread import BlockingPortal, start_blocking_portal
from rich.console import Console

from outthink import plugins
from outthink.api import Engine
from outthink.cli import complete, options
from outthink.cli.live import follow, summary
from outthink.cli.solve import shown
from outthink.core.candidate import Result
from outthink.core.errors import BadSpec, InputError, OutthinkError, UnknownName
from outthink.core.groups import task_group
from outthink.core.names import did_you_mean
from outthink.core.problem import ANSWER_KINDS, AnswerKind, Message, Problem
from outthink.core.usage import Budget
from outthink.engine.log import EventLog

HELP = """\
/strategy [TEXT]  how to think: self-consistency(n=8), cot, direct, …
/budget [TEXT]    limits of each answer: tokens=4000,seconds=20
/model [TEXT]     who is asked
/answer [KIND]    the kind of answer: number, choice, text, …
                  (each of these four without a value: back to the default)
/new              forget the conversation
/save FILE        write the conversation and what it cost, as JSON
/help             this list
/quit             leave, as Ctrl-D does; Ctrl-C ends only the answer under way
//TEXT            ask a question that begins with /"""


def register(root: typer.Typer, summary: str) -> None:
    root.command("chat", help=summary)(chat)


def chat(
    model: str | None = options.MODEL,
    strategy: str | None = options.STRATEGY,
    budget: str | None = options.BUDGET,
    answer: str = options.ANSWER,
    seed: int | None = options.SEED,
    timeout: float | None = options.TIMEOUT,
    concurrency: int = options.CONCURRENCY,
    no_cache: bool = options.NO_CACHE,
    debug: bool = options.DEBUG,
) -> None:
    """Talk in the terminal; the budget is each answer's own."""
    del debug  # read at the edge
    engine = Engine(model, concurrency=concurrency, timeout=timeout, cache=not no_cache)
    signal.signal(signal.SIGTERM, _leave)  # which would else pass for Ctrl-C
    with start_blocking_portal() as portal, portal.wrap_async_context_manager(engine):
        talk = Chat(engine, portal, seed)
        for name, value in (("strategy", strategy), ("budget", budget), ("answer", answer), ("model", "")):
            talk.set(name, value or "")
        talk.run()


@dataclass
class Chat:
    """The conversation and its settings; empty settings are the defaults."""

    engine: Engine
    portal: BlockingPortal
    seed: int | None = None
    strategy: str = ""
    budget: str = ""
    answer: AnswerKind = "auto"
    model: str = ""
    messages: list[Message] = field(default_factory=list[Message])
    results: list[Result] = field(default_factory=list[Result])
    _saved: set[Path] = field(default_factory=set[Path])
    _scope: anyio.CancelScope | None = None

    def run(self) -> None:
        """Read and answer lines until there are no more."""
        read = _reader()
        while (line := read(self._status())) is not None:
            try:
                if line.startswith("/") and not line.startswith("//"):
                    if self._command(*line[1:].partition(" ")[::2]):
                        return
                elif question := line.removeprefix("/").strip():
                    self._ask(question)
            except OutthinkError as error:
                _tell(f"outthink: {error}")

    def set(self, name: str, value: str) -> None:
        """Change a setting, after a look at whether it can be. Raises `InputError`."""
        value = value.strip()
        if name == "strategy" and value:
            value = plugins.strategy_text(value)
            plugins.strategy(value)
        elif name == "budget" and value:
            value = str(Budget.parse(value))
        elif name == "answer" and (value := value or "auto") not in ANSWER_KINDS:
            raise BadSpec(f"answer kind {value!r} does not exist; use {', '.join(ANSWER_KINDS)}")
        elif name == "model":
            self.portal.call(self.engine.line, value or None)
        setattr(self, name, value)

    def _command(self, name: str, rest: str) -> bool:
        """Do what a line with / says; True to leave."""
        match name:
            case "quit" | "exit":
                return True
            case "strategy" | "budget" | "model" | "answer":
                self.set(name, rest)
                if not sys.stdin.isatty():
                    _tell(self._status())
            case "new":
                self.messages, self.results = [], []
            case "save":
                self._save(rest.strip())
            case "help":
                _tell(HELP)
            case _:
                known = ("strategy", "budget", "model", "answer", "new", "save", "help", "quit")
                meant = did_you_mean(name, known, "/{}")
                raise UnknownName(f"/{name} does not exist; {meant}/help lists what does", known)
        return False

    def _status(self) -> str:
        """Who is asked and how, on one line."""
        budget = f"budget {self.budget}" if self.budget else "no budget of its own"
        kind = "" if self.answer == "auto" else f" · {self.answer}"
        model = (self.model or self.engine.model).partition("@")[0]  # a server's URL would fill the line
        return f"{self.strategy or 'default strategy'} · {model} · {budget}{kind}"

    def _ask(self, question: str) -> None:
        """Answer one question after the turns so far; it joins them only when it is answered."""
        asked: Message = {"role": "user", "content": question}
        problem = Problem.of(Problem(messages=(*self.messages, asked), answer_kind=self.answer))
        future = self.portal.start_task_soon(self._solve, problem)
        try:
            result = future.result()
        except KeyboardInterrupt:
            self.portal.call(self._cancel)
            result = future.result()  # until the call is settled and its connection closed
        if result is None:
            _tell("outthink: interrupted; the conversation goes on without this question")
            return
        print(shown(result, problem), flush=True)
        _tell(summary(result))
        self.messages += [asked, result.message]
        self.results.append(result)

    async def _solve(self, problem: Problem) -> Result | None:
        """The result, None when it was cancelled."""
        result = None
        with anyio.CancelScope() as self._scope:
            async with task_group() as viewers:
                result = await self.engine.solve(
                    problem,
                    model=self.model or None,
                    strategy=self.strategy or None,
                    budget=self.budget or None,
                    seed=self.seed,
                    watch=_watching(viewers),
                )
        return result

    def _cancel(self) -> None:
        if self._scope is not None:
            self._scope.cancel()

    def _save(self, name: str) -> None:
        path = Path(name).expanduser()
        if not name:
            raise InputError("/save needs a file; write /save FILE.json")
        if path.exists() and path not in self._saved:
            raise InputError(f"{name} exists and is not of this chat; name another file")
        data = {"messages": self.messages, "results": [result.to_dict() for result in self.results]}
        try:
            path.write_text(json.dumps(data, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
        except OSError as error:
            raise InputError(f"{name} cannot be written ({error.strerror}); name another file") from error
        self._saved.add(path)
        _tell(f"saved {len(self.results)} answer{'s' if len(self.results) != 1 else ''} to {path}")


def _watching(viewers: TaskGroup) -> Callable[[EventLog], None]:
    def watch(log: EventLog) -> None:
        viewers.start_soon(follow, log, True)

    return watch


def _leave(number: int, frame: object) -> None:
    sys.exit(130)


def _tell(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _reader() -> Callable[[str], str | None]:
    """What gives the next line, None at the end: with line editing on a terminal, else as it comes."""
    if not sys.stdin.isatty():
        return lambda status: line.rstrip("\n") if (line := sys.stdin.readline()) else None
    _line_editing()
    console = Console(stderr=True, highlight=False)

    def read(status: str) -> str | None:
        fresh = True
        while True:
            try:
                if not fresh:  # Ctrl-C: the line that was being typed is dropped
                    print(file=sys.stderr)
                console.print(status, style="dim", markup=False, overflow="ellipsis", no_wrap=True)
                return input("> ").strip()
            except EOFError:
                print(file=sys.stderr)
                return None
            except KeyboardInterrupt:
                fresh = False

    _tell("/help lists what can be changed; Ctrl-D leaves")
    return read


def _line_editing() -> None:
    """History and completion of commands, where Python has readline."""
    try:
        readline = import_module("readline")
    except ImportError:
        return

    def complete_line(text: str, state: int) -> str | None:
        return dict(enumerate(_offers(text))).get(state)

    readline.set_completer_delims("")
    readline.set_completer(complete_line)
    readline.parse_and_bind("tab: complete")


def _offers(text: str) -> list[str]:
    """Lines that one which begins so may become."""
    name, space, rest = text.partition(" ")
    if not space:
        names = ("/strategy ", "/budget ", "/model ", "/answer ", "/new", "/save ", "/help", "/quit")
        return [known for known in names if known.startswith(text)]
    known: dict[str, Callable[[str], list[str]]] = {
        "/strategy": complete.strategies,
        "/budget": complete.budgets,
        "/model": complete.models,
        "/answer": complete.kinds,
    }
    return [f"{name} {offer}" for offer in known[name](rest.lstrip())] if name in known else []
