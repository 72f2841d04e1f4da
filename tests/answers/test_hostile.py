"""Texts made to hurt: nothing raises, time and memory stay bounded, and what is too much stays apart.

The bounds are generous: what they catch takes minutes or gigabytes.
"""

import random
import time
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outthink.answers import canonical, extract, kind_of
from outthink.core.problem import ANSWER_KINDS, Problem

SECONDS, MEMORY = 5.0, 200 << 20
N = 20_000
BOMBS = {
    "open boxes": r"\boxed{" * N,
    "closed boxes": r"\boxed{" * N + "1" + "}" * N,
    "nested fractions": r"\frac{1}{" * N + "2" + "}" * N,
    "some nested fractions": r"\boxed{" + r"\frac{1}{1+" * 40 + "2" + "}" * 40 + "}",
    "nested roots": r"\sqrt{" * 300 + "2" + "}" * 300,
    "tower of powers": "9^" * N + "9",
    "short tower of powers": "The answer is 9^{9^{9^{9}}}",
    "power of a huge number": "The answer is 9999999999^{9999999999}",
    "factorials": "The answer is 1000" + "!" * N,
    "factorial of a factorial": "The answer is ((1000!)!)!",
    "product of factorials": "The answer is " + "1000!" * 50,
    "ten thousand digits": "The answer is " + "7" * 10_000 + ".",
    "fraction of ten thousand digits": "The answer is " + "7" * 10_000 + "/" + "3" * 10_000,
    "decimals": "The answer is 0." + "3" * 10_000,
    "repeating decimals": r"The answer is 0.\overline{" + "3" * 10_000 + "}",
    "exponent": "The answer is 1e999999999",
    "negative exponent": "The answer is 1e-999999",
    "groups of digits": "The answer is 1" + ",000" * N,
    "almost groups of digits": "The answer is 1" + ",000" * N + "x",
    "signs": "The answer is " + "-" * N + "1",
    "spaces": "The answer is" + " " * N + "1",
    "lines": "\n" * N + "The answer is\n" + "\n" * N + "1",
    "stars": "*" * N + "Answer:" + "*" * N,
    "markers": "The answer is " * N,
    "dollars": "The answer is " + "$" * N,
    "dollars in pairs": "The answer is " + "$x$ " * N,
    "brackets": "(" * N + ")" * N,
    "brackets of all kinds": "The answer is " + "([{" * 300 + "}])" * 300,
    "braces and quotes": '{"' * N,
    "quotes": '"' * N + "}",
    "escapes": "\\" * N + '"}',
    "fences": "```\n" * N,
    "open fence": "```python\n" + "x = 1\n" * N,
    "tool calls": "<tool_call>" * N,
    "tags": "[ANSWER]" * N,
    "tags of text": "<" * N + "a" * N + ">" * N,
    "commas": "The answer is " + "1," * N,
    "matrix": r"The answer is \begin{pmatrix}" + "1&" * N + r"1\end{pmatrix}",
    "matrices": r"\begin{pmatrix}" * N,
    "unions": "The answer is (1,2)" + r"\cup(1,2)" * 90,
    "relations": "The answer is x" + "<x" * N,
    "sums": "The answer is " + "x+" * N + "x",
    "many letters": "The answer is " + "+".join(f"x_{{{i}}}" for i in range(200)),
    "power of a sum": "The answer is (x+y+z+w)^{400}",
    "many roots": "The answer is " + "+".join(rf"\sqrt{{x+{k}}}" for k in range(60)),
    "words": "The answer is " + "word " * N,
    "units": "The answer is 5 " + "km/" * N,
    "clock": "The answer is " + "1:" * N + "30",
    "ratio": "The answer is " + "1:" * N + "1",
    "pluses": "The answer is " + r"1\pm" * N + "1",
    "unicode digits": "The answer is " + "١٢٣" * 1000,
    "raised digits": "The answer is 2" + "⁹" * N,
    "nulls": "\0" * N + "The answer is \0 1",
    "lone surrogates": "The answer is \ud800" * 100,
    "right to left": "\u202e" * N + "12",
    "letters that fold": "The answer is " + "ß" * N,
    "integrals": r"The answer is " + r"\int" * N,
    "options": "(A) x (B) y " * N,
    "deep lists": "[ANSWER]" + "[" * N + "]" * N + "[/ANSWER]",
    "signs in python": "[ANSWER]" + "-" * N + "1[/ANSWER]",
    "nots in python": "[ANSWER]" + "not " * N + "1[/ANSWER]",
    "long string": "[ANSWER]'" + "a" * N + "'[/ANSWER]",
    "huge integer": "[ANSWER]" + "7" * 5000 + "[/ANSWER]",
    "big hexadecimal": "[ANSWER]0x" + "f" * 10_000 + "[/ANSWER]",
    "multiplied string": "[ANSWER]'a' * 10**12[/ANSWER]",
    "json number": "7" * 10_000,
    "json exponent": '{"a": 1e999999999999}',
    "json depth": "[" * N + "]" * N,
    "json bombs in prose": "see [1] and " + "]" * N,
}


