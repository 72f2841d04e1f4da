"""The results of README and docs/results.md, from the recorded pools in benchmarks/pools; no model runs.

    python benchmarks/results.py [--write] [--repeats 100] [--out DIR]

Each pool is benched (100 random orders of its samples), with the reports in DIR. Differences are paired by question; an
interval is at 95 %. ``--write`` puts the tables between the marks in README.md and docs/results.md, and the
plots into docs.
"""

from __future__ import annotations

import argparse
import re
import tempfile
from collections import ChainMap, defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import anyio
import numpy as np
from plots import Dot, Panel, Series, figure

from outthink.bench.plan import Asked
from outthink.bench.results import ROWS, RunRow, read_lines
from outthink.bench.rows import text_mark
from outthink.bench.run import bench
from outthink.bench.stats import Estimate, compare
from outthink.bench.summary import StrategyFigures, Summary
from outthink.models.pool import PoolRow, order, read_pool

ROOT = Path(__file__).resolve().parent
TESTED = "best-of-n(n={n}, verifier=recorded(tests))"
FIRST_PASS = "best-of-n(n={n}, verifier=recorded(tests), until_verified=true, width=1)"
PROGRAMS = {
    "one sample": "self-consistency(n=1)",
    "vote of 8 by text": "self-consistency(n=8)",
    "best of 8, `confidence`": "best-of-n(n=8, verifier=confidence)",
    "best of 8, one public test": TESTED.format(n=8),
    "until the public test passes, at most 8": FIRST_PASS.format(n=8),
}
"""What is asked of pools of programs."""
MANY = PROGRAMS | {
    "until the public test passes, at most 16": FIRST_PASS.format(n=16),
    "until the public test passes, at most 64": FIRST_PASS.format(n=64),
    "best of 64, one public test": TESTED.format(n=64),
    "`auto`": "auto(effort=low, policy=off, verifier=recorded(tests))",
    "`auto`, effort high": "auto(effort=high, policy=off, verifier=recorded(tests))",
}
"""What is asked of pools of programs with 64 samples a question."""
HALF = {name: text for name, text in MANY.items() if "64" not in name}
"""What is asked of pools of programs with 32: `auto` at high effort takes no more."""
VOTES = {
    "one sample": "self-consistency(n=1)",
    "vote of 16": "self-consistency(n=16)",
    "best of 16, arithmetic checked (`symbolic`)": "best-of-n(n=16, verifier=recorded(symbolic))",
    "best of 16, `confidence`": "best-of-n(n=16, verifier=confidence)",
    "single most confident of 16": "best-of-n(n=16, verifier=confidence, aggregate=max)",
    "`auto`": "auto(effort=low, policy=off)",
}
"""What is asked of pools of numbers."""


class Set(NamedTuple):
    """One pool: its title, file, strategies (the first is the base), and what each is called in the tables."""

    title: str
    file: str
    strategies: dict[str, str]


