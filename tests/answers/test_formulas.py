"""Formulas that are read, held against sympy; formulas that are not; and equality as an equivalence."""

import random

import pytest
import sympy
from hypothesis import given, settings
from hypothesis import strategies as st

from outthink.answers import Votes, canonical, same
from outthink.core.candidate import Candidate

X, Y, Z, A, B = sympy.symbols("x y z a b")
READ = [
    (r"\binom{5}{2}", sympy.binomial(5, 2)),
    (r"5!", sympy.factorial(5)),
    (r"\pi!", sympy.gamma(sympy.pi + 1)),
    (r"x!y", sympy.gamma(X + 1) * Y),
    (r"\lfloor \pi \rfloor + \lceil \sqrt2 \rceil", sympy.Integer(5)),
    (r"\sqrt[3]{8}", sympy.Integer(2)),
    (r"\sqrt[3]8 x", 2 * X),
    (r"(-8)^{1/3}", sympy.Integer(-2)),
    (r"(-8)^{2/3}", sympy.Integer(4)),
    (r"i^i", sympy.exp(-sympy.pi / 2)),
    (r"(1+i)^2", 2 * sympy.I),
    (r"(2+3i)(2-3i)", sympy.Integer(13)),
    (r"(1+i)^3 + (1-i)^3", sympy.Integer(-4)),
    (r"\imath + 1", 1 + sympy.I),
    (r"e^{i\pi}", sympy.Integer(-1)),
    (r"\sin^{-1} x", sympy.asin(X)),
    (r"\arccos x + \arctan x", sympy.acos(X) + sympy.atan(X)),
    (r"\sin^2 x + \cos^2 x", sympy.Integer(1)),
    (r"\sin x \cos y", sympy.sin(X) * sympy.cos(Y)),
    (r"\sin 2x", sympy.sin(2 * X)),
    (r"\sin 30°", sympy.Rational(1, 2)),
    (r"\tanh 1 + \coth 1", sympy.tanh(1) + sympy.coth(1)),
    (r"\sec x \csc x", 1 / (sympy.sin(X) * sympy.cos(X))),
    (r"\exp(2) + \abs(-3)", sympy.exp(2) + 3),
    (r"\log_2 8", sympy.Integer(3)),
    (r"\log_{10} 50 + \log_{10} 2", sympy.Integer(2)),
    (r"|x|y|z|", sympy.Abs(X) * Y * sympy.Abs(Z)),
    (r"\lvert -3 \rvert", sympy.Integer(3)),
    (r"x \div 2", X / 2),
    (r"2*-3", sympy.Integer(-6)),
    (r"1 - -2", sympy.Integer(3)),
    (r"x^-1", 1 / X),
    (r"x^{-2} x^2", sympy.Integer(1)),
    (r"x^0", sympy.Integer(1)),
    (r"a**b", A**B),
    (r"\frac x y", X / Y),
    (r"\frac{\pi}2", sympy.pi / 2),
    (r"\frac \pi \theta \theta", sympy.pi),
    (r"1.\overline{142857}", sympy.Rational(8, 7)),
    (r"6.02e23", sympy.Integer(602) * 10**21),
    (r"\frac{1}{2}^2", sympy.Rational(1, 4)),
    (r"(\sqrt{2})^2 - 2", sympy.Integer(0)),
    (r"\frac{x-x}{y}", sympy.Integer(0)),
    (r"0 \cdot x", sympy.Integer(0)),
    (r"2^{300}", sympy.Integer(2) ** 300),
    (r"√(x+1)", sympy.sqrt(X + 1)),
    (r"2√x", 2 * sympy.sqrt(X)),
    (r"x_1 + x_{1}", 2 * sympy.Symbol("x_1")),
    (r"+5", sympy.Integer(5)),
    (r"-90°", sympy.Integer(-90)),
]
NOT_READ = [
    r"1/0",
    r"\frac{1}{x-x}",
    r"0^0",
    r"0^{-1}",
    r"0^{1/2}",
    r"(x-x)^0",
    r"\sqrt[1]{5}",
    r"\sqrt[x]{5}",
    r"\sqrt[100]{5}",
    r"\binom{x}{2}",
    r"\binom{2}{5}",
    r"\binom{2000}{1000}",
    r"1001!",
    r"(1/2)!",
    r"3!!",
    r"e^{200}",
    r"e^{-200}",
    r"e^{500}",
    r"2^{100000}",
    r"(x+1)^{500}",
    r"(1+i)^{500}",
    r"x^{1000}",
    r"2^{1000\pi}",
    r"10^{70} + \pi",
    r"\exp(400)",
    r"\sinh(400)",
    r"\sin(10^{13})",
    r"\ln(0)",
    r"\tan(90°)",
    r"\cot 0",
    r"\lfloor i \rfloor",
    r"\lfloor x \rfloor",
    r"\lfloor x",
    r"(1",
    r"|x",
    r"||x||",
    r"x + ||",
    r"2^",
    r"1+",
    r"/2",
    r"\frac 1 @",
    r"\frac 1",
    r"\@",
    r"x @ y",
    r"\mathbb{R}",
    r"f'(x)",
    r"xyzw + 1",
    r"am + 1",
    r"1.2.3",
    r"1 2 3",
    r"1e500",
    r"9" * 401,
    r"2 3/2",
    r"2 1/2 x",
    r"2\frac12^2",
    r"1/2x",
    r"sqrt + 1",
    r"\sqrt",
    r"\ln^{-1} x",
    r"\sin x(1+y)",
    r"\infty + 1",
    r"\text{infinity}^2",
    r"x \pm y \pm z",
    r"1 \mp 2 \pm 3",
    r"\{x | x > 0\}",
    r"\{x \mid x > 0\}",
    r"\{x \mid x \in A\}",
    r"2 < 3",
    r"1 < x > 5",
    r"1 < 2 < x < 3",
    r"x <",
    r"f(x) = y = 2",
    r"1 = 2 = y",
    r"(1,02)",
    r"(1,,2)",
    r"(1+2]",
    r"2\begin{pmatrix}1\\2\end{pmatrix}",
    r"2^{9000} \cdot 3^{9000}",
    r"2\timesx",
    r"\approx",
    "{1",
    "x" + "+x" * 501,
    "(" * 61 + "1" + ")" * 61,
    "+".join(["x"] * 400),
    "+".join(rf"\sqrt{{x+{k}}}" for k in range(40)),
]


