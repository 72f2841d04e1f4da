"""How many equal formulas in different forms are one answer, and that no different ones are; and what that takes.

    python benchmarks/answers.py [--pairs 10000] [--seed 1]

Formulas are drawn at random and put into another form by sympy (expand, factor, together, apart, simplify, trigsimp,
nsimplify ...), each side written by ``latex()`` or ``str()``. Different ones differ by one small change, and by
sympy's own evaluation to 50 digits at points of its own. Prints the merge rate by kind of formula, and wrong merges,
which must be none.
"""

from __future__ import annotations

import argparse
import random
import statistics
import time
from collections import Counter
from collections.abc import Callable, Iterator

import sympy
from sympy import Expr, Integer, Rational, Symbol, latex, pi, sqrt, symbols

from outthink.answers import Votes, canonical, extract, same
from outthink.answers.expression import expression
from outthink.core.candidate import Candidate

Pair = tuple[str, str, str]
"""What kind of formula, and two texts of it."""
LETTERS = symbols("x y a t")


def formulas(draw: random.Random) -> dict[str, Callable[[], Expr]]:
    """Random formulas by kind."""

    def whole(most: int = 9) -> Integer:
        return Integer(draw.choice([-1, 1]) * draw.randint(1, most))

    def fraction() -> Rational:
        return Rational(whole(20), draw.randint(2, 12))

    def letter() -> Symbol:
        return draw.choice(LETTERS)

    def polynomial(letters: int = 2, degree: int = 3) -> Expr:
        of = draw.sample(LETTERS, letters)
        terms = [whole() * sympy.prod(x ** draw.randint(0, degree) for x in of) for _ in range(draw.randint(2, 4))]
        return sum(terms, Integer(0)) + whole()

    def surd() -> Expr:
        return fraction() * sqrt(draw.randint(2, 60)) + draw.choice([fraction(), whole(), sqrt(draw.randint(2, 30))])

    def trigonometric() -> Expr:
        x, f = letter(), draw.choice([sympy.sin, sympy.cos, sympy.tan])
        return whole() * f(draw.randint(1, 3) * x) ** draw.randint(1, 2) + whole() * sympy.cos(x) + whole()

    return {
        "fraction": fraction,
        "surd": surd,
        "pi": lambda: fraction() * pi ** draw.randint(1, 2) + draw.choice([Integer(0), fraction()]),
        "polynomial": polynomial,
        "product": lambda: polynomial(1, 1) * polynomial(1, 2) * whole(),
        "quotient": lambda: polynomial(1, 2) / polynomial(1, 2) + draw.choice([Integer(0), 1 / (letter() + whole())]),
        "root": lambda: whole() * sqrt(letter()) + polynomial(1, 2),
        "root of a sum": lambda: polynomial(1, 1) * sqrt(letter() + whole(5)),
        "trigonometric": trigonometric,
        "exponential": lambda: whole() * sympy.exp(draw.randint(1, 3) * letter()) * (letter() + whole()) + whole(),
        "logarithm": lambda: whole() * sympy.log(letter()) + sympy.log(Integer(draw.randint(2, 30))) * whole(),
    }


FORMS: tuple[Callable[[Expr], Expr], ...] = (
    sympy.expand,
    sympy.factor,
    sympy.together,
    lambda e: sympy.apart(e) if len(e.free_symbols) == 1 and e.is_rational_function() else sympy.cancel(e),
    sympy.radsimp,
    lambda e: sympy.expand_trig(e) if e.has(sympy.sin, sympy.cos, sympy.tan) else sympy.expand(e),
    lambda e: sympy.expand_log(e, force=False),
    lambda e: sympy.collect(sympy.expand(e), next(iter(e.free_symbols), LETTERS[0])),
    lambda e: sympy.simplify(e) if sympy.count_ops(e) < 12 else sympy.factor_terms(e),
)


def written(value: Expr, draw: random.Random) -> str:
    """A formula as a model may write it. ``log`` is sympy's natural logarithm on both sides."""
    return latex(value) if draw.random() < 0.6 else str(value)


def equal_pairs(count: int, seed: int) -> Iterator[Pair]:
    """Pairs of texts of one formula that are not the same text."""
    draw = random.Random(seed)
    kinds = formulas(draw)
    names = list(kinds)
    while count:
        name = names[count % len(names)]
        value = kinds[name]()
        one, other = (draw.choice(FORMS)(value) for _ in range(2))
        first, second = written(one, draw), written(other, draw)
        if first != second and not value.has(sympy.zoo, sympy.nan):  # a quotient by zero
            count -= 1
            yield name, first, second


