"""Revising a program that fails its public test, against sampling another one, at equal tokens (MBPP).

    python benchmarks/refining.py record POOL.jsonl CHAINS.jsonl [-m MODEL] [--rounds 3]
    python benchmarks/refining.py score POOL.jsonl CHAINS.jsonl [--orders 200]

``record`` takes, of each question of a full pool, the first sample that fails the public test, and has the model revise
it in rounds, told what fails (`outthink.strategies.revising`), until the test passes; it adds what is not there yet.
``score`` holds that against drawing other samples of the same question until one passes or as many tokens are spent,
in random orders: by new tokens, and by all tokens (a revision reads the question, the program and the failure again; a
further sample of the same call reads nothing). All tests decide what is right. No model.
"""

from __future__ import annotations

import argparse
import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import numpy as np
from lines import lines_so_far, read_lines
from results import points

from outthink import Engine
from outthink.answers import program_in
from outthink.bench.grading import Grader
from outthink.bench.stats import accuracy_difference
from outthink.bench.verifiers.graded import Graded, read_graded
from outthink.core.candidate import Candidate, Result
from outthink.core.events import CallSettled
from outthink.core.problem import Problem
from outthink.core.protocols import Run
from outthink.core.usage import Budget
from outthink.strategies.cot import prompted
from outthink.strategies.revising import REVISIONS, examined, revised
from outthink.verifiers.suite import suite_of

AT_ONCE = 24


async def passing(question: Graded, grader: Grader) -> list[bool]:
    """Which samples pass the test that the question shows."""
    shown = suite_of(question.row.problem)
    found: list[bool] = []
    for one in question.candidates:
        program = program_in(one.text)
        found.append(program is not None and (await grader.check(program, shown.tests, shown.setup)).passed)
    return found


@dataclass(frozen=True)
class Revising:
    """The strategy that revises one program until its test passes."""

    start: Candidate
    rounds: int
    said: list[dict[str, Any]] = field(default_factory=list)

    async def solve(self, problem: Problem, run: Run) -> Result:
        asked, best = await prompted(problem, run), self.start
        look = await examined(problem, best, run, None)
        for place in range(self.rounds):
            version = await revised(asked, best, look.words, run, temperature=0.7, index=REVISIONS + place)
            new = await examined(problem, version, run, None)
            self.said.append({"text": version.text, "tokens": version.tokens, "passed": new.passed})
            if new.passed or version.text.strip() == best.text.strip():
                break
            if (new.worth or 0.0) >= (look.worth or 0.0):
                best, look = version, new
        return Result(answer=None, message={}, text="", stop_reason="exhausted")


async def record(pool: Path, chains: Path, model: str, rounds: int) -> None:
    done = {line["id"] for line in lines_so_far(chains)}
    questions = [one for one in await read_graded([str(pool)]) if one.row.id not in done]
    limit = asyncio.Semaphore(AT_ONCE)
    async with Engine(model) as engine, Grader() as grader:
        with chains.open("a", encoding="utf-8") as out:

            async def one(question: Graded) -> None:
                async with limit:
                    line = await chain(question, engine, grader, rounds)
                out.write(json.dumps(line | {"model": model}) + "\n")
                out.flush()

            await asyncio.gather(*map(one, questions))


async def chain(question: Graded, engine: Engine, grader: Grader, rounds: int) -> dict[str, Any]:
    """The first failing sample of a question and its revisions; ``start`` None where every sample passes."""
    passed = await passing(question, grader)
    if all(passed):
        return {"id": question.row.id, "start": None, "rounds": []}
    start = passed.index(False)
    problem = question.row.problem
    shown = "\n".join(suite_of(problem).tests)
    revising, logs = Revising(question.candidates[start], rounds), []
    await engine.solve(
        msgspec.structs.replace(problem, tests=shown), strategy=revising, budget=Budget(), watch=logs.append
    )
    bills = [e.usage.prompt_tokens for e in logs[0].events if isinstance(e, CallSettled) and e.usage.prompt_tokens]
    for said, bill in zip(revising.said, bills, strict=False):
        said["prompt_tokens"] = bill
        said["right"] = bool(await grader.graded(question.row, said["text"], None))
    return {"id": question.row.id, "start": start, "rounds": revising.said}


class Told(NamedTuple):
    """What one question came to: rights and tokens of revising, and of resampling within them."""

    revised: float
    resampled: float
    tokens: float


def held(
    line: dict[str, Any], question: Graded, passed: Sequence[bool], rounds: int, prompts: bool, orders: int
) -> Told:
    """A question's revisions after so many rounds, against other samples for the same tokens, in random orders.

    Both answer with the program that passes, else with the one that there was first.
    """
    said = line["rounds"][:rounds]
    spent = sum(one["tokens"] + (one["prompt_tokens"] if prompts else 0) for one in said)
    first = bool(question.grades[line["start"]])
    found = next((one["right"] for one in said if one["passed"]), first)
    others = [place for place in range(len(passed)) if place != line["start"]]
    random, rights = np.random.default_rng([*question.row.id.encode()]), []
    for _ in range(orders):
        left, right = float(spent), float(first)
        for place in random.permutation(others).tolist():
            left -= question.candidates[place].tokens
            if left < 0:
                break
            if passed[place]:
                right = question.grades[place]
                break
        rights.append(right)
    return Told(float(found), float(np.mean(rights)), float(spent))


async def score(pool: Path, chains: Path, orders: int) -> None:
    lines = {line["id"]: line for line in read_lines(chains)}
    async with Grader() as grader:
        questions = [one for one in await read_graded([str(pool)]) if one.row.id in lines]
        passed = {one.row.id: await passing(one, grader) for one in questions}
    failing = [one for one in questions if lines[one.row.id]["start"] is not None]
    print(f"{len(questions)} questions, {len(failing)} with a sample that fails the public test; of those:\n")
    print("| rounds | counted | tokens | revised, right % | resampled, right % | difference, points |")
    print("|---|---|---|---|---|---|")
    for rounds in range(1, 1 + max(len(line["rounds"]) for line in lines.values())):
        for prompts in (False, True):
            told = [held(lines[one.row.id], one, passed[one.row.id], rounds, prompts, orders) for one in failing]
            revised, resampled, tokens = (np.array(column) for column in zip(*told, strict=True))
            diff = accuracy_difference(revised, resampled)
            how = "all tokens" if prompts else "new tokens"
            rights = f"{100 * revised.mean():.1f} | {100 * resampled.mean():.1f}"
            print(f"| {rounds} | {how} | {tokens.mean():.0f} | {rights} | {points(diff)} |")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("action", choices=["record", "score"])
    parser.add_argument("pool", type=Path)
    parser.add_argument("chains", type=Path)
    parser.add_argument("-m", "--model", default="qwen2.5-coder-1.5b")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--orders", type=int, default=200)
    given = parser.parse_args()
    if given.action == "record":
        asyncio.run(record(given.pool, given.chains, given.model, given.rounds))
    else:
        asyncio.run(score(given.pool, given.chains, given.orders))
