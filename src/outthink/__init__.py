"""Outthink makes language models think longer where it pays, inside a hard budget::

    import outthink

    result = await outthink.solve("How many days are there in 7 weeks?", budget="tokens=2000")
    print(result.answer, result.confidence, result.usage.tokens, result.stop_reason)

Each name is loaded from its room when it is first used, so that starting stays cheap; ``__init__.pyi`` says
the same to type checkers.
"""

from importlib import import_module

__version__ = "0.1.0"

_ROOMS = {
    "outthink.api": ("Engine", "solve", "solve_sync"),
    "outthink.core.candidate": ("Answer", "Candidate", "Result"),
    "outthink.core.errors": ("BudgetExhausted", "InputError", "OutthinkError", "ServerError"),
    "outthink.core.problem": ("Problem", "SamplingParams"),
    "outthink.core.protocols": ("Model", "Run", "Strategy"),
    "outthink.core.usage": ("Budget", "Usage"),
}
_HOMES = {name: room for room, names in _ROOMS.items() for name in names}
__all__ = sorted(_HOMES)  # pyright: ignore[reportUnsupportedDunderAll]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'outthink' has no attribute {name!r}")
    found = globals()[name] = getattr(import_module(_HOMES[name]), name)
    return found


def __dir__() -> list[str]:
    return [*globals(), *_HOMES]
