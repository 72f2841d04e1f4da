"""The report as Markdown: the findings and the tables, for a pull request or a README."""

from __future__ import annotations

import json

from outthink.bench.report.findings import findings, headline
from outthink.bench.report.standing import Standing
from outthink.bench.report.tables import Table, calibration, differences, difficulty, savings, stops, strategies
from outthink.bench.report.wording import count


def as_markdown(standing: Standing) -> str:
    """The whole text."""
    summary = standing.summary
    found = "\n".join(f"- **{about}.** {sentence}" for about, sentence in findings(standing))
    sections: list[tuple[str, Table | None]] = [
        ("Strategies, in order of tokens (not a ranking)", strategies(standing)),
        ("Differences", differences(standing.contests) if standing.contests else None),
        ("Tokens at the same accuracy", savings(standing)),
        ("By difficulty", difficulty(standing)),
        ("Confidence", calibration(standing)),
        ("Why runs ended", stops(standing)),
    ]
    parts = [
        f"# {subject(standing)}",
        f"**{headline(standing)}**",
        found,
        *(f"## {title}\n\n{_written(table)}" for title, table in sections if table),
        f"## How to repeat it\n\n{_fenced(chr(10).join(summary.commands), 'bash')}" if summary.commands else "",
        _fenced(fingerprint(standing), "json"),
        "\n".join(f"- {' '.join(note.split())}" for note in summary.notes),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def subject(standing: Standing) -> str:
    """What was measured on what."""
    summary, several = standing.summary, len(standing.entries)
    asked = f"{count(summary.data.questions)} questions" if summary.data.questions else "questions"
    source = summary.data.path.replace("\\", "/").rsplit("/", 1)[-1]
    named = f" of {source}" if source else ""
    model = f" with {standing.models[0]}" if len(standing.models) == 1 and standing.models[0] else ""
    return f"{several} {'strategy' if several == 1 else 'strategies'} on {asked}{named}{model}"


def fingerprint(standing: Standing) -> str:
    """What the figures rest on, as JSON."""
    summary = standing.summary
    data = {"path": summary.data.path, "sha256": summary.data.fingerprint, "questions": summary.data.questions}
    made = {"data": data, **summary.fingerprint, "outthink": summary.version}
    return json.dumps(made, indent=2, ensure_ascii=False, sort_keys=True, default=str)


def _written(table: Table) -> str:
    """Strategies are numbered where a column speaks of their numbers."""
    numbered = "better than" in table.columns
    columns = ["", *table.columns] if numbered else table.columns
    rows = [[str(place), *row] for place, row in enumerate(table.rows, start=1)] if numbered else table.rows
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join(f"| {' | '.join(_cell(cell) for cell in line)} |" for line in lines)


def _cell(text: str) -> str:
    return (
        text.replace("|", "\\|").replace("\n", " ").replace("<", "&lt;")
        if "`" not in text
        else text.replace("|", "\\|")
    )


def _fenced(text: str, language: str) -> str:
    fence = "```"
    while fence in text:
        fence += "`"
    return f"{fence}{language}\n{text}\n{fence}"
