"""Right or wrong, kind by kind, and nothing that a model wrote is run."""

import re
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outthink.answers import program_in
from outthink.bench.arithmetic import reaches
from outthink.bench.data import row_of
from outthink.bench.graders import grade
from outthink.core.candidate import Answer
from outthink.core.errors import InputError

ARITHMETIC = {"question": "How many?", "answer": "1,250"}
CHOICE = {"question": "Which?", "answer": "B", "choices": ["red", "green", "blue"]}
BOOLEAN = {"question": "Is it?", "answer": "no"}
MATH = {"question": "Solve.", "answer": "\\frac{3}{4}", "grader": "math"}
SPAN = {"question": "Who?", "answer": "The Beatles", "aliases": ["Fab Four"], "grader": "span"}
LITERAL = {"question": "What does it return?", "answer": "{'a': [1, 2.5, None]}", "grader": "literal"}
WORDS = {"question": "Sort.", "answer": "ant bee you've", "grader": "tokens"}
BRACKETS = {"question": "Close them.", "answer": "] ) >", "grader": "tokens"}
GAME = {"question": "Make 24.", "numbers": [4, 5, 6, 10], "answer": "(4*5)-(6-10)"}


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        (ARITHMETIC, "So 1000 + 250. The answer is 1250."),
        (ARITHMETIC, "\\boxed{1250.0}"),
        (CHOICE, "The answer is (B)."),
        (CHOICE, "The answer is green."),
        (BOOLEAN, "It is not. The answer is no."),
        (BOOLEAN, "The answer is False."),
        (MATH, "Thus \\boxed{\\frac{3}{4}}"),
        (SPAN, "The answer is beatles."),
        (SPAN, "The answer is the fab four"),
        (LITERAL, "The answer is {'a': [1, 2.5, None]}"),
        (LITERAL, 'The answer is `{"a":[1,2.5,None]}`.'),
        (LITERAL, "It returns\n```python\n{'a': [1, 2.5, None]}\n```"),
        (WORDS, "The answer is ant, bee, you've"),
        (WORDS, "The answer is ['Ant', 'bee', \"you've\"]."),
        (BRACKETS, "The answer is ])>"),
        (BRACKETS, "\\boxed{] ) >}"),
        (GAME, "The answer is 4 * 5 - (6 - 10) = 24."),
        (GAME, "Steps: none\nAnswer: (10 − 6) × 5 + 4 = 24"),
        (GAME, "\\boxed{4 \\times 5 - (6 - 10)}"),
    ],
)
def test_right_answers_are_right_however_they_are_written(fields, text):
    assert grade(row_of(fields), text) == 1.0


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        (ARITHMETIC, "The answer is 1251."),
        (ARITHMETIC, "I do not know."),
        (CHOICE, "The answer is (C)."),
        (BOOLEAN, "The answer is yes."),
        (MATH, "\\boxed{\\frac{4}{3}}"),
        (SPAN, "The answer is Beatles for Sale."),
        (LITERAL, "The answer is {'a': [1, 2.5]}"),
        (LITERAL, "The answer is dict(a=[1, 2.5, None])"),
        (WORDS, "The answer is bee ant you've"),
        (BRACKETS, "The answer is ) ] >"),
        (GAME, "The answer is 4 * 6 = 24"),
        (GAME, "The answer is 4 * 5 - 6 + 10 + 0"),
        (GAME, "The answer is 45 - 6 - 10 - 5"),
        (GAME, "The answer is 4 * 5 * (6 - 10)"),
        (GAME, "The answer is 4 * 5 - (6 - 10) 7"),
        (GAME, "The answer is 4 * 5 - (6 - 10) + 4 - 4"),
        (GAME, "Answer: None"),
        (GAME, "The answer is (4 * 5 - (6 - 10)"),
        (GAME, "The answer is 4 / (5 - 5) + 6 + 10"),
    ],
)
def test_wrong_answers_are_wrong(fields, text):
    assert grade(row_of(fields), text) == 0.0


def test_an_answer_taken_before_is_graded_like_its_text():
    assert grade(row_of(ARITHMETIC), Answer("1250", "number", "1250")) == 1.0
    assert grade(row_of(ARITHMETIC), Answer("1,250.00", "span", "1 250 00")) == 1.0
    assert grade(row_of(SPAN), Answer("Fab Four!", "span", "fab four")) == 1.0
    assert grade(row_of(GAME), Answer("(10-6)*5+4", "literal", "(10-6)*5+4")) == 1.0
    assert grade(row_of(CHOICE), None) == 0.0


