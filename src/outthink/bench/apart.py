"""Blocks dealt in processes of their own, which speak in bytes: a length, then so many of them.

They know nothing of the program that started them, so that a script without a main guard may bench.
"""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import AsyncExitStack
from types import TracebackType

import anyio
import msgspec
from anyio.abc import Process
from anyio.streams.buffered import BufferedByteReceiveStream

from outthink.bench.block import Block, Dealing, Done, dealt
from outthink.bench.grading import Grader
from outthink.core.errors import InputError, OutthinkError

_LONG = 8
_CODE = "import sys; sys.path[:] = sys.argv[1:]; from outthink.bench.apart import work; work()"
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(tuple[Dealing, Block]).decode


class Workers:
    """Processes that deal blocks; use it as ``async with Workers(dealing, count) as workers``."""

    def __init__(self, dealing: Dealing, count: int) -> None:
        self._dealing, self._count = dealing, count
        self._all: list[tuple[Process, BufferedByteReceiveStream]] = []
        self._idle: list[tuple[Process, BufferedByteReceiveStream]] = []
        self._free = anyio.Semaphore(count)

    async def __aenter__(self) -> Workers:
        for _ in range(self._count):
            command = [sys.executable, "-I", "-c", _CODE, *filter(None, sys.path)]
            process = await anyio.open_process(  # in a session of its own: an interrupt is ours to handle
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=None, start_new_session=True
            )
            assert process.stdout is not None
            self._all.append((process, BufferedByteReceiveStream(process.stdout)))
        self._idle = list(self._all)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        with anyio.CancelScope(shield=True):
            for process, _ in self._all:
                if process.returncode is None:
                    process.kill()
                await process.aclose()

    async def deal(self, block: Block) -> Done:
        """See `outthink.bench.block.dealt`. Raises `InputError` when the process was lost."""
        async with self._free:
            one = self._idle.pop()
            try:
                found = await _asked(*one, _encode((self._dealing, block)))
            finally:
                self._idle.append(one)
        if found.error:
            raise InputError(found.error)
        return found


async def _asked(process: Process, reply: BufferedByteReceiveStream, sent: bytes) -> Done:
    """One block there, and what came of it back."""
    assert process.stdin is not None
    try:
        await process.stdin.send(len(sent).to_bytes(_LONG, "big") + sent)
        size = int.from_bytes(await reply.receive_exactly(_LONG), "big")
        return msgspec.msgpack.decode(await reply.receive_exactly(size), type=Done)
    except (anyio.BrokenResourceError, anyio.ClosedResourceError, anyio.IncompleteRead) as error:
        raise InputError(
            "a process of the bench was lost: is this machine out of memory? Run it again to go on"
        ) from error


def work() -> None:
    """Be such a process: deal what comes, until nothing does."""
    stdin, stdout = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a strategy prints is not taken for an answer

    async def serve() -> None:
        async with AsyncExitStack() as stack:
            grader: Grader | None = None
            while len(size := stdin.read(_LONG)) == _LONG:
                dealing, block = _decode(stdin.read(int.from_bytes(size, "big")))
                grader = grader or await stack.enter_async_context(Grader(unsafe=dealing.unsafe))
                said = _encode(await _dealt(dealing, block, grader))
                stdout.write(len(said).to_bytes(_LONG, "big") + said)
                stdout.flush()

    anyio.run(serve)


async def _dealt(dealing: Dealing, block: Block, grader: Grader) -> Done:
    """A block dealt; what is wrong with it is told as text."""
    try:
        return await dealt(dealing, block, grader)
    except OutthinkError as error:
        return Done(error=str(error))
