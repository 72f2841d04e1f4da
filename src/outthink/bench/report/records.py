"""The three files of a bench as the report reads them: only what it shows, and nothing that has to be there.

Knows nothing of how they are made. Missing figures are None, and the report leaves out what nobody measured.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from outthink.core.errors import InputError

Interval = tuple[float | None, float | None]
"""Low and high end; None for an end that does not exist (infinite)."""

Curve = tuple[tuple[float | None, ...], ...]


class Bin(msgspec.Struct, frozen=True, kw_only=True):
    """Questions of similar confidence; ``lo`` and ``hi`` bound their accuracy."""

    confidence: float
    accuracy: float
    n: int = 0
    lo: float | None = None
    hi: float | None = None


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """One strategy on one model. Tokens, seconds and dollars are means (or quantiles) over questions."""

    strategy: str
    model: str = ""
    accuracy: float
    accuracy_ci: Interval | None = None
    tokens_mean: float | None = None
    completion_tokens_mean: float | None = None
    verifier_tokens_mean: float | None = None
    samples_mean: float | None = None
    calls_mean: float | None = None
    seconds_p50: float | None = None
    seconds_p95: float | None = None
    usd_mean: float | None = None
    flops_mean: float | None = None
    confidence_ece: float | None = None
    ece_if_calibrated_95: float | Interval | None = None
    brier: float | None = None
    reliability: tuple[Bin, ...] | None = None
    stop_reasons: dict[str, int] | None = None
    errors: int | None = None


class Pair(msgspec.Struct, frozen=True, kw_only=True):
    """a against b: ``accuracy_diff`` is a minus b, ratios are a over b."""

    a: str
    b: str
    accuracy_diff: float
    accuracy_diff_ci: Interval | None = None
    accuracy_diff_p: float | None = None
    holm_p: float | None = None
    detectable_difference: float | None = None
    distinguishable: bool | None = None
    mcnemar_p: float | None = None
    token_ratio: float | None = None
    token_ratio_ci: Interval | None = None
    flops_ratio: float | None = None
    seconds_ratio: float | None = None


class SameAccuracy(msgspec.Struct, frozen=True, kw_only=True):
    """For a's ``accuracy`` the curve b needs ``ratio`` times a's tokens; None where it never gets there."""

    a: str
    b: str
    accuracy: float | None = None
    ratio: float | None = None
    ratio_ci: Interval | None = None


class Level(msgspec.Struct, frozen=True, kw_only=True):
    """A strategy on the easy, medium or hard questions; ``n`` of them."""

    accuracy: float | None = None
    n: int = 0
    tokens: float | None = None


class Data(msgspec.Struct, frozen=True, kw_only=True):
    """What was answered."""

    path: str = ""
    questions: int | None = None
    fingerprint: str | None = None


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """``summary.json``. Curves hold (samples, tokens, accuracy, low, high), or (samples, accuracy) alone.

    ``kind``: ``pool`` or ``live``. ``random``: a single sample; ``oracle``: the best of all ``samples`` of a question.
    """

    kind: str = ""
    repeats: int | None = None
    seed: int | None = None
    budget: str = ""
    samples: int | None = None
    data: Data = Data()
    strategies: tuple[Measured, ...]
    pairs: tuple[Pair, ...] = ()
    random: float | None = None
    oracle: float | None = None
    frontier: dict[str, tuple[tuple[float | None, float | None], ...]] = {}
    curves: dict[str, Curve] = {}
    random_curve: Curve | None = None
    oracle_curve: Curve | None = None
    majority_curve: Curve | None = None
    iso_accuracy: tuple[SameAccuracy, ...] | None = None
    by_difficulty: dict[str, dict[str, Level]] | None = None
    commands: tuple[str, ...] = ()
    fingerprint: dict[str, Any] = {}
    version: str = ""
    notes: tuple[str, ...] = ()


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """A line of ``rows.jsonl``: one strategy on one question, once."""

    strategy: str
    model: str = ""
    id: str
    repeat: int = 0
    correct: float | None = None
    answer: str | None = None


class Sample(msgspec.Struct, frozen=True, kw_only=True):
    """A recorded sample of a question."""

    text: str = ""
    answer: str | None = None
    correct: float | None = None
    tokens: float | None = None


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """A line of ``questions.jsonl``. ``difficulty``: the mean accuracy of one sample."""

    id: str
    question: str = ""
    gold: str | None = None
    grader: str = ""
    kind: str = ""
    difficulty: float | None = None
    samples: tuple[Sample, ...] | None = None


def read_summary(directory: Path) -> Summary:
    """Raises `InputError` where there is none or it cannot be read."""
    path = directory / "summary.json"
    try:
        summary = msgspec.json.decode(path.read_bytes(), type=Summary)
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror}); run `outthink bench` with --out first") from error
    except msgspec.DecodeError as error:
        raise InputError(f"{path} is no summary of a bench ({error}); run `outthink bench` again") from error
    if not summary.strategies:
        raise InputError(f"{path} has no strategies; run `outthink bench` with at least one")
    return summary


def read_outcomes(directory: Path) -> Iterator[Outcome]:
    """The rows, one at a time; none where there is no file."""
    return _lines(directory / "rows.jsonl", Outcome)


def read_questions(directory: Path) -> Iterator[Question]:
    """The questions, one at a time; none where there is no file."""
    return _lines(directory / "questions.jsonl", Question)


_T = TypeVar("_T")


def _lines(path: Path, kind: type[_T]) -> Iterator[_T]:
    decoder = msgspec.json.Decoder(kind)
    try:
        with path.open("rb") as file:
            for number, line in enumerate(file, start=1):
                if not line.strip():
                    continue
                try:
                    yield decoder.decode(line)
                except msgspec.DecodeError as error:
                    raise InputError(
                        f"{path} line {number} cannot be read ({error}); remove it and run the bench again"
                    ) from error
    except FileNotFoundError:
        return
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror}); check its permissions") from error
