"""Raw scores made probabilities: of one verifier (``calibrated``), or of several together (``stack``).

Both read what ``outthink verifier train POOL… --verifier V… -o FILE`` fitted on recorded samples. A verifier that
showed no value there abstains, which leaves a plain vote; on another model's samples it gives no probability.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from outthink.core.candidate import Candidate, Score
from outthink.core.errors import InputError
from outthink.core.events import Warned
from outthink.core.problem import Problem
from outthink.core.protocols import Run, Verifier
from outthink.verifiers.fitted import Fitted, read_fitted


@dataclass(frozen=True, slots=True)
class Calibrated:
    """Another verifier with its scores made probabilities, as fitted on recorded samples."""

    verifier: Verifier
    file: str
    needs: ClassVar[tuple[str, ...]] = ("file",)

    def __post_init__(self) -> None:
        _ = self.fitted

    @property
    def fitted(self) -> Fitted:
        """What the file holds. Raises `InputError`."""
        return read_fitted(self.file, "calibrated")

    @property
    def top_logprobs(self) -> int:
        return _top(self.verifier)

    @property
    def alone(self) -> bool:
        return _alone(self.verifier)

    async def score(self, problem: Problem, candidates: Sequence[Candidate], run: Run) -> list[Score]:
        return await _scores((self.verifier,), self.fitted, self.file, problem, candidates, run)


@dataclass(frozen=True, slots=True)
class Stack:
    """Several verifiers as one, weighted by logistic regression on recorded samples."""

    verifiers: tuple[Verifier, ...]
    file: str
    needs: ClassVar[tuple[str, ...]] = ("file",)

    def __post_init__(self) -> None:
        wanted = self.fitted.columns
        if len(self.verifiers) != len(wanted):
            raise InputError(
                f"{self.file} was fitted on {len(wanted)} verifiers ({', '.join(wanted)}), and {len(self.verifiers)} "
                "are given; give the same ones"
            )

    @property
    def fitted(self) -> Fitted:
        """What the file holds. Raises `InputError`."""
        return read_fitted(self.file, "stack")

    @property
    def top_logprobs(self) -> int:
        return max(map(_top, self.verifiers), default=0)

    @property
    def alone(self) -> bool:
        return all(map(_alone, self.verifiers))

    async def score(self, problem: Problem, candidates: Sequence[Candidate], run: Run) -> list[Score]:
        return await _scores(self.verifiers, self.fitted, self.file, problem, candidates, run)


async def _scores(
    verifiers: Sequence[Verifier],
    fitted: Fitted,
    file: str,
    problem: Problem,
    candidates: Sequence[Candidate],
    run: Run,
) -> list[Score]:
    """Each candidate's probability; what one verifier cannot tell counts as its average."""
    columns: dict[str, list[Score]] = {}
    for verifier in verifiers:  # each by the run, so that one that fails only says nothing
        found = await run.score(problem, candidates, verifier)
        if any(score.raw is not None for score in found):
            columns[found[0].verifier] = found
    other = fitted.elsewhere(candidates)
    if strange := sorted(columns.keys() - set(fitted.columns)):
        other = f"{', '.join(fitted.columns)}, not {', '.join(strange)}"
    if other:
        run.emit(Warned(message=f"the verifier file {file} was fitted on {other}; it gives no probability"))
    raws = [
        [columns[column][place].raw if column in columns else None for column in fitted.columns]
        for place in range(len(candidates))
    ]
    return [_score(fitted, row, other is None) for row in raws]


def _score(fitted: Fitted, raws: Sequence[float | None], known: bool) -> Score:
    """One candidate's score; no probability unless its origin is ``known``, and nothing from what showed no value."""
    if fitted.curve is None or all(raw is None for raw in raws):
        return Score(verifier=fitted.kind)
    raw = fitted.raw([fill if raw is None else raw for raw, fill in zip(raws, fitted.fill, strict=True)])
    return Score(verifier=fitted.kind, raw=raw, value=fitted.curve.of(raw) if known else None)


def _top(verifier: Verifier) -> int:
    return int(getattr(verifier, "top_logprobs", 0))


def _alone(verifier: Verifier) -> bool:
    return bool(getattr(verifier, "alone", True))