def key(text):
    found = canonical(text, "expression")
    assert found is not None, text
    return found.key


def latex(value):
    return sympy.latex(value, inv_trig_style="full", ln_notation=True)


@pytest.mark.parametrize(("text", "value"), READ)
def test_a_formula_is_what_sympy_has_it(text, value):
    assert key(text) == key(latex(value))
    assert key(text) != key(latex(value + sympy.Rational(1, 10**9)))


@pytest.mark.parametrize("text", NOT_READ)
def test_what_can_be_read_in_two_ways_or_not_at_all_is_equal_to_its_own_text_only(text):
    assert key(text)[0] in "?~"
    assert key(text) == key(f"  {text} ")
    assert key(text) != key(text + " + 1")


def test_spaces_that_separate_numbers_and_words_count():
    assert len({key(text) for text in ("1 2 3", "12 3", "1 23")}) == 3
    assert key("1  2   3") == key("1 2 3")
    assert key(r"\frac 1 @ 2") == key(r"\frac 1@2")


WRITTEN = [
    (r"\{1,2\}", "{2,1}", True),
    (r"{1,2}", "{2,1}", True),
    (r"{1, 2}", "(1, 2)", False),
    (r"[5]", "5", False),
    (r"x \geqslant 2", "x >= 2", True),
    (r"2x \le 4", "x \\le 2", True),
    (r"2x \le 4", "x \\ge 2", False),
    (r"x \ne 2", "2 \\ne x", True),
    (r"5 > x > 1", "1 < x < 5", True),
    (r"1 < x < 5", "1 < y < 5", False),
    (r"x = \int", r"x=\int", True),
    (r"x = y + 1 = 1 + y", "y + 1", True),
    (r"x = 2x - 4", r"3x = 4x - 4", True),
    (r"y = 90°", "y = 90", True),
    (r"y = 5%", "y = 5", True),
    (r"5 \text{ cm}^2", "5 cm²", True),
    (r"\approx 5", "5", True),
    (r"\begin{matrix}1&2\\3&4\end{matrix}", r"\begin{bmatrix}1&2\\3&4\end{bmatrix}", True),
    (r"17:30", "5:30 pm", True),
    (r"05:30", "5:30", True),
    (r"-\infty", "-infinity", True),
    (r"+\infty", "∞", True),
    (r"\text{Infinity}", "+ infinity", True),
    (r"-\infty", r"\infty", False),
    (r"x \in (1, 2)", "(1, 2)", True),
    (r"(1,2) \cup [3,4)", r"[3,4) ∪ (1,2)", True),
    (r"(1,2) \cup \{3\}", r"(1,2) \cup 3", False),
]


@pytest.mark.parametrize(("one", "other", "equal"), WRITTEN)
def test_what_stands_around_formulas_is_read_too(one, other, equal):
    assert (key(one) == key(other)) is equal


def test_formulas_that_agree_only_near_the_points_they_are_worked_out_at_stay_apart():
    assert key("|x - 100| + x - 100") != key("0")
    assert key(r"\sqrt{(x-100)^2}") != key("100 - x")
    assert key(r"|x - 100| - |100 - x|") != key("1")


def test_nothing_is_no_answer():
    for text in ("", " ", "$ $", "~", ".", "None", "{}" * 0):
        assert canonical(text, "expression") is None