SETS = (
    Set(
        "SVAMP word problems, 0.5B",
        "svamp120_05b.jsonl.gz",
        {"one sample": VOTES["one sample"], "vote of 4": "self-consistency(n=4)"} | VOTES,
    ),
    Set("SVAMP, lines 121 to 200, held out, 0.5B", "svamp80_05b.jsonl.gz", VOTES),
    Set("Sums of whole numbers (`chain_sum`, seed 11), 0.5B", "rg_chain_sum60_05b.jsonl.gz", VOTES),
    Set("Sums of whole numbers, seed 21, held out, 0.5B", "rg_chain_sum60_s21_05b.jsonl.gz", VOTES),
    Set("Linear equations (`simple_equations`, seed 12), 0.5B", "rg_simple_equations60_05b.jsonl.gz", VOTES),
    Set("Linear equations, seed 22, held out, 0.5B", "rg_simple_equations60_s22_05b.jsonl.gz", VOTES),
    Set("Legs of two to four kinds (`leg_counting`, seed 13), 0.5B", "rg_leg_counting60_05b.jsonl.gz", VOTES),
    Set("GSM8K word problems, 0.5B", "gsm40_05b.jsonl.gz", VOTES),
    Set("MBPP programs, 0.5B", "mbpp200_05b.jsonl.gz", MANY),
    Set("MBPP programs, rows 251 to 427, held out, 0.5B", "mbpp177_05b.jsonl.gz", HALF),
    Set("MBPP programs, 1.5B", "mbpp200_15b.jsonl.gz", PROGRAMS),
)
ONCE = {"one answer": "self-consistency(n=1, temperature=0)"}
LARGER = {
    "svamp120_05b.jsonl.gz": "svamp120_15b_greedy.jsonl.gz",
    "rg_chain_sum60_05b.jsonl.gz": "rg_chain_sum60_15b_greedy.jsonl.gz",
    "rg_simple_equations60_05b.jsonl.gz": "rg_simple_equations60_15b_greedy.jsonl.gz",
    "rg_leg_counting60_05b.jsonl.gz": "rg_leg_counting60_15b_greedy.jsonl.gz",
    "gsm40_05b.jsonl.gz": "gsm40_15b_greedy.jsonl.gz",
    "mbpp200_05b.jsonl.gz": "mbpp200_15b_greedy.jsonl.gz",
    "mbpp177_05b.jsonl.gz": "mbpp177_15b_greedy.jsonl.gz",
}
"""The larger model's one answer to the same questions."""
SIZES = "| | 0.5B with | right, % | 1.5B answering once (greedy), % | points | compute × |\n|---|---|---|---|---|---|"
DUELISTS = (
    "one sample",
    "vote of 16",
    "`auto`",
    "`auto`, effort high",
    "until the public test passes, at most 8",
    "until the public test passes, at most 16",
    "until the public test passes, at most 64",
)
"""What of the small model is held against the larger one: accuracy and compute (FLOPs) side by side."""


CURVES = {
    "self-consistency": ("vote of n", 0),
    "best-of-n(verifier=recorded(name=tests))": ("best of n, one public test", 2),
    "best-of-n(verifier=recorded(name=symbolic))": ("best of n, symbolic", 2),
    "best-of-n(verifier=recorded(name=tests), width=1, until_verified=true)": ("until the test passes", 1),
}
"""What is drawn as a line, by its technique: name, colour."""
CASCADE = "cascade: until the public test passes (at most {n}), else 1.5B once"
DOTS = {"`auto`": "auto", "`auto`, effort high": "auto, high"}


class Column(NamedTuple):
    """One strategy's means by question id."""

    right: dict[str, float]
    tokens: dict[str, float]
    flops: dict[str, float]


def columns(folder: Path, names: dict[str, str], labels: dict[str, str]) -> dict[str, Column]:
    """The rows of a bench as one column a strategy, by its name in the tables."""
    sums: dict[str, dict[str, list[RunRow]]] = defaultdict(lambda: defaultdict(list))
    for row in read_lines(folder / ROWS, RunRow):
        sums[row.strategy][row.id].append(row)
    found: dict[str, Column] = {}
    for name in names:
        rows = sums[labels[name]]
        found[name] = Column(
            {key: float(np.mean([row.correct for row in group])) for key, group in rows.items()},
            {key: float(np.mean([row.tokens for row in group])) for key, group in rows.items()},
            {key: float(np.mean([row.flops or 0.0 for row in group])) for key, group in rows.items()},
        )
    return found


async def benched(pool: Path, strategies: dict[str, str], out: Path, repeats: int) -> tuple[Summary, dict[str, Column]]:
    """A pool's bench, and its columns by the strategies' names in the tables."""
    folder = out / pool.name.split(".")[0]
    summary = await bench(pool, folder, Asked(strategies=tuple(strategies.values()), repeats=repeats))
    labels = dict(zip(strategies, (one.strategy for one in summary.strategies), strict=True))
    return summary, columns(folder, strategies, labels)


def against(one: Column, base: Column) -> tuple[Estimate, Estimate, list[str]]:
    """Difference in points and ratio of tokens, paired by the questions that both have."""
    ids = sorted(set(one.right) & set(base.right))
    found = compare(
        ([one.right[key] for key in ids], [one.tokens[key] for key in ids]),
        ([base.right[key] for key in ids], [base.tokens[key] for key in ids]),
    )
    return found.accuracy_diff, found.token_ratio, ids


