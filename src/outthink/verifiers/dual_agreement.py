"""Who agrees with whom: programs and tests that nobody has checked, judged by one another. Pure functions.

Dual agreement (Chen et al., 2022, "CodeT", arXiv:2207.10397): programs that pass the same tests form a group; its worth
is the number of programs in it times the number of tests they pass. Behaviour (Li et al., 2025, "S*",
arXiv:2502.14382): programs with the same outputs on the same inputs belong together. Where both are known, a group
shares both.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from outthink.verifiers.behaviour import works


@dataclass(frozen=True, slots=True)
class Conduct:
    """What one program did: the tests it passed, by number, and its behaviour on inputs."""

    passed: frozenset[int] = frozenset()
    behaviour: tuple[str, ...] = ()


def agreement(conducts: Sequence[Conduct | None]) -> list[float | None]:
    """The worth of each program's group, in [0, 1]; None for a program that did not run counts as a group of none.

    A test that nobody passes counts nothing. None for all where nothing tells them apart: no test, no input.
    """
    ran = [conduct for conduct in conducts if conduct is not None]
    passable = frozenset[int]().union(*(conduct.passed for conduct in ran))
    if not passable and not any(conduct.behaviour for conduct in ran):
        return [None] * len(conducts)
    sizes = Counter(ran)
    return [_worth(conduct, sizes, len(conducts), len(passable)) for conduct in conducts]


def _worth(conduct: Conduct | None, sizes: Counter[Conduct], programs: int, tests: int) -> float:
    if conduct is None or (conduct.behaviour and not works(conduct.behaviour)):
        return 0.0
    return sizes[conduct] / programs * (len(conduct.passed) / tests if tests else 1.0)