@pytest.mark.parametrize("kind", ANSWER_KINDS)
@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_neither_raises_nor_takes_long(name, kind):
    text, began = BOMBS[name], time.perf_counter()
    for found in (extract(text, kind, ("a", "b")), canonical(text, kind, ("a", "b"))):
        assert found is None or (found.key and found.text)
    assert time.perf_counter() - began < SECONDS


def test_bombs_take_little_memory():
    tracemalloc.start()
    try:
        for name in ("closed boxes", "tower of powers", "product of factorials", "power of a sum", "big hexadecimal"):
            extract(BOMBS[name], "expression")
            extract(BOMBS[name], "literal")
        assert tracemalloc.get_traced_memory()[1] < MEMORY
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("text", [text for text in BOMBS.values() if text.isascii()])
def test_a_bomb_of_a_question_has_a_kind_soon(text):
    began = time.perf_counter()
    assert kind_of(Problem.of("How many? " + text)) in ANSWER_KINDS
    assert time.perf_counter() - began < SECONDS


def test_numbers_of_ten_thousand_digits_are_told_apart_by_their_last_digit_or_not_read():
    one, other = "7" * 10_000, "7" * 9_999 + "8"
    for kind in ANSWER_KINDS:
        for said in ("{}", "The answer is {}", r"\boxed{{{}}}", "[ANSWER]{}[/ANSWER]", "The answer is '{}"):
            for read in (extract, canonical):
                first, second = (read(said.format(number), kind) for number in (one, other))
                assert (first is None and second is None) or first.key != second.key


def test_long_formulas_that_differ_at_their_end_are_told_apart():
    stem = "+".join(f"x^{{{k}}}" for k in range(200))
    assert canonical(stem + "+1", "expression").key != canonical(stem + "+2", "expression").key
    assert canonical(stem + stem + "+1", "expression") is None  # rather than its beginning
    assert extract(f"The answer is {stem}{stem}+1", "expression") is None
    assert extract("9" * 10_000, "number") is None
    assert str(extract("word " * 1000 + "so 12", "number")) == "12"


PIECES = r"""
\frac \sqrt { } ( ) [ ] \left( \right) ^ _ + - * / = < > , ; : | ! ° % $ 1 23 .5 x y e i \pi \infty \sin \log_2
\text{cm} \pm \cup \in \begin{pmatrix} \end{pmatrix} & \\ \int_0^1 \{ \} or and 3:30 pm km 1,000 √ ² € ' .
"""


@given(st.lists(st.sampled_from(PIECES.split()), max_size=30).map("".join), st.sampled_from(list(ANSWER_KINDS)))
def test_no_heap_of_formula_pieces_makes_it_fail_and_spaces_around_change_nothing(text, kind):
    found = canonical(text, kind)
    assert found is None or (found.key and found.text)
    if kind == "expression" and found is not None:
        assert canonical(f" {text} ", kind) == found


def test_random_bytes_are_no_trouble():
    draw = random.Random(0)
    for _ in range(300):
        text = bytes(draw.randrange(256) for _ in range(200)).decode("latin-1")
        for kind in ANSWER_KINDS:
            found = extract(f"The answer is {text}", kind)
            assert found is None or (found.key and found.text)
