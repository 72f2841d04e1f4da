"""Can this machine run models, and is what they need in place? Facts and remedies for ``outthink doctor``."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from outthink.core.errors import ModelFileError
from outthink.core.finding import Finding
from outthink.models.catalog import ENTRIES
from outthink.models.config import load_config
from outthink.models.embedded import locate
from outthink.models.gguf import check_gguf
from outthink.models.paths import cache_file, config_file, models_dir

_ROOM = 400e6
"""Bytes that an engine takes beside its weights: contexts of its slots, buffers, this process."""
_LOW_DISK = 1e9
_IMPORT_SECONDS = 60.0


def python() -> Finding:
    version = platform.python_version()
    return Finding("python", "ok", f"{version} ({platform.python_implementation()}) at {sys.executable}")


def cores() -> Finding:
    """The cores that this process may use: its affinity, and a container's share."""
    usable = float(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1)
    quota, _, period = _cgroup("cpu.max").partition(" ")
    if quota.isdigit() and period.isdigit():
        usable = min(usable, int(quota) / int(period))
    if usable < 2:
        return Finding("cores", "warn", f"{usable:g} core", "embedded models will be slow; name a server with --model")
    return Finding("cores", "ok", f"{usable:g} cores, {platform.machine()}")


def memory(weights: int) -> Finding:
    """Memory for an embedded model with a file of so many bytes (0: none is to be loaded)."""
    available = _available()
    if available is None:
        return Finding("memory", "ok", "not known on this system")
    needed = weights * 1.2 + _ROOM if weights else 0
    found = f"{available / 1e9:.1f} GB available"
    if available < needed:
        return Finding("memory", "fail", found, f"the model needs about {needed / 1e9:.1f} GB; end other programs")
    return Finding("memory", "ok", found)


def disk(missing: int) -> Finding:
    """Room where models live, with so many bytes still to come."""
    place = _nearest(models_dir())
    free = shutil.disk_usage(place).free
    found = f"{free / 1e9:.1f} GB free at {place}"
    if free < missing:
        return Finding(
            "disk", "fail", found, f"the model needs {missing / 1e9:.1f} GB; free some, or set OUTTHINK_HOME"
        )
    if free < _LOW_DISK:
        return Finding("disk", "warn", found, "free some, or set OUTTHINK_HOME to a larger disk")
    return Finding("disk", "ok", found)


def places() -> Iterator[Finding]:
    """Where files live, and whether they can be written."""
    moved = " (by OUTTHINK_HOME)" if os.environ.get("OUTTHINK_HOME") else ""
    for name, folder in (("models in", models_dir()), ("cache in", cache_file().parent)):
        if os.access(_nearest(folder), os.W_OK):
            yield Finding(name, "ok", f"{folder}{moved}")
        else:
            remedy = f"run: chown -R $USER {_nearest(folder)}; or set OUTTHINK_HOME to a folder of yours"
            yield Finding(name, "fail", f"{folder} cannot be written{moved}", remedy)


def configuration() -> Iterator[Finding]:
    """The configuration file and its aliases. Raises `InputError` for a faulty one."""
    config = load_config()
    if not config_file().exists():
        yield Finding("configuration", "ok", f"none ({config_file()} would be read)")
        return
    given = {"model": config.model, "strategy": config.strategy, "budget": config.budget}
    parts = [f"{name} = {value}" for name, value in given.items() if value is not None]
    parts += [f"alias {name}" for name in config.models]
    yield Finding("configuration", "ok", f"{config_file()}: {', '.join(parts) or 'empty'}")
    for name, alias in config.models.items():
        if alias.key_env and not os.environ.get(alias.key_env, "").strip():
            found = f"{alias.key_env}, the key of [models.{name}], is not set"
            yield Finding("configuration", "warn", found, f"run: export {alias.key_env}=KEY")


def engine() -> Finding:
    """Whether the embedded engine is installed and loads; tried apart, since a library for another processor kills."""
    try:
        version = importlib.metadata.version("xllamacpp")
    except importlib.metadata.PackageNotFoundError:
        return Finding("engine", "fail", "the embedded engine is not installed", "run: pip install 'outthink[local]'")
    command = [sys.executable, "-c", "import xllamacpp"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_IMPORT_SECONDS, check=False)
    except subprocess.TimeoutExpired:
        remedy = "look for a slow disk, or reinstall it: pip install --force-reinstall xllamacpp"
        return Finding("engine", "fail", f"xllamacpp {version} did not load in {_IMPORT_SECONDS:g} s", remedy)
    if done.returncode:
        said = (done.stderr.strip().splitlines() or [f"signal {-done.returncode}"])[-1][:200]
        remedy = "run: pip install --force-reinstall xllamacpp; or name a server with --model"
        return Finding("engine", "fail", f"xllamacpp {version} does not load ({said})", remedy)
    return Finding("engine", "ok", f"xllamacpp {version}")


def weights(text: str) -> tuple[Finding, int, int]:
    """The file of an embedded model: the finding, its bytes, and the bytes still to be fetched.

    Raises `UnknownName` for a name that is not in the catalog.
    """
    try:
        path, entry = locate(text)
        check_gguf(path, entry)
    except ModelFileError as error:
        size = _size_of(text)
        return Finding("model", "fail", str(error), "" if "run: " in str(error) else _fetch(text)), size, size
    size = path.stat().st_size
    verified = ", verified" if entry else ", whole (not in the catalog, so its digest is not known)"
    return Finding("model", "ok", f"{text}: {path} ({size / 1e6:,.0f} MB{verified})"), size, 0


def threads() -> Finding:
    """Settings of the thread library that the embedded engine uses."""
    names = ("OMP_NUM_THREADS", "OMP_WAIT_POLICY", "OMP_THREAD_LIMIT", "GOMP_SPINCOUNT")
    found = [f"{name}={os.environ[name]}" for name in names if name in os.environ]
    if os.environ.get("OMP_WAIT_POLICY", "").lower() == "active":
        remedy = "unset it: threads that never sleep collapse on a busy machine"
        return Finding("threads", "warn", ", ".join(found), remedy)
    return Finding("threads", "ok", ", ".join(found) or "no OMP settings; the engine's own are used")


def _fetch(text: str) -> str:
    return "name another file" if text.endswith(".gguf") else f"run: outthink models pull {text}"


def _size_of(text: str) -> int:
    return next((entry.bytes for entry in ENTRIES if entry.name == text), 0)


def _nearest(path: Path) -> Path:
    """The folder itself, or the nearest one above it that exists."""
    return next(place for place in (path, *path.absolute().parents) if place.exists())


def _available() -> int | None:
    """Bytes of memory to be had: the system's, within a container's limit."""
    try:
        lines = dict(line.split(":", 1) for line in Path("/proc/meminfo").read_text().splitlines())
        found = int(lines["MemAvailable"].split()[0]) * 1024
    except (OSError, KeyError, ValueError):
        return None
    limit, used = _cgroup("memory.max"), _cgroup("memory.current")
    return min(found, int(limit) - int(used)) if limit.isdigit() and used.isdigit() else found


def _cgroup(name: str) -> str:
    try:
        return Path("/sys/fs/cgroup", name).read_text().strip()
    except OSError:
        return ""
