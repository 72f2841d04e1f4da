"""A seccomp filter as bytes: what a computing Python needs is allowed, all else is refused with ``EPERM``.

Allowed by name, so that calls which kernels to come may bring are refused. Not among them: processes, programs,
sockets (but for an unnamed pair, which asyncio wants), signals to others, memory that no limit counts (``memfd``,
System V), and what Landlock does not govern (modes, owners, times and attributes of files).
"""

from __future__ import annotations

import platform
import struct

_COMMON = """
    read write close fstat lseek mmap mprotect munmap brk rt_sigaction rt_sigprocmask rt_sigreturn pread64 pwrite64
    readv writev sched_yield mremap msync mincore madvise dup nanosleep getitimer setitimer getpid exit uname fcntl
    flock fsync fdatasync ftruncate getcwd chdir fchdir umask gettimeofday getrlimit getrusage sysinfo times getuid
    getgid geteuid getegid getppid getgroups getresuid getresgid getpgid getsid rt_sigpending rt_sigtimedwait
    rt_sigsuspend sigaltstack gettid futex sched_getaffinity getdents64 set_tid_address fadvise64 clock_gettime
    clock_getres clock_nanosleep exit_group epoll_ctl openat mkdirat newfstatat unlinkat renameat symlinkat readlinkat
    faccessat pselect6 ppoll set_robust_list epoll_pwait eventfd2 epoll_create1 dup3 pipe2 preadv pwritev getcpu
    renameat2 getrandom membarrier copy_file_range preadv2 pwritev2 statx rseq close_range openat2 faccessat2
    epoll_pwait2 sendto recvfrom shutdown getsockname getsockopt
"""
_CHECKED = ("clone", "clone3", "kill", "tgkill", "prlimit64", "socketpair", "ioctl")

_X86_64 = """
    read 0 write 1 open 2 close 3 stat 4 fstat 5 lstat 6 poll 7 lseek 8 mmap 9 mprotect 10 munmap 11 brk 12
    rt_sigaction 13 rt_sigprocmask 14 rt_sigreturn 15 ioctl 16 pread64 17 pwrite64 18 readv 19 writev 20 access 21
    pipe 22 select 23 sched_yield 24 mremap 25 msync 26 mincore 27 madvise 28 dup 32 dup2 33 pause 34 nanosleep 35
    getitimer 36 alarm 37 setitimer 38 getpid 39 sendto 44 recvfrom 45 shutdown 48 getsockname 51 socketpair 53
    getsockopt 55 clone 56 exit 60 kill 62 uname 63 fcntl 72 flock 73 fsync 74 fdatasync 75 ftruncate 77 getdents 78
    getcwd 79 chdir 80 fchdir 81 rename 82 mkdir 83 rmdir 84 creat 85 unlink 87 symlink 88 readlink 89 umask 95
    gettimeofday 96 getrlimit 97 getrusage 98 sysinfo 99 times 100 getuid 102 getgid 104 geteuid 107 getegid 108
    getppid 110 getpgrp 111 getgroups 115 getresuid 118 getresgid 120 getpgid 121 getsid 124 rt_sigpending 127
    rt_sigtimedwait 128 rt_sigsuspend 130 sigaltstack 131 gettid 186 time 201 futex 202 sched_getaffinity 204
    getdents64 217 set_tid_address 218 fadvise64 221 clock_gettime 228 clock_getres 229 clock_nanosleep 230
    exit_group 231 epoll_wait 232 epoll_ctl 233 tgkill 234 openat 257 mkdirat 258 newfstatat 262 unlinkat 263
    renameat 264 symlinkat 266 readlinkat 267 faccessat 269 pselect6 270 ppoll 271 set_robust_list 273 epoll_pwait 281
    eventfd2 290 epoll_create1 291 dup3 292 pipe2 293 preadv 295 pwritev 296 prlimit64 302 getcpu 309 renameat2 316
    getrandom 318 membarrier 324 copy_file_range 326 preadv2 327 pwritev2 328 statx 332 rseq 334 clone3 435
    close_range 436 openat2 437 faccessat2 439 epoll_pwait2 441
"""
_AARCH64 = """
    getcwd 17 eventfd2 19 epoll_create1 20 epoll_ctl 21 epoll_pwait 22 dup 23 dup3 24 fcntl 25 ioctl 29 flock 32
    mkdirat 34 unlinkat 35 symlinkat 36 renameat 38 ftruncate 46 faccessat 48 chdir 49 fchdir 50 openat 56 close 57
    pipe2 59 getdents64 61 lseek 62 read 63 write 64 readv 65 writev 66 pread64 67 pwrite64 68 preadv 69 pwritev 70
    pselect6 72 ppoll 73 readlinkat 78 newfstatat 79 fstat 80 fsync 82 fdatasync 83 exit 93 exit_group 94
    set_tid_address 96 futex 98 set_robust_list 99 nanosleep 101 getitimer 102 setitimer 103 clock_gettime 113
    clock_getres 114 clock_nanosleep 115 sched_getaffinity 123 sched_yield 124 kill 129 tgkill 131 sigaltstack 132
    rt_sigsuspend 133 rt_sigaction 134 rt_sigprocmask 135 rt_sigpending 136 rt_sigtimedwait 137 rt_sigreturn 139
    getresuid 148 getresgid 150 times 153 getpgid 155 getsid 156 getgroups 158 uname 160 getrlimit 163 getrusage 165
    umask 166 getcpu 168 gettimeofday 169 getpid 172 getppid 173 getuid 174 geteuid 175 getgid 176 getegid 177
    gettid 178 sysinfo 179 socketpair 199 getsockname 204 sendto 206 recvfrom 207 getsockopt 209 shutdown 210 brk 214
    munmap 215 mremap 216 clone 220 mmap 222 fadvise64 223 mprotect 226 msync 227 mincore 232 madvise 233
    prlimit64 261 renameat2 276 getrandom 278 membarrier 283 copy_file_range 285 preadv2 286 pwritev2 287 statx 291
    rseq 293 clone3 435 close_range 436 openat2 437 faccessat2 439 epoll_pwait2 441
"""
_MACHINES = {"x86_64": (0xC000003E, _X86_64), "aarch64": (0xC00000B7, _AARCH64)}
"""The audit architecture and the numbers of the calls, as the kernel's headers have them."""

