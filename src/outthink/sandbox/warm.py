"""The caller's side of the warm parent: start it, send a program, collect what came of it."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Awaitable, Callable, Generator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import anyio
import msgspec

from outthink.core.errors import SandboxError
from outthink.core.execution import Level, Limits

_START, _GRACE = 60.0, 10.0
"""Seconds for the warm parent to come up, and beyond a program's limit before the parent itself counts as lost."""
_ANSWERS = 16 << 20
"""Bytes of answers that a program may send."""
_BOOT = """
import sys, types
for name, path in (("outthink", sys.argv[1]), ("outthink.sandbox", sys.argv[1] + "/sandbox")):
    module = sys.modules[name] = types.ModuleType(name)
    module.__path__ = [path]
from outthink.sandbox.inside.zygote import main
main(int(sys.argv[2]), sys.argv[3], sys.argv[4])
"""


class Greeting(msgspec.Struct):
    """What the warm parent says once it is ready."""

    level: Level
    why: str = ""


class Report(msgspec.Struct):
    """How a program's process ended, as the warm parent saw it."""

    cause: str
    code: int = 0
    seconds: float = 0.0
    cpu: float = 0.0
    memory: int = 0
    message: str = ""


class Lost(Exception):
    """The warm parent is gone."""


@dataclass
class Ran:
    """All that came from one program: raw, and not to be trusted but for the report."""

    report: Report
    stdout: bytes = b""
    stderr: bytes = b""
    lines: list[bytes] = field(default_factory=list[bytes])
    flooded: bool = False


@dataclass
class Warm:
    """A running warm parent and its folder."""

    process: subprocess.Popen[bytes]
    control: socket.socket
    base: str
    level: Level

    def close(self) -> None:
        """End it and everything it runs, at once."""
        self.control.close()
        try:
            self.process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        shutil.rmtree(self.base, ignore_errors=True)


def start(levels: Sequence[Level]) -> Warm:
    """A warm parent at the first of these levels that this machine offers (0.1 s each; blocks).

    Raises `SandboxError` where it offers none, with why.
    """
    why = "it has no fork"
    if hasattr(os, "fork") and hasattr(socket, "recv_fds"):
        for level in levels:
            warm, why = _started(level)
            if warm is not None:
                return warm
    raise SandboxError(
        f"this machine cannot hold untrusted code ({why}): "
        "use Linux 5.13 or later with Landlock, or accept the risk with --unsafe-exec "
        "(in code: Engine(unsafe_exec=True), Sandbox(unsafe=True))"
    )


def _started(level: Level) -> tuple[Warm | None, str]:
    """A warm parent at a level, or None and why not."""
    ours, theirs = socket.socketpair()
    base = tempfile.mkdtemp(prefix="outthink-sandbox-")
    os.chmod(base, 0o711)
    package = str(Path(__file__).resolve().parent.parent)
    with theirs:
        process = subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", _BOOT, package, str(theirs.fileno()), base, level],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={"LANG": "C.UTF-8", "PYTHONHASHSEED": "0", "PATH": "/usr/bin:/bin"},
            pass_fds=[theirs.fileno()],
            cwd="/",
            start_new_session=True,
        )
    warm = Warm(process, ours, base, level)
    with contextlib.ExitStack() as failing:
        failing.callback(warm.close)
        greeting = _greeting(ours)
        if greeting.level != level:
            return None, greeting.why
        failing.pop_all()
    ours.setblocking(False)
    return warm, ""


def _greeting(control: socket.socket) -> Greeting:
    control.settimeout(_START)
    try:
        return msgspec.json.decode(control.recv(65536), type=Greeting)
    except (OSError, msgspec.DecodeError):
        return Greeting("none", "the sandbox's own process did not start")


Talk = Callable[["Channel"], Awaitable[None]]