def points(found: Estimate) -> str:
    return f"{100 * found.value:+.1f} [{100 * found.low:+.1f}, {100 * found.high:+.1f}]"


def table(made: Set, figures: list[StrategyFigures], cols: dict[str, Column], summary: Summary) -> str:
    lines = [
        f"### {made.title}",
        "",
        f"{summary.data.questions} questions (`{made.file}`); a random sample is right"
        f" {100 * (summary.random or 0):.1f} % of the time, any of all samples {100 * (summary.oracle or 0):.1f} %.",
        "",
        "| strategy | right, % | samples | tokens | new tokens | against the first, points |",
        "|---|---|---|---|---|---|",
    ]
    base = next(iter(cols.values()))
    for (name, text), one in zip(made.strategies.items(), figures, strict=True):
        low, high = one.accuracy_ci
        diff = "" if cols[name] is base else points(against(cols[name], base)[0])
        lines.append(
            f"| {name} <br>`{text}` | {100 * one.accuracy:.1f} [{100 * low:.1f}, {100 * high:.1f}] |"
            f" {one.samples_mean:.1f} | {one.tokens_mean:,.0f} | {one.completion_tokens_mean:,.0f} | {diff} |"
        )
    return "\n".join(lines)


def panel(made: Set, summary: Summary) -> Panel:
    """The plot of one pool."""
    lines = [
        Series(CURVES[name][0], CURVES[name][1], [Dot(tokens, right, low or 0.0, high or 1.0, f"n = {n}")
                                                  for n, tokens, right, low, high in points])
        for name, points in summary.curves.items()
        if name in CURVES
    ]  # fmt: skip
    for (name, _), one in zip(made.strategies.items(), summary.strategies, strict=True):
        if name in DOTS:
            low, high = one.accuracy_ci
            lines.append(Series(name, 1, [Dot(one.tokens_mean, one.accuracy, low or 0.0, high or 1.0, DOTS[name])]))
    title = re.sub(r" \(.*?\)|`", "", made.title)
    return Panel(title, lines, {} if summary.oracle is None else {"any of all samples": summary.oracle})


def brief(title: str, cols: dict[str, Column]) -> dict[str, str]:
    """One set in the README: its title, what the first strategy comes to, what each other adds and costs."""
    (name, base), *others = cols.items()
    found = {"": f"{title}, {len(base.right)}", name: f"{100 * np.mean([*base.right.values()]):.1f} %"}
    for name, one in others:
        diff, ratio, _ = against(one, base)
        found[name] = f"{points(diff)} · {ratio.value:.1f} ×"
    return found


def grid(sets: list[dict[str, str]], across: bool) -> str:
    """The README's table of several sets: a line each, or (``across``) a column each."""
    names = list(dict.fromkeys(name for one in sets for name in one))
    lines = [names, *([one.get(name, "") for name in names] for one in sets)]
    head, *rest = zip(*lines, strict=True) if across else lines
    return "\n".join(f"| {' | '.join(line)} |" for line in (head, ["---"] * len(head), *rest))


def duel(title: str, name: str, one: Column, other: Column) -> str:
    """A line of the table of compute."""
    diff, _, ids = against(one, other)
    ratio = np.mean([one.flops[key] for key in ids]) / np.mean([other.flops[key] for key in ids])
    right, theirs = (100 * np.mean([column.right[key] for key in ids]) for column in (one, other))
    return f"| {title} | {name} | {right:.1f} | {theirs:.1f} | {points(diff)} | {ratio:.2f} |"


class Match(NamedTuple):
    """The small model with its strategies, and the larger one's one answer, to the same questions."""

    title: str
    small: dict[str, Column]
    large: Column

    def lines(self) -> list[str]:
        return [duel(self.title, name, one, self.large) for name, one in self.small.items()]


