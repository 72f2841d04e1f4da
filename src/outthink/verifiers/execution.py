"""Tests: candidates that are programs, run in the sandbox and held against tests they cannot reach.

The tests are those that the problem was given, else the examples its question shows: the measure is the share that
passes. Without a right answer to compare with, programs can still be judged by one another (`agreement`): on tests that
the model writes itself (``written`` lists of them), and by what they do with ``inputs`` made from known ones. Where
both are known, whoever fails a given test stays under 0.5, and agreement ranks the others from there up.
"""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

from outthink.answers import kind_of
from outthink.core.candidate import Candidate, Score
from outthink.core.each import each
from outthink.core.errors import BadSpec, BudgetExhausted, ServerError
from outthink.core.events import Warned
from outthink.core.execution import Tested, Verdict
from outthink.core.problem import Problem
from outthink.core.protocols import Run
from outthink.verifiers.behaviour import Trial
from outthink.verifiers.dual_agreement import Conduct, agreement
from outthink.verifiers.inputs import varied
from outthink.verifiers.programs import Program
from outthink.verifiers.suite import Suite, calls_in, is_assertion, suite_of
from outthink.verifiers.written import written_tests

_NAME, _MOST = "tests", 64


@dataclass(frozen=True, slots=True)
class Execution:
    """Run programs against the tests given or shown; also against tests the model writes, and one another."""

    written: int = 0
    inputs: int = 0
    paper: ClassVar[str] = "arXiv:2207.10397"
    needs: ClassVar[tuple[str, ...]] = ("sandbox",)

    def __post_init__(self) -> None:
        for name, value in (("written", self.written), ("inputs", self.inputs)):
            if not 0 <= value <= _MOST:
                raise BadSpec(f"tests: {name} takes 0 to {_MOST}, not {value}")

    @property
    def alone(self) -> bool:
        """Whether a candidate's score is its own, whatever the others are."""
        return not (self.written or self.inputs)

    async def score(self, problem: Problem, candidates: Sequence[Candidate], run: Run) -> list[Score]:
        programs = [Program.of(candidate) for candidate in candidates]
        plan = await self._plan(problem, programs, run) if kind_of(problem) in ("code", "text") else Plan()
        if plan.empty:
            return [Score(verifier=_NAME) for _ in candidates]
        texts = {program.key: program.text for program in programs if not program.fault}
        found = await each(texts, lambda key: _ran(texts[key], plan, run))
        ran = [found.get(program.key) for program in programs]
        compared = plan.written or plan.calls
        together = agreement([_conduct(plan, one) for one in ran]) if compared else [None] * len(ran)
        return [_score(*parts, plan) for parts in zip(programs, ran, together, strict=True)]

    async def _plan(self, problem: Problem, programs: Sequence[Program], run: Run) -> Plan:
        """What every program is to be held against."""
        suite = suite_of(problem)
        for unread in suite.unread:
            run.emit(Warned(message=f"this test cannot be used, and is left out: {unread[:200]}"))
        name, written = _tested(suite, programs), list[str]()
        plan = Plan(suite.tests, setup=suite.setup)
        known = calls_in(suite.tests)
        lists = self.written or (1 if self.inputs and not known else 0)  # inputs must come from somewhere
        if name and lists:
            try:
                written = await written_tests(problem, name, lists, run, suite.setup)
            except (ServerError, BudgetExhausted) as error:
                run.emit(Warned(message=f"no tests were written: {error}"))
        calls = varied(known or calls_in(written), self.inputs)
        return replace(plan, written=tuple(written) if self.written else (), calls=tuple(calls))


@dataclass(frozen=True, slots=True)
class Plan:
    """What programs are held against: tests that count by themselves, tests that count by agreement, and calls to
    compare behaviour by; after the imports in ``setup``."""

    given: tuple[str, ...] = ()
    written: tuple[str, ...] = ()
    calls: tuple[str, ...] = ()
    setup: str = ""

    @property
    def empty(self) -> bool:
        return not (self.given or self.written or self.calls)


@dataclass(frozen=True, slots=True)
class _Ran:
    """What came of one program: its verdict where there are tests, its behaviour where there are calls."""

    verdict: Verdict | None = None
    behaviour: tuple[str, ...] = ()


def _tested(suite: Suite, programs: Sequence[Program]) -> str:
    """The function that is asked for: the one its tests call, else the one that most programs define."""
    calls = calls_in(suite.tests)
    if calls:
        return ast.unparse(calls[0].func)
    names = Counter(name for program in programs for name in program.functions)
    return max(names, key=lambda name: names[name], default="")


async def _ran(program: str, plan: Plan, run: Run) -> _Ran:
    tests, verdict, behaviour = [*plan.given, *plan.written], None, ()
    if tests:
        verdict = await run.check(program, tests, plan.setup)
    if plan.calls:
        trial = Trial(program, plan.calls, plan.setup)
        behaviour = trial.behaviour((await run.execute(trial.code)).stdout)
    return _Ran(verdict, behaviour)


def _conduct(plan: Plan, ran: _Ran | None) -> Conduct | None:
    if ran is None:
        return None
    own = ran.verdict.tests[len(plan.given) :] if ran.verdict is not None else ()
    return Conduct(frozenset(number for number, tested in enumerate(own) if tested.passed), ran.behaviour)


def _score(program: Program, ran: _Ran | None, together: float | None, plan: Plan) -> Score:
    if program.fault:
        return Score(verifier=_NAME, raw=0.0, critique=program.fault)
    if ran is None:
        return Score(verifier=_NAME)
    given: tuple[Tested, ...] = ran.verdict.tests[: len(plan.given)] if ran.verdict is not None else ()
    checks = [tested for tested in given if is_assertion(tested.test)]
    if not checks:
        return Score(verifier=_NAME, raw=together)
    share = sum(tested.passed for tested in checks) / len(checks)
    failed = next((f"{tested.test}: {tested.reason}" for tested in given if not tested.passed), None)
    if together is not None:
        share = share / 2 if share < 1 else (1 + together) / 2
    return Score(verifier=_NAME, raw=share, critique=failed)
