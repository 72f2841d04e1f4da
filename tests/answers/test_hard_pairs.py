"""Pairs that graders in use get wrong, one way or the other, each with why.

`SAME` must be one class in a vote, `OTHER` must not: a wrong merge changes the winner, a missed one costs a vote.
Sources: failures known of MATH's ``is_equiv``, lm-evaluation-harness's ``minerva_math``, math-verify, PRM800K's
grader, simple-evals' prompts, and the boxes of optillm; the rows themselves were written for this table.
"""

import itertools

import pytest

from outthink.answers import canonical, same

SAME = [
    # fractions, decimals, mixed numbers
    (r"\frac12", r"\frac{1}{2}", "TeX takes one digit without braces"),
    (r"\frac1{2}", r"\frac{1}2", "one argument with braces, one without"),
    (r"\dfrac{3}{4}", r"\tfrac34", "the size of a fraction means nothing"),
    ("1/2", ".5", "a decimal without its zero"),
    ("0.50", r"\frac{1}{2}", "trailing zeros"),
    (r"\frac{2}{4}", "1/2", "not in lowest terms"),
    (r"-\frac{1}{2}", r"\frac{-1}{2}", "where the sign stands"),
    (r"\frac{1}{-2}", "-0.5", "the sign below the line"),
    (r"2\frac{1}{2}", "5/2", "a mixed number in TeX"),
    ("2 1/2", r"\frac52", "a mixed number in plain text"),
    (r"1\frac{1}{10}", "1.1", "a mixed number is not a product"),
    (r"0.\overline{3}", r"\frac13", "a repeating decimal is exact"),
    (r"0.1\overline{6}", "1/6", "a repeating decimal after others"),
    (r"-3", r"−3", "the typographic minus"),
    ("½", "0.5", "a fraction in one character"),
    # digits
    ("1,000", "1000", "a comma groups thousands"),
    (r"10{,}000", "10000", "TeX's comma without space"),
    (r"16,\!471", "16471", "a comma with a negative space, as in MATH"),
    (r"1\,000\,000", "1000000", "thin spaces group digits"),
    (r"\frac{1}{29,\!322,\!216}", r"\frac{1}{29322216}", "grouped digits inside a fraction"),
    ("10^{-3}", "0.001", "a negative power of ten"),
    (r"6.02 \times 10^{23}", "6.02e23", "scientific notation"),
    (r"1.5\cdot10^3", "1500", "a dot for times"),
    ("2^{10}", "1024", "a power worked out"),
    ("10²", "100", "a raised digit in Unicode"),
    # typesetting
    ("$5$", "5", "dollars around mathematics"),
    (r"\(5\)", r"\[5\]", "inline and displayed"),
    (r"\$5", "5", "the dollar is not a unit that could be another"),
    (r"\boxed{7}", "7", "a box in a box"),
    (r"\left(1, 2\right)", "(1,2)", "stretched brackets"),
    (r"\mathrm{x}", "x", "an upright letter"),
    (r"\text{A}", "A", "a letter as text"),
    (r"\mbox{Saturday}", r"\text{saturday}", "words have no case"),
    (r"\text{Evelyn}", "Evelyn", "a name, as text or not"),
    (r"\text{(B)}", r"(\text{B})", "a letter in brackets"),
    (r"3 \cdot 4x", "12x", "a product worked out"),
    ("x^2+1.", "x^2+1", "the sentence's full stop"),
    # constants and radicals
    (r"(3,\pi/2)", r"(3,\frac{\pi}{2})", "equal parts of a tuple"),
    (r"\sqrt{8}", r"2\sqrt2", "a root simplified"),
    (r"\sqrt8", "sqrt(8)", "plain text and TeX"),
    ("2√2", r"\sqrt{8}", "the root's sign in Unicode"),
    (r"\frac{1}{\sqrt3}", r"\frac{\sqrt{3}}{3}", "a denominator made rational"),
    (r"\frac{\sqrt{2}}{2}", r"\sqrt{\frac12}", "a root of a fraction"),
    (r"\frac94\pi", r"\frac{9\pi}{4}", "pi beside or above"),
    (r"2\pi", "2π", "pi in Unicode"),
    ("2pi", r"2\pi", "pi in plain text"),
    (r"\sqrt[3]{-8}", "-2", "the real root"),
    (r"8^{1/3}", "2", "a fractional power that is whole"),
    (r"\sqrt{3+2\sqrt2}", r"1+\sqrt2", "nested roots that come apart"),
    (r"\frac{-1+\sqrt7}{2}", r"\frac{\sqrt{7}-1}{2}", "the order of a sum"),
    (r"2007 + \frac\pi 2", r"\frac{\pi}{2}+2007", "TeX takes a command as an argument"),
    (r"\cos 60^\circ", r"\frac12", "a degree inside a formula counts"),
    (r"\sin\frac{\pi}{6}", "0.5", "a function of a constant"),
    (r"\log_2 8", "3", "a logarithm with its base"),
    (r"\ln e^2", "2", "the natural logarithm"),
    (r"e^{i\pi}", "-1", "Euler's identity"),
    (r"3+4i", "4i+3", "a complex number"),
    (r"\frac{1}{i}", "-i", "a complex quotient"),
    ("5!", "120", "a factorial"),
    (r"\binom{5}{2}", "10", "a binomial coefficient"),
    (r"|-7|", "7", "an absolute value"),
    (r"\lfloor 3.7 \rfloor", "3", "a floor"),
    # algebra
    ("(x-1)(x+1)", "x^2-1", "expanded"),
    ("x^2 + 2x + 1", "(x+1)^2", "factored"),
    ("x - x + 2", "2", "letters that cancel"),
    ("0x", "0", "a product with zero"),
    ("2(x+y)", "2x+2y", "a product with a bracket"),
    ("yx", "xy", "factors commute"),
    (r"\frac{x^2-1}{x-1}", "x+1", "cancelled, as every computer algebra has it"),
    (r"\frac{1}{x}+\frac{1}{y}", r"\frac{x+y}{xy}", "brought together"),
    ("x**2", "x^2", "Python's power"),
    ("3*x", "3x", "a star for times"),
    (r"\frac{t^2}{2}", "t^2/2", "a slash for a fraction"),
    (r"\frac{1}{4m}", "1/(4m)", "a slash with brackets"),
    (r"x^{\frac12}", r"\sqrt{x}", "a root as a power"),
    (r"\sqrt{4x}", r"2\sqrt{x}", "a number out of a root"),
    (r"\sin^2 x + \cos^2 x", "1", "an identity"),
    (r"\sin 2x", r"2\sin x\cos x", "the double angle"),
    (r"\sin^{-1} x", r"\arcsin x", "the inverse function"),
    (r"\frac{1}{\cos x}", r"\sec x", "a named reciprocal"),
    (r"e^{x+y}", "e^x e^y", "a power of a sum"),
    (r"2^{n+1}", r"2 \cdot 2^n", "a power with a letter"),
    ("x_1 + x_{2}", "x_2+x_1", "subscripts with and without braces"),
    (r"\log(ab)", r"\log (b a)", "one logarithm, whatever its base"),
    # equations
    ("x=5", "5", "the unknown named x is what is asked for"),
    ("x = -10", "-10", "the same with a sign"),
    ("5 = x", "x=5", "turned round"),
    ("f(x)=2x+1", "2x+1", "the function named f is what is asked for"),
    ("y=10x-4", "10x - y = 4", "one line, two forms"),
    ("x + y - z + 1 = 0", "2x+2y-2z+2=0", "a multiple of an equation"),
    ("2 > x", "x < 2", "turned round"),
    (r"x \le 3", r"3 \geq x", "turned round, in TeX"),
    ("2x < 4", "x<2", "a positive multiple of an inequality"),
    ("-x < 2", "x > -2", "a sign moved across"),
    ("1 < x < 2", "2 > x > 1", "a chain turned round"),
    (r"x \neq 2", "x ≠ 2", "signs in Unicode"),
    (r"\frac12 = 0.5", "0.5", "equal sides are one value"),
    # sets, lists, tuples, intervals
    ("1, 2", "2,1", "solutions have no order"),
    ("x=1, x=2", "1,2", "each solution named"),
    (r"x = 1 \text{ or } x = 2", r"\{1,2\}", "or between solutions"),
    ("1 and -3", "-3, 1", "and between solutions"),
    (r"x \in \{1, 2\}", r"\{2,1\}", "a set has no order"),
    (r"\{1,1,2\}", r"\{1,2\}", "a set counts nothing twice"),
    (r"\pm 3", "3, -3", "plus or minus is two values"),
    (r"x = \pm\sqrt2", r"-\sqrt2, \sqrt2", "the same, with a root"),
    (r"1 \pm \sqrt 3", r"1-\sqrt3, 1+\sqrt3", "the same, in a sum"),
    (r"(-\infty,1)\cup(2,\infty)", r"(2,\infty) \cup (-\infty, 1)", "a union has no order"),
    (r"x \in [0, \infty)", r"\left[0,\infty\right)", "a member of the interval"),
    (r"\emptyset", r"\{\}", "nothing, twice"),
    (r"\varnothing", "∅", "the sign for it"),
    ("1,000, 2,000", "1000, 2000", "grouped digits in a list"),
    (r"\begin{pmatrix} 1 \\ 3 \end{pmatrix}", r"\begin{bmatrix}1\\3\end{bmatrix}", "a matrix's brackets"),
    (r"\begin{pmatrix} 1/2 & 0 \end{pmatrix}", r"\begin{pmatrix} \frac12 & 0 \end{pmatrix}", "equal cells"),
    # units and times
    (r"90^\circ", "90", "degrees are the only unit of such an answer"),
    (r"69\text{ degrees}", r"69^{\circ}", "degrees in words"),
    (r"50\%", "50", "a percent sign is a unit that is dropped, as graders of word problems have it"),
    (r"5\text{ cm}", "5 centimeters", "a unit's name"),
    (r"144 \mbox{ m}^3", "144 cubic meters", "a unit's power"),
    ("17 m/s", r"17\text{ m/s}", "a compound unit"),
    (r"210\text{ ways}", "210", "what was counted"),
    ("5 dollars", r"\$5", "dollars in words"),
    ("3:30 pm", r"3\!:\!30 \text{ PM}", "a time's half of the day"),
    ("15:30", "3:30 p.m.", "twenty-four hours"),
    (r"1:03\text{ PM}", "1:03pm", "no space"),
    ("1011_2", "1011_{2}", "a base with and without braces"),
    ("861_{12}", "0861_{12}", "a leading zero"),
]
OTHER = [
    # values that look alike
    ("1/2", "2", "minerva's parser has read the last digit of a slash"),
    ("0.333", "1/3", "a decimal is exact; math-verify rounds"),
    ("0.3333333", r"\frac13", "six places are not enough to be a third"),
    (r"\frac{22}{7}", r"\pi", "near is not equal"),
    ("3.14", r"\pi", "near is not equal"),
    (r"3.14159265358979", r"\pi", "fifteen digits of pi are not pi"),
    ("0.5", r"50\%", "a percent sign is dropped, so this is 50"),
    ("50", "0.5", "and 50 is not a half"),
    ("42", "41", "a box is read whole"),
    ("2", "2.0000001", "near is not equal"),
    ("12345678901234567890123", "12345678901234567890124", "more digits than a float has"),
    ("10^{-3}", "10^3", "the sign of a power"),
    ("-5", "5", "the sign"),
    ("1e5", "1e-5", "the sign of an exponent"),
    (r"2\frac{1}{2}", "1", "a mixed number is not a product"),
    (r"2\frac{1}{2}", r"\frac{21}{2}", "nor digits beside each other"),
    ("x^10", "x^1 \\cdot 0", "an exponent of two digits"),
    ("2^{10}", "210", "a power is not its digits"),
    (r"\frac{1}{23}", r"\frac{12}{3}", "digits move across the line"),
    (r"0.\overline{3}", "0.3", "a bar means something"),
    (r"0.\overline{12}", r"0.1\overline{2}", "where the bar starts"),
    ("1,000", "(1,000)", "a comma in brackets separates, or is not understood"),
    ("1,000", "1, 0", "a comma that groups"),
    ("1,234", "1, 234", "a comma with a space separates"),
    ("1.000", "1000", "a point does not group"),
    ("1 000", "1", "digits that are not understood"),
    # radicals and constants
    (r"\sqrt{8}", r"2\sqrt{3}", "another root"),
    (r"\sqrt{2}", "2", "a root is not what is under it"),
    (r"2\sqrt{3}", "2", "a number is not its first factor"),
    (r"2\pi", "2", "nor without its pi"),
    (r"\sqrt[3]{2}", r"3\sqrt{2}", "an index is not a factor"),
    (r"\sqrt{2}3", r"\sqrt{23}", "what is under the root"),
    (r"\sqrt23", r"\sqrt{23}", "TeX takes one digit"),
    (r"\sqrt{x^2}", "x", "equal for half of all x"),
    (r"|x|", "x", "equal for half of all x"),
    (r"|x-100|", "100-x", "equal up to 100"),
    (r"\sqrt{(x-100)^2}", "100-x", "equal up to 100"),
    (r"\sqrt{x}\sqrt{y}", r"\sqrt{xy}", "not for two negative numbers"),
    (r"\ln x^2", r"2\ln x", "not for negative numbers"),
    (r"|x||y|", "xy", "equal when signs agree"),
    (r"|x|-x", "0", "zero for half of all x"),
    (r"\pi \cdot 10^{-150}", "0", "tiny is not zero"),
    (r"\pi + 10^{-150}", r"\pi", "a difference smaller than any rounding"),
    (r"x + 10^{-40}", "x", "the same with a letter"),
    (r"10^{40}x + 1", r"10^{40}x + 2", "lost beside a large number"),
    (r"\lfloor x \rfloor", r"\lceil x \rceil - 1", "equal but for whole numbers"),
    (r"\cos 60", r"\cos 60^\circ", "radians are not degrees"),
    (r"\sin x", r"\cos x", "another function"),
    (r"\sin x^2", r"\sin^2 x", "what is squared"),
    (r"\sin^{-1} x", r"\frac{1}{\sin x}", "the inverse is not the reciprocal"),
    (r"\log 100", "2", "no base is assumed"),
    (r"\log x", r"\ln x", "no base is assumed"),
    (r"e", "2.718281828", "near is not equal"),
    (r"e^{\pi\sqrt{163}}", "262537412640768744", "equal to 12 places after the point"),
    ("i", "1", "the imaginary unit"),
    ("3+4i", "3-4i", "the conjugate"),
    ("5!", "5", "a factorial"),
    # algebra
    ("x^2-1", "x^2+1", "a sign"),
    ("x+y", "x-y", "a sign"),
    ("2x", "x^2", "twice is not squared"),
    ("x", "y", "letters mean what they are"),
    ("x", "X", "small and capital"),
    ("x_1", "x_2", "a subscript"),
    ("x_1", "x", "a subscript"),
    ("1/2x", r"\frac{1}{2}x", "a slash before a product can be read in two ways"),
    ("1/2x", r"\frac{1}{2x}", "the same, the other way"),
    (r"a^{b^c}", r"(a^b)^c", "powers do not associate"),
    (r"-x^2", "(-x)^2", "a sign before a power"),
    ("x^{2y}", "x^2y", "what is in the exponent"),
    (r"\frac{a}{b+c}", r"\frac{a}{b}+c", "what is below the line"),
    (r"\alpha", "a", "Greek and Latin"),
    ("A", r"\alpha", "a choice and a letter"),
    ("x^2 + C", "x^2", "a constant of integration is part of the answer"),
    ("A", "B", "letters"),
    # equations
    ("y=5", "5", "a line is not a number"),
    ("x=5", "y=5", "another line"),
    ("x=5", "x=-5", "a sign"),
    ("x<2", r"x\le 2", "the bound is in or out"),
    ("x<2", "x>2", "the other side"),
    ("-x<2", "x<-2", "a sign turns an inequality round"),
    ("x=2", "x<2", "not an equation"),
    ("1<x<2", r"1\le x<2", "the bound is in or out"),
    (r"x \neq 2", "2", "all but that"),
    ("y=2x+1", "y=2x-1", "another line"),
    ("x+y=1", "x+y=2", "another line"),
    ("2=3", "3", "sides that differ are no value"),
    # sets, lists, tuples, intervals
    ("(1,2)", "(2,1)", "a tuple has an order"),
    ("(1,2)", r"\{1,2\}", "a tuple is not a set"),
    ("(1,2)", "[1,2]", "an open interval is not a closed one"),
    ("(1,2]", "[1,2)", "half open, the other half"),
    ("[1,2]", "[1,2)", "the end is in or out"),
    ("(1,2)", "1,2", "a pair is not a list"),
    ("(1,2)", "1.2", "a comma is not a point"),
    ("(1,2)", "(1,2,3)", "one more"),
    ("(12)", "(1,2)", "digits of a pair"),
    ("1,2", "12", "digits of a list"),
    ("1,2", "1", "one of two solutions"),
    (r"\{1,2\}", "2", "one of two members"),
    ("1,1,2", "1,2", "a solution counted twice"),
    (r"\pm 3", "3", "one of two values"),
    (r"\pm 3", "-3", "the other"),
    (r"1\pm\sqrt3", r"1+\sqrt3", "one of two values"),
    (r"(-\infty,1)\cup(2,\infty)", r"(-\infty,1]\cup[2,\infty)", "the ends"),
    (r"(-\infty,\infty)", r"(0,\infty)", "half of it"),
    (r"\infty", r"-\infty", "the sign"),
    (r"\emptyset", "0", "nothing is not zero"),
    (r"\{0\}", r"\emptyset", "a set of zero is not empty"),
    (r"\begin{pmatrix}1\\2\end{pmatrix}", r"\begin{pmatrix}1&2\end{pmatrix}", "a column is not a row"),
    (r"\begin{pmatrix}1&2\\3&4\end{pmatrix}", r"\begin{pmatrix}1&3\\2&4\end{pmatrix}", "transposed"),
    (r"\begin{pmatrix}1&2\\3&4\end{pmatrix}", r"\begin{vmatrix}1&2\\3&4\end{vmatrix}", "its determinant"),
    # units, times, bases, words
    (r"5 \text{ cm}", "5", "a unit is part of the answer"),
    (r"5 \text{ cm}", r"5 \text{ m}", "another unit"),
    (r"5 \text{ cm}", r"5 \text{ cm}^2", "a length is not an area"),
    ("5 cm^2", "25 cm", "a unit's power is not the value's"),
    ("€5", r"\$5", "another currency"),
    ("5 miles", "5 km", "another unit"),
    ("3:30", "3:30 pm", "half of the day is not said"),
    ("3:30 am", "3:30 pm", "the other half"),
    ("3:30", "3.30", "a time is not a number"),
    ("3:30", "330", "nor its digits"),
    ("12:30 am", "12:30 pm", "midnight and noon"),
    ("1:2", "12", "a ratio is not its digits"),
    ("1011_2", "1011", "a base is part of the answer"),
    ("1011_2", "11", "in another base the value is written otherwise"),
    ("1011_2", "1011_3", "another base"),
    ("even", "odd", "words"),
    ("no", "on", "a word is not a product of letters"),
    ("June 20", "June 2", "a date"),
    ("no solution", "solution", "words"),
    (r"\text{Saturday}", r"\text{Sunday}", "words"),
    ("increasing", "decreasing", "words"),
]
BY_KIND = [
    ("number", "50%", "50", True, "word problems fix the unit: the percent sign is dropped"),
    ("number", "0.5", "50%", False, "so a half is not 50 %"),
    ("number", "5 cm", "5", True, "word problems fix the unit"),
    ("number", "$1,000.00", "1000", True, "a price"),
    ("number", r"2\sqrt{3}", "2", False, "a number is not its first digits"),
    ("number", r"2\pi", r"\pi \cdot 2", True, "a product in any order"),
    ("number", r"1/2\pi", r"\frac{\pi}{2}", False, "a slash before a product can be read in two ways"),
    ("number", r"\sqrt{16}", "4", True, "a root that is whole"),
    ("number", "10^{-3}", "0.001", True, "a power of ten"),
    ("number", r"3 \times 10^{8}", "300000000", True, "scientific notation"),
    ("number", "1011_2", "1011", False, "a base"),
    ("number", "3 1/2", "3.5", True, "a mixed number"),
    ("number", r"\frac{1}{3}", "0.333", False, "a decimal is exact"),
    ("number", "twelve", "12", True, "a number word"),
    ("number", "12th", "12", True, "an ordinal names the number"),
    ("choice", "(A)", "A", True, "brackets"),
    ("choice", "a", "A", True, "letters of choices have no case"),
    ("choice", "A", "B", False, "another letter"),
    ("boolean", "True", "yes", True, "the words for it"),
    ("boolean", "no", "yes", False, "the other"),
    ("span", "The Beatles", "beatles", True, "articles and case"),
    ("span", "New York", "York", False, "a part of a name"),
    ("literal", "[1, 2]", "[1,2]", True, "spacing"),
    ("literal", "'a'", '"a"', True, "quotes"),
    ("literal", "{'a': 1, 'b': 2}", "{'b': 2, 'a': 1}", True, "Python compares dictionaries so"),
    ("literal", "{1, 2}", "{2, 1}", True, "a set"),
    ("literal", "1", "1.0", True, "Python's =="),
    ("literal", "0x10", "16", True, "one number"),
    ("literal", "True", "1", False, "a truth value is not meant as a number"),
    ("literal", "[1, 2]", "(1, 2)", False, "a list is not a tuple"),
    ("literal", "[1, 2]", "[2, 1]", False, "a list has an order"),
    ("literal", "'1'", "1", False, "a string is not a number"),
    ("literal", "'a'", "'A'", False, "strings have case"),
    ("literal", "' a'", "'a'", False, "spaces in a string count"),
    ("literal", "{}", "set()", False, "an empty dictionary is not a set"),
    ("literal", "[]", "[[]]", False, "nesting"),
    ("literal", "b'a'", "'a'", False, "bytes are not a string"),
    ("literal", "9007199254740993", "9007199254740992.0", False, "more digits than a float has"),
    ("json", '{"a": 1, "b": 2}', '{"b":2,"a":1}', True, "the order of keys"),
    ("json", '{"a": 1.0}', '{"a": 1}', True, "numbers by value"),
    ("json", '{"a": 1e2}', '{"a": 100}', True, "an exponent"),
    ("json", '{"a": "\\u00e9"}', '{"a": "é"}', True, "an escape"),
    ("json", '{"a": [1, 2]}', '{"a": [2, 1]}', False, "the order of a list"),
    ("json", '{"a": "1"}', '{"a": 1}', False, "a string is not a number"),
    ("json", '{"a": null}', "{}", False, "null is not absent"),
    ("json", '{"a": true}', '{"a": 1}', False, "true is not 1"),
    ("json", "0.1", "0.10000000000000001", False, "more digits than a float has"),
    ("json", '{"a": "x "}', '{"a": "x"}', False, "spaces in a string count"),
    ("tool_call", '{"name":"f","arguments":{"a":1}}', '{"name":"f","arguments":"{\\"a\\": 1.0}"}', True, "as text"),
    ("tool_call", '{"name":"f","arguments":{}}', '{"name":"g","arguments":{}}', False, "another tool"),
    ("tool_call", '{"name":"f","arguments":{"a":1}}', '{"name":"f","arguments":{"a":2}}', False, "another argument"),
    ("code", "x = 1  # one", "x=1", True, "comments and layout"),
    ("code", "x = 1", "y = 1", False, "names"),
]


