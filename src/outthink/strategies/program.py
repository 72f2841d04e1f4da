"""Program of thought (Chen et al., 2022, arXiv:2211.12588; PAL: Gao et al., 2022, arXiv:2211.10435): the model writes a
short Python program, the sandbox runs it, and what it prints last is the answer.

Reasoning is the model's, arithmetic the interpreter's. A program that fails or prints nothing that can be read is no
answer: paid for, without a vote. ``with_chains`` chains of thought vote along with the programs.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from typing import ClassVar

import msgspec

from outthink.answers import Votes, canonical, extract, program_in, resolved
from outthink.answers.python import parsed
from outthink.core.candidate import WHOLE, Answer, Candidate, Result, StopReason
from outthink.core.each import each
from outthink.core.errors import BudgetExhausted
from outthink.core.events import Voted
from outthink.core.execution import Outcome
from outthink.core.problem import Problem, SamplingParams
from outthink.core.protocols import Run
from outthink.strategies.cot import CHAIN_TOKENS, affords, prompted
from outthink.strategies.prompts import AS_THEY_CAME, instructed, with_examples
from outthink.strategies.ranges import MOST, in_range
from outthink.strategies.rescue import rescued
from outthink.strategies.results import asked_for, elected, single, with_kind

PROGRAM_TOKENS = 200
"""The most new tokens a program may take, unless the caller says otherwise."""
_RULE = "Solve the problem with a short Python program that prints only the answer. Reply with only the program."
_FORMS = {"choice": " Print the letter of the right choice.", "boolean": " Print yes or no."}
_EXAMPLES = (
    (
        "A baker makes 4 trays of 6 rolls and sells 15. How many rolls are left?",
        "```python\nrolls = 4 * 6\nleft = rolls - 15\nprint(left)\n```",
    ),
    (
        "Tickets cost $5 for adults and half as much for children. What do 2 adults and 4 children pay, in dollars?",
        "```python\nadult = 5\nchild = adult / 2\ntotal = 2 * adult + 4 * child\nprint(total)\n```",
    ),
    (
        "The sum of two numbers is 30 and their difference is 8. What is the larger one?",
        "```python\nfor larger in range(31):\n    if larger - (30 - larger) == 8:\n        print(larger)\n```",
    ),
)
_LONG = re.compile(r"-?\d+\.\d{12,}(?:[eE][-+]?\d+)?|-?\d+(?:\.\d+)?[eE][-+]?\d+")
"""A number as floating point prints it, with the noise of its last digits."""


@dataclass(frozen=True, slots=True)
class Program:
    """Have the model write short programs and run them: what they print is the answer; vote, with chains if wanted."""

    n: int = 1
    with_chains: int = 0
    temperature: float | None = None
    width: int = 8
    paper: ClassVar[str] = "arXiv:2211.12588"
    needs: ClassVar[tuple[str, ...]] = ("sandbox",)

    def __post_init__(self) -> None:
        in_range(
            "program",
            n=(self.n, 1, MOST),
            with_chains=(self.with_chains, 0, MOST),
            temperature=(self.temperature or 0, 0, 2),
            width=(self.width, 1, MOST),
        )

    async def solve(self, problem: Problem, run: Run) -> Result:
        problem = with_kind(problem)
        asked_for(problem, most=self.n + self.with_chains)
        if problem.answer_kind in (*AS_THEY_CAME, "code"):  # nothing that a program could print
            return single(await run.sample(problem, SamplingParams(logprobs=True)), run, "unscorable")
        seen = await self._programs(problem, run)
        seen += await self._chains(problem, run)
        stop: StopReason = run.ended_by or "exhausted"
        if len(seen) == 1:
            return single(seen[0], run)
        votes = Votes()
        for candidate in seen:
            votes.add(candidate)
        run.emit(Voted(votes=votes.counts(), seen=votes.seen, n=len(seen)))
        return elected(votes, stop) or single(seen[0], run)

    async def _programs(self, problem: Problem, run: Run) -> list[Candidate]:
        params = SamplingParams(temperature=self._temperature, max_tokens=PROGRAM_TOKENS, logprobs=True)
        asked = msgspec.structs.replace(await _asked(problem, run), answer_kind="code")
        async with run.fan_out(asked, params, self.n, width=self.width) as samples:
            found = [candidate async for candidate in samples]
        found.sort(key=lambda one: one.index)
        programs = [_program(candidate) for candidate in found]
        ended = await each((program for program in programs if program is not None), run.execute)
        return [
            _with_answer(candidate, None if program is None else _printed(ended.get(program), problem))
            for candidate, program in zip(found, programs, strict=True)
        ]

    async def _chains(self, problem: Problem, run: Run) -> list[Candidate]:
        if not self.with_chains or run.ended_by:
            return []
        params = SamplingParams(temperature=self._temperature, max_tokens=CHAIN_TOKENS, logprobs=True)
        asked = await prompted(problem, run)
        try:
            async with run.fan_out(asked, params, self.with_chains, width=self.width, first=self.n) as samples:
                found = [await resolved(await rescued(asked, one, run)) async for one in samples]
        except BudgetExhausted:
            return []
        return sorted(found, key=lambda one: one.index)

    @property
    def _temperature(self) -> float:
        """The likeliest program where there is only one, different ones for a vote."""
        if self.temperature is not None:
            return self.temperature
        return 0.7 if self.n + self.with_chains > 1 else 0.0


async def _asked(problem: Problem, run: Run) -> Problem:
    """The problem as a prompt for a program: with worked examples for numbers, where the budget allows."""
    if problem.answer_kind == "number":
        messages = with_examples(problem, _RULE, _EXAMPLES)
        if await affords(messages, run):
            return msgspec.structs.replace(problem, messages=messages)
    return instructed(problem, _RULE + _FORMS.get(problem.answer_kind, ""))


def _program(candidate: Candidate) -> str | None:
    """The program of a candidate; None for what is no Python, which costs no run."""
    text = program_in(candidate.text, closed=candidate.finish not in WHOLE) or candidate.text
    return None if parsed(text, "exec") is None else text


def _with_answer(candidate: Candidate, answer: Answer | None) -> Candidate:
    """The candidate with what its program printed as its answer, said below the program."""
    if answer is None:
        return msgspec.structs.replace(candidate, answer=None)
    text = f"{candidate.text}\n\nThe answer is {answer.text}."
    return msgspec.structs.replace(candidate, answer=answer, text=text, message={**candidate.message, "content": text})


def _printed(outcome: Outcome | None, problem: Problem) -> Answer | None:
    """The last line that a program printed, read as an answer of the problem's kind; None where it failed."""
    if outcome is None or outcome.ended != "ok":
        return None
    lines = [line.strip() for line in outcome.stdout.split("\n") if line.strip()]
    if not lines:
        return None
    said = _tidy(lines[-1], problem.answer_kind == "expression") if _LONG.fullmatch(lines[-1]) else lines[-1]
    if problem.answer_kind == "auto":
        return extract(f"The answer is {said}", "auto")
    return canonical(said, problem.answer_kind, problem.choices)


def _tidy(number: str, exact: bool) -> str:
    """A floating-point number without the noise of its last digits; where it counts, the fraction it came from."""
    value = float(number)
    fraction = Fraction(value).limit_denominator(1000) if exact and abs(value) < 1e6 else Fraction(0)
    return str(fraction) if fraction and abs(fraction - Fraction(value)) < Fraction(1, 10**12) else f"{value:.12g}"
