"""Exact values of formulas in letters, and systems of linear equations in them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import cast

from outthink.answers.evaluate import symbols_of
from outthink.answers.grammar import Node, Unreadable

Form = dict[str, Fraction]
"""A linear form: coefficients by letter, the constant under the empty name."""


def value_of(node: Node, values: Mapping[str, Fraction]) -> Fraction:
    """The exact value of a tree. Raises `Unreadable` for what is not rational arithmetic."""
    match node:
        case ("num", number):
            return cast("Fraction", number)
        case ("sym", name):
            return values[cast("str", name)]
        case ("neg", inner):
            return -value_of(cast("Node", inner), values)
        case ("add" | "mul" | "div" | "pow" as kind, left, right):
            return _combined(kind, value_of(cast("Node", left), values), value_of(cast("Node", right), values))
        case _:
            raise Unreadable("not rational arithmetic")


def _combined(kind: str, one: Fraction, other: Fraction) -> Fraction:
    if kind == "add":
        return one + other
    if kind == "mul":
        return one * other
    if kind == "div":
        return one / other
    if other.denominator != 1 or not 0 <= other <= 6 or one.numerator.bit_length() > 200:
        raise Unreadable("such a power")
    return one ** int(other)


def form_of(node: Node, values: Mapping[str, Fraction]) -> Form | None:
    """A tree as a linear form in the letters without a value; None where it is none. Raises `Unreadable`."""
    match node:
        case ("sym", name) if name not in values:
            return {cast("str", name): Fraction(1)}
        case ("neg", inner):
            return _scaled(form_of(cast("Node", inner), values), Fraction(-1))
        case ("add" | "mul" | "div" as kind, left, right):
            return _joined(kind, form_of(cast("Node", left), values), form_of(cast("Node", right), values))
        case _:
            return {"": value_of(node, values)} if symbols_of(node) <= values.keys() else None


def _joined(kind: str, one: Form | None, other: Form | None) -> Form | None:
    if one is None or other is None:
        return None
    if kind == "add":
        return {name: one.get(name, Fraction(0)) + other.get(name, Fraction(0)) for name in {**one, **other}}
    if not set(other) - {""}:
        factor = other.get("", Fraction(0))
        return _scaled(one, factor if kind == "mul" else 1 / factor)
    return _scaled(other, one.get("", Fraction(0))) if kind == "mul" and not set(one) - {""} else None


def _scaled(form: Form | None, factor: Fraction) -> Form | None:
    return None if form is None else {name: value * factor for name, value in form.items()}


def _solved(rows: list[Form], letters: list[str]) -> Form | None:
    """The letters that these equations (each form = 0) determine; None where they contradict one another."""
    table = [[row.get(name, Fraction(0)) for name in letters] + [-row.get("", Fraction(0))] for row in rows]
    pivots: list[int] = []
    for column in range(len(letters)):
        place = next((i for i in range(len(pivots), len(table)) if table[i][column]), None)
        if place is None:
            continue
        top = len(pivots)
        table[top], table[place] = table[place], table[top]
        table[top] = [value / table[top][column] for value in table[top]]
        for i, row in enumerate(table):
            if i != top and row[column]:
                table[i] = [a - row[column] * b for a, b in zip(row, table[top], strict=True)]
        pivots.append(column)
    if any(row[-1] for row in table[len(pivots) :]):
        return None
    alone = [(row, pivot) for row, pivot in zip(table, pivots, strict=False) if sum(map(bool, row[:-1])) == 1]
    return {letters[pivot]: row[-1] for row, pivot in alone}


def determined(equations: Sequence[Node], letters: list[str]) -> Form | None:
    """The letters that a system (each tree = 0) determines by linear steps alone, a solved letter put into the rest.

    None where it contradicts itself, or a part of it stays that is not linear. Raises `Unreadable`.
    """
    values: Form = {}
    while True:
        forms = [form_of(equation, values) for equation in equations]
        found = _solved([form for form in forms if form is not None], letters)
        if found is None:
            return None
        if not found.keys() - values.keys():
            return None if None in forms else values
        values |= found
