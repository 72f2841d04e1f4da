"""The kernel's own fences, by ctypes: Landlock, seccomp, capabilities, namespaces. No policy here.

Numbers are those of the kernel's headers; the three Landlock calls have the same on every architecture. Every function
raises `OSError` where the kernel refuses.
"""

from __future__ import annotations

import ctypes
import os
import struct

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_PATH_BENEATH = 1
_SET_PDEATHSIG, _SET_DUMPABLE, _SET_SECCOMP, _SET_NO_NEW_PRIVS = 1, 4, 22, 38
_SIGKILL = 9

EXECUTE, WRITE_FILE, READ_FILE, READ_DIR, REMOVE_DIR, REMOVE_FILE = (1 << bit for bit in range(6))
MAKE_DIR, MAKE_REG, MAKE_SYM, TRUNCATE = 1 << 7, 1 << 8, 1 << 12, 1 << 14
READ = READ_FILE | READ_DIR
WRITE = READ | WRITE_FILE | REMOVE_DIR | REMOVE_FILE | MAKE_DIR | MAKE_REG | MAKE_SYM | TRUNCATE

NEW_MOUNTS, NEW_UTS, NEW_IPC, NEW_USER, NEW_PIDS, NEW_NET = (
    0x00020000,
    0x04000000,
    0x08000000,
    0x10000000,
    0x20000000,
    0x40000000,
)
_MS_NOSUID, _MS_NODEV, _MS_NOEXEC, _MS_REC, _MS_PRIVATE = 2, 4, 8, 16384, 1 << 18

_MNT_DETACH = 2

_libc = ctypes.CDLL(None, use_errno=True)


def landlock_abi() -> int:
    """The version of Landlock the kernel offers, 0 for none."""
    return max(0, _libc.syscall(_CREATE_RULESET, None, ctypes.c_size_t(0), 1))


def landlock(allowed: list[tuple[str, int]], abi: int) -> None:
    """Refuse this process, for good, every file but those below ``allowed`` (paths that exist, with their rights)."""
    files = (1 << (13, 14, 15, 15, 16)[min(abi, 5) - 1]) - 1
    words = [files, *([0b11] if abi >= 4 else []), *([0b11] if abi >= 6 else [])]  # TCP; signals and abstract sockets
    attributes = struct.pack(f"{len(words)}Q", *words)
    ruleset = _done(_libc.syscall(_CREATE_RULESET, attributes, ctypes.c_size_t(len(attributes)), 0))
    for path, rights in allowed:
        parent = os.open(path, os.O_PATH | os.O_CLOEXEC)
        if not os.path.isdir(path):
            rights &= ~(READ_DIR | REMOVE_DIR | REMOVE_FILE | MAKE_DIR | MAKE_REG | MAKE_SYM)
        rule = struct.pack("=Qi", rights & files, parent)
        _done(_libc.syscall(_ADD_RULE, ruleset, _PATH_BENEATH, rule, 0))
        os.close(parent)
    _done(_libc.syscall(_RESTRICT_SELF, ruleset, 0))
    os.close(ruleset)


def no_new_privileges() -> None:
    """Nothing this process starts gains rights; Landlock and seccomp ask for it."""
    _done(_libc.prctl(_SET_NO_NEW_PRIVS, 1, 0, 0, 0))


def die_with_parent() -> None:
    """Be killed when the parent ends. A change of user undoes it."""
    _done(_libc.prctl(_SET_PDEATHSIG, _SIGKILL, 0, 0, 0))


def dumpable() -> None:
    """Let the parent look at this process again after a change of user."""
    _done(_libc.prctl(_SET_DUMPABLE, 1, 0, 0, 0))


def seccomp(program: bytes) -> None:
    """Install a filter (`outthink.sandbox.inside.seccomp.program`), for good."""

    class Program(ctypes.Structure):
        _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_char_p))

    _done(_libc.prctl(_SET_SECCOMP, 2, ctypes.byref(Program(len(program) // 8, program)), 0, 0))


def drop_capabilities() -> None:
    """Give up every capability, for good (with no new privileges)."""
    header, data = struct.pack("Ii", 0x20080522, 0), bytes(24)
    _done(_libc.capset(header, data))


def unshare(flags: int) -> None:
    """Leave the namespaces named by ``flags``."""
    _done(_libc.unshare(flags))


def mount(kind: str, target: str, options: str = "") -> None:
    """A new file system of a kind (``tmpfs``, ``proc``) on a folder."""
    flags = ctypes.c_ulong(_MS_NOSUID | _MS_NODEV | _MS_NOEXEC)
    _done(_libc.mount(kind.encode(), target.encode(), kind.encode(), flags, options.encode()))


def unmount(target: str) -> None:
    """Take the topmost file system off a folder, whoever still uses it."""
    _done(_libc.umount2(target.encode(), _MNT_DETACH))


def private_mounts() -> None:
    """Mounts made from here on are seen in this mount namespace only."""
    _done(_libc.mount(b"none", b"/", None, ctypes.c_ulong(_MS_REC | _MS_PRIVATE), None))


def _done(result: int) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result