def different_pairs(count: int, seed: int) -> Iterator[Pair]:
    """Pairs of texts of two formulas that differ a little, and that sympy finds different."""
    draw = random.Random(seed + 1)
    kinds = formulas(draw)
    names = list(kinds)
    while count:
        name = names[count % len(names)]
        value = kinds[name]()
        changed = _changed(value, draw)
        if not _differ(value, changed):
            continue
        one, other = draw.choice(FORMS)(value), draw.choice(FORMS)(changed)
        count -= 1
        yield name, written(one, draw), written(other, draw)


def _changed(value: Expr, draw: random.Random) -> Expr:
    """One number, sign, letter or root of a formula changed, or a little added."""
    parts = [part for part in sympy.preorder_traversal(value) if part.is_Integer or part.is_Rational or part.is_Symbol]
    way = draw.randrange(5)
    if way == 0 or not parts:
        return value + Rational(1, 10 ** draw.randint(1, 12))
    part = draw.choice(parts)
    if way == 1:
        return -value
    if way == 2 and part.is_Symbol:
        return value.xreplace({part: draw.choice(LETTERS)})
    if way == 3:
        return value * draw.choice([2, Rational(1, 2), 10, Rational(10001, 10000)])
    return value.xreplace({part: part + draw.choice([-1, 1])} if not part.is_Symbol else {part: part + 1})


def _differ(one: Expr, other: Expr) -> bool:
    if one.has(sympy.zoo, sympy.nan) or other.has(sympy.zoo, sympy.nan):
        return False
    points = {x: Rational(k, 7) for x, k in zip(LETTERS, (9, 11, 17, 23), strict=True)}
    gap = (one - other).subs(points).evalf(50)
    return bool(gap.is_number and gap.is_finite and abs(gap) > 1e-30)


def rates(pairs: Iterator[Pair]) -> tuple[Counter[str], Counter[str], list[Pair]]:
    """How many pairs there were, and how many were one answer, by kind; and the first of those that were."""
    seen, merged, shown = Counter[str](), Counter[str](), list[Pair]()
    for name, one, other in pairs:
        first, second = canonical(one, "expression"), canonical(other, "expression")
        seen[name] += 1
        if first is not None and second is not None and same(first, second):
            merged[name] += 1
            shown.append((name, one, other))
    return seen, merged, shown


def _microseconds(work: Callable[[], object], times: int) -> float:
    spent = list[float]()
    for _ in range(7):
        began = time.perf_counter()
        for _ in range(times):
            work()
        spent.append((time.perf_counter() - began) / times * 1e6)
    return statistics.median(spent)


def _grouping(texts: list[str], kind: str) -> float:
    """Milliseconds to extract, canonicalise and group 256 candidates, from nothing remembered."""

    def once() -> None:
        expression.cache_clear()
        votes = Votes()
        for index, text in enumerate(texts):
            answer = extract(text, kind)  # pyright: ignore[reportArgumentType]
            votes.add(Candidate(index=index, message={}, text="", finish="stop", tokens=1, model="", answer=answer))
        votes.leader()

    return _microseconds(once, 1) / 1e3


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--pairs", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    seen, merged, _ = rates(equal_pairs(asked.pairs, asked.seed))
    print(f"equal formulas merged       {merged.total()} of {seen.total()} ({merged.total() / seen.total():.2%})")
    for name in seen:
        print(f"  {name:<16} {merged[name] / seen[name]:.2%} of {seen[name]}")
    seen, merged, shown = rates(different_pairs(asked.pairs, asked.seed))
    print(f"different formulas merged   {merged.total()} of {seen.total()} (must be 0)")
    for row in shown[:20]:
        print("  WRONG", *row, sep="  ")
    numbers = [f"3 * 4 = 12, so we get {k}.\nThe answer is {k}." for k in range(256)]
    distinct = [text for _, one, other in equal_pairs(128, asked.seed) for text in (one, other)]
    formulas_said = [f"So it comes to this. The answer is ${text}$." for text in distinct]
    usual = [formulas_said[k % 12] for k in range(256)]
    print(f"extract a number            {_microseconds(lambda: extract(numbers[7], 'number'), 2000):.1f} us")
    print(f"group 256 numbers           {_grouping(numbers, 'number'):.2f} ms")
    print(f"group 256 formulas, 12 texts {_grouping(usual, 'expression'):.2f} ms")
    print(f"group 256 formulas, each another text {_grouping(formulas_said, 'expression'):.2f} ms")


if __name__ == "__main__":
    main()