@pytest.mark.parametrize(("one", "other", "why"), SAME)
def test_equal_answers_are_one_class(one, other, why):
    assert same(_expression(one), _expression(other)), why
    assert same(_expression(other), _expression(one)), why


@pytest.mark.parametrize(("one", "other", "why"), OTHER)
def test_different_answers_are_never_one_class(one, other, why):
    assert not same(_expression(one), _expression(other)), why
    assert not same(_expression(other), _expression(one)), why


@pytest.mark.parametrize(("kind", "one", "other", "equal", "why"), BY_KIND)
def test_each_kind_has_its_own_equality(kind, one, other, equal, why):
    first, second = canonical(one, kind), canonical(other, kind)
    assert first is not None
    assert second is not None
    assert same(first, second) is equal, why


def test_equality_is_transitive_over_the_whole_table():
    """Classes by key are an equivalence; what the table calls different must stay so through any chain of equals."""
    classes = {}
    for text in itertools.chain.from_iterable((one, other) for one, other, _ in SAME + OTHER):
        classes.setdefault(_expression(text).key, set()).add(text)
    for one, other, why in OTHER:
        assert not any({one, other} <= texts for texts in classes.values()), why


def test_a_canonical_form_is_its_own_canonical_form():
    for text in itertools.chain.from_iterable((one, other) for one, other, _ in SAME + OTHER):
        found = _expression(text)
        assert canonical(found.text, "expression") == found
    for kind, one, other, _, _ in BY_KIND:
        for text in (one, other):
            found = canonical(text, kind)
            assert canonical(found.text, kind) == found


def test_the_table_is_as_long_as_it_claims():
    assert len(SAME) + len(OTHER) + len(BY_KIND) >= 150


def _expression(text):
    found = canonical(text, "expression")
    assert found is not None, text
    return found
