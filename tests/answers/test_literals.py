"""Python literals and source code as answers, held against Python's own parser and equality."""

import ast
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outthink.answers import canonical, extract

FOUND = [
    ("[ANSWER][1, 2][/ANSWER]", "[1, 2]"),
    ("[ANSWER]\nf(3) == 'x'\n[/ANSWER]", "'x'"),
    ("[ANSWER]assert f([1]) == {'a': 1}[/ANSWER]", "{'a': 1}"),
    ("[answer]1[/answer] then [answer]2[/answer]", "2"),
    ("The answer is `[1, 2]`.", "[1, 2]"),
    ("The answer is **(1, 2)** because of the order", "(1, 2)"),
    ("The answer is {'a': [1, '}']}, as said", "{'a': [1, '}']}"),
    ("The answer is ['it]', \"is'\"] here", "['it]', \"is'\"]"),
    ("The answer is:\n```python\n[1,\n 2]\n```", "[1, 2]"),
    ("The answer is 'a\\'b' of course", '"a\'b"'),
    ("\\boxed{True}", "True"),
    ("So it returns\n[1, 2]", "[1, 2]"),
    ("Running it gives\n```\n{'k': (1,)}\n```\nas expected.", "{'k': (1,)}"),
    ("The answer is -5", "-5"),
    ("The answer is 2+3j", "2+3j"),
    ("The answer is set()", "set()"),
]
AS_IT_STANDS = [
    ("The answer is hello world.", "hello world."),
    ("[ANSWER]'a' + 'b'[/ANSWER]", "'a' + 'b'"),
    ("[ANSWER][1] * 3[/ANSWER]", "[1] * 3"),
    ("[ANSWER]'a'.upper()[/ANSWER]", "'a'.upper()"),
    ("[ANSWER][1, 2][0][/ANSWER]", "[1, 2][0]"),
    ("[ANSWER]'abc'?[/ANSWER]", "'abc'?"),
    ("[ANSWER][1] or [2][/ANSWER]", "[1] or [2]"),
    ("[ANSWER]'* * *[/ANSWER]", "'* * *"),
    ("[ANSWER][1, 2[/ANSWER]", "[1, 2"),
    ("[ANSWER]['a, 2[/ANSWER]", "['a, 2"),
    ("[ANSWER]x == 2[/ANSWER]", "x == 2"),
    ("[ANSWER]{[]: 1}[/ANSWER]", "{[]: 1}"),
    ("[ANSWER]**so**[/ANSWER]", "so"),
    ("[ANSWER])[/ANSWER]", ")"),
]
LITERALS = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**20), 10**20)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8)
    | st.binary(max_size=4)
    | st.complex_numbers(allow_nan=False, allow_infinity=False),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.lists(inner, max_size=3).map(tuple)
        | st.dictionaries(st.integers(0, 5) | st.text(max_size=3), inner, max_size=3)
        | st.sets(st.integers(0, 9), min_size=1, max_size=3)
    ),
    max_leaves=8,
)


ALIKE = st.recursive(
    st.sampled_from([0, 0.0, -0.0, 0j, 1j, 1 + 0j, False, None, 1, 1.0, True, "1", "", b"1", 2**53 + 1, 2.0**53]),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.lists(inner, max_size=2).map(tuple)
        | st.dictionaries(st.sampled_from([1, "1"]), inner, max_size=2)
    ),
    max_leaves=3,
)


@pytest.mark.parametrize(("text", "literal"), FOUND)
def test_a_literal_is_found_where_it_stands(text, literal):
    found = extract(text, "literal")
    assert ast.literal_eval(found.text) == ast.literal_eval(literal)
    assert found == canonical(literal, "literal")


@pytest.mark.parametrize(("text", "words"), AS_IT_STANDS)
def test_what_is_no_literal_is_an_answer_as_it_stands(text, words):
    found = extract(text, "literal")
    assert found.text == words
    assert found.key == f"?{words}"


def test_two_long_texts_that_differ_at_the_end_are_two_answers():
    one, other = (extract(f"[ANSWER]'{'* ' * 2000}{end}[/ANSWER]", "literal") for end in "ab")
    assert one != other


