"""What servers say of their limits in ``x-ratelimit-*`` headers, by OpenAI's names and those who follow them."""

from __future__ import annotations

import re
from collections.abc import Mapping

from outthink.core.wire import Quota, Rate

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_PART = r"(\d+(?:\.\d*)?)(ms|s|m|h|d)"
_DURATION = re.compile(rf"(?:{_PART})+")
_LONGEST = 1e7
"""Seconds; a plain number above is a date, or nothing that can be told."""


def read_rate(headers: Mapping[str, str]) -> Rate | None:
    """The rate that a reply's headers tell, None without one that can be read."""
    requests, tokens = _quota(headers, "requests"), _quota(headers, "tokens")
    return Rate(requests, tokens) if requests or tokens else None


def _quota(headers: Mapping[str, str], what: str) -> Quota | None:
    left = headers.get(f"x-ratelimit-remaining-{what}")
    if left is None:
        return None
    count, reset = _count(left), seconds(headers.get(f"x-ratelimit-reset-{what}", ""))
    if count is None or reset is None:
        return None
    return Quota(count, reset, _count(headers.get(f"x-ratelimit-limit-{what}", "")) or None)


def _count(text: str) -> int | None:
    return max(0, int(text)) if re.fullmatch(r"-?[0-9]{1,15}", text.strip()) else None


def seconds(text: str) -> float | None:
    """The length of ``6m0s``, ``1.5s``, ``120ms`` or ``20`` (seconds); None for what is none."""
    text = text.strip()
    if _DURATION.fullmatch(text):
        return sum(float(number) * _UNITS[unit] for number, unit in re.findall(_PART, text))
    plain = float(text) if re.fullmatch(r"[0-9]+(\.[0-9]*)?", text) else _LONGEST
    return plain if plain < _LONGEST else None
