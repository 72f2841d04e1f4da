"""The warm parent: forks a process per program, watches it, and says how it ended. It never sees a program's text.

A request comes over the control socket with its limits and six descriptors: standard input, output and error, the
channel, the report, whose other end is the caller's: when that closes, the program is killed. When the control
socket closes, everything is killed and this process ends.
"""

from __future__ import annotations

import contextlib
import fcntl
import gc
import importlib
import json
import os
import platform
import resource
import selectors
import socket
import sys
import time
from dataclasses import dataclass, field

from outthink.sandbox.inside import linux, seccomp
from outthink.sandbox.inside.confine import CHANNEL, LIBRARY, Fences, Terms, confine
from outthink.sandbox.inside.namespaces import separate
from outthink.sandbox.inside.program import finish, work
from outthink.sandbox.inside.watch import Watched, empty

_WARM = """
    abc array base64 bisect calendar cmath collections.abc contextlib copy ctypes csv dataclasses datetime decimal
    difflib enum fractions functools hashlib heapq html inspect itertools json keyword math numbers operator pprint
    queue random re secrets statistics string struct tempfile textwrap threading time timeit typing unicodedata uuid
    zlib bz2 lzma sqlite3 unittest.mock
"""
_LOOK = 0.02
"""Seconds between two looks at a running program."""
_USERS = 64_000
"""Programs of a parent that is root run as users from here on, one each at a time."""


@dataclass
class _Slot:
    """A folder for one program at a time: bytes it may hold, and the user it belongs to (None: ours)."""

    folder: str
    disk: int
    user: int | None


@dataclass
class _Running:
    watched: Watched
    report: socket.socket
    slot: _Slot
    pidfd: int


@dataclass
class Zygote:
    control: socket.socket
    fences: Fences
    base: str
    running: dict[int, _Running] = field(default_factory=dict[int, _Running])
    selector: selectors.DefaultSelector = field(default_factory=selectors.DefaultSelector)
    free: list[_Slot] = field(default_factory=list[_Slot])
    slots: int = 0

    def serve(self) -> None:
        """Until the control socket closes."""
        self.selector.register(self.control, selectors.EVENT_READ)
        looked = 0.0
        while True:
            for key, _ in self.selector.select(_LOOK if self.running else None):
                if key.fileobj is self.control:
                    if not self._accept():
                        return
                elif key.fileobj is key.data.report:
                    self._hear(key.data)
            for running in list(self.running.values()):
                self._reap(running)
            if self.running and time.monotonic() - looked >= _LOOK:
                looked = time.monotonic()
                for running in self.running.values():
                    running.watched.look(alone=bool(self.fences.abi))

    def close(self) -> None:
        """Kill and forget everything."""
        for running in list(self.running.values()):
            running.watched.kill("closed")
            self._reap(running, os.WEXITED)
        for slot in self.free if self.fences.level == "namespaces" else ():
            with contextlib.suppress(OSError):
                linux.unmount(slot.folder)
        with contextlib.suppress(OSError):  # where the caller is gone, nobody else does
            empty(self.base)
            os.rmdir(self.base)

    def _accept(self) -> bool:
        text, descriptors, _, _ = socket.recv_fds(self.control, 65536, 8)
        if not text:
            return False
        asked = json.loads(text)
        report = socket.socket(fileno=descriptors.pop())
        try:
            self._start(asked, descriptors, report)
        except OSError as error:
            _report(report, {"cause": "refused", "message": f"{error}"})
        finally:
            for number in descriptors:
                os.close(number)
        return True

    def _start(self, asked: dict[str, float], descriptors: list[int], report: socket.socket) -> None:
        slot = self._slot(int(asked["disk"]))
        terms = Terms(asked["cpu"], asked["wall"], int(asked["memory"]), slot.disk, slot.folder, slot.user)
        pid = os.fork()
        if pid == 0:
            self._become(terms, descriptors)
        pidfd = os.pidfd_open(pid) if hasattr(os, "pidfd_open") else -1
        running = self.running[pid] = _Running(Watched(pid, terms), report, slot, pidfd)
        self.selector.register(report, selectors.EVENT_READ, running)
        if pidfd >= 0:
            self.selector.register(pidfd, selectors.EVENT_READ, running)

    def _slot(self, disk: int) -> _Slot:
        """A free folder of that size, or a new one; each has a user of its own where this process is root."""
        for slot in self.free:
            if slot.disk == disk:
                self.free.remove(slot)
                return slot
        self.slots += 1
        folder = os.path.join(self.base, str(self.slots))
        user = _USERS + self.slots % 1000 if not os.getuid() and self.fences.abi else None
        os.mkdir(folder, 0o700)
        if user is not None:
            os.chown(folder, user, user)
        if self.fences.level == "namespaces":  # a bound on disk beyond what looking at it can hold
            owner = os.getuid() if user is None else user
            linux.mount("tmpfs", folder, f"size={2 * disk},nr_inodes=8192,mode=700,uid={owner},gid={owner}")
        return _Slot(folder, disk, user)

    def _become(self, terms: Terms, descriptors: list[int]) -> None:
        """In the child: never returns."""
        try:
            confine(terms, self.fences, descriptors)
        except OSError as error:
            with contextlib.suppress(OSError):
                os.write(CHANNEL, json.dumps({"refused": str(error)}).encode() + b"\n")
            os._exit(1)
        try:
            with open(CHANNEL, encoding="utf-8", closefd=False) as asked, open(CHANNEL, "w", closefd=False) as said:
                work(asked, said)
        finally:
            finish()

    def _hear(self, running: _Running) -> None:
        """The caller said something or left: both mean that it wants this program ended."""
        with contextlib.suppress(OSError):
            running.report.recv(64)
        self.selector.unregister(running.report)
        running.watched.kill("closed")

    def _reap(self, running: _Running, options: int = os.WNOHANG) -> None:
        watched = running.watched
        pid, status, usage = os.wait4(watched.pid, options & os.WNOHANG)
        if pid == 0:
            return
        if not self.fences.abi:
            watched.kill("")  # what it left behind
        del self.running[watched.pid]
        with contextlib.suppress(KeyError):
            self.selector.unregister(running.report)
        if running.pidfd >= 0:
            self.selector.unregister(running.pidfd)
            os.close(running.pidfd)
        with contextlib.suppress(OSError):  # what cannot be emptied is not used again
            empty(running.slot.folder)
            self.free.append(running.slot)
        code = os.waitstatus_to_exitcode(status)
        _report(running.report, {
            "cause": watched.cause, "code": code, "seconds": time.monotonic() - watched.began,
            "cpu": usage.ru_utime + usage.ru_stime, "memory": watched.peak,
        })  # fmt: skip


