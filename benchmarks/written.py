"""Programs chosen by tests that the model writes itself, and by what they do (MBPP).

    python benchmarks/written.py record POOL.jsonl TESTS.jsonl [-m MODEL] [--lists 2]
    python benchmarks/written.py score POOL.jsonl TESTS.jsonl [--inputs 8]

``record`` has the model write lists of tests for each question of a full pool, without the public test that the pool's
programs were shown: it could only be copied. It adds what is not there yet. ``score`` holds the pool's programs against
them in the sandbox, by the verifier ``tests`` as it is: with what was written alone, with behaviour on new inputs, with
the public test alone, and with all of it. No model.
"""

from __future__ import annotations

import argparse
import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import msgspec
from lines import lines_so_far, read_lines

from outthink import Engine
from outthink.bench.verifiers.evaluate import evaluate
from outthink.bench.verifiers.graded import Graded, read_graded
from outthink.cli.verifier_tables import told_pool
from outthink.core.candidate import Candidate, Result, Score
from outthink.core.execution import Verdict
from outthink.core.problem import Problem
from outthink.core.protocols import Run
from outthink.core.usage import Budget
from outthink.models.pool import read_pool
from outthink.verifiers.execution import Execution
from outthink.verifiers.suite import suite_of
from outthink.verifiers.written import written_tests

AT_ONCE = 48
LIST = 8
"""Tests that are read of one list."""


def hidden(problem: Problem) -> Problem:
    """The problem without the test that its question shows."""
    text = problem.question.split("\nIt must pass this test:")[0]
    return msgspec.structs.replace(Problem.of(text, problem.answer_kind), id=problem.id)


@dataclass(frozen=True)
class Writer:
    """The strategy that only has tests written."""

    name: str
    lists: int
    found: list[str] = field(default_factory=list)

    async def solve(self, problem: Problem, run: Run) -> Result:
        self.found.extend(await written_tests(problem, self.name, self.lists, run))
        return Result(answer=None, message={}, text="", stop_reason="exhausted")


async def record(pool: Path, tests: Path, model: str, lists: int) -> None:
    done = {line["id"] for line in lines_so_far(tests)}
    rows = [row for row in read_pool(pool) if row.id not in done]
    limit = asyncio.Semaphore(AT_ONCE)
    async with Engine(model) as engine:
        with tests.open("a", encoding="utf-8") as out:

            async def one(row: Any) -> None:
                writer = Writer(row.extra["entry_point"], lists)
                async with limit:
                    problem = hidden(msgspec.structs.replace(Problem.of(row.question, "code"), id=row.id))
                    result = await engine.solve(problem, strategy=writer, budget=Budget())
                line = {"id": row.id, "tests": writer.found, "tokens": result.usage.completion_tokens, "model": model}
                out.write(json.dumps(line) + "\n")
                out.flush()

            await asyncio.gather(*(one(row) for row in rows))


@dataclass(frozen=True)
class Known:
    """A run whose model has already written its tests; equal programs are held against equal tests once."""

    run: Run
    tests: Sequence[str]
    checked: dict[tuple[str, ...], Verdict]

    def __getattr__(self, name: str) -> Any:
        return getattr(self.run, name)

    @asynccontextmanager
    async def fan_out(self, problem: Problem, params: Any, n: int, **_: Any) -> AsyncIterator[AsyncIterator[Candidate]]:
        async def samples() -> AsyncIterator[Candidate]:
            for first in range(0, len(self.tests), LIST):
                text = "\n".join(self.tests[first : first + LIST])
                yield Candidate(text=text, message={}, finish="stop", tokens=0, index=first, model=self.run.model)

        yield samples()

    async def check(self, code: str, tests: Sequence[str], setup: str = "") -> Verdict:
        key = (code, setup, *tests)
        if key not in self.checked:
            self.checked[key] = await self.run.check(code, tests, setup)
        return self.checked[key]


@dataclass(frozen=True)
class Canned:
    """`tests` with what was written; ``public``: whether it is given the test that the question shows."""

    verifier: Execution
    written: dict[str, list[str]]
    public: bool
    checked: dict[str, dict[tuple[str, ...], Verdict]] = field(default_factory=dict)
    alone = False

    async def score(self, problem: Problem, candidates: Sequence[Candidate], run: Run) -> list[Score]:
        asked = hidden(problem)
        if self.public:
            asked = msgspec.structs.replace(asked, tests="\n".join(suite_of(problem).tests))
        known = Known(run, self.written.get(problem.id or "", []), self.checked.setdefault(problem.id or "", {}))
        return await self.verifier.score(asked, candidates, known)


def named(questions: Sequence[Graded]) -> list[Graded]:
    """The questions with their ids in the problems, where a verifier sees them."""
    return [
        replace(
            one, row=msgspec.structs.replace(one.row, problem=msgspec.structs.replace(one.row.problem, id=one.row.id))
        )
        for one in questions
    ]


async def score(pool: Path, tests: Path, inputs: int) -> None:
    lines = read_lines(tests)
    written = {line["id"]: line["tests"] for line in lines}
    questions = [one for one in named(await read_graded([str(pool)])) if one.row.id in written]
    print(f"{len(written)} questions, {sum(map(len, written.values())) / len(written):.1f} usable tests each,")
    print(f"{sum(line['tokens'] for line in lines) / len(lines):.0f} new tokens a question to write them\n")
    both = Execution(written=1, inputs=inputs)
    cases = {
        "written tests": Canned(Execution(written=1), written, public=False),
        "written tests and behaviour": Canned(both, written, public=False),
        "the public test": Canned(Execution(), written, public=True),
        "the public test, written tests and behaviour": Canned(both, written, public=True),
    }
    for name, verifier in cases.items():
        async with Engine("fake", cache=False) as engine:
            print(told_pool(await evaluate(engine, verifier, name, questions)), flush=True)
        print()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("action", choices=["record", "score"])
    parser.add_argument("pool", type=Path)
    parser.add_argument("tests", type=Path)
    parser.add_argument("-m", "--model", default="qwen2.5-coder-1.5b")
    parser.add_argument("--lists", type=int, default=2)
    parser.add_argument("--inputs", type=int, default=8)
    given = parser.parse_args()
    if given.action == "record":
        asyncio.run(record(given.pool, given.tests, given.model, given.lists))
    else:
        asyncio.run(score(given.pool, given.tests, given.inputs))
