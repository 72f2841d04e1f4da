"""A world of its own for the warm parent: users, processes, network, mounts, names and queues."""

from __future__ import annotations

import os

from outthink.sandbox.inside import linux

_ALL = linux.NEW_MOUNTS | linux.NEW_UTS | linux.NEW_IPC | linux.NEW_PIDS | linux.NEW_NET


def separate() -> None:
    """Go on as the first process of new namespaces: when it ends, the kernel ends everything in them.

    The process that called stays outside, waits, and ends when the first does (this function does not return there).
    Raises `OSError` where the machine does not allow it; this process may then be half separated, and is to end.
    """
    user, group = os.getuid(), os.getgid()
    linux.unshare(_ALL | (linux.NEW_USER if user else 0))
    if user:
        for name, text in (("setgroups", "deny"), ("uid_map", f"{user} {user} 1"), ("gid_map", f"{group} {group} 1")):
            with open(f"/proc/self/{name}", "w") as file:
                file.write(text)
    pid = os.fork()
    if pid:
        os._exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) & 0xFF)
    linux.die_with_parent()
    linux.private_mounts()
    linux.mount("proc", "/proc")
