"""Rows from JSON lines: what is asked, how it is compared, and what a bad file is told."""

import hashlib
import json

import msgspec
import pytest

from outthink.answers import canonical
from outthink.bench.data import load, row_of
from outthink.core.errors import InputError, UnknownName

GOLD = "xyzzy-the-gold"
LAYOUTS = {
    "word problem": {"question": "How many?", "answer": "12", "rationale": GOLD},
    "multiple choice": {"question": "Which?", "answer": "B", "choices": ["A)1", "B)2"], "rationale": GOLD},
    "competition": {"question": "Solve.", "answer": GOLD, "level": 3, "subject": "Algebra", "solution": GOLD},
    "game": {"question": "?", "answer": GOLD, "numbers": [1, 1, 4, 6], "rank": 1},
    "yes or no": {"question": "Is it?", "answer": "no", "facts": [GOLD], "decomposition": [GOLD]},
    "passages": {"question": "Who?", "answer": GOLD, "contexts": [{"title": "T", "sentences": ["One.", "Two."]}]},
    "hops": {"question": "Who?", "answer": GOLD, "aliases": [GOLD], "contexts": [{"title": "T", "text": "One."}]},
    "brackets": {"question": "Close: ( [", "answer": "] )", "task": "dyck_languages"},
    "words": {"question": "Sort: b a", "answer": "a b", "task": "word_sorting"},
    "options inside": {"question": "Which?\nOptions:\n(A) one\n(B) two", "answer": "(B)", "task": "date_understanding"},
    "output": {"question": "?", "answer": f"'{GOLD}'", "code": "def f(x):\n    return x", "input": "[1]"},
    "program": {
        "question": "Write f.",
        "answer": GOLD,
        "tests": ["assert f(1) == 2", f"assert f('{GOLD}') == 3"],
        "test_imports": ["import math"],
        "entry_point": "f",
    },
    "first wrong step": {"question": "1+1?", "answer": "-1", "label": -1, "steps": ["2"], "source": "original"},
    "better output": {"question": "Say hi.", "answer": "1", "output_1": "hi", "output_2": "no", "subset": GOLD},
}
GRADERS = {
    "word problem": "number",
    "multiple choice": "choice",
    "competition": "math",
    "game": "game24",
    "yes or no": "boolean",
    "passages": "span",
    "hops": "span",
    "brackets": "tokens",
    "words": "tokens",
    "options inside": "choice",
    "output": "literal",
    "program": "tests",
    "first wrong step": "number",
    "better output": "number",
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_the_grader_is_read_off_the_row(layout):
    assert row_of(LAYOUTS[layout]).grader == GRADERS[layout]


@pytest.mark.parametrize("layout", LAYOUTS)
def test_what_is_right_never_enters_what_is_asked(layout):
    assert GOLD.encode() not in msgspec.json.encode(row_of(LAYOUTS[layout]).problem)


@pytest.mark.parametrize(
    ("layout", "asked"),
    [
        ("multiple choice", "Which?\n(A) 1\n(B) 2"),
        ("options inside", "Which?\nOptions:\n(A) one\n(B) two"),
        ("game", "Use the numbers 1, 1, 4, 6, each exactly once"),
        ("passages", "T\nOne. Two.\n\nQuestion: Who?"),
        ("hops", "T\nOne.\n\nQuestion: Who?"),
        ("output", "def f(x):\n    return x\n\nWhat does f([1]) return?"),
        ("program", "Name it f. Answer with Python code.\nIt must pass this test:\nimport math\nassert f(1) == 2"),
        ("first wrong step", "Step 0: 2"),
        ("better output", "Output 1: hi\n\nOutput 2: no"),
    ],
)
def test_what_is_asked_holds_all_it_takes_to_answer(layout, asked):
    assert asked in row_of(LAYOUTS[layout]).problem.question


def test_choices_are_told_apart_from_the_question():
    assert row_of(LAYOUTS["multiple choice"]).problem.choices == ("(A) 1", "(B) 2")
    assert row_of(LAYOUTS["options inside"]).problem.choices == ("(A) one", "(B) two")


def test_a_choice_may_be_given_by_its_letter_its_text_or_its_place_from_0():
    for answer in ("B", "(B)", "green", 1):
        row = row_of({"question": "Which?", "answer": answer, "choices": ["red", "green"]})
        assert canonical(row.answer, "choice", row.problem.choices).text == "B"


def test_one_test_is_shown_and_all_are_gold():
    row = row_of(LAYOUTS["program"])
    assert row.problem.tests == "import math\nassert f(1) == 2"
    assert row.tests == ("import math", "assert f(1) == 2", f"assert f('{GOLD}') == 3")
    assert row.kind == "code"


def test_passages_can_be_kept_apart_for_retrieval():
    row = row_of(LAYOUTS["hops"], contexts="apart")
    assert row.problem.question == "Who?"
    assert row.problem.context == ("T\nOne.",)


def test_the_rows_own_grader_wins_over_the_flag_and_the_flag_over_a_guess():
    assert row_of({"question": "?", "answer": "4", "grader": "span"}, grader="math").grader == "span"
    assert row_of({"question": "?", "answer": "4"}, grader="math").grader == "math"
    assert row_of({"question": "?", "answer": "4"}).grader == "number"


def test_conversations_are_kept_as_they_came():
    messages = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "2 + 2?"}]
    assert row_of({"messages": messages, "answer": "4"}).problem.messages == tuple(messages)