def test_without_a_marker_the_last_line_counts_and_a_text_that_was_cut_says_nothing():
    assert extract("first\n[1]", "literal").text == "[1]"
    assert extract("first\n[1]", "literal", marked=True) is None
    assert extract("no literal here at all", "literal") is None
    assert extract("[ANSWER] ` ` [/ANSWER]", "literal") is None


@given(LITERALS)
def test_a_literal_comes_back_with_the_value_python_gives_it(value):
    found = canonical(repr(value), "literal")
    assert ast.literal_eval(found.text) == value
    assert canonical(found.text, "literal").key == found.key
    assert extract(f"[ANSWER]{value!r}[/ANSWER]", "literal") == found


@given(ALIKE, ALIKE)
def test_two_literals_are_one_answer_just_when_python_says_they_are_equal(one, other):
    same = canonical(repr(one), "literal").key == canonical(repr(other), "literal").key
    assert same == (_typed(one) == _typed(other))


def _typed(value):
    """A value that Python compares as we do: truth values are no numbers, nor are -0.0 and 0.0 two."""
    if isinstance(value, bool):
        return ("bool", value)
    if isinstance(value, dict):
        return {_typed(key): _typed(held) for key, held in value.items()}
    if isinstance(value, list):
        return [_typed(part) for part in value]
    if isinstance(value, tuple):
        return ("tuple", *map(_typed, value))
    if isinstance(value, set):
        return frozenset(map(_typed, value))
    return value


@pytest.mark.parametrize("number", [1e400, -1e400])
def test_an_infinite_float_is_a_literal_of_its_own(number):
    found = canonical("1e400" if number > 0 else "-1e400", "literal")
    assert math.isinf(number)
    assert found.key == repr(number)


def test_what_python_cannot_read_is_no_literal():
    for text in (
        "",
        "f(",
        "x",
        "lambda: 0",
        "__import__('os')",
        "'a' * 9",
        "{[]}",
        "(" * 200 + ")" * 200,
        "-" * 5000 + "1",
    ):
        assert canonical(text, "literal") is None
    assert canonical("1" * 100_001, "literal") is None
    assert canonical("a == 1", "literal") is None


SAME_CODE = [
    ("x = 1  # one", "x=1"),
    ("def f(a,b):\n    return a+b\n", "def f(a, b):\n\n    return (a + b)"),
    ("if x: y()", "if x:\n    y()"),
    ("print('a')", 'print("a")'),
    ("SELECT a   \nFROM b\n", "SELECT a\nFROM b"),
]
OTHER_CODE = [
    ("x = 1", "x = 2"),
    ("def f(a): return a", "def f(b): return b"),
    ("a - b - c", "a - (b - c)"),
    ("print('#')", "print('')"),
    ("SELECT a FROM b", "SELECT b FROM a"),
]


@pytest.mark.parametrize(("one", "other"), SAME_CODE)
def test_code_is_one_answer_without_comments_and_layout(one, other):
    assert canonical(one, "code").key == canonical(other, "code").key


@pytest.mark.parametrize(("one", "other"), OTHER_CODE)
def test_different_code_is_two_answers(one, other):
    assert canonical(one, "code").key != canonical(other, "code").key


@pytest.mark.parametrize("source", [one for one, _ in SAME_CODE[:4] + OTHER_CODE[:4]])
def test_python_code_keeps_its_syntax_tree(source):
    assert ast.dump(ast.parse(canonical(source, "code").key)) == ast.dump(ast.parse(source))


def test_code_is_its_last_closed_block_else_a_whole_program():
    assert extract("First:\n```python\na = 1\n```\nBetter:\n```python\na = 2\n```", "code").text == "a = 2"
    assert extract("def f():\n    return 1", "code").text == "def f():\n    return 1"
    assert extract("import os\nos.getcwd()", "code") is not None
    assert extract("def f():\n    return 1", "code", marked=True) is None
    assert extract("```python\na = 1\n```\nand so", "code", marked=True).text == "a = 1"
    assert extract("I would call a function here.", "code") is None
    assert extract("```\n\n```", "code") is None
    assert extract("x", "code") is None


def test_code_that_nests_too_deeply_is_kept_as_text():
    deep = "x = " + "(" * 150 + "1" + ")" * 150
    assert canonical(deep, "code").key == deep
    long = "x = " + " + ".join(["1"] * 1500)  # its tree is deeper than Python may write
    assert canonical(long, "code").text == long
