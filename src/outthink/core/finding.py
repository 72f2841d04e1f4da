"""What a check of this machine or of a server found."""

from __future__ import annotations

from typing import Literal

import msgspec

State = Literal["ok", "warn", "fail"]


class Finding(msgspec.Struct, frozen=True):
    """One check: what was found, and what to do about it (empty where nothing is to be done)."""

    name: str
    state: State
    found: str
    remedy: str = ""
