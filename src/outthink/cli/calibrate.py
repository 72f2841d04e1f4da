"""``outthink calibrate``: a policy from recorded samples, with what it comes to on questions held out."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path

import anyio
import typer

from outthink.adaptive.policy import to_json
from outthink.batch.files import replace_file
from outthink.bench.calibrate import fitting
from outthink.bench.calibrate.chart import chart
from outthink.bench.calibrate.questions import LABELS, Labels, recording
from outthink.cli import options
from outthink.cli.calibrate_table import told
from outthink.core.errors import InputError


def register(root: typer.Typer, summary: str) -> None:
    root.command("calibrate", help=summary)(calibrate)


def calibrate(
    pools: list[str] = typer.Argument(..., metavar="POOL…", help="Recorded samples (see outthink sample)."),
    out: Path = typer.Option(
        ..., "--out", "-o", metavar="POLICY.json", help="Written here, with a chart (.svg) beside it."
    ),
    hold_out: float = typer.Option(0.5, "--hold-out", help="Part of the questions kept back, and reported on."),
    labels: str = typer.Option("gold", "--labels", help="gold, or majority where there are no right answers."),
    limit: int | None = typer.Option(
        None, "--limit", help="Samples that a question may take: all that each has, 64 at most."
    ),
    loss: float = typer.Option(0.005, "--loss", help="Accuracy that may be lost against all samples: 0.005 or 0.01."),
    gate: float | None = typer.Option(
        None, "--gate", metavar="PRECISION", help="How often one sure sample must be right: as often as the vote."
    ),
    seed: int = typer.Option(0, "--seed", help="Of parts and orders."),
    unsafe: bool = typer.Option(False, "--unsafe-exec", help="Run programs even where nothing holds them in."),
    debug: bool = options.DEBUG,
) -> None:
    """Fit when to stop, and how much to believe, on recorded samples; report it on questions held out."""
    del debug  # read at the edge
    wanted: Labels | None = next((name for name in LABELS if name == labels), None)
    if wanted is None:
        raise InputError(f"--labels takes {' or '.join(LABELS)}, not {labels!r}")
    asked = fitting.Asked(hold_out, wanted, limit, loss, gate, seed)
    recorded = anyio.run(partial(recording, pools, wanted, unsafe=unsafe))
    found = fitting.calibrate(recorded, asked)
    file = out.expanduser()
    replace_file(file, [to_json(found.policy), b"\n"], "check the folder")
    if found.held is not None:
        answer = "the first that passes" if found.programs else "the vote"
        drawn = chart(found.held, out.stem, answer).encode()
        replace_file(file.with_suffix(".svg"), [drawn], "check the folder")
    print(told(found, str(out)))
    for notice in found.notices:
        print(f"outthink: {notice}", file=sys.stderr)
