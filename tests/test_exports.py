"""The public surface, written down: it changes here and in CHANGELOG.md together, or not at all."""

import inspect

import outthink

PUBLIC = [
    "Answer", "Budget", "BudgetExhausted", "Candidate", "Engine", "InputError", "Model", "OutthinkError", "Problem",
    "Result", "Run", "SamplingParams", "ServerError", "Strategy", "Usage", "solve", "solve_sync",
]  # fmt: skip


def test_the_public_names_are_these():
    assert outthink.__all__ == PUBLIC
    assert all(hasattr(outthink, name) for name in PUBLIC)


def test_nothing_else_hangs_on_the_package_but_its_rooms():
    names = {name for name, value in vars(outthink).items() if not name.startswith("_") and not inspect.ismodule(value)}
    assert names == set(PUBLIC)


def test_the_signatures_are_these():
    assert list(inspect.signature(outthink.solve).parameters) == ["problem", "model", "strategy", "budget", "seed"]
    assert (
        inspect.signature(outthink.solve_sync).parameters.keys() == inspect.signature(outthink.solve).parameters.keys()
    )
    assert list(inspect.signature(outthink.Engine).parameters)[:3] == ["model", "concurrency", "timeout"]
    assert inspect.iscoroutinefunction(outthink.solve)
    assert not inspect.iscoroutinefunction(outthink.solve_sync)


def test_every_public_thing_says_what_it_is():
    for name in PUBLIC:
        assert inspect.getdoc(getattr(outthink, name)), name
