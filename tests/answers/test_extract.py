"""Where an answer stands in a text. Each row was worked out by hand."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outthink.answers import canonical, extract
from outthink.answers.extract import stated
from outthink.core.problem import ANSWER_KINDS

NUMBERS = [
    ("The answer is 12.", "12"),
    ("The answer is $12.00.", "12"),
    ("The answer is: **1,234** dollars", "1234"),
    ("So we get \\boxed{42}.", "42"),
    ("First \\boxed{1}, but correctly \\boxed{2}.", "2"),
    ("\\boxed{\\frac{3}{4}}", "0.75"),
    ("\\boxed{\\dfrac{1}{3}}", "1/3"),
    ("#### 18", "18"),
    ("3 * 4 = 12\nThe answer is 12 apples.", "12"),
    ("The answer is 3 * 4 = 12.", "12"),
    ("The answer is 5.\nWait, I made a mistake. The answer is 6.", "6"),
    ("Final Answer: -7", "-7"),
    ("The answer is −7.", "-7"),
    ("The answer is 1e3.", "1000"),
    ("The answer is .5", "0.5"),
    ("The answer is 50%.", "50"),
    ("The answer is 2 1/2.", "2.5"),
    ("The answer is ½.", "0.5"),
    ("The answer is twelve.", "12"),
    ("The answer is twenty-five.", "25"),
    ("The answer is\n\n7", "7"),
    ("It costs 3 dollars and then 4 more, 7 in all", "7"),
    ("The answer is 0012.", "12"),
    ("The answer is \\(\\$12\\).", "12"),
    ("Answer: 12 (since 3 * 4 = 12)", "12"),
    ("The final answer is $\\boxed{1{,}000}$", "1000"),
    ("**Answer:** 5", "5"),
]
NO_NUMBER = [
    "The answer cannot be determined.",
    "The answer is between 3 and 4.",
    "The answer is 3 or 4.",
    "The answer is <number>.",
    "I do not know.",
    "The answer is 5/0.",
    "",
]
CHOICES = [
    ("The answer is (C).", "C"),
    ("The answer is C.", "C"),
    ("Answer: (b) 27", "B"),
    ("\\boxed{\\text{D}}", "D"),
    ("So it must be (A).\nThe answer is (E)", "E"),
    ("The answer is option B", "B"),
]
BOOLEANS = [
    ("The answer is yes.", "yes"),
    ("The answer is No.", "no"),
    ("Answer: True", "yes"),
    ("No, because it is late.", "no"),
    ("Reasons follow.\nThe answer is false.", "no"),
]


@pytest.mark.parametrize(("text", "answer"), NUMBERS)
def test_a_number_is_found_in_its_canonical_form(text, answer):
    found = extract(text, "number")
    assert found is not None
    assert found.text == answer


@pytest.mark.parametrize("text", NO_NUMBER)
def test_a_non_answer_gives_no_number(text):
    assert extract(text, "number") is None


@pytest.mark.parametrize(("text", "answer"), CHOICES)
def test_a_choice_is_found_as_its_letter(text, answer):
    found = extract(text, "choice")
    assert found is not None
    assert found.text == answer


def test_a_choice_named_by_its_text_is_its_letter():
    choices = ("red", "dark blue", "green")
    assert str(extract("The answer is dark blue.", "choice", choices)) == "B"
    assert str(extract("The answer is (C) green.", "choice", choices)) == "C"
    assert extract("The answer is yellow.", "choice", choices) is None


@pytest.mark.parametrize(("text", "answer"), BOOLEANS)
def test_a_boolean_is_yes_or_no(text, answer):
    found = extract(text, "boolean")
    assert found is not None
    assert found.text == answer


def test_short_texts_are_one_answer_without_articles_case_and_punctuation():
    one, other = extract("The answer is The Eiffel Tower.", "span"), extract("\\boxed{eiffel tower}", "span")
    assert one is not None
    assert other is not None
    assert one.key == other.key
    assert one.text == "The Eiffel Tower"


def test_a_text_that_was_cut_answers_only_where_it_said_so():
    assert extract("3 * 4 = 12, and then 7 more", "number", marked=True) is None
    assert str(extract("The answer is 19.\nLet me check: 3 * 4", "number", marked=True)) == "19"


def test_auto_reads_boxes_and_markers_and_finds_the_kind():
    kinds = {
        "The answer is 12.": "number",
        "The answer is (B).": "choice",
        "The answer is yes.": "boolean",
        "The answer is Paris.": "span",
    }
    for text, kind in kinds.items():
        found = extract(text, "auto")
        assert found is not None
        assert found.kind == kind
    assert extract("There are 12 months in a year, and 7 days in a week.", "auto") is None


def test_open_kinds_have_no_answer_to_vote_on():
    for kind in ("text", "code", "json", "tool_call"):
        assert extract("The answer is 12.", kind) is None


@given(st.integers(-(10**30), 10**30))
def test_every_integer_comes_back_as_it_was_written(value):
    assert str(extract(f"The answer is {value}.", "number")) == str(value)
    assert str(extract(f"\\boxed{{{value:,}}}", "number")) == str(value)


@given(st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**9), max_value=10**9, places=4))
def test_a_decimal_is_the_same_answer_with_or_without_trailing_zeros(value):
    plain = extract(f"The answer is {value:f}", "number")
    assert plain == extract(f"The answer is {value:f}00", "number")


@given(
    st.text(alphabet=string.printable + "½−€\u00a0", max_size=400),
    st.sampled_from(list(ANSWER_KINDS)),
    st.lists(st.text(max_size=12), max_size=4),
)
def test_no_text_makes_it_fail(text, kind, choices):
    found = extract(text, kind, choices)
    assert found is None or (found.key and found.text)


EXPRESSIONS = [
    (r"The answer is $x^2$, because it is even.", "x^2"),
    (r"The answer is $\frac{1}{2}$.", "1/2"),
    (r"The answer is \(2x\) metres or so, see above", "2x"),
    (r"The answer is $x$ or $y$", "x, y"),
    (r"The answer is x + 1", "x+1"),
    ("So we have\n\\[ y = 3 \\]", "y=3"),
    ("x^2 + 1", "x^2+1"),
]
AUTO = [
    (r"\boxed{x^2 + 1}", "expression"),
    (r"\boxed{\frac{1}{2}}", "number"),
    (r"\boxed{(1, 2)}", "expression"),
    (r"The answer is \mathbb{R}^n as a whole set of things that nobody could name in fewer words.", None),
    ("The answer is 3 apples and 4 pears.", "span"),
]


@pytest.mark.parametrize(("text", "formula"), EXPRESSIONS)
def test_the_formula_that_a_sentence_sets_apart_is_its_answer(text, formula):
    assert extract(text, "expression").key == canonical(formula, "expression").key


@pytest.mark.parametrize(("text", "kind"), AUTO)
def test_auto_takes_a_formula_for_one_and_long_prose_for_none(text, kind):
    found = extract(text, "auto")
    assert (found and found.kind) == kind


def test_a_letter_in_a_formula_is_no_choice():
    assert extract(r"So it is \boxed{\gamma B}.", "choice") is None
    assert extract(r"So it is \boxed{\Delta E}.", "choice", ("x", "y")) is None
    assert str(extract(r"So it is \boxed{12}. That is (C).", "choice")) == "C"
    assert str(extract(r"It is \boxed{\text{(D)}\ C_{2v}}.", "choice")) == "D"


def test_a_choice_that_starts_with_a_letter_is_that_letter_only_where_it_stands_alone():
    choices = ("a dog", "a cat")
    assert str(extract("The answer is a cat", "choice", choices)) == "B"
    assert str(extract("The answer is A cat or dog", "choice", ("dogs", "a cat or dog"))) == "B"
    assert str(extract("I think (B)", "choice", choices)) == "B"
    assert extract("I think so.", "choice", choices) is None


def test_what_stands_last_is_taken_as_it_is_written():
    assert stated("First \\boxed{1}. The answer is 2.") == "1"
    assert stated("The answer is two of them. Done") == "two of them"
    assert stated("nothing") is None


def test_neither_yes_nor_no_is_no_boolean():
    assert extract("The answer is perhaps.", "boolean") is None
    assert extract("...", "boolean") is None


def test_a_formula_that_is_no_number_is_no_number():
    assert extract(r"\boxed{(\sqrt{2}, 3)}", "number") is None
    assert str(extract(r"\boxed{2\sqrt{4}}", "number")) == "4"
