"""What goes from data into a pool, and comes back out of it."""

import json

import pytest

from outthink.api import Engine
from outthink.batch.record import Recording
from outthink.batch.sample import sample
from outthink.bench.data import load
from outthink.bench.recording import recorded, to_record
from outthink.core.errors import InputError
from outthink.models.fake import FakeModel
from outthink.models.pool import read_pool
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
