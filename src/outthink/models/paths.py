"""Where files live: the platform's conventions (XDG); ``OUTTHINK_HOME`` moves all of them. Creates nothing."""

from __future__ import annotations

import os
from pathlib import Path


def models_dir() -> Path:
    """Model files."""
    return _place("XDG_DATA_HOME", "~/.local/share", "models")


def cache_file() -> Path:
    """The sample cache."""
    return _place("XDG_CACHE_HOME", "~/.cache", "cache") / "samples.db"


def config_file() -> Path:
    """The configuration file, which need not exist."""
    home = os.environ.get("OUTTHINK_HOME")
    if home:
        return Path(home).expanduser() / "config.toml"
    return Path(os.environ.get("XDG_CONFIG_HOME") or "~/.config").expanduser() / "outthink" / "config.toml"


def _place(variable: str, default: str, name: str) -> Path:
    home = os.environ.get("OUTTHINK_HOME")
    if home:
        return Path(home).expanduser() / name
    return Path(os.environ.get(variable) or default).expanduser() / "outthink" / name
