"""Ranges of a technique's parameters, checked when it is made and told in one form."""

from __future__ import annotations

from outthink.core.errors import BadSpec

MOST = 4096
"""Samples that a technique may ask for."""


def in_range(technique: str, **limits: tuple[float, float, float]) -> None:
    """Raises `BadSpec` for the first parameter, given as (value, lowest, highest), that is outside its range."""
    for name, (value, low, high) in limits.items():
        if not low <= value <= high:
            raise BadSpec(f"{technique}: {name} takes {low} to {high}, not {value}")
