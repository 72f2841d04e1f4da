"""Tests found in problems and in what models write: what is taken, and what is left out."""

import ast

import pytest

from outthink import Problem
from outthink.verifiers.inputs import varied
from outthink.verifiers.suite import calls_in, literal_call, suite, suite_of
from outthink.verifiers.written import assertions_in


def test_given_tests_are_taken_apart_into_statements_with_their_imports_first():
    found = suite("import math\ns = Stack()\ns.push(1)\nassert s.pop() == 1\nassert math.isclose(f(2), 0.5)\n")
    assert found.setup == "import math"
    assert found.tests == ("s = Stack()", "s.push(1)", "assert s.pop() == 1", "assert math.isclose(f(2), 0.5)")


@pytest.mark.parametrize(
    "text",
    [
        "def test_one():\n    'It adds.'\n    x = 1\n    assert f(x) == 2\n\ndef test_two():\n    assert f(3) == 4\n",
        "def check(candidate):\n    x = 1\n    assert candidate(x) == 2\n    assert candidate(3) == 4\n\ncheck(f)\n",
    ],
)
def test_assertions_in_test_functions_are_taken_out_of_them(text):
    assert suite(text).tests == ("x = 1", "assert f(x) == 2", "assert f(3) == 4")


@pytest.mark.parametrize(
    "text",
    [
        "def check(candidate):\n    assert candidate(1) == 2\n",
        "class TestF(TestCase):\n    def test(self): assert f(1)",
    ],
)
def test_functions_that_nobody_calls_are_named(text):
    assert suite(text).tests == ()
    assert len(suite(text).unread) == 1


def test_tests_that_cannot_be_used_are_named_and_the_others_kept():
    found = suite(
        "assert f(1) == 2\nassert f(2 == \nassert 1 == 1\nfor i in range(3):\n    assert f(i)\nassert f(3) == 4"
    )
    assert found.tests == ("assert f(1) == 2", "assert f(3) == 4")
    assert "assert f(2 ==" in found.unread
    assert "assert 1 == 1" in found.unread


def test_a_text_that_checks_nothing_is_no_suite():
    assert suite("x = 1").tests == ()
    assert suite("").tests == ()
    assert suite("It must be fast.").unread == ("It must be fast.",)


@pytest.mark.parametrize(
    ("question", "tests"),
    [
        ("Add one.\nIt must pass this test:\nassert f(1) == 2", ["assert f(1) == 2"]),
        ("Add one: `assert f(1) == 2`", ["assert f(1) == 2"]),
        ("> - assert f([1,\n   2]) == 3\nand so on", ["assert f([1, 2]) == 3"]),
        ('def f(x):\n    """Add one.\n\n    >>> f(1)\n    2\n    >>> f(\n    ...   -1)\n    0\n    """',
         ["assert f(1) == 2", "assert f(-1) == 0"]),
        (">>> x = f(1)\n>>> f(x)\n3", []),
        (">>> f('a')\n'b'\n>>> f(None)\n>>> f(True)\nTrue", ["assert f('a') == 'b'", "assert f(True) is True"]),
        ("For example, f(1) == 2, and f(2) == 3.", ["assert f(1) == 2", "assert f(2) == 3"]),
        ("It adds (f((1, 2), [3]) -> (1, 2, 3)) at the end", ["assert f((1, 2), [3]) == (1, 2, 3)"]),
        ("Examples:\nf(1) -> 2\nf(2) => 3\n`f(3)` returns `4`\nf(4) should be 5.",
         ["assert f(1) == 2", "assert f(2) == 3", "assert f(3) == 4", "assert f(4) == 5"]),
        ("is_prime(7) → True", ["assert is_prime(7) is True"]),
        ("f(n) == n + 1, and f(0) == f(1) for print(1) == 2", []),
        ("Compute sum (of all) == everything and max(a, b) -> a", []),
        ("f(1) -> the number two", []),
    ],
)  # fmt: skip
def test_examples_are_read_from_a_question_where_both_sides_are_written_out(question, tests):
    assert list(suite_of(Problem.of(question)).tests) == tests


def test_given_tests_go_before_examples():
    problem = Problem(messages=({"role": "user", "content": "f(1) == 2"},), tests="assert f(5) == 6")
    assert suite_of(problem).tests == ("assert f(5) == 6",)
    assert suite_of(Problem(messages=problem.messages, tests=" ")).tests == ("assert f(1) == 2",)


def test_tests_a_model_writes_are_taken_line_by_line_and_only_what_is_about_the_function():
    text = (
        "Sure:\n```python\nassert f(1) == 2, 'adds one'\nassert f(1) == 2\nassert g(1) == 2\nassert f(2 == 3\n"
        "  assert abs(f(0.5) - 1.5) < 1e-6\nassert all(f(i) > i for i in range(3))\nassert True\nf(3)\n```"
    )
    assert assertions_in(text, "f", "") == ["assert f(1) == 2", "assert abs(f(0.5) - 1.5) < 1e-06"]


def test_new_inputs_are_near_the_known_ones_and_the_same_each_time():
    calls = calls_in(["assert f([3, 1, 2], 'abc') == 1", "assert g(2, key={'a': 1.5}) == 2", "assert f(x, 'b') == 1"])
    assert [ast.unparse(call) for call in calls] == ["f([3, 1, 2], 'abc')", "g(2, key={'a': 1.5})"]
    found = varied(calls, 12)
    assert found == varied(calls, 12)
    assert len(set(found)) == 12
    assert not {ast.unparse(call) for call in calls} & set(found)
    for text in found:
        call = literal_call(text)
        assert isinstance(ast.literal_eval(call.args[0]), list if call.func.id == "f" else int)
        numbers = [node.value for node in ast.walk(call) if isinstance(node, ast.Constant)]
        assert all(number >= 0 for number in numbers if isinstance(number, (int, float)))
    assert any(text.startswith("f(") for text in found)
    assert any(text.startswith("g(") for text in found)


@pytest.mark.parametrize("call", ["f()", "f(None)", "f('')", "f([])", "f({})"])
def test_where_there_is_nothing_to_change_there_are_no_new_inputs(call):
    assert varied([literal_call(call)], 3) == []
    assert varied([], 3) == []


HOSTILE = ["f(" * 9000, "f()" * 6000, "assert (\n" * 2000, ">>> f(\n" * 3000, "((" * 9000, f"assert {'-' * 9000}f()"]


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_questions_and_tests_hold_nothing(text):
    assert suite_of(Problem.of(text)).tests == ()
    assert suite(text).tests == ()