_KILL, _ERRNO, _ALLOW = 0x80000000, 0x00050000, 0x7FFF0000
_EPERM, _ENOSYS, _ENOTTY = 1, 38, 25
_LOAD, _AND, _EQUAL, _RETURN = 0x20, 0x54, 0x15, 0x06
_THREAD, _NEW_NAMESPACES = 0x00010000, 0x7E020000
_TERMINAL_SIZE_AND_FLAGS = (0x5401, 0x5413, 0x541B, 0x5421, 0x5450, 0x5451)  # TCGETS … FIONBIO, FIONCLEX, FIOCLEX

Check = tuple[int, int, int]
"""An argument's 32-bit word (twice its index, plus one for the upper half), a mask, and what must be left of it."""


def supported() -> bool:
    """Whether the numbers of this machine's system calls are known."""
    return platform.machine() in _MACHINES


def program(pid: int) -> bytes:
    """The filter for the process ``pid``, which may signal itself alone. An array of ``struct sock_filter``."""
    architecture, listing = _MACHINES[platform.machine()]
    words = listing.split()
    numbers = dict(zip(words[::2], map(int, words[1::2]), strict=True))
    code = [_op(_LOAD, 4), _op(_EQUAL, architecture, 1, 0), _op(_RETURN, _KILL), _op(_LOAD, 0)]
    frequent = _COMMON.split()
    for name in [*frequent, *(name for name in numbers if name not in frequent and name not in _CHECKED)]:
        code += [_op(_EQUAL, numbers[name], 0, 1), _op(_RETURN, _ALLOW)]
    rules: list[tuple[str, tuple[Check, ...]]] = [
        ("clone", ((0, _THREAD | _NEW_NAMESPACES, _THREAD),)),
        ("kill", ((0, 0xFFFFFFFF, pid),)),
        ("tgkill", ((0, 0xFFFFFFFF, pid),)),
        ("prlimit64", ((0, 0xFFFFFFFF, 0), (4, 0xFFFFFFFF, 0), (5, 0xFFFFFFFF, 0))),  # to read one's own
        ("socketpair", ((0, 0xFFFFFFFF, 1), (2, 0xF, 1))),  # a stream of the Unix kind: it can reach no name
        *(("ioctl", ((2, 0xFFFFFFFF, command),)) for command in _TERMINAL_SIZE_AND_FLAGS),
    ]
    for name, checks in rules:
        code += _rule(numbers[name], checks)
    code += [_op(_LOAD, 0)]
    code += [_op(_EQUAL, numbers["clone3"], 0, 1), _op(_RETURN, _ERRNO | _ENOSYS)]  # its flags are out of reach
    code += [_op(_EQUAL, numbers["ioctl"], 0, 1), _op(_RETURN, _ERRNO | _ENOTTY)]
    return b"".join([*code, _op(_RETURN, _ERRNO | _EPERM)])


def _rule(number: int, checks: tuple[Check, ...]) -> list[bytes]:
    """Allow a call whose arguments pass all the checks; go on behind this rule otherwise."""
    rest = 3 * len(checks) + 1
    code = [_op(_LOAD, 0), _op(_EQUAL, number, 0, rest)]
    for word, mask, wanted in checks:
        rest -= 3
        code += [_op(_LOAD, 16 + 4 * word), _op(_AND, mask), _op(_EQUAL, wanted, 0, rest)]
    return [*code, _op(_RETURN, _ALLOW)]


def _op(code: int, value: int, when_true: int = 0, when_false: int = 0) -> bytes:
    return struct.pack("HBBI", code, when_true, when_false, value)
