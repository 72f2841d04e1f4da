"""Grades: answers held against the gold, programs run in the sandbox, equal ones once."""

import itertools

import msgspec
import pytest
from benching import pool_rows, read, write

from outthink.answers import extract
from outthink.bench.data import row_of
from outthink.bench.grading import Grader
from outthink.core.errors import InputError
from outthink.sandbox import Sandbox

pytestmark = [pytest.mark.anyio, pytest.mark.real_time]
GOOD, BAD = "```python\ndef f(x):\n    return x + 1\n```", "```python\ndef f(x):\n    return x\n```"
TESTS = row_of({"question": "Write f.", "grader": "tests", "tests": ["assert f(1) == 2", "assert f(2) == 3"]})


@pytest.fixture
def checked(monkeypatch):
    """The programs that a sandbox has run."""
    ran, check = [], Sandbox.check

    async def counting(self, code, tests, setup=""):
        ran.append(code)
        return await check(self, code, tests, setup)

    monkeypatch.setattr(Sandbox, "check", counting)
    return ran


async def test_programs_are_graded_by_their_tests_and_equal_ones_run_once(checked):
    async with Grader() as grader:
        grades = [await grader.graded(TESTS, text, None) for text in (GOOD, BAD, f"Here:\n{GOOD}", BAD, "no code")]
    assert grades == [1, 0, 1, 0, 0]
    assert len(checked) == 2


async def test_an_answer_is_graded_as_it_was_given_not_as_its_text_might_be_read():
    row = row_of({"question": "How many?", "answer": "12", "grader": "number"})
    async with Grader() as grader:
        assert await grader.graded(row, "So 12", None) == 0  # a chain that was cut gave no answer
        assert await grader.graded(row, "The answer is 12.", extract("The answer is 12.", "number")) == 1


async def test_where_nothing_holds_programs_in_it_is_told_with_the_remedy(monkeypatch):
    async def refused(self):
        raise InputError("this machine cannot hold untrusted code; accept the risk with unsafe=True")

    monkeypatch.setattr(Sandbox, "__aenter__", refused)
    async with Grader() as grader:
        with pytest.raises(InputError, match=r"programs are graded by running them, .* \(--unsafe-exec\)"):
            await grader.graded(TESTS, GOOD, None)


async def test_a_pool_of_programs_is_benched_with_each_run_once(benched, tmp_path, checked):
    rows = [
        msgspec.structs.replace(
            row,
            kind="code",
            answer=None,
            extra={"grader": "tests", "tests": ["assert f(1) == 2"]},
            samples=tuple(
                msgspec.structs.replace(one, text=GOOD if right else BAD)
                for one, right in zip(row.samples, itertools.cycle([i % 2, 1, 0]), strict=False)
            ),
        )
        for i, row in enumerate(pool_rows(2, 6))
    ]
    summary = await benched(write(tmp_path / "p.jsonl", rows), "best-of-n(n=2, verifier=confidence)", repeats=4)
    kept = read(tmp_path / "out" / "questions.jsonl")
    assert [[one["correct"] for one in row["samples"]] for row in kept] == [[0, 1, 0, 0, 1, 0], [1, 1, 0, 1, 1, 0]]
    assert summary.random == pytest.approx(0.5)
    assert len(checked) == 2
