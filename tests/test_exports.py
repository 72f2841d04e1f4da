"""The public surface: every name loads, and what type checkers are told is what is there."""

import ast
import inspect
from importlib.resources import files

import outthink


def test_every_public_name_loads_from_its_room():
    for name in outthink.__all__:
        assert getattr(outthink, name).__name__ == name
        assert getattr(outthink, name).__module__ == outthink._HOMES[name]


def test_type_checkers_are_told_the_same_names_from_the_same_rooms():
    stub = ast.parse((files("outthink") / "__init__.pyi").read_text())
    told = {alias.asname: node.module for node in stub.body if isinstance(node, ast.ImportFrom) for alias in node.names}
    assert told == outthink._HOMES


def test_the_public_names_are_these():
    assert outthink.__all__ == [
        "Answer", "Budget", "BudgetExhausted", "Candidate", "Engine", "InputError", "Model", "OutthinkError",
        "Problem", "Result", "Run", "SamplingParams", "ServerError", "Strategy", "Usage", "solve", "solve_sync",
    ]  # fmt: skip


def test_a_name_that_is_not_there_is_an_attribute_error():
    assert not hasattr(outthink, "nothing_of_the_kind")
    assert set(outthink.__all__) <= set(dir(outthink))


def test_the_signatures_are_these():
    assert list(inspect.signature(outthink.solve).parameters) == ["problem", "model", "strategy", "budget", "seed"]
    assert list(inspect.signature(outthink.solve_sync).parameters) == list(inspect.signature(outthink.solve).parameters)
    assert list(inspect.signature(outthink.Engine).parameters)[:4] == ["model", "concurrency", "timeout", "cache"]
    assert inspect.iscoroutinefunction(outthink.solve)
    assert not inspect.iscoroutinefunction(outthink.solve_sync)


def test_every_public_thing_says_what_it_is():
    for name in outthink.__all__:
        assert inspect.getdoc(getattr(outthink, name)), name
