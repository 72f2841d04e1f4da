"""What goes from data into a pool, and comes back out of it."""

import gzip
import json
import re
from pathlib import Path

import msgspec
import pytest

from outthink.api import Engine
from outthink.batch.record import Recording
from outthink.batch.sample import sample
from outthink.bench.data import load, row_of
from outthink.bench.graders import grade
from outthink.bench.plan import Asked
from outthink.bench.recording import recorded, to_record
from outthink.bench.rows import text_mark
from outthink.bench.run import bench
from outthink.core.errors import InputError
from outthink.models.fake import FakeModel
from outthink.models.pool import PoolRow, PoolSample, read_pool
from outthink.models.script import Script

pytestmark = pytest.mark.anyio

PROGRAM = {
    "id": "p",
    "question": "Add two numbers.",
    "answer": "def add(a, b): return a + b",
    "tests": ["assert add(1, 2) == 3", "assert math.isclose(add(.1, .2), .3)"],
    "test_imports": ["import math"],
    "entry_point": "add",
}


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ('{"id": "b", "question": "", "answer": 1}', 'line 2 has no "question"'),
        ('{"id": "a", "question": "q", "answer": 1}', "line 2: id 'a' was used by line 1"),
        ("broken", "line 2 is not JSON"),
        ('{"id": "b", "question": "q", "answer": 1, "kind": "nonsense"}', "line 2: answer kind 'nonsense'"),
    ],
)
def test_data_that_is_wrong_is_named_by_its_line(tmp_path, line, told):
    (tmp_path / "d").write_text('{"id": "a", "question": "q", "answer": 1}\n' + line)
    with pytest.raises(InputError, match=told):
        load(tmp_path / "d", graded=False)


def test_a_row_without_an_answer_can_be_recorded_but_not_graded(tmp_path):
    (tmp_path / "d").write_text('{"question": "q", "kind": "number"}')
    (question,) = to_record(load(tmp_path / "d", graded=False))
    assert (question.answer, question.problem.answer_kind, question.extra) == (None, "number", {"grader": "none"})
    with pytest.raises(InputError, match="line 1"):
        load(tmp_path / "d")


@pytest.mark.parametrize(
    "fields",
    [
        PROGRAM,
        {"id": "3", "question": "Which?", "answer": "B", "choices": ["x", "y"], "cluster": "c"},
        {"id": "4", "question": "What is 2 + 2?", "answer": "4", "level": 1},
        {"id": "5", "question": "Who?", "answer": "Ann", "kind": "span", "aliases": ["Anne"]},
        {"id": "6", "question": "make 24", "answer": "", "numbers": [1, 2, 3, 4]},
        {"id": "7", "question": "What is 2 + 2?", "answer": "4", "grader": "reasoning-gym:chain_sum", "kind": "number"},
    ],
    ids=lambda fields: fields["id"],
)
async def test_a_row_comes_back_from_its_pool_as_it_was(tmp_path, fields):
    (tmp_path / "d").write_text(json.dumps(fields))
    data = load(tmp_path / "d")
    async with Engine(FakeModel(Script()), cache=False) as engine:
        await sample(engine, to_record(data), str(tmp_path / "p"), Recording(n=2))
    (row,) = read_pool(tmp_path / "p")
    assert recorded(row, "the pool") == data.rows[0]


def test_a_row_that_lists_its_right_texts_is_graded_by_them(tmp_path):
    row = row_of({"id": "a", "question": "#1", "grader": "listed", "kind": "code", "right": [text_mark("good")]})
    assert (grade(row, "good"), grade(row, "bad"), row.kind) == (1.0, 0.0, "code")
    with pytest.raises(InputError, match='needs "right"'):
        row_of({"id": "a", "question": "#1", "grader": "listed"})


async def test_a_compressed_pool_replays_with_the_scores_it_was_recorded_with(tmp_path):
    samples = tuple(
        PoolSample(text=f"The answer is {n}.", tokens=5, scores={"reward": float(n == 3)}) for n in (2, 2, 3, 4)
    )
    row = PoolRow(id="a", question="#1", samples=samples, kind="number", extra={"grader": "listed", "right": []})
    row.extra["right"].append(text_mark("The answer is 3."))
    path = tmp_path / "p.jsonl.gz"
    path.write_bytes(gzip.compress(msgspec.json.encode(row)))
    async with Engine(f"pool:{path}?check=off", cache=False) as engine:
        chosen = await engine.solve("#1", strategy="best-of-n(n=4, verifier=recorded(reward), aggregate=max)")
        voted = await engine.solve("#1", strategy="self-consistency(n=4)")
    assert (str(chosen.answer), str(voted.answer)) == ("3", "2")
    summary = await bench(path, tmp_path / "out", Asked(strategies=("best-of-n(n=4, verifier=recorded(reward))",)))
    assert summary.oracle == 1.0
    assert summary.random == pytest.approx(0.25)
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(InputError, match="cannot be read"):
        read_pool(path)


PACKED = sorted((Path(__file__).parents[2] / "benchmarks" / "pools").glob("*.jsonl.gz"))


@pytest.mark.parametrize("path", PACKED, ids=lambda path: path.name)
def test_the_repositorys_pools_can_be_benched_and_hold_no_fetched_question(path):
    made_up = path.name.startswith("rg_")  # by reasoning-gym, from a seed
    for row in read_pool(path):
        assert made_up is not bool(re.fullmatch(r"sha256 [0-9a-f]{64}", row.question))
        assert row.answer is None
        assert not {"tests", "code", "rationale", "equation"} & set(row.extra)
        assert recorded(row, row.id).grader == "listed"
