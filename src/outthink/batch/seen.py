"""Keys that were met before, kept on disk beyond 2 MB: memory stays flat however many rows there are."""

from __future__ import annotations

import sqlite3

from outthink.core.errors import InputError


class Seen:
    """Keys with the line each was first met at, in a private temporary file that goes with the process."""

    def __init__(self) -> None:
        self._file = sqlite3.connect("", isolation_level=None)
        for statement in (
            "pragma journal_mode = off",
            "pragma synchronous = off",
            "create table seen (key text primary key, line integer not null) without rowid",
            "begin",  # one transaction without end: nothing here is worth a commit
        ):
            self._file.execute(statement)

    def add(self, key: str, line: int) -> int | None:
        """Note a key; returns the line it was met at before, None for a new one."""
        try:
            if self._file.execute("insert or ignore into seen values (?, ?)", (key, line)).rowcount:
                return None
        except sqlite3.OperationalError as error:
            raise InputError(f"the ids met so far cannot be kept in TMPDIR ({error}); make room there") from error
        return self.line(key)

    def line(self, key: str) -> int | None:
        """The line a key was met at, None if it was not."""
        found = self._file.execute("select line from seen where key = ?", (key,)).fetchone()
        return None if found is None else found[0]

    def close(self) -> None:
        self._file.close()
