"""Reward models over HTTP: ``prm`` judges each step of a candidate, ``reward`` the whole of it, open text too.

The server is vLLM, SGLang or llama.cpp by its own endpoints, or anything that speaks the plain protocol
(docs/verifiers.md). How a known model wants its text is looked up by its name; ``form`` names it for another one.
How step values become one is chosen by name: the least (Lightman et al., 2023, arXiv:2305.20050, compare it with the
product), the last (Snell et al., 2024, arXiv:2408.03314, found it best), the product, or the mean.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

from outthink.core.candidate import Candidate, Score
from outthink.core.errors import BadSpec
from outthink.core.problem import Problem
from outthink.core.protocols import Run
from outthink.core.wire import Endpoint, RateAsk, SplitRule

_MODEL = re.compile(r"\S+@https?://\S+|[\w.-]+")
Aggregate = Literal["min", "product", "last", "mean"]


@dataclass(frozen=True, slots=True)
class ProcessReward:
    """How right each step of a candidate is, by a process reward model behind HTTP; of that, one value by name."""

    model: str
    aggregate: Aggregate = "min"
    endpoint: Literal["auto", "pooling", "score", "chat", "completions", "plain"] = "auto"
    form: str = "auto"
    split: Literal["auto", "step", "blank", "line"] = "auto"
    paper: ClassVar[str] = "arXiv:2305.20050"
    needs: ClassVar[tuple[str, ...]] = ("a process reward model",)
    alone: ClassVar[bool] = True
    stepwise: ClassVar[bool] = True

    def __post_init__(self) -> None:
        _named("prm", self.model)

    async def score(self, problem: Problem, candidates: Sequence[Candidate], run: Run) -> list[Score]:
        rated = await _rated(self.model, problem, candidates, run, True, self.endpoint, self.form, self.split)
        return [Score(verifier="prm", raw=aggregated(steps, self.aggregate), steps=steps) for steps in rated]


@dataclass(frozen=True, slots=True)
class OutcomeReward:
    """How good a whole candidate is, by an outcome reward model or a reranker behind HTTP; for open text too."""

    model: str
    endpoint: Literal["auto", "pooling", "classify", "score", "rerank", "plain"] = "auto"
    form: str = "auto"
    paper: ClassVar[str] = "arXiv:2110.14168"
    needs: ClassVar[tuple[str, ...]] = ("an outcome reward model",)
    alone: ClassVar[bool] = True

    def __post_init__(self) -> None:
        _named("reward", self.model)

    async def score(self, problem: Problem, candidates: Sequence[Candidate], run: Run) -> list[Score]:
        rated = await _rated(self.model, problem, candidates, run, False, self.endpoint, self.form, "auto")
        return [Score(verifier="reward", raw=values[0] if values else None) for values in rated]


def aggregated(steps: Sequence[float], how: Aggregate) -> float | None:
    """Step values as one; None for none."""
    if not steps:
        return None
    if how == "min":
        return min(steps)
    if how == "product":
        return math.prod(steps)
    return steps[-1] if how == "last" else sum(steps) / len(steps)


def _named(verifier: str, model: str) -> None:
    if not _MODEL.fullmatch(model):
        raise BadSpec(
            f"{verifier} needs a reward model, which {model!r} does not name; "
            f'write {verifier}(model="NAME@http://host:port"), or an alias of the configuration'
        )


async def _rated(
    model: str,
    problem: Problem,
    candidates: Sequence[Candidate],
    run: Run,
    process: bool,
    endpoint: Endpoint,
    form: str,
    split: SplitRule,
) -> list[tuple[float, ...]]:
    if not candidates:
        return []
    ask = RateAsk(
        messages=problem.messages,
        answers=tuple(found.text for found in candidates),
        process=process,
        endpoint=endpoint,
        form=form,
        split=split,
    )
    return await run.rate(ask, model)
