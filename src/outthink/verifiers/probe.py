"""Probe: a process reward model of your own, fitted on recorded samples (``outthink verifier train POOL… -o FILE``).

A calibrated head over `outthink.verifiers.features`, which cost no pass of any model. Each step's measure is the
probability that a chain which has come so far ends right (Wang et al., 2023, "Math-Shepherd", arXiv:2312.08935, with
outcomes as labels); a candidate's is its last step's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from outthink.core.candidate import Candidate, Score
from outthink.core.errors import InputError
from outthink.core.events import Warned
from outthink.core.problem import Problem
from outthink.core.protocols import Run
from outthink.verifiers.features import FEATURES, Row, rows_of
from outthink.verifiers.fitted import Fitted, read_fitted
from outthink.verifiers.heads import logistic

NAME = "probe"


@dataclass(frozen=True, slots=True)
class Probe:
    """A process reward model fitted on your own model's samples; costs no tokens."""

    file: str
    paper: ClassVar[str] = "arXiv:2312.08935"
    needs: ClassVar[tuple[str, ...]] = ("file",)
    alone: ClassVar[bool] = False
    """A candidate's score depends on the others it is scored with."""

    def __post_init__(self) -> None:
        check_features(self.fitted, self.file)

    @property
    def fitted(self) -> Fitted:
        """What the file holds. Raises `InputError`."""
        return read_fitted(self.file, "probe")

    async def score(self, problem: Problem, candidates: Sequence[Candidate], run: Run) -> list[Score]:
        fitted = self.fitted
        other = fitted.elsewhere(candidates)
        if other:
            run.emit(Warned(message=f"the probe {self.file} was fitted on {other}; it gives no probability"))
        return [score_rows(fitted, rows, other is None) for rows in rows_of(problem.question, candidates)]


def score_rows(fitted: Fitted, rows: Sequence[Row], known: bool = True) -> Score:
    """A candidate's score from the features of its steps; a probability only where its origin is ``known``."""
    if fitted.curve is None:  # it showed no value on its pool
        return Score(verifier=NAME)
    odds = [fitted.raw([row[name] for name in fitted.columns]) for row in rows]
    steps = tuple(fitted.curve.of(one) if known else logistic(one) for one in odds)
    return Score(verifier=NAME, raw=logistic(odds[-1]), value=steps[-1] if known else None, steps=steps)


def check_features(fitted: Fitted, file: str) -> None:
    """Raises `InputError` for a file that asks for features there are not."""
    unknown = sorted(set(fitted.columns) - set(FEATURES))
    if unknown:
        raise InputError(
            f"the verifier file {file} asks for {', '.join(unknown)}, which this outthink does not compute; "
            "train it again with: outthink verifier train"
        )
