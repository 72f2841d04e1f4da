"""Is this file a whole model? Read from its own header, before the engine sees it.

The GGUF layout (version 2 and 3): magic, version, counts, key-value pairs, tensor infos, then aligned data
(github.com/ggml-org/ggml/blob/master/docs/gguf.md).
"""

from __future__ import annotations

import hashlib
import math
import struct
from pathlib import Path
from typing import BinaryIO, NoReturn

import msgspec

from outthink.core.errors import ModelFileError
from outthink.models.catalog import Entry

_SCALARS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
_STRING, _ARRAY = 8, 9
# tensor type: (values in a block, bytes of a block); others are not measured
_BLOCKS = {
    0: (1, 4), 1: (1, 2), 2: (32, 18), 3: (32, 20), 6: (32, 22), 7: (32, 24), 8: (32, 34), 9: (32, 36),
    10: (256, 84), 11: (256, 110), 12: (256, 144), 13: (256, 176), 14: (256, 210), 15: (256, 292),
    24: (1, 1), 25: (1, 2), 26: (1, 4), 27: (1, 8), 28: (1, 8), 30: (1, 2),
}  # fmt: skip
_MOST, _DEEPEST = 10_000_000, 8


class Facts(msgspec.Struct, frozen=True):
    """What a header tells. ``parameters``: weights; ``context``: tokens trained for; ``size``: bytes of a whole
    file, at least."""

    architecture: str
    parameters: float
    context: int | None
    size: int


def check_gguf(path: Path, entry: Entry | None = None) -> None:
    """Raise `ModelFileError` for a file that is missing, not GGUF, truncated, or not the catalog's bytes.

    A verified catalog file is remembered (by size and time) beside it, so that it is hashed once.
    """
    if entry is not None and path.is_file():
        size = path.stat().st_size
        if size != entry.bytes:
            _refuse(path, entry, f"has {size:,} bytes, not the {entry.bytes:,} of {entry.name}")
        if _mark(path).is_file() and _mark(path).read_bytes() == _stamp(path, entry).encode():
            return
    facts = gguf_facts(path)
    size = path.stat().st_size
    if size < facts.size:
        _refuse(path, entry, f"is truncated ({size:,} bytes of at least {facts.size:,})")
    if entry is None:
        return
    digest = sha256(path)
    if digest != entry.sha256:
        _refuse(path, entry, f"has the digest {digest[:12]}…, not the publisher's {entry.sha256[:12]}…")
    try:
        _mark(path).write_text(_stamp(path, entry))
    except OSError:
        return  # a read-only models folder is hashed each time


def _mark(path: Path) -> Path:
    return path.with_name(path.name + ".verified")


def _stamp(path: Path, entry: Entry) -> str:
    found = path.stat()
    return f"{entry.sha256} {found.st_size} {found.st_mtime_ns}"


def gguf_facts(path: Path) -> Facts:
    """The header's facts; raises `ModelFileError` when it is not a readable GGUF header."""
    try:
        with path.open("rb") as file:
            return _Header(file, path).read()
    except FileNotFoundError:
        raise ModelFileError(f"there is no model file {path}; check the path, or run: outthink models list") from None
    except OSError as error:
        raise ModelFileError(
            f"the model file {path} cannot be read ({error.strerror}); check its permissions"
        ) from error


def sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def _refuse(path: Path, entry: Entry | None, what: str, remedy: str = "fetch it again") -> NoReturn:
    remedy = f"run: outthink models pull {entry.name}" if entry else remedy
    raise ModelFileError(f"the model file {path} {what}; {remedy}")


class _Header:
    def __init__(self, file: BinaryIO, path: Path) -> None:
        self.file, self.path = file, path
        self.kept: dict[str, object] = {}

    def read(self) -> Facts:
        if self.file.read(4) != b"GGUF":
            _refuse(self.path, None, "is not a GGUF file", "use a model in GGUF format")
        version = self.number("I")
        if version not in (2, 3):
            _refuse(self.path, None, f"is GGUF version {version}, which is not supported", "use a newer file")
        tensors, pairs = self.count(), self.count()
        for _ in range(pairs):
            key = self.string()
            value = self.value(self.number("I"))
            if key in ("general.architecture", "general.alignment") or key.endswith(".context_length"):
                self.kept[key] = value
        weights, end = self.tensors(tensors)
        architecture = str(self.kept.get("general.architecture", ""))
        context = self.kept.get(f"{architecture}.context_length")
        alignment = self.kept.get("general.alignment", 32)
        if not isinstance(alignment, int) or alignment < 1 or not isinstance(context, int | None):
            self.damaged()
        data = -(-self.file.tell() // alignment) * alignment
        return Facts(architecture, float(min(weights, 1 << 60)), context or None, data + end)

    def tensors(self, count: int) -> tuple[int, int]:
        """The number of weights, and the bytes of data up to the last one's end."""
        weights = end = 0
        for _ in range(count):
            self.string()
            dimensions = self.number("I")
            if dimensions > 8:
                self.damaged()
            elements = math.prod(self.number("Q") for _ in range(dimensions))
            kind, offset = self.number("I"), self.number("Q")
            per, size = _BLOCKS.get(kind, (1, 0))
            weights += elements
            end = max(end, offset + elements // per * size)
        return weights, end

    def value(self, kind: int, depth: int = 0) -> object:
        if kind == _STRING:
            return self.string()
        if kind == _ARRAY and depth < _DEEPEST:
            inner, count = self.number("I"), self.count()
            if inner in _SCALARS:
                self.file.seek(struct.calcsize(_SCALARS[inner]) * count, 1)
            elif inner == _STRING:
                self.skip_strings(count)
            else:
                for _ in range(count):
                    self.value(inner, depth + 1)
            return None
        if kind not in _SCALARS:
            self.damaged()
        return self.number(_SCALARS[kind])

    def skip_strings(self, count: int) -> None:
        """Pass over an array of strings (a vocabulary has some hundred thousand)."""
        read, seek, size_of = self.file.read, self.file.seek, struct.Struct("<Q").unpack
        for _ in range(count):
            data = read(8)
            if len(data) < 8:
                _refuse(self.path, None, "is truncated inside its header")
            seek(min(size_of(data)[0], _MOST), 1)

    def number(self, form: str) -> int:
        size = struct.calcsize(form)
        data = self.file.read(size)
        if len(data) < size:
            _refuse(self.path, None, "is truncated inside its header")
        return struct.unpack("<" + form, data)[0]

    def count(self) -> int:
        found = self.number("Q")
        if found > _MOST:
            self.damaged()
        return found

    def string(self) -> str:
        size = self.count()
        data = self.file.read(size)
        if len(data) < size:
            _refuse(self.path, None, "is truncated inside its header")
        return data.decode("utf-8", "replace")

    def damaged(self) -> NoReturn:
        _refuse(self.path, None, "has a damaged header")
