"""The rows of a bench as a pandas DataFrame; pandas (extra ``pandas``) is loaded when one is asked for."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from outthink.bench.results import read_lines
from outthink.core.errors import InputError

if TYPE_CHECKING:
    from pandas import DataFrame

_TEXT, _COUNT, _NUMBER = "string", "Int64", "Float64"
RUNS: Mapping[str, str] = {
    "strategy": _TEXT,
    "model": _TEXT,
    "id": _TEXT,
    "repeat": _COUNT,
    "correct": _NUMBER,
    "answer": _TEXT,
    "confidence": _NUMBER,
    "confidence_source": _TEXT,
    "stop_reason": _TEXT,
    "samples": _COUNT,
    "calls": _COUNT,
    "prompt_tokens": _COUNT,
    "completion_tokens": _COUNT,
    "tokens": _COUNT,
    "verifier_tokens": _COUNT,
    "usd": _NUMBER,
    "seconds": _NUMBER,
    "flops": _NUMBER,
}
"""The columns of ``rows.jsonl`` and their types in the frame, in order."""
QUESTIONS: Mapping[str, str] = {
    "id": _TEXT,
    "question": _TEXT,
    "gold": _TEXT,
    "grader": _TEXT,
    "kind": _TEXT,
    "cluster": _TEXT,
    "difficulty": _NUMBER,
}
"""The columns that ``questions.jsonl`` adds."""


def frame(directory: str | Path, *, questions: bool = False) -> DataFrame:
    """``DIR/rows.jsonl`` of ``outthink bench``, one row a run: the columns of `RUNS`, then what else the file holds.

    ``correct``, ``confidence`` are in [0, 1], ``seconds`` wall time, ``usd`` dollars; what is not known is ``NA``.
    ``questions``: with each question's columns (`QUESTIONS`), joined by ``id``. Raises `InputError` without pandas, for
    a folder that is no bench's, and for a line that cannot be read.
    """
    runs = _table(Path(directory) / "rows.jsonl", RUNS)
    if not questions:
        return runs
    asked = _table(Path(directory) / "questions.jsonl", QUESTIONS)[list(QUESTIONS)]
    if asked["id"].duplicated().any():
        raise InputError(f"{directory}/questions.jsonl names a question twice; run the bench again")
    return runs.merge(asked, on="id", how="left")


def _table(path: Path, columns: Mapping[str, str]) -> Any:
    try:
        import pandas
    except ImportError as error:
        raise InputError("a frame needs pandas; run: pip install 'outthink[pandas]'") from error
    table: Any = pandas.DataFrame(list(read_lines(path, dict[str, Any])))
    table = table.reindex(columns=[*columns, *(name for name in table.columns if name not in columns)])
    try:
        return table.astype(dict(columns))
    except (TypeError, ValueError) as error:
        raise InputError(f"{path} holds a value of another type ({error}); run the bench again") from error
