"""The event log of a run, and its trace file.

Readers follow by cursor: a slow one cannot stall a run, a late one sees everything.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from io import FileIO
from pathlib import Path

import anyio
import msgspec

from outthink.core.errors import InputError
from outthink.core.events import Event, RunEnded, Warned

_encode = msgspec.json.Encoder().encode


class EventLog:
    """Events in order, with seconds since the log began. ``trace`` gets each as a line at once."""

    def __init__(self, trace: TraceFile | None = None) -> None:
        self.events: list[Event] = []
        self.clock = asyncio.get_running_loop().time
        self._began = self.clock()
        self._more: anyio.Event | None = None
        self._trace = trace

    @property
    def seconds(self) -> float:
        return self.clock() - self._began

    def emit(self, event: Event) -> None:
        event.t = round(self.seconds, 6)
        self.events.append(event)
        if self._trace is not None:
            try:
                self._trace.write(event)
            except OSError as error:  # a full disk costs the rest of the trace, not the answer
                self._trace = None
                self.emit(Warned(message=f"the trace ends early ({error.strerror}); free some space"))
        if self._more is not None:
            self._more.set()
            self._more = None

    async def follow(self, cursor: int = 0) -> AsyncIterator[Event]:
        """Every event from ``cursor`` on, up to the run's end."""
        while True:
            while cursor < len(self.events):
                event = self.events[cursor]
                cursor += 1
                yield event
                if isinstance(event, RunEnded):
                    return
            self._more = self._more or anyio.Event()
            await self._more.wait()


class TraceFile:
    """JSON lines, one event a line, each written at once: readable after a crash up to the last whole line.

    The file is made by the first event, so that a run refused before it began leaves none.
    """

    def __init__(self, path: str | Path) -> None:
        self._path = Path(path)
        self._file: FileIO | None = None

    def write(self, event: Event) -> None:
        """Append an event. Raises `InputError` when the first cannot be written, before anything is spent."""
        line = _encode(event) + b"\n"
        if self._file is not None:
            self._put(self._file, line)
            return
        try:
            self._file = FileIO(self._path, "wb")
            self._put(self._file, line)
        except OSError as error:
            raise InputError(
                f"the trace {str(self._path)!r} cannot be written ({error.strerror}); name a file in a folder "
                "that exists and may be written"
            ) from error

    @staticmethod
    def _put(file: FileIO, line: bytes) -> None:
        while line:  # a full disk may take a part
            line = line[file.write(line) :]

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