async def run_in(warm: Warm, limits: Limits, stdin: str, talk: Talk) -> Ran:
    """Fork a program and hold the conversation ``talk`` with it. Raises `Lost`; cancelling kills the program."""
    with contextlib.ExitStack() as stack:
        pairs = [stack.enter_context(_pair()) for _ in range(4)]
        given = stack.enter_context(_holding(stdin))
        (out, err, channel, report), theirs = zip(*((pair.ours, pair.theirs) for pair in pairs), strict=True)
        asked = {"cpu": limits.cpu or limits.seconds, "wall": limits.seconds, "memory": limits.memory}
        message = msgspec.json.encode({**asked, "disk": limits.disk})
        try:
            socket.send_fds(warm.control, [message], [given, *(sock.fileno() for sock in theirs)])
        except OSError as error:
            raise Lost(str(error)) from error
        for sock in theirs:
            sock.close()
        return await _collected(out, err, Channel(channel), report, limits, talk)


async def _collected(
    out: socket.socket, err: socket.socket, channel: Channel, report: socket.socket, limits: Limits, talk: Talk
) -> Ran:
    ran = Ran(Report("lost"))

    async def read(sock: socket.socket, name: str) -> None:
        text, over = await _read(sock, limits.output)
        setattr(ran, name, text)
        if over:
            ran.flooded = True
            stop()

    async def speak() -> None:
        try:
            await talk(channel)
        except Flooded:
            ran.flooded = True
        except (OSError, EOFError):
            return
        finally:
            ran.lines = channel.lines
        if ran.flooded:
            stop()

    def stop() -> None:
        with contextlib.suppress(OSError):
            report.shutdown(socket.SHUT_WR)

    with anyio.move_on_after(limits.seconds + _GRACE):
        async with anyio.create_task_group() as group:
            group.start_soon(read, out, "stdout")
            group.start_soon(read, err, "stderr")
            group.start_soon(speak)
            told, _ = await _read(report, 65536)
            if told:
                ran.report = msgspec.json.decode(told, type=Report)
    if ran.report.cause == "lost":
        raise Lost("no report")
    return ran


class Flooded(Exception):
    """A program sent more than it may."""


class Channel:
    """Lines to and from a program. ``lines`` keeps what came."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock, self._rest, self._taken = sock, b"", 0
        self.lines: list[bytes] = []

    async def send(self, what: object) -> None:
        """One line of JSON."""
        left = memoryview(msgspec.json.encode(what) + b"\n")
        while left:
            try:
                left = left[self._sock.send(left) :]
            except BlockingIOError:
                await anyio.wait_writable(self._sock)

    async def line(self) -> bytes:
        """The next line. Raises `EOFError` when there is none to come, `Flooded` when too much came."""
        parts = [self._rest]
        while b"\n" not in parts[-1]:
            parts.append(await _received(self._sock))
            self._taken += len(parts[-1])
            if not parts[-1]:
                raise EOFError
            if self._taken > _ANSWERS:
                raise Flooded
        self._rest = b"".join(parts)
        line, _, self._rest = self._rest.partition(b"\n")
        self.lines.append(line)
        return line


async def _read(sock: socket.socket, most: int) -> tuple[bytes, bool]:
    """All until the other side ends, or the first ``most`` bytes and True."""
    parts: list[bytes] = []
    size = 0
    while part := await _received(sock):
        parts.append(part)
        size += len(part)
        if size > most:
            return b"".join(parts)[:most], True
    return b"".join(parts), False


async def _received(sock: socket.socket) -> bytes:
    while True:
        try:
            return sock.recv(65536)
        except BlockingIOError:
            await anyio.wait_readable(sock)
        except ConnectionError:
            return b""


@dataclass
class _Pair:
    ours: socket.socket
    theirs: socket.socket


@contextlib.contextmanager
def _pair() -> Generator[_Pair, None, None]:
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    with ours, theirs:
        yield _Pair(ours, theirs)


@contextlib.contextmanager
def _holding(text: str) -> Generator[int, None, None]:
    """A descriptor to read a text from."""
    with tempfile.TemporaryFile() as file:
        file.write(text.encode("utf-8", "backslashreplace"))
        file.seek(0)
        yield file.fileno()
