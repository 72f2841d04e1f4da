"""The embedded engine: llama.cpp in this process, spoken to over a private Unix socket.

It only loads, guards and closes; counting, streaming and cancelling are those of `HttpModel`. The socket lies
in a folder that only this user can enter, and the server asks for a random key: there is no TCP port.
"""

from __future__ import annotations

import os
import secrets
import shutil
import tempfile
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol, cast

import anyio
import anyio.to_thread
import yarl

from outthink.core.errors import InputError, ModelFileError
from outthink.core.wire import Price
from outthink.models.catalog import Entry, find
from outthink.models.dialects import DIALECTS
from outthink.models.gguf import check_gguf, gguf_facts
from outthink.models.http import HttpModel, Timeouts
from outthink.models.paths import models_dir

SLOTS = 8
"""Choices worked on at once."""
SLOT_CONTEXT = 4096
"""Tokens of prompt and answer that a slot holds, at most what the model was trained for."""
BATCH = 128
"""Prompt tokens between two looks at the connection: a small batch keeps cancelling prompt."""
SPIN = "2000"
"""Rounds a waiting thread spins before it sleeps: as fast as endless spinning on a quiet machine, and no collapse
on a busy one (benchmarks/embedded.md)."""
PATIENCE = 900.0
"""Seconds to the first byte: a plain reply sends it only when all its choices are done."""


class _Params(Protocol):
    """The settings of xllamacpp that are used here (the package has no type stubs)."""

    model: Any
    hostnames: list[str]
    api_keys: list[str]
    n_parallel: int
    n_ctx: int
    n_batch: int
    n_ubatch: int
    fit_params: bool
    warmup: bool
    cache_ram_mib: int
    verbosity: int
    ui: bool
    endpoint_slots: bool


class _Engine(Protocol):
    """The two names of xllamacpp that are used."""

    def CommonParams(self) -> _Params: ...  # noqa: N802
    def Server(self, params: _Params) -> object: ...  # noqa: N802


class EmbeddedModel(HttpModel):
    """A GGUF file served inside this process; `aclose` ends it and removes its socket."""

    def __init__(self, name: str, path: Path, entry: Entry | None = None, *, timeout: float = PATIENCE) -> None:
        self._folder = tempfile.mkdtemp(prefix="outthink-")
        self._key = secrets.token_hex(16)
        self._server: object | None = None
        socket = os.path.join(self._folder, "engine.sock")
        super().__init__(
            name,
            "http://embedded/v1",
            key=self._key,
            unix=socket,
            timeouts=Timeouts(first_byte=timeout, between=timeout),
            slots=SLOTS,
            price=Price(0.0, 0.0),
            source=entry.sha256 if entry else _identity(path),
        )
        facts = entry or gguf_facts(path)
        self.path, self.parameters, self.dialect = path, facts.parameters, DIALECTS["llamacpp"]
        self.context = min(SLOT_CONTEXT, facts.context or SLOT_CONTEXT)

    async def load(self) -> None:
        """Load the weights in a thread (about a second for the default model). Raises `ModelFileError`."""
        with anyio.CancelScope(shield=True):  # a thread left inside the library would crash at exit
            self._server = await anyio.to_thread.run_sync(self._start)
            await self._running()

    async def _running(self) -> None:
        """Wait for the engine's own loop to run: closed before that, it would never end.

        The list of adapters is answered by that loop, and by nothing else.
        """
        url = yarl.URL("http://embedded/lora-adapters")
        async with self._open(url, None, check=False) as response:
            await self._read(response)

    def _start(self) -> object:
        if "OMP_WAIT_POLICY" not in os.environ:  # read once, when the library loads its OpenMP
            os.environ.setdefault("GOMP_SPINCOUNT", SPIN)
        try:
            engine = cast("_Engine", import_module("xllamacpp"))
        except ImportError as error:
            raise InputError(
                "the embedded engine is not installed; run: pip install 'outthink[local]' "
                "(or name a server: --model NAME@http://host:port/v1)"
            ) from error
        params = engine.CommonParams()
        params.model.path = str(self.path)
        params.hostnames, params.api_keys = [cast("str", self._unix)], [self._key]
        params.n_parallel, params.n_ctx = self.slots or 1, (self.slots or 1) * (self.context or SLOT_CONTEXT)
        params.n_batch = params.n_ubatch = BATCH
        params.cache_ram_mib, params.verbosity = 0, 0
        params.ui = params.endpoint_slots = False
        params.fit_params = params.warmup = False  # each loads or runs the model once more; nothing here needs it
        try:
            return engine.Server(params)
        except RuntimeError as error:
            raise ModelFileError(
                f"{self.path.name} could not be loaded ({error}); it may need more memory, or a newer engine: "
                "pip install -U xllamacpp"
            ) from error

    def _end(self) -> None:
        """Drop the only reference: the engine's destructor joins its threads."""
        self._server = None

    async def aclose(self) -> None:
        with anyio.CancelScope(shield=True):
            await super().aclose()
            await anyio.to_thread.run_sync(self._end)
        shutil.rmtree(self._folder, ignore_errors=True)


def _identity(path: Path) -> str:
    """A file outside the catalog by its place, size and time; hashing it at every start would take seconds."""
    found = path.stat()
    return f"{path.resolve()} {found.st_size} {found.st_mtime_ns}"


def locate(text: str) -> tuple[Path, Entry | None]:
    """The file a model text means: a path ending in ``.gguf``, or a catalog name. Raises `InputError`."""
    if text.endswith(".gguf"):
        return Path(text).expanduser(), None
    entry = find(text)
    path = models_dir() / entry.file
    if not path.exists():
        raise ModelFileError(
            f"model {text!r} is not on this machine; run: outthink models pull {text} ({entry.bytes / 1e6:.0f} MB)"
        )
    return path, entry


async def open_embedded(text: str, *, timeout: float | None = None, **_options: object) -> EmbeddedModel:
    """Open a catalog name or a path ending in ``.gguf``: checked, then loaded."""
    path, entry = locate(text)
    await anyio.to_thread.run_sync(check_gguf, path, entry)
    model = EmbeddedModel(text if entry else path.stem, path, entry, timeout=timeout or PATIENCE)
    try:
        await model.load()
    except BaseException:
        await model.aclose()
        raise
    return model
