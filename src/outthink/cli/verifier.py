"""``outthink verifier``: train one on recorded samples, and measure what any is worth."""

from __future__ import annotations

import json
import random
import sys
from functools import partial
from pathlib import Path
from typing import TypeVar

import anyio
import typer

from outthink import plugins
from outthink.api import Engine
from outthink.batch.files import replace_file
from outthink.bench.verifiers.calibrate import calibrate
from outthink.bench.verifiers.complete import completed
from outthink.bench.verifiers.evaluate import Report, evaluate
from outthink.bench.verifiers.fit import parted
from outthink.bench.verifiers.graded import Graded, read_graded
from outthink.bench.verifiers.steps import StepReport, evaluate_steps, is_step_file, read_solutions
from outthink.bench.verifiers.table import LABELS, Completed, Labels
from outthink.bench.verifiers.train import Recipe, train_probe
from outthink.cli import options
from outthink.cli.verifier_tables import told_fit, told_pool, told_steps
from outthink.core.errors import InputError
from outthink.core.protocols import Verifier
from outthink.verifiers.features import GROUPS
from outthink.verifiers.fitted import Fitted, to_json

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Train verifiers, and measure what they are worth.")
T = TypeVar("T")
_SEED = typer.Option(0, "--seed", help="Of folds and draws.")


def register(root: typer.Typer, summary: str) -> None:
    root.add_typer(app, name="verifier", help=summary)


@app.command("train")
def train(
    pools: list[str] = typer.Argument(..., metavar="POOL…", help="Recorded samples (see outthink sample)."),
    out: str = typer.Option(..., "--out", "-o", metavar="FILE", help="Written here, as JSON."),
    verifiers: list[str] = typer.Option(
        [], "--verifier", help="Calibrate this verifier instead; several are combined as a stack."
    ),
    hold_out: float = typer.Option(0.0, "--hold-out", help="Part of the questions kept back, and measured on."),
    features: str = typer.Option(
        ",".join(Recipe().groups), "--features", help=f"Of a probe: a list among {', '.join(GROUPS)}."
    ),
    labels: str = typer.Option("outcome", "--labels", help="Of a probe's steps: outcome or siblings."),
    complete: int = typer.Option(
        0, "--complete", metavar="N", help="Label some steps by N completions of a live model (--model)."
    ),
    model: str | None = options.MODEL,
    seed: int = _SEED,
    debug: bool = options.DEBUG,
) -> None:
    """Make a process reward model of your own from recorded samples, or calibrate other verifiers on them."""
    del debug  # read at the edge
    recipe = _recipe(features, labels)
    wanted = [plugins.verifier(text) for text in verifiers]
    if not 0 <= hold_out < 1:
        raise InputError(f"--hold-out takes 0 or a part under 1, not {hold_out:g}")
    if complete and (model is None or verifiers):
        raise InputError("--complete is for training a probe and needs the pool's live model; give --model")
    questions = anyio.run(read_graded, pools)
    kept, held = parted(questions, [question.row.cluster for question in questions], hold_out, seed)
    fitted = anyio.run(partial(_fitted, kept, wanted, recipe, complete, model or f"pool:{pools[0]}", seed))
    replace_file(Path(out).expanduser(), [to_json(fitted)], "check the folder")
    print(told_fit(fitted, out), file=sys.stderr)
    if held:
        text = _used(fitted, out, verifiers)
        report = anyio.run(partial(_evaluated, text, held, model or f"pool:{pools[0]}", seed))
        print(told_pool(report))


@app.command("eval")
def eval_(
    verifier: str = typer.Argument(..., help='For example confidence, or "probe(file=FILE)".'),
    files: list[str] = typer.Argument(..., metavar="POOL…|STEPS.jsonl", help="Pools, or one file of labelled steps."),
    out: str | None = typer.Option(None, "--out", metavar="FILE", help="Write the figures here, as JSON."),
    as_json: bool = typer.Option(False, "--json", help="Print one JSON object."),
    model: str | None = options.MODEL,
    seed: int = _SEED,
    limit: int | None = typer.Option(None, "--limit", help="How many questions (or rows) to take, by lot."),
    timeout: float | None = options.TIMEOUT,
    no_cache: bool = options.NO_CACHE,
    debug: bool = options.DEBUG,
) -> None:
    """Measure a verifier: does it tell right from wrong, is it calibrated, and does choosing by it pay?"""
    del debug  # read at the edge
    plugins.verifier(verifier)
    options.above_zero(limit=limit)
    report: Report | StepReport
    if is_step_file(files[0]):
        if len(files) > 1:
            raise InputError(f"{files[0]} is a file of labelled steps, which is measured alone; leave the others out")
        report = anyio.run(partial(_on_steps, verifier, files[0], model or "fake", seed, limit, timeout, not no_cache))
        told = told_steps(report)
    else:
        questions = _drawn(anyio.run(read_graded, files), limit, seed)
        report = anyio.run(
            partial(_evaluated, verifier, questions, model or f"pool:{files[0]}", seed, timeout, not no_cache)
        )
        told = told_pool(report)
    text = json.dumps(report.to_dict())
    if out is not None:
        replace_file(Path(out).expanduser(), [text.encode() + b"\n"], "check the folder")
    print(text if as_json else told)


async def _fitted(
    questions: list[Graded], wanted: list[Verifier], recipe: Recipe, complete: int, model: str, seed: int
) -> Fitted:
    async with Engine(model) as engine:
        if wanted:
            return await calibrate(engine, wanted, questions, seed)
        shares: Completed = {}
        if complete:
            shares, spent = await completed(engine, questions, complete)
            print(f"outthink: {len(shares)} chains gone on with, {spent.tokens:,} tokens", file=sys.stderr)
        return train_probe(questions, recipe, completed=shares, seed=seed)


async def _evaluated(
    text: str, questions: list[Graded], model: str, seed: int, timeout: float | None = None, cache: bool = True
) -> Report:
    async with Engine(model, timeout=timeout, cache=cache) as engine:
        return await evaluate(engine, plugins.verifier(text), text, questions, seed=seed)


async def _on_steps(
    text: str, file: str, model: str, seed: int, limit: int | None, timeout: float | None, cache: bool
) -> StepReport:
    rows = _drawn(read_solutions(file), limit, seed)
    async with Engine(model, timeout=timeout, cache=cache) as engine:
        return await evaluate_steps(engine, plugins.verifier(text), text, rows, seed=seed)


def _recipe(features: str, labels: str) -> Recipe:
    groups = tuple(name.strip() for name in features.split(","))
    if unknown := [name for name in groups if name not in GROUPS]:
        raise InputError(f"--features: {unknown[0]!r} does not exist; use a list among {', '.join(GROUPS)}")
    found: Labels | None = next((name for name in LABELS if name == labels), None)
    if found is None:
        raise InputError(f"--labels takes {' or '.join(LABELS)}, not {labels!r}")
    return Recipe(groups, found)


def _drawn(found: list[T], limit: int | None, seed: int) -> list[T]:
    """So many of them, in their order; files are often sorted by what is measured."""
    if limit is None or limit >= len(found):
        return found
    return [found[place] for place in sorted(random.Random(seed).sample(range(len(found)), limit))]


def _used(fitted: Fitted, file: str, verifiers: list[str]) -> str:
    """The expression that uses the file."""
    named = json.dumps(file)
    if fitted.kind == "probe":
        return f"probe(file={named})"
    if fitted.kind == "calibrated":
        return f"calibrated({verifiers[0]}, file={named})"
    return f"stack([{', '.join(verifiers)}], file={named})"
