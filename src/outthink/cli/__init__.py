"""The command line: parsing and printing only. Errors become one line and an exit status here.

Exit status: 0 done; 2 the input or this machine; 3 the budget ended before any answer; 4 a server; 130 interrupted;
1 a defect in outthink, or nobody reads its output any more. Only the command that was asked for is imported.
"""

from __future__ import annotations

import os
import signal
import sys
from importlib import import_module
from io import TextIOWrapper

import typer

from outthink.core.errors import BudgetExhausted, OutthinkError, ServerError

COMMANDS = {
    "solve": "Answer a question, thinking as long as the strategy and the budget say.",
    "chat": "Talk in the terminal, each answer thought about as the strategy and the budget say.",
    "doctor": "Check this machine, and what models need.",
    "serve": "Serve any OpenAI client: an OpenAI-compatible server that thinks.",
    "map": "Answer a file of questions, one JSON object a line.",
    "sample": "Record samples of many questions as a pool, to be replayed without a model.",
    "bench": "Compare strategies on a data set or a pool, with intervals, tokens and what may be ranked.",
    "calibrate": "Fit when to stop, and how much to believe, on recorded samples.",
    "verifier": "Train verifiers on recorded samples, and measure what they are worth.",
    "models": "List, pull, find and remove model files.",
    "strategies": "List the strategies with their parameters.",
}


def app(chosen: str | None, everything: bool = False) -> typer.Typer:
    """The application with ``chosen`` loaded, and the other commands by name only (or ``everything``)."""
    root = typer.Typer(
        name="outthink",
        help="Make language models think longer where it pays.",
        no_args_is_help=True,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    root.callback()(_options)
    for name, summary in COMMANDS.items():
        if name == chosen or (chosen is None and everything):
            import_module(f"outthink.cli.{name}").register(root, summary)
        else:
            root.command(name, help=summary)(_elsewhere)
    return root


def main() -> None:
    """Run the command line and leave with its exit status."""
    arguments = sys.argv[1:]
    typed = (os.environ.get("COMP_WORDS") or os.environ.get("_TYPER_COMPLETE_ARGS") or "").split()[1:]  # for a shell
    chosen = next((word for word in arguments or typed if not word.startswith("-")), None)
    _prepare_streams()
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        try:
            app(chosen)()
        finally:
            sys.stdout.flush()
    except KeyboardInterrupt:
        print("outthink: interrupted", file=sys.stderr)
        sys.exit(130)
    except OutthinkError as error:
        if "--debug" in arguments:
            raise
        print(f"outthink: {error}", file=sys.stderr)
        sys.exit(exit_status(error))
    except OSError as error:
        if "--debug" in arguments:
            raise
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # or the exit would try to write the rest again
        if not isinstance(error, BrokenPipeError):
            print(f"outthink: this machine refused ({error}); add --debug to see where", file=sys.stderr)
        sys.exit(1 if isinstance(error, BrokenPipeError) else 2)
    except Exception as error:
        if "--debug" in arguments:
            raise
        told = f"{type(error).__name__}: {error}"
        print(
            f"outthink: a defect in outthink ({told}); add --debug to see where, and report it",
            file=sys.stderr,
        )
        sys.exit(1)


def _prepare_streams() -> None:
    """Streams that were closed lead nowhere (not to a file opened later); text that they cannot show is escaped."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, mode))  # noqa: SIM115 - open to the end
        elif mode == "w" and isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _interrupt(number: int, frame: object) -> None:
    raise KeyboardInterrupt


def exit_status(error: OutthinkError) -> int:
    """The exit status for an error: 3 budget, 4 server, 2 anything else."""
    return 3 if isinstance(error, BudgetExhausted) else 4 if isinstance(error, ServerError) else 2


def _elsewhere() -> None:
    """Stands for a command that was not asked for."""


def _show_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        print(f"outthink {version('outthink')}")
        raise typer.Exit


def _options(
    version: bool = typer.Option(False, "--version", help="Print the version.", callback=_show_version, is_eager=True),
) -> None:
    """Make language models think longer where it pays."""