def _report(report: socket.socket, what: dict[str, object]) -> None:
    with contextlib.suppress(OSError):
        report.sendall(json.dumps(what).encode() + b"\n")
    report.close()


def main(control: int, base: str, level: str) -> None:
    """Warm up, say that this level was reached (else why not), and serve."""
    sock = socket.socket(fileno=control)
    try:
        abi = 0 if level == "none" else _landlock()
        if level == "namespaces":
            separate()
    except OSError as error:
        sock.sendall(json.dumps({"level": "none", "why": str(error)}).encode() + b"\n")
        return
    library = _library()
    for name in _WARM.split():
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    gc.collect()
    gc.freeze()  # a fork need not copy what no collection touches
    zygote = Zygote(sock, Fences(level, abi, library), base)
    sock.sendall(json.dumps({"level": level}).encode() + b"\n")
    try:
        zygote.serve()
    finally:
        zygote.close()


def _landlock() -> int:
    """The version of Landlock here. Raises `OSError` where this machine lacks it, or filters for system calls."""
    if sys.platform != "linux" or not seccomp.supported():
        raise OSError(f"no fences are known for {sys.platform} on {platform.machine()}")
    abi = linux.landlock_abi()
    if not abi:
        raise OSError("its kernel has no Landlock")
    return abi


def _library() -> tuple[str, ...]:
    """The interpreter's own folders, by descriptor where a program's user could not come there by name."""
    folders = [path for path in sys.path if os.path.isdir(path)]
    if not os.getuid():
        folders = [path if _open_to_all(path) else _by_descriptor(path) for path in folders]
    sys.path[:] = folders
    return tuple(folders)


def _open_to_all(path: str) -> bool:
    """Whether any user can come to a folder by its name."""
    parts = [path] + [path[:place] for place, char in enumerate(path) if char == "/" and place]
    return all(os.stat(part).st_mode & 0o001 for part in parts)


def _by_descriptor(path: str) -> str:
    """A name for a folder that holds for whoever has its descriptor; packages loaded from it follow."""
    opened = os.open(path, os.O_PATH)
    name = f"/proc/self/fd/{fcntl.fcntl(opened, fcntl.F_DUPFD_CLOEXEC, LIBRARY)}"
    os.close(opened)
    for module in list(sys.modules.values()):
        if hasattr(module, "__path__"):
            module.__path__ = [where.replace(path, name, 1) for where in module.__path__]
    return name
