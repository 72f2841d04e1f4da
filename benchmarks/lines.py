"""Files of JSON lines that benchmarks record, compressed or not."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any


def read_lines(path: Path) -> list[dict[str, Any]]:
    """What a file holds, compressed if its name ends in ``.gz``. Raises `FileNotFoundError`."""
    data = path.read_bytes()
    return [json.loads(line) for line in (gzip.decompress(data) if path.suffix == ".gz" else data).splitlines()]


def lines_so_far(path: Path) -> list[dict[str, Any]]:
    """What was recorded before; nothing where there is no file yet."""
    return read_lines(path) if path.exists() else []
