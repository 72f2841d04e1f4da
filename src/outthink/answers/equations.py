"""Equations that a question states, and whether an answer fits them. Exact; nothing is guessed.

Read only where the question is nothing but equations and the words that pose them (``If 2x - y = 4 and x + y = 5, what
is x?``), a calculation to be made (``What is 17 * 24?``), or two facts about two numbers (``sum``, ``product``,
``difference``): one word that is not known, and nothing is said. A wrong finding is worse than none.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise

from outthink.answers.evaluate import symbols_of
from outthink.answers.grammar import Node, Unreadable, parse
from outthink.answers.linear import determined, value_of
from outthink.core.problem import AnswerKind, Problem

CHECKABLE = frozenset[AnswerKind](("number", "expression"))
"""Kinds of answers that arithmetic can judge."""
LONGEST = 400
"""Characters of a question that is read as equations; a longer one is a story."""
_POSING_WORDS = (
    "if and when where given that suppose let then we have has is are the what value of find determine calculate "
    "compute solve for equation equations system following to both in satisfy satisfies satisfying such please so real "
    "number numbers unknown variable variables its this these does equal integer s which by know true it holds"
)
_POSING = frozenset(_POSING_WORDS.split())
_SIGN = r"[\d\s+\-*/^()]|\.(?=\d)"
"""One character of a calculation with numbers alone."""
_PIECE = rf"(?:{_SIGN}|(?<![A-Za-z])[A-Za-z](?![A-Za-z]))"
"""One character of a formula: nothing in it repeats, so that no text takes exponential time."""
_CHAIN = re.compile(rf"{_PIECE}+(?:={_PIECE}+)+")
_DOUBTFUL = re.compile(r"\d\s*x\s*\d|(?<![A-Za-z])(?:[fghpqFGHPQ]\(|[A-Za-z]\(\s*[A-Za-z0-9]\s*\))|\bmod\b|\bbase\b")
"""What may be a sign of multiplication, or a function: nothing is read then."""
_ASKS = re.compile(
    r"\b(?:solve(?: the equations?)? for|value of|what(?: is|'s| does)|find|determine|calculate|compute|evaluate)\s+"
    rf"(?P<asked>{_PIECE}*[A-Za-z](?![A-Za-z]){_PIECE}*)",
    re.IGNORECASE,
)
_ORDER_WORDS = (
    "what is the value result answer final of find determine calculate compute evaluate work out solve simplify give "
    "state only please as your to following arithmetic problem expression calculation addition subtraction "
    "multiplication division how much does equal s"
)
_ORDER = frozenset(_ORDER_WORDS.split())
_SIGNS = re.compile(rf"(?:{_SIGN})+")
_UNSURE = re.compile(r"\d\s+\d|[\d)]\s*\(|\)\s*\d|\^.*\^|-\s*\d+\s*\^|/[\s\d.()]*/")
"""A calculation that could be meant in two ways: numbers side by side, powers of powers, several divisions."""
_NO_CALCULATION = re.compile(r"-?[\d.]+(?:[-/][\d.]+)*")
"""One number, or what may be a date, a range or a fraction."""
_NUMBER = r"(-?\d+(?:\.\d+)?(?:/\d+)?)"
_PAIR_WORDS = (
    "the two numbers number integers integer whose have has a an and their is are what find larger greater bigger "
    "smaller lesser largest smallest one of these those which positive whole natural with that if determine it known "
    "s them"
)
_PAIR = frozenset(_PAIR_WORDS.split())
_OF_THEM = r"(?:\s+of\s+(?:(?:the|these|those|two|positive|whole|natural)\s+)*(?:numbers|integers|them))?"
_FACTS = {
    name: re.compile(
        rf"\b(?:{noun}{_OF_THEM}\s+(?:is|of|equals|=|equal to)|{verb})\s+{_NUMBER}(?![\d/]|\.\d)", re.IGNORECASE
    )
    for name, noun, verb in (
        ("sum", "sum", "(?:add up|adding up|add|sum|sum up) to"),
        ("product", "product", "multiply to"),
        ("difference", "difference", "differ by"),
    )
}
_LARGER, _SMALLER = frozenset(("larger", "greater", "bigger", "largest")), frozenset(("smaller", "lesser", "smallest"))


@dataclass(frozen=True, slots=True)
class Condition:
    """What the question states, in its words, and how far a value is from fitting it: 0 where it fits.

    ``unique``: only one value does, as far as can be told.
    """

    text: str
    off: Callable[[Fraction], Fraction]
    unique: bool = True

    def fits(self, value: Fraction) -> bool:
        return self.off(value) == 0

    def near(self, value: Fraction, unit: Fraction) -> bool:
        """Whether something that fits is less than a unit away: the distance changes its sign there."""
        below, above = self.off(value - unit), self.off(value + unit)
        return below == 0 or above == 0 or (below < 0) is not (above < 0)


def condition(question: str) -> Condition | None:
    """What an answer to this question must fit; None where that cannot be read with certainty."""
    if len(question) > LONGEST:
        return None
    for reading in (_of_equations, _of_calculation, _of_pair):
        try:
            found = reading(question)
        except (Unreadable, ZeroDivisionError, RecursionError):
            continue
        if found is not None:
            return found
    return None


def decisive(problem: Problem) -> Condition | None:
    """What only the right answer fits, where the question states it."""
    found = condition(problem.question) if problem.answer_kind in CHECKABLE else None
    return found if found is not None and found.unique else None


def _of_equations(question: str) -> Condition | None:
    text = _plain(question)
    if "=" not in text or _DOUBTFUL.search(text):
        return None
    chains = [match[0].strip() for match in _CHAIN.finditer(text)]
    rest = _CHAIN.sub(" ; ", text)
    asked = {match["asked"].strip() for match in _ASKS.finditer(rest)}
    rest = _ASKS.sub(" ", rest)
    words = re.findall(r"[A-Za-z]+|\d+|[^\sA-Za-z\d]", rest)
    if not chains or any(word.lower() not in _POSING and word not in ",.?:;" for word in words):
        return None
    equations = [equation for chain in chains for equation in _links(chain)]
    letters = sorted(set[str]().union(*map(symbols_of, equations)))
    if not asked and len(letters) == 1 and re.search(r"\bsolve\b", text, re.IGNORECASE):
        asked = set(letters)
    if len(asked) != 1 or not letters:
        return None
    return _condition(", ".join(chains), equations, letters, parse(asked.pop()))


def _links(chain: str) -> list[Node]:
    """A chain of equalities as trees that are 0."""
    sides = [parse(side) for side in chain.split("=")]
    return [("add", one, ("neg", other)) for one, other in pairwise(sides)]


def _condition(text: str, equations: list[Node], letters: list[str], asked: Node) -> Condition | None:
    if not symbols_of(asked) <= set(letters) or not symbols_of(asked):
        return None
    values = determined(equations, letters)
    if len(equations) == len(letters) == 1 and asked == ("sym", letters[0]):
        return Condition(text, lambda value: _residual(equations[0], letters[0], value), unique=bool(values))
    if values is None or not symbols_of(asked) <= values.keys():
        return None
    truth = value_of(asked, values)
    return Condition(text, lambda value: value - truth)


def _residual(equation: Node, letter: str, value: Fraction) -> Fraction:
    """How far an equation is from 0 where its letter has this value; where it has no value, it does not fit."""
    try:
        return value_of(equation, {letter: value})
    except ZeroDivisionError:
        return Fraction(1)


def _of_calculation(question: str) -> Condition | None:
    """A calculation with numbers alone, and the words that order it to be made."""
    text = _plain(question).replace("÷", "/")
    found = [match for match in _SIGNS.finditer(text) if any(sign.isdigit() for sign in match[0])]
    if len(found) != 1:
        return None
    formula, before, after = found[0][0].strip(), text[: found[0].start()], text[found[0].end() :]
    words = re.findall(r"[A-Za-z]+|[^\sA-Za-z]", before + after.removeprefix("="))
    if any(word.lower() not in _ORDER and word not in ",.?:;_'" for word in words):
        return None
    if _NO_CALCULATION.fullmatch(formula) or _UNSURE.search(formula):
        return None
    truth = value_of(parse(formula), {})
    return Condition(f"{formula} = ?", lambda value: value - truth)


def _of_pair(question: str) -> Condition | None:
    """Two numbers of which a question gives the sum, product or difference, two of these, and asks for one."""
    text = " ".join(question.split())
    facts: dict[str, Fraction] = {}
    for name, pattern in _FACTS.items():
        found = pattern.findall(text)
        if len(found) > 1:
            return None
        if found:
            facts[name] = Fraction(found[0])
            text = pattern.sub(" ", text)
    words = [word.lower() for word in re.findall(r"[A-Za-z]+|\d+|[^\sA-Za-z\d]", text) if word not in ",.?:;!'"]
    asked = {word for word in words if word in _LARGER | _SMALLER}
    if len(facts) != 2 or len(asked) != 1 or not set(words) <= _PAIR or "two" not in words + question.split():
        return None
    wants_larger = asked <= _LARGER
    told = " and ".join(f"a {name} of {value}" for name, value in facts.items())
    return Condition(
        f"two numbers with {told}",
        lambda value: Fraction(not _is_one(value, facts, wants_larger)),
        unique="sum" in facts,
    )


def _is_one(value: Fraction, facts: Mapping[str, Fraction], larger: bool) -> bool:
    """Whether a value is the larger (or smaller) of two numbers with these two facts."""
    if "sum" in facts:
        other = facts["sum"] - value
    else:
        other = value - facts["difference"] if larger else value + facts["difference"]
    found = {"sum": value + other, "product": value * other, "difference": abs(value - other)}
    return all(found[name] == fact for name, fact in facts.items()) and (value >= other if larger else value <= other)


def _plain(question: str) -> str:
    """Without typesetting; what stays of it is a word that is not known."""
    text = re.sub(r"\\[dt]?frac\s*\{([^{}]{1,40})\}\s*\{([^{}]{1,40})\}", r"((\1)/(\2))", question)
    text = re.sub(r"\\(?:left|right|[()\[\],;! ])|\$", " ", text)
    text = re.sub(r"\\(?:cdot|times)(?![A-Za-z])|[×·]", "*", text)
    return " ".join(text.replace("−", "-").replace("–", "-").replace("²", "^2").replace("³", "^3").split())