NUMBERS = [
    ("34+2024", "2058"),
    ("(3+4)*2", "14"),
    ("2 + 3 apples", "5"),
    ("12 (3 * 4)", "12"),
    ("12 (since 3 + 9)", "12"),
    ("m + n = 7 + 8 = 15", "15"),
    ("196+\\frac{1}{2}", "196.5"),
    ("10\u202f000", "10000"),
    ("1\u00a0234.5", "1234.5"),
    ("3-digit", "3"),
    ("5-year-old", "5"),
    ("forty-two", "42"),
    ("2 7/8", "2.875"),
]
NO_NUMBER = ["10-12", "10–12", "37/3-3", "2024-05-06", "12, 15", "1 234", "1/2/3", "20 - 5", "\\{1, 2\\}", "(3, 4)"]
OPAQUE = ["m+n\\equiv 248 \\pmod{1000}", "2 x 3", "107-e", "12 + tax", "x = (1, 2)^2"]


@pytest.mark.parametrize(("text", "value"), NUMBERS)
def test_a_number_is_worked_out_and_not_its_first_digits(text, value):
    assert canonical(text, "number").key == value


@pytest.mark.parametrize("text", NO_NUMBER)
def test_a_range_a_list_and_a_date_are_no_number(text):
    assert canonical(text, "number") is None


@pytest.mark.parametrize("text", OPAQUE)
def test_a_number_that_is_not_read_is_none_of_the_numbers_in_it(text):
    assert canonical(text, "number").key not in {"248", "1000", "2", "3", "107", "12"}


def test_words_that_are_no_number_words_are_none():
    assert canonical("twenty twenty", "number") is None
    assert canonical("5 seventy", "number").text == "5"
    assert canonical("2 9/8", "number") is None  # two numbers: no fraction beside a whole is improper


# Equality as an equivalence


@st.composite
def formulas(draw, depth=2):
    """A formula of a few letters, small numbers and functions, as sympy has it."""
    if depth == 0 or draw(st.integers(0, 3)) == 0:
        return draw(st.sampled_from([X, Y, sympy.pi, sympy.Integer(2), sympy.Integer(-3), sympy.Rational(1, 2)]))
    one, other = draw(formulas(depth - 1)), draw(formulas(depth - 1))
    build = draw(
        st.sampled_from([sympy.Add, sympy.Mul, lambda a, b: a - b, lambda a, b: a**2, lambda a, b: sympy.sin(a)])
    )
    return build(one, other)


WAYS = st.sampled_from(
    [sympy.latex, str, lambda value: sympy.latex(sympy.expand(value)), lambda value: str(sympy.factor(value))]
)


@settings(max_examples=60)
@given(formulas(), st.lists(WAYS, min_size=3, max_size=3))
def test_equality_is_reflexive_symmetric_and_transitive_over_ways_to_write_one_formula(value, ways):
    answers = [canonical(way(value), "expression") for way in ways]
    for one in answers:
        assert same(one, one)
        for other in answers:
            assert same(one, other) == same(other, one)
            assert same(one, other)


@settings(max_examples=60)
@given(formulas(), formulas())
def test_two_formulas_are_one_answer_only_where_sympy_finds_no_difference(one, other):
    first, second = canonical(sympy.latex(one), "expression"), canonical(sympy.latex(other), "expression")
    at = {X: sympy.Rational(9, 7), Y: sympy.Rational(11, 7)}
    gap = abs((one - other).subs(at).evalf(40))
    assert same(first, second) == bool(gap < 1e-25)


@settings(max_examples=60)
@given(formulas(), WAYS)
def test_a_canonical_form_is_its_own(value, way):
    found = canonical(way(value), "expression")
    assert canonical(found.text, "expression") == found


@settings(max_examples=30)
@given(st.lists(st.tuples(st.integers(0, 2), WAYS), min_size=1, max_size=9), st.integers(0, 10**6))
def test_a_vote_over_formulas_does_not_depend_on_the_order_of_arrival(said, seed):
    values = [X**2 + 2 * X + 1, sympy.sqrt(2) / 2, sympy.sin(X) * (Y - 1)]
    candidates = [
        Candidate(
            index=i,
            message={},
            text="",
            finish="stop",
            tokens=1,
            model="",
            answer=canonical(way(values[k]), "expression"),
        )
        for i, (k, way) in enumerate(said)
    ]
    shuffled = random.Random(seed).sample(candidates, len(candidates))
    one, other = Votes(), Votes()
    for first, second in zip(candidates, shuffled, strict=True):
        one.add(first)
        other.add(second)
    assert one.counts() == other.counts()
    assert one.leader() == other.leader()
    assert [len(found) for found in one.classes()] == sorted(
        (sum(k == j for k, _ in said) for j in {k for k, _ in said}), reverse=True
    )


@pytest.mark.parametrize("text", [r"\cup", r"A \cup", r"\cup B", r"\cup\cup", r"(1,2)\cup"])
def test_a_union_that_lacks_a_side_is_text_and_no_error(text):
    assert canonical(text, "expression") is None or canonical(text, "expression").text
