"""What a bench leaves behind, for people: a page, a text and a table, made from the bench's own files.

Needs jinja2 (extra ``bench``). The same files give the same bytes.
"""

from __future__ import annotations

from pathlib import Path

from outthink.batch.files import replace_file
from outthink.bench.report.examples import Accuracies, examples
from outthink.bench.report.markdown import as_markdown
from outthink.bench.report.page import as_page
from outthink.bench.report.records import read_outcomes, read_summary
from outthink.bench.report.standing import Standing
from outthink.bench.report.tables import as_csv

__all__ = ["write"]


def write(directory: Path) -> list[Path]:
    """Make ``report.html``, ``report.md`` and ``table.csv`` of a bench's ``summary.json``, ``rows.jsonl`` and
    ``questions.jsonl`` in the same directory; returns their paths.

    Each is replaced whole. Raises `InputError` where the bench's files cannot be read or these not be written.
    """
    standing = Standing(read_summary(directory))
    accuracies = Accuracies(standing, read_outcomes(directory))
    balances = [accuracies.balance(entry.label) for entry in standing.entries] if len(standing.entries) > 1 else []
    page = as_page(standing, accuracies, balances, examples(directory, standing, accuracies, balances))
    made = {"report.html": page, "report.md": as_markdown(standing), "table.csv": as_csv(standing)}
    for name, content in made.items():
        replace_file(directory / name, [content.encode()], "make room or free the folder")
    return [directory / name for name in made]