def test_what_else_a_row_says_is_kept_for_breakdowns():
    row = row_of({**LAYOUTS["competition"], "cluster": "contest 7"})
    assert (row.extras["level"], row.extras["subject"], row.cluster) == (3, "Algebra", "contest 7")
    assert row_of(LAYOUTS["first wrong step"]).cluster != "original"


def write(path, *lines):
    path.write_text("".join(line if isinstance(line, str) else json.dumps(line) + "\n" for line in lines))
    return path


def test_a_file_is_fingerprinted_by_its_bytes(tmp_path):
    path = write(tmp_path / "data.jsonl", {"id": "a", "question": "1 + 1?", "answer": "2"}, "\n")
    data = load(path)
    assert (data.path, len(data.rows)) == (str(path), 1)
    assert data.fingerprint == hashlib.sha256(path.read_bytes()).hexdigest()


def test_ids_made_from_questions_do_not_depend_on_order(tmp_path):
    rows = [{"question": f"{n} + {n}?", "answer": str(2 * n)} for n in range(5)]
    forward, back = (load(write(tmp_path / f"{i}.jsonl", *found)) for i, found in enumerate((rows, rows[::-1])))
    assert {row.id: row.answer for row in forward.rows} == {row.id: row.answer for row in back.rows}
    assert len({row.id for row in forward.rows}) == 5


OK = {"id": "a", "question": "1 + 1?", "answer": "2"}


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ([], "has no rows; give it at least one question"),
        ([OK, '{"id": "b", "question": "1 +'], "line 2 is not JSON (.*); the file ends in the middle of this row"),
        (["{oops}\n", OK], "line 1 is not JSON (.*); correct this row"),
        (["[1, 2]\n"], "line 1 is not an object"),
        ([OK, {**OK, "question": "2 + 2?"}], "line 2: id 'a' was used by line 1; make ids differ"),
        ([OK, {"question": "2 + 2?", "answer": "4"}], "line 2 has no id though others have"),
        ([{"question": "2?", "answer": "2"}, OK], "line 2 has an id though others have none"),
        ([{"question": "2?", "answer": "2"}] * 2, "line 2: id 'q-.*' was used by line 1; remove the repeated question"),
        ([{"id": "a", "question": "1 + 1?", "grader": "number"}], 'line 1 has no "answer"; give the right answer'),
        ([{"id": "a", "question": " ", "answer": "2"}], 'line 1 has no "question"; give its text'),
        ([{"id": "a", "question": "Why?", "answer": "Because it is."}], "nothing tells how to compare the answer"),
        ([{**OK, "grader": "maths"}], "line 1: grader 'maths' does not exist; use math, number"),
        ([{**OK, "grader": "boolean"}], "line 1: the answer '2' is not a boolean; correct it, or give another grader"),
        ([{**OK, "grader": "tests"}], 'line 1: the grader tests needs "tests"'),
        ([{**OK, "tests": [1]}], 'line 1: "tests" takes a text or a list of texts'),
        ([{**OK, "grader": "game24"}], 'line 1: the grader game24 needs "numbers"'),
        ([{**OK, "numbers": [1, True], "grader": "game24"}], 'line 1: the grader game24 needs "numbers"'),
        ([{"id": "a", "messages": "hi", "answer": "2"}], 'line 1: "messages" takes a list of chat messages'),
        ([{"id": "a", "messages": [{"role": "system", "content": "x"}], "answer": "2"}], "no user message has text"),
        ([{**OK, "contexts": [{"title": "T"}], "grader": "span"}], "line 1: its fields make no question"),
    ],
)
def test_bad_rows_are_one_line_that_names_file_line_and_remedy(tmp_path, lines, message):
    path = write(tmp_path / "data.jsonl", *lines)
    with pytest.raises(InputError, match=message) as caught:
        load(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_text_that_is_not_utf8_names_its_line(tmp_path):
    path = tmp_path / "data.jsonl"
    path.write_bytes(json.dumps(OK).encode() + b'\n{"question": "\xff"}\n')
    with pytest.raises(InputError, match="line 2 is not JSON"):
        load(path)


def test_a_byte_order_mark_is_no_matter(tmp_path):
    path = tmp_path / "data.jsonl"
    path.write_bytes(b"\xef\xbb\xbf" + json.dumps(OK).encode())
    assert load(path).rows[0].id == "a"


def test_a_missing_file_and_an_unknown_flag_are_told(tmp_path):
    with pytest.raises(InputError, match=r"cannot read .*nothing\.jsonl: No such file"):
        load(tmp_path / "nothing.jsonl")
    with pytest.raises(UnknownName, match="grader 'maths' does not exist"):
        load(tmp_path / "nothing.jsonl", grader="maths")
