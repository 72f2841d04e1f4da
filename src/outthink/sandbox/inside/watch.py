"""One program from its fork to its end: limits that the kernel does not hold for a whole tree, held by looking."""

from __future__ import annotations

import contextlib
import os
import signal
import stat
import time
from dataclasses import dataclass, field

from outthink.sandbox.inside.confine import Terms

_MOST_FILES, _DEEPEST = 4096, 16
_THREADS = 64
_INTERPRETER = 64 << 20
"""Bytes that the interpreter itself may take, shared with the warm parent for the most part."""


@dataclass
class Watched:
    """A running program. ``cause``: why it was killed, or empty."""

    pid: int
    terms: Terms
    began: float = field(default_factory=time.monotonic)
    cause: str = ""
    peak: int = 0

    def look(self, alone: bool) -> None:
        """Kill it if it is over a limit. ``alone``: it can have no children (else its group's memory is summed)."""
        if time.monotonic() - self.began > self.terms.wall:
            return self.kill("timeout")
        resident, threads = _resident(self.pid) if alone else _group(self.pid)
        self.peak = max(self.peak, resident)
        if resident > self.terms.memory + _INTERPRETER:
            return self.kill("memory")
        if threads > _THREADS:
            return self.kill("threads")
        if _on_disk(self.terms.folder) + _unnamed(self.pid) > self.terms.disk:
            return self.kill("disk")
        return None

    def kill(self, cause: str) -> None:
        """End the program and all it started; its first cause stands."""
        self.cause = self.cause or cause
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)  # not its group's leader yet, where it was only just forked


def _resident(pid: int) -> tuple[int, int]:
    """Bytes in memory and threads of a process; zeros where the system does not say, or it has ended."""
    resident, threads = 0, 0
    with contextlib.suppress(OSError), open(f"/proc/{pid}/status", "rb") as file:
        for line in file:
            if line.startswith((b"RssAnon:", b"RssShmem:")):
                resident += int(line.split()[1]) * 1024
            elif line.startswith(b"Threads:"):
                threads = int(line.split()[1])
    return resident, threads


def _group(group: int) -> tuple[int, int]:
    """The same over a session: only where nothing keeps a program from starting others."""
    resident = threads = 0
    with contextlib.suppress(OSError):
        for name in os.listdir("/proc"):
            with contextlib.suppress(OSError):
                if name.isdigit() and os.getsid(int(name)) == group:
                    one, many = _resident(int(name))
                    resident, threads = resident + one, threads + many
    return resident, threads


def _on_disk(folder: str) -> int:
    """Bytes below a folder, each name costing one block; beyond counting is over any limit."""
    total = files = 0
    pending = [(folder, 0)]
    try:
        while pending:
            path, depth = pending.pop()
            with os.scandir(path) as entries:
                for entry in entries:
                    files += 1
                    total += max(512, entry.stat(follow_symlinks=False).st_blocks * 512)
                    if files > _MOST_FILES or depth > _DEEPEST:
                        return 1 << 62
                    if entry.is_dir(follow_symlinks=False):
                        pending.append((entry.path, depth + 1))
    except OSError:  # it changed under our eyes; the next look will tell
        return total
    return total


def _unnamed(pid: int) -> int:
    """Bytes of files that are open and have no name any more."""
    total = 0
    with contextlib.suppress(OSError):
        for name in os.listdir(f"/proc/{pid}/fd"):
            with contextlib.suppress(OSError):
                found = os.stat(f"/proc/{pid}/fd/{name}")
                if stat.S_ISREG(found.st_mode) and found.st_nlink == 0:
                    total += found.st_blocks * 512
    return total


def empty(folder: str) -> None:
    """Delete what is in a folder, however deep it is, following no link: what is in its folders is moved up first."""
    pending, place = True, 0
    while pending:
        pending = False
        with os.scandir(folder) as listing:
            entries = list(listing)
        for entry in entries:
            if not entry.is_dir(follow_symlinks=False):
                os.unlink(entry.path)
                continue
            os.chmod(entry.path, 0o700)
            for inner in os.listdir(entry.path):
                place += 1
                pending = True
                os.rename(os.path.join(entry.path, inner), os.path.join(folder, f"\n{place}"))
            os.rmdir(entry.path)
