"""The report as one HTML page that needs nothing else: no script, no request, no date.

Everything that a model or a data set wrote is escaped, and the page forbids scripts besides.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib.resources import files
from typing import Any

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from outthink.bench.report.examples import APART, MOST, Accuracies, Balance, Example, shown_leads
from outthink.bench.report.findings import findings, headline
from outthink.bench.report.frontier import crowded, frontier
from outthink.bench.report.markdown import fingerprint, subject
from outthink.bench.report.plots import NARROW, WIDE, difference, reach_of, reliability, scaling
from outthink.bench.report.standing import Standing
from outthink.bench.report.tables import (
    LEVELS,
    Table,
    calibration,
    differences,
    difficulty,
    part,
    savings,
    stops,
    strategies,
)
from outthink.bench.report.wording import count, in_html, named, share, shortened, visible

_SECTIONS = (
    ("frontier", "Accuracy against tokens", ("frontier",)),
    ("strategies", "Strategies", ("strategies",)),
    ("differences", "Differences", ("told", "unsure")),
    ("scaling", "More samples", ("scaling",)),
    ("savings", "Tokens at the same accuracy", ("savings",)),
    ("difficulty", "Easy and hard", ("difficulty",)),
    ("confidence", "Confidence", ("reliable", "calibration")),
    ("stops", "Why runs ended", ("stops",)),
    ("won", "Won and lost", ("balances",)),
    ("examples", "Examples", ("examples",)),
    ("repeat", "How to repeat it", ("fingerprint",)),
)
"""Of each section its id, what the contents call it, and what it shows, any of which makes it appear."""
_TOGETHER = 4
"""Curves in one plot at most; more get a plot each."""
_PAIRS = 15
"""Pairs shown before those that could not be told apart are folded away."""
_LONGEST = 4000
"""Characters of a question or a candidate that are shown."""


def as_page(
    standing: Standing, accuracies: Accuracies, balances: Sequence[Balance], examples: Sequence[Example]
) -> str:
    """The whole page."""
    own = files(__package__ or __name__)
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    filters: dict[str, Any] = {
        "sentence": in_html, "share": share, "count": count, "clipped": clipped, "oneline": _one_line, "named": named,
    }  # fmt: skip
    environment.filters.update(filters)
    template = environment.from_string(own.joinpath("page.html.j2").read_text("utf-8"))
    style = Markup(own.joinpath("page.css").read_text("utf-8"))
    content = _content(standing, accuracies, balances, examples)
    sections = [(name, title, any(content[one] for one in shown)) for name, title, shown in _SECTIONS]
    return template.render(style=style, sections=sections, **content)


def _content(
    standing: Standing, accuracies: Accuracies, balances: Sequence[Balance], examples: Sequence[Example]
) -> dict[str, Any]:
    summary = standing.summary
    numbers = {example.id: example.number for example in examples}
    return {
        "subject": subject(standing),
        "headline": headline(standing),
        "findings": findings(standing),
        "entries": standing.entries,
        "summary": summary,
        "standing_models": len(standing.models),
        "crowded": crowded(standing),
        "frontier": _both(lambda width: frontier(standing, width)),
        "scaling": _scaling(standing),
        "reliable": [(entry, plot) for entry in standing.entries if (plot := reliability(entry))],
        "strategies": strategies(standing),
        "told": _differences(standing, [contest for contest in standing.contests if contest.told]),
        "unsure": _differences(standing, [contest for contest in standing.contests if not contest.told]),
        "fold": len(standing.contests) > _PAIRS,
        "savings": savings(standing),
        "difficulty": difficulty(standing),
        "heat": _heat(standing),
        "calibration": calibration(standing),
        "stops": stops(standing),
        "balances": [(one, *shown_leads(one, numbers)) for one in balances],
        "numbers": numbers,
        "questions": {one.id: one.question.question for one in examples if one.question},
        "apart": f"{APART * 100:.0f}",
        "most": MOST,
        "examples": examples,
        "repeats": accuracies.repeats,
        "asked": len(accuracies.of),
        "fingerprint": fingerprint(standing),
        "colours": {entry.label: entry.colour for entry in standing.entries},
    }


def _both(draw: Callable[[float], Markup | None]) -> Markup | None:
    """A plot for a wide window and one for a narrow: the style sheet shows the one that fits."""
    wide, narrow = draw(WIDE), draw(NARROW)
    return wide + narrow if wide is not None and narrow is not None else None


def _scaling(standing: Standing) -> list[Markup]:
    """One plot of few curves, in two sizes; of many, one small plot each."""
    names = list(standing.summary.curves)
    if len(names) <= _TOGETHER:
        drawn = [scaling(standing, names, WIDE, 400.0, "wide"), scaling(standing, names, NARROW, 340.0, "narrow")]
    else:
        drawn = [scaling(standing, [name], NARROW, 260.0, "small") for name in names]
    return [plot for plot in drawn if plot is not None]


def _differences(standing: Standing, contests: Sequence[Any]) -> tuple[Table, list[Markup]] | None:
    """The table of some pairs and a drawing for each of its rows, all to one scale."""
    reach = reach_of(standing.contests)
    if not contests:
        return None
    return differences(contests, verdict=False), [difference(one, reach) for one in contests]


def _heat(standing: Standing) -> list[list[float]]:
    """Accuracies of the table of difficulties, to shade its cells by."""
    table = standing.summary.by_difficulty or {}
    rows = [parts for entry in standing.entries if (parts := standing.of(entry, table))]
    levels = [level for level in LEVELS if any(level in parts and parts[level].n for parts in rows)]
    return [[part(parts, level).accuracy or 0.0 for level in levels] for parts in rows]


def clipped(text: str) -> str:
    """Text as it is shown: its control characters visible, and cut where it is very long."""
    shown = visible(text)
    return shown if len(shown) <= _LONGEST else f"{shown[:_LONGEST]}…\n[{len(shown) - _LONGEST:,} characters more]"


def _one_line(text: str | None, length: int) -> str:
    return shortened(visible(text or ""), length)
