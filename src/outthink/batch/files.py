"""Lines in and out, read as they come and appended whole; files replaced whole. Safe against a kill at any moment.

Knows nothing of what they hold.
"""

from __future__ import annotations

import errno
import fcntl
import os
import stat
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import anyio

from outthink.core.errors import InputError

LONGEST = 32 << 20
"""Bytes of the longest line that is taken in; memory stays bounded whatever a file holds."""
_CHUNK = 1 << 16


class Line(NamedTuple):
    """A line without its end, ``number`` counting from 1; None for one longer than `LONGEST`. ``size`` in bytes."""

    number: int
    text: bytes | None
    size: int


class LineReader:
    """The lines of a file, or of standard input (``-``), as they arrive.

    ``size``: bytes in all, None where that is not known. Raises `InputError` for a file that cannot be read.
    """

    def __init__(self, path: str) -> None:
        self.path = "standard input" if path == "-" else path
        try:
            self._file = os.dup(0) if path == "-" else os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            found = os.fstat(self._file)
        except OSError as error:
            raise InputError(f"{path} cannot be read ({error.strerror}); check the path") from error
        if stat.S_ISDIR(found.st_mode):
            self.close()
            raise InputError(f"{path} is a folder; name a file of JSON lines")
        self.size = found.st_size if stat.S_ISREG(found.st_mode) else None
        self._waits = stat.S_ISFIFO(found.st_mode) or stat.S_ISSOCK(found.st_mode) or os.isatty(self._file)

    async def __aiter__(self) -> AsyncIterator[Line]:
        number, parts, held = 1, list[bytes](), 0
        while chunk := await self._read():
            first, *rest = chunk.split(b"\n")
            for piece in rest:
                yield _line(number, parts, held, first)
                number, parts, held, first = number + 1, [], 0, piece
            held += len(first)
            if held <= LONGEST:
                parts.append(first)
            else:
                parts.clear()
        if held:
            yield _line(number, parts, held, b"")

    async def _read(self) -> bytes:
        """What there is, waiting for more of a pipe; empty at the end."""
        if self._waits:
            await anyio.wait_readable(self._file)
        try:
            return os.read(self._file, _CHUNK)
        except OSError as error:
            raise InputError(f"{self.path} cannot be read further ({error.strerror})") from error

    def close(self) -> None:
        os.close(self._file)


def _line(number: int, parts: list[bytes], held: int, last: bytes) -> Line:
    """A line from its pieces; ``held`` bytes of it came before the last."""
    size = held + len(last)
    text = b"".join((*parts, last)) if size <= LONGEST else None
    if number == 1 and text is not None:
        text = text.removeprefix(b"\xef\xbb\xbf")
    return Line(number, text, size + 1)


class LineWriter:
    """Whole lines, each handed to the system before `write` returns, so that a killed process loses none of them.

    ``go_on``: add to a file that is there, its last line cut off if it has no end (the writer was killed in it);
    otherwise such a file is an `InputError` that says ``remedy``. ``-`` is standard output. Nobody else may write
    to the file at the same time.
    """

    def __init__(self, path: str, *, go_on: bool, remedy: str) -> None:
        self.path, self.lines = "standard output" if path == "-" else path, 0
        self._regular = False
        try:
            self._file = os.dup(1) if path == "-" else self._open(path, go_on)
            self._regular = path != "-" and stat.S_ISREG(os.fstat(self._file).st_mode)
        except FileExistsError as error:
            raise InputError(f"{path} exists already; {remedy}") from error
        except OSError as error:
            raise InputError(f"{path} cannot be written ({error.strerror}); name a file that may be written") from error
        self._end = self._claim() if self._regular else 0

    def _open(self, path: str, go_on: bool) -> int:
        new = not go_on and (Path(path).is_file() or not Path(path).exists())
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | (os.O_EXCL if new else 0), 0o666)

    def _claim(self) -> int:
        """Keep others out, and cut half a line off the end; returns where the file ends."""
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno in (errno.EAGAIN, errno.EACCES):
                os.close(self._file)
                raise InputError(f"{self.path} is being written by another process; wait for it to end") from error
        end = last_line_end(self._file)
        os.ftruncate(self._file, end)
        return end

    def written(self) -> Iterator[bytes]:
        """The lines that are there already, without their ends."""
        if self._regular:
            with open(self.path, "rb") as file:
                yield from (line[:-1] for line in file)

    def write(self, line: bytes) -> None:
        """Append a line. Raises `InputError` when it cannot be; what was written before stays whole."""
        rest = memoryview(line + b"\n")
        try:
            while rest:
                rest = rest[os.write(self._file, rest) :]
        except OSError as error:
            if self._regular:
                os.ftruncate(self._file, self._end)
            raise InputError(
                f"{self.path} cannot be written any further ({error.strerror}); the {self.lines} lines written by "
                "this run are kept: make room, and go on from there"
            ) from error
        self.lines += 1
        self._end += len(line) + 1

    def close(self) -> None:
        os.close(self._file)


def replace_file(path: Path, parts: Iterable[bytes], remedy: str) -> None:
    """Write a whole file at one stroke: whoever opens it finds it as it was, or as it shall be.

    Written to a neighbour, which then takes its name. Whatever goes wrong (a full disk, an error of ``parts``), the
    file stays and the neighbour is removed; what the disk refused is an `InputError` that ends in ``remedy``. The
    neighbour is named by the process id, so that of two writers the last wins whole, and without a leading dot, so that
    what a killed process left is seen. Not synced: safe against a kill, not against a power cut.
    """
    new = path.with_name(f"{path.name}.{os.getpid()}.new")
    try:
        with new.open("wb") as file:
            file.writelines(parts)
        new.replace(path)
    except OSError as error:
        raise InputError(f"{path} cannot be written ({error.strerror}); {remedy}") from error
    finally:
        with suppress(OSError):  # it has its name already where all went well
            new.unlink()


def last_line_end(file: int) -> int:
    """Where the last whole line of an open file ends, in bytes from its start; 0 when there is none."""
    end = os.fstat(file).st_size
    while end > 0:
        start = max(0, end - _CHUNK)
        place = os.pread(file, end - start, start).rfind(b"\n")
        if place >= 0:
            return start + place + 1
        end = start
    return 0
