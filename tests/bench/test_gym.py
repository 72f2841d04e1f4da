"""reasoning-gym: generated questions, its scorers, and those that would run an answer as code."""

import sys

import pytest

from outthink.bench.data import load, row_of
from outthink.bench.graders import grade
from outthink.core.candidate import Answer
from outthink.core.errors import InputError, UnknownName, Unsupported


def test_a_missing_library_is_told_with_its_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "reasoning_gym", None)
    with pytest.raises(InputError, match=r"pip install 'outthink\[gym\]'"):
        load("reasoning-gym:chain_sum?size=7&seed=11")


@pytest.fixture
def gym():
    """The real library; it is an extra of its own, since one of its dependencies is compiled."""
    return pytest.importorskip("reasoning_gym")


@pytest.mark.usefixtures("gym")
def test_a_task_gives_the_same_rows_for_the_same_seed():
    one, again, other = (load(f"reasoning-gym:chain_sum?size=5&seed={seed}") for seed in (1, 1, 2))
    assert len(one.rows) == 5
    assert one == again
    assert one.fingerprint != other.fingerprint
    assert {row.kind for row in one.rows} == {"number"}


@pytest.mark.usefixtures("gym")
@pytest.mark.parametrize(
    "task", ["chain_sum", "countdown", "puzzle24", "spell_backward", "base_conversion", "n_queens"]
)
def test_its_own_answers_are_right_and_others_wrong(task):
    for row in load(f"reasoning-gym:{task}?size=4&seed=3").rows:
        assert grade(row, Answer(row.answer, row.kind, row.answer)) == 1.0
        assert grade(row, "The answer is 123456789.") == 0.0
        assert row.answer not in str(row.problem.messages) or len(row.answer) < 6


@pytest.mark.usefixtures("gym")
def test_a_solution_that_is_not_the_stored_one_is_right_too():
    row = load("reasoning-gym:puzzle24?size=1&seed=1").rows[0]
    assert row.answer == "10*(8 - 5) - 6"
    assert grade(row, "The answer is (8 - 5) * 10 - 6") == 1.0
    assert grade(row, "The answer is 8 + 8 + 8") == 0.0


@pytest.mark.usefixtures("gym")
@pytest.mark.parametrize(
    "task", ["countdown", "puzzle24", "n_queens", "spiral_matrix", "string_insertion", "chain_sum"]
)
def test_no_answer_is_run_as_code(task, tmp_path):
    marker = tmp_path / "ran"
    attack = f"__import__('pathlib').Path({str(marker)!r}).touch()"
    row = load(f"reasoning-gym:{task}?size=1&seed=2").rows[0]
    assert grade(row, Answer(attack, "literal", attack)) == 0.0
    assert not marker.exists()


@pytest.mark.usefixtures("gym")
@pytest.mark.parametrize("task", ["simple_integration", "intermediate_integration", "polynomial_multiplication"])
def test_tasks_whose_scorer_would_run_answers_are_refused(task):
    with pytest.raises(Unsupported, match="would run answers as code"):
        load(f"reasoning-gym:{task}?size=1")


@pytest.mark.usefixtures("gym")
def test_a_file_cannot_bring_a_puzzle_that_its_scorer_would_run(tmp_path):
    marker = tmp_path / "ran"
    attack = {"problem": f"__import__('pathlib').Path({str(marker)!r}).touch()"}
    fields = {"question": "?", "answer": "1", "grader": "reasoning-gym:bitwise_arithmetic", "metadata": attack}
    with pytest.raises(Unsupported, match="would run answers as code"):
        grade(row_of(fields), "The answer is 2.")
    assert not marker.exists()


@pytest.mark.usefixtures("gym")
def test_rows_written_to_a_file_are_scored_by_their_task():
    fields = {"question": "Reverse abc", "answer": "cba", "grader": "reasoning-gym:spell_backward"}
    assert grade(row_of(fields), "The answer is cba") == 1.0
    assert grade(row_of(fields), "The answer is abc") == 0.0


@pytest.mark.usefixtures("gym")
def test_wrong_names_and_options_are_told():
    with pytest.raises(UnknownName, match=r"has no task 'chain_sums'; it has .*chain_sum"):
        load("reasoning-gym:chain_sums")
    with pytest.raises(InputError, match="refuses these options"):
        load("reasoning-gym:chain_sum?colour=red")
    with pytest.raises(InputError, match="size must be positive"):
        load("reasoning-gym:chain_sum?size=0")
