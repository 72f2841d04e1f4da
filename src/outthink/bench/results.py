"""What a bench leaves in its folder: one shape a file. The report, the frame and the summary read only these.

plan.json        what is being run; a bench is gone on with only by the same plan
rows.jsonl       `RunRow`: every run, questions in order, of each the models, strategies and repeats
questions.jsonl  `QuestionRow`: every question with some of its samples
summary.json     `outthink.bench.summary.Summary`
grades.jsonl     `Graded`: every sample of a pool, graded
curves.jsonl     `Curves`: of each question, what techniques come to at growing n (pools)
runs.jsonl       `Ran`: live runs as they finish, which rows.jsonl is made of at the end
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TypeVar

import msgspec

from outthink.batch.files import replace_file
from outthink.core.candidate import ConfidenceSource, StopReason
from outthink.core.errors import InputError

PLAN, ROWS, QUESTIONS, SUMMARY = "plan.json", "rows.jsonl", "questions.jsonl", "summary.json"
GRADES, CURVES, RUNS = "grades.jsonl", "curves.jsonl", "runs.jsonl"
SHOWN = 16
"""Samples of a question that are kept for showing, at most."""

S = TypeVar("S")
encode = msgspec.json.Encoder().encode


class RunRow(msgspec.Struct, frozen=True, kw_only=True):
    """One run of a strategy on a question. ``correct`` in [0, 1]; ``samples``: candidates paid for.

    ``seconds`` of wall time are null for a replay; ``usd`` and ``flops`` where price or size are not known. A run that
    came to nothing has an ``error`` (and no ``stop_reason``) and counts as wrong.
    """

    strategy: str
    model: str
    id: str
    repeat: int
    correct: float
    answer: str | None = None
    confidence: float | None = None
    confidence_source: ConfidenceSource | None = None
    stop_reason: StopReason | None = None
    samples: int = 0
    calls: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    tokens: int = 0
    verifier_tokens: int = 0
    usd: float | None = None
    seconds: float | None = None
    flops: float | None = None
    error: str | None = None


class Shown(msgspec.Struct, frozen=True):
    """One sample of a question, for showing."""

    text: str
    answer: str | None
    correct: float
    tokens: int


class QuestionRow(msgspec.Struct, frozen=True, kw_only=True):
    """One question. ``difficulty``: the mean grade of its single samples, null where none is known."""

    id: str
    question: str
    gold: str
    grader: str
    kind: str
    cluster: str
    difficulty: float | None
    samples: list[Shown] = []


class Graded(msgspec.Struct, frozen=True, kw_only=True):
    """A pool row's samples: grade, answer (equal text, equal answer) and new tokens of each."""

    id: str
    prompt_tokens: int
    grades: list[float]
    answers: list[str | None]
    tokens: list[int]


class Curves(msgspec.Struct, frozen=True, kw_only=True):
    """Of one question, by technique: at each n the mean tokens and the mean grade over the orders of replay."""

    id: str
    points: dict[str, list[tuple[int, float, float]]]


class Ran(msgspec.Struct, frozen=True, kw_only=True):
    """A live run with what it sampled. ``graded``: how many single samples, and the sum of their grades."""

    row: RunRow
    samples: list[Shown] = []
    graded: tuple[int, float] = (0, 0.0)
    retry: bool = False


def read_lines(path: Path, kind: type[S]) -> Iterator[S]:
    """The structs of a file, one a line. Raises `InputError` naming the line that is not one."""
    decode = msgspec.json.Decoder(kind).decode
    try:
        with path.open("rb") as file:
            for number, line in enumerate(file, start=1):
                try:
                    yield decode(line)
                except (msgspec.DecodeError, UnicodeDecodeError) as error:
                    raise InputError(f"{path}, line {number}: {error}; name another folder, or remove it") from error
    except OSError as error:
        raise InputError(
            f"{path} cannot be read ({error.strerror}); name the folder that outthink bench wrote (--out)"
        ) from error


def put(path: Path, parts: Iterable[bytes]) -> None:
    """Write a whole file at one stroke."""
    replace_file(path, parts, "what was run is kept: make room, and run it again")


def as_lines(structs: Iterable[msgspec.Struct]) -> Iterator[bytes]:
    """Structs as lines of JSON."""
    return (encode(one) + b"\n" for one in structs)