async def match(made: Set, cols: dict[str, Column], out: Path, repeats: int) -> Match | None:
    """One set's match, where the larger model answered it."""
    large = ROOT / "pools" / LARGER.get(made.file, "")
    if not large.is_file():
        return None
    _, theirs = await benched(large, ONCE, out, 1)
    (other,) = theirs.values()
    small = {name: cols[name] for name in DUELISTS if name in cols}
    if made.strategies in (MANY, HALF):
        pool = ROOT / "pools" / made.file
        small |= {CASCADE.format(n=n): cascaded(pool, large, n, repeats) for n in (1, 2, 4, 8)}
    return Match(made.title.removesuffix(", 0.5B"), small, other)


def together(title: str, parts: list[Match]) -> Match:
    """Matches of the same strategies on different questions, as one."""
    names = [name for name in parts[0].small if all(name in part.small for part in parts)]
    small = {name: merged(part.small[name] for part in parts) for name in names}
    return Match(title, small, merged(part.large for part in parts))


def merged(parts: Iterable[Column]) -> Column:
    return Column(*(dict(ChainMap(*values)) for values in zip(*parts, strict=True)))


def cascaded(small: Path, large: Path, n: int, orders: int) -> Column:
    """The small model until its public test passes, at most ``n`` samples, else the large one's first answer.

    Worked out from two pools, in random orders of the small one's samples.
    """
    column = Column({}, {}, {})
    larger = {row.id: row for row in read_pool(large)}
    for row in read_pool(small):
        if row.id not in larger:
            continue
        other = larger[row.id]
        draws = [_cascade(row, other, order(row, seed)[:n]) for seed in range(orders)]
        means = np.mean(draws, axis=0)
        for values, mean in zip(column, means, strict=True):
            values[row.id] = float(mean)
    return column


def _cascade(small: PoolRow, large: PoolRow, places: Sequence[int]) -> tuple[float, float, float]:
    """One draw: right or not, tokens, FLOPs."""
    tokens = small.prompt_tokens
    for place in places:
        tokens += small.samples[place].tokens
        if small.samples[place].scores["tests"] == 1:
            right = text_mark(small.samples[place].text) in small.extra["right"]
            return float(right), tokens, 2 * (small.fingerprint.parameters or 0) * tokens
    more = large.prompt_tokens + large.samples[0].tokens
    flops = 2 * ((small.fingerprint.parameters or 0) * tokens + (large.fingerprint.parameters or 0) * more)
    return float(text_mark(large.samples[0].text) in large.extra["right"]), tokens + more, flops


async def main(repeats: int, out: Path, write: bool) -> None:
    parts, panels = [], list[Panel]()
    numbers, programs, matches = list[dict[str, str]](), list[dict[str, str]](), list[Match]()
    for made in SETS:
        pool = ROOT / "pools" / made.file
        if not pool.exists():
            continue
        summary, cols = await benched(pool, made.strategies, out, repeats)
        parts.append(table(made, summary.strategies, cols, summary))
        if "held out" not in made.title:
            panels.append(panel(made, summary))
        (programs if "MBPP" in made.title else numbers).append(brief(made.title, cols))
        if (met := await match(made, cols, out, repeats)) is not None:
            matches.append(met)
    if len(many := [one for one in matches if "MBPP" in one.title]) > 1:
        matches.append(together("MBPP programs, both", many))
    fought = [line for one in matches for line in one.lines()]
    full = "\n\n".join((*parts, "### A small model and a larger one", "\n".join((SIZES, *fought))))
    few = "\n\n".join(
        (
            grid(numbers, across=False),
            grid(programs, across=True),
            "\n".join((SIZES, *(line for line in fought if "`auto`" in line or "both" in line))),
        )
    )
    print(full)
    if write:
        label = "Accuracy against tokens on recorded pools"
        (ROOT.parent / "docs" / "results.svg").write_text(figure(panels, label))
    for name, text in (("README.md", few), ("docs/results.md", full)) if write else ():
        path = ROOT.parent / name
        marked = re.compile(r"(<!-- results -->\n).*?(<!-- end of results -->)", re.DOTALL)
        path.write_text(marked.sub(lambda found, text=text: found[1] + text + "\n" + found[2], path.read_text()))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--repeats", type=int, default=100)
    parser.add_argument("--out", type=Path, default=None)
    given = parser.parse_args()
    anyio.run(main, given.repeats, given.out or Path(tempfile.mkdtemp()), given.write)