@pytest.mark.parametrize(
    "gold",
    ["None", "''", "[]", "()", "'a  b'", "{1: (2, 3)}", "-0.5", "'The answer is 3.'", "True", "b'x'", "1+2j", "{1, 2}"],
)
def test_every_literal_equals_itself(gold):
    row = row_of({"question": "?", "answer": gold, "grader": "literal"})
    assert grade(row, Answer(gold, "literal", gold)) == 1.0
    assert grade(row, Answer("'something else'", "literal", "x")) == 0.0


@pytest.mark.parametrize("bomb", ["(" * 5000, "[" * 300 + "]" * 300, "-" * 3000 + "1", "9" * 100_000, "'" * 9, "\x00"])
def test_hostile_literals_are_wrong_and_harmless(bomb):
    assert grade(row_of(LITERAL), Answer(bomb, "literal", bomb)) == 0.0
    assert grade(row_of(GAME), Answer(bomb, "literal", bomb)) == 0.0


def test_literals_nested_beyond_reason_are_not_read():
    for depth, right in ((30, 1.0), (60, 0.0)):
        row = row_of({"question": "?", "answer": "[" * depth + "]" * depth, "grader": "literal"})
        assert grade(row, Answer("[ " * depth + "]" * depth, "literal", "")) == right


def test_nothing_is_evaluated(tmp_path):
    marker = tmp_path / "ran"
    attack = f"__import__('pathlib').Path({str(marker)!r}).touch()"
    for fields in (LITERAL, GAME, WORDS, SPAN, ARITHMETIC, MATH, CHOICE, BOOLEAN):
        assert grade(row_of(fields), f"The answer is {attack}") == 0.0
        assert grade(row_of(fields), Answer(attack, "literal", attack)) == 0.0
    assert not marker.exists()


@given(st.text(max_size=60))
def test_no_text_breaks_a_grader(text):
    for fields in (ARITHMETIC, CHOICE, BOOLEAN, MATH, SPAN, LITERAL, WORDS, BRACKETS, GAME):
        assert grade(row_of(fields), text) in (0.0, 1.0)
        assert grade(row_of(fields), Answer(text, "text", text)) in (0.0, 1.0)


expressions = st.recursive(
    st.integers(0, 13).map(str),
    lambda inner: st.tuples(inner, st.sampled_from("+-*/"), inner).map(lambda parts: f"({' '.join(parts)})"),
    max_leaves=5,
)


@given(expressions)
def test_the_arithmetic_reader_agrees_with_pythons(expression):
    numbers = [int(number) for number in re.findall(r"\d+", expression)]
    try:
        value = eval(
            re.sub(r"(\d+)", r"Fraction(\1)", expression), {"Fraction": Fraction}
        )  # the oracle, on our own text
    except ZeroDivisionError:
        value = None
    targets = {24, -1} | ({int(value)} if value is not None and value.denominator == 1 else set())
    for target in targets:
        assert reaches(expression, numbers, target) == (value == target)
    assert not reaches(expression, [*numbers, 1], 24)


PROGRAM = {"question": "Write add.", "tests": ["assert add(1, 2) == 3", "assert add(0, 0) == 0"], "answer": "…"}


def test_programs_are_handed_to_the_runner_with_every_test():
    seen = []

    def run_tests(code, tests):
        seen.append((code, tuple(tests)))
        return "a + b" in code

    row = row_of({**PROGRAM, "test_imports": ["import math"]})
    program = "def add(a, b):\n    return a + b\n"
    text = f"First:\n```python\nprint(1)\n```\nso\n```python\n{program}```\nUse it:\n```\nadd(1, 2)\n```"
    assert grade(row, text, run_tests) == 1.0
    assert grade(row, "```python\ndef add(a, b): return 3\n```", run_tests) == 0.0
    assert seen[0] == (program, ("import math", *PROGRAM["tests"]))


def test_a_program_without_a_runner_is_an_error_that_names_the_row():
    with pytest.raises(InputError, match=r"q-\w+ is graded by running code; give a sandbox"):
        grade(row_of(PROGRAM), "def add(a, b): return a + b")


@pytest.mark.parametrize(
    ("text", "program"),
    [
        ("def f(): pass", "def f(): pass"),
        ("```py\nx = 1\n```\ndone", "x = 1\n"),
        ("```\ndef f(): wrong\n```\nno:\n```\ndef f(): right\n```", "def f(): right\n"),
        ("cut short:\n```python\ndef f():\n    return", "def f():\n    return"),
    ],
)
def test_a_program_is_found_with_and_without_its_fence(text, program):
    assert program_in(text) == program
