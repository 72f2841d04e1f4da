"""From a fork of the warm parent to a program's process: descriptors, limits, and no way back."""

from __future__ import annotations

import os
import resource
from dataclasses import dataclass

from outthink.sandbox.inside import linux, seccomp

CHANNEL = 3
"""The descriptor a program's answers go to, beside 0, 1 and 2."""
LIBRARY = 100
"""Where descriptors of the interpreter's own folders begin."""
_FILES, _THREADS = 64, 64
"""Open descriptors, and threads, of one program."""


@dataclass(frozen=True)
class Terms:
    """What one program may use: seconds, bytes, its folder, and the user to become (None: stay)."""

    cpu: float
    wall: float
    memory: int
    disk: int
    folder: str
    user: int | None = None


@dataclass(frozen=True)
class Fences:
    """What holds every program here. ``abi`` 0: nothing but limits (unsafe). ``library``: the interpreter's folders."""

    level: str
    abi: int
    library: tuple[str, ...]


def confine(terms: Terms, fences: Fences, descriptors: list[int]) -> None:
    """Become the program's process, for good: standard streams and channel from ``descriptors``, then every fence.

    Raises `OSError` where a fence cannot be put up; nothing untrusted may run then.
    """
    os.setsid()
    _place(descriptors, keep=[int(path.split("/")[4]) for path in fences.library if path.startswith("/proc/self/fd/")])
    os.chdir(terms.folder)
    os.umask(0o077)
    os.environ.update(HOME=terms.folder, TMPDIR=terms.folder)
    if fences.abi:
        linux.no_new_privileges()
        allowed = [(path, linux.READ) for path in fences.library if os.path.isdir(path)]
        allowed += [("/dev/null", linux.READ | linux.WRITE_FILE | linux.TRUNCATE), ("/dev/urandom", linux.READ)]
        linux.landlock([*allowed, (terms.folder, linux.WRITE)], fences.abi)
    _limit(terms)
    if terms.user is not None:
        os.setgroups([])
        os.setresgid(terms.user, terms.user, terms.user)
        os.setresuid(terms.user, terms.user, terms.user)
    if fences.abi:
        linux.die_with_parent()
        linux.drop_capabilities()
        linux.seccomp(seccomp.program(os.getpid()))


def _place(descriptors: list[int], keep: list[int]) -> None:
    """Put the descriptors at 0, 1, 2 and `CHANNEL` and close all others but ``keep``."""
    high = [os.dup2(number, 200 + place, inheritable=False) for place, number in enumerate(descriptors)]
    for place, number in enumerate(high):
        os.dup2(number, place)
    start = CHANNEL + 1
    for number in [*sorted(keep), 4096]:
        os.closerange(start, number)
        start = number + 1


def _limit(terms: Terms) -> None:
    seconds = max(1, -int(-terms.cpu // 1))
    wanted = {
        resource.RLIMIT_CPU: (seconds, seconds + 1),  # the first can be caught, the second cannot
        resource.RLIMIT_FSIZE: (terms.disk, terms.disk),
        resource.RLIMIT_CORE: (0, 0),
        resource.RLIMIT_NOFILE: (_FILES, _FILES),
        resource.RLIMIT_AS: (_in_use() + terms.memory,) * 2,
    }
    if terms.user is not None:  # this program's own user: nothing else counts
        wanted[resource.RLIMIT_NPROC] = (_THREADS, _THREADS)
    for kind, (soft, hard) in wanted.items():
        most = resource.getrlimit(kind)[1]
        if most != resource.RLIM_INFINITY:
            soft, hard = min(soft, most), min(hard, most)
        resource.setrlimit(kind, (soft, hard))


def _in_use() -> int:
    """Bytes of address space that the interpreter itself takes; 0 where the system does not say."""
    try:
        with open("/proc/self/statm") as file:
            return int(file.read().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0
