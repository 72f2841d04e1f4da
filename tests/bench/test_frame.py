"""A bench's rows as a DataFrame: typed, whole, joined with their questions, and clear about what is missing."""

import json
import subprocess
import sys

import pytest

import outthink.bench
from outthink.core.errors import InputError

RUN = {
    "strategy": "direct", "model": "fake", "id": "q1", "repeat": 0, "correct": 1.0, "answer": "12",
    "confidence": 0.5, "confidence_source": "token_probability", "stop_reason": "exhausted", "samples": 1, "calls": 1,
    "prompt_tokens": 10, "completion_tokens": 5, "tokens": 15, "verifier_tokens": 0, "usd": 0.25, "seconds": 1.5,
    "flops": 1e9,
}  # fmt: skip
LOST = {**RUN, "id": "q2", "correct": 0.0} | dict.fromkeys(
    ("answer", "confidence", "confidence_source", "stop_reason", "usd", "seconds", "flops")
)
ASKED = [
    {"id": "q1", "question": "3 * 4?", "gold": "12", "grader": "number", "kind": "number", "cluster": "q1",
     "difficulty": 0.75, "samples": []},
    {"id": "q2", "question": "5 * 4?", "gold": "20", "grader": "number", "kind": "number", "cluster": "q2",
     "difficulty": None, "samples": []},
]  # fmt: skip


@pytest.fixture
def folder(tmp_path):
    def write(name, rows):
        (tmp_path / name).write_text("".join(json.dumps(row) + "\n" for row in rows))

    write("rows.jsonl", [RUN, {**RUN, "repeat": 1, "correct": 0.0}, LOST])
    write("questions.jsonl", ASKED)
    return tmp_path


def test_every_row_and_column_is_there_with_its_type(folder):
    pytest.importorskip("pandas")
    found = outthink.bench.frame(folder)
    assert list(found.columns) == list(RUN)
    assert found.iloc[0].to_dict() == RUN
    kinds = {name: found[name].dtype.kind for name in found.columns}
    for name, value in RUN.items():
        assert kinds[name] == {str: "O", int: "i", float: "f"}[type(value)], name
    assert found["correct"].mean() == pytest.approx(1 / 3)
    assert found[["answer", "confidence", "usd", "seconds"]].isna().sum().tolist() == [1, 1, 1, 1]


def test_types_hold_where_a_column_is_empty_or_whole_numbers_stand_for_fractions(folder):
    pytest.importorskip("pandas")
    before = outthink.bench.frame(folder).dtypes
    row = LOST | {"correct": True}
    (folder / "rows.jsonl").write_text(json.dumps(row) + "\n")
    assert (outthink.bench.frame(folder).dtypes == before).all()
    (folder / "rows.jsonl").write_text("")
    assert (outthink.bench.frame(folder).dtypes == before).all()


def test_questions_are_joined_on_request_and_every_run_stays(folder):
    pytest.importorskip("pandas")
    with (folder / "rows.jsonl").open("a") as rows:
        rows.write(json.dumps({**RUN, "id": "unknown"}) + "\n")
    found = outthink.bench.frame(str(folder), questions=True)
    assert found["id"].tolist() == ["q1", "q1", "q2", "unknown"]
    assert found["gold"].tolist()[:3] == ["12", "12", "20"]
    assert found["difficulty"].isna().tolist() == [False, False, True, True]
    assert found["gold"].isna().tolist() == [False, False, False, True]
    assert "samples_x" not in found.columns


def test_what_else_a_row_holds_comes_last(folder):
    pytest.importorskip("pandas")
    (folder / "rows.jsonl").write_text(json.dumps({"error": "no connection", **RUN}) + "\n")
    assert list(outthink.bench.frame(folder).columns) == [*RUN, "error"]


def test_what_is_wrong_with_a_folder_is_said_with_its_line(folder):
    pytest.importorskip("pandas")
    with pytest.raises(InputError, match="--out"):
        outthink.bench.frame(folder / "elsewhere")
    with (folder / "rows.jsonl").open("a") as rows:
        rows.write('{"strategy": "dir')
    with pytest.raises(InputError, match="line 4"):
        outthink.bench.frame(folder)
    (folder / "rows.jsonl").write_text(json.dumps({**RUN, "tokens": "many"}) + "\n")
    with pytest.raises(InputError, match=r"rows\.jsonl"):
        outthink.bench.frame(folder)
    (folder / "rows.jsonl").write_text(json.dumps(RUN) + "\n")
    (folder / "questions.jsonl").write_text((json.dumps(ASKED[0]) + "\n") * 2)
    with pytest.raises(InputError, match="twice"):
        outthink.bench.frame(folder, questions=True)


def test_without_pandas_the_remedy_is_named(folder, monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(InputError, match=r"pip install 'outthink\[pandas\]'"):
        outthink.bench.frame(folder)


def test_the_bench_loads_no_pandas_until_a_frame_is_asked_for():
    code = "import sys, outthink.bench; assert 'pandas' not in sys.modules and 'numpy' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=30)
