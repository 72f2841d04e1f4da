"""The sample cache: what was bought once is not bought again, by this process or any other.

A sample is named by its prompt (messages, tools), the model, the sampling parameters and its seed. It is reused
if it ended by itself within the new limit, or by length exactly at it. The file is SQLite in WAL mode, safe for
many processes; a damaged one is set aside and replaced, and no fault of the cache ever costs a run.
"""

from __future__ import annotations

import hashlib
import os
import sqlite3
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import TypeVar

import msgspec

from outthink.core.candidate import WHOLE, Candidate
from outthink.core.wire import Ask, Bill

LARGEST = 2 << 30
"""Bytes of a cache file above which its older half is dropped when it is opened."""
_SCHEMA = """
create table if not exists samples (
    key blob not null, seed integer not null, finish text not null, tokens integer not null,
    logprobs integer not null, call blob not null, bill blob not null, sample blob not null, at integer not null,
    primary key (key, seed, tokens)
) without rowid
"""
_FIND = (
    "select seed, finish, tokens, logprobs, call, bill, sample from samples "
    "where key = ? and seed between ? and ? order by seed, tokens"
)
_KEEP = "insert or replace into samples values (?, ?, ?, ?, ?, ?, ?, ?, ?)"
_WAIT = 2.0
_T = TypeVar("_T")
_encode = msgspec.msgpack.Encoder().encode
_decode_sample = msgspec.msgpack.Decoder(Candidate).decode
_decode_bill = msgspec.msgpack.Decoder(Bill).decode

Warn = Callable[[str], None]


class Kept(msgspec.Struct, frozen=True):
    """A sample from the cache. ``call`` names the request that bought it, and ``bill`` what that cost in all."""

    seed: int
    call: bytes
    bill: Bill
    sample: Candidate


def key_of(source: str, ask: Ask) -> bytes:
    """The name of a prompt at a model with these parameters, 16 bytes; its samples differ by seed."""
    params = sorted((name, value) for name, value in ask.params.items() if name != "max_completion_tokens")
    return hashlib.blake2b(
        msgspec.json.encode([source, ask.messages, ask.continues, ask.thinking, params]), digest_size=16
    ).digest()


class SampleCache:
    """One cache file. Every method may be called from the event loop: each is one short statement."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file: sqlite3.Connection | None = None
        self._off = False

    def find(self, source: str, ask: Ask, seeds: range, warn: Warn) -> list[Kept]:
        """The samples of these seeds that may stand for new ones, in order of seed."""
        asked, wanted = (key_of(source, ask), seeds[0], seeds[-1]), _logged(ask)
        rows = self._with(lambda file: file.execute(_FIND, asked).fetchall(), warn) or []
        found: dict[int, Kept] = {}
        for seed, finish, tokens, logprobs, call, bill, sample in rows:
            if _serves(finish, tokens, ask.max_tokens) and logprobs >= wanted:
                found[seed] = Kept(seed, call, _decode_bill(bill), _decode_sample(sample))
        return list(found.values())

    def keep(
        self, source: str, ask: Ask, call: bytes, bill: Bill, samples: Sequence[tuple[int, Candidate]], warn: Warn
    ) -> None:
        """Keep the samples of one request, each with its seed; what was cut short is not kept."""
        key, logged, paid, now = key_of(source, ask), _logged(ask), _encode(bill), int(time.time())
        rows = [
            (key, seed, one.finish, one.tokens, max(logged, one.logprobs is not None), call, paid, _encode(one), now)
            for seed, one in samples
            if one.finish == "length" or one.finish in WHOLE
        ]
        if rows:
            self._with(lambda file: _write(file, rows), warn)

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def _with(self, work: Callable[[sqlite3.Connection], _T], warn: Warn) -> _T | None:
        """Do one thing with the file; a fault is said, and costs only the cache (None)."""
        if self._off:
            return None
        try:
            return work(self._file or self._open())
        except sqlite3.OperationalError as error:  # locked, full, read-only: the file itself is sound
            if "malformed" not in str(error):
                self._off = "locked" not in str(error)
                warn(f"the sample cache {self.path} cannot be used ({error}); going on without it")
                return None
        except sqlite3.DatabaseError:
            pass
        except OSError as error:
            self._off = True
            warn(f"the sample cache {self.path} cannot be used ({error.strerror}); going on without it")
            return None
        self._set_aside(warn)
        return None

    def _open(self) -> sqlite3.Connection:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        file = sqlite3.connect(self.path, timeout=_WAIT, check_same_thread=False)
        try:
            _to_wal(file)
            file.execute("pragma synchronous = normal")
            file.execute(_SCHEMA)
            if self.path.stat().st_size > LARGEST:
                with file:
                    file.execute("delete from samples where at <= (select avg(at) from samples)")
                file.execute("vacuum")
        except BaseException:
            file.close()
            raise
        self._file = file
        return file

    def _set_aside(self, warn: Warn) -> None:
        self.close()
        aside = self.path.with_name(f"{self.path.name}.damaged-{int(time.time())}")
        try:
            self.path.replace(aside)
            for tail in ("-wal", "-shm"):
                self.path.with_name(self.path.name + tail).unlink(missing_ok=True)
        except OSError as error:
            self._off = True
            warn(f"the sample cache {self.path} is damaged and cannot be moved ({error.strerror}); going on without it")
            return
        warn(f"the sample cache {self.path} was damaged; it is set aside as {aside.name}, and a new one begun")


def switched_off() -> bool:
    """Whether ``OUTTHINK_CACHE`` says off."""
    return os.environ.get("OUTTHINK_CACHE", "on").lower() in ("off", "0", "false", "no")


class Examined(msgspec.Struct, frozen=True):
    """A cache file as it is: ``fault`` says what is wrong with it, None when it is sound."""

    samples: int
    bytes: int
    fault: str | None = None


def examine(path: Path) -> Examined | None:
    """Look at a cache file without changing it; None where there is none."""
    if not path.exists():
        return None
    parts = [path, path.with_name(path.name + "-wal")]
    size = sum(part.stat().st_size for part in parts if part.exists())
    try:
        with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True, timeout=_WAIT)) as file:
            (sound,) = file.execute("pragma quick_check(1)").fetchone()
            (samples,) = file.execute("select count(*) from samples").fetchone()
    except sqlite3.Error as error:
        return Examined(0, size, str(error))
    return Examined(samples, size, None if sound == "ok" else str(sound))


def _to_wal(file: sqlite3.Connection) -> None:
    """Turn on the write-ahead log; SQLite does not wait for this lock by itself when others turn it on too."""
    until = time.monotonic() + _WAIT
    while True:
        try:
            file.execute("pragma journal_mode = wal")
            return
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > until:
                raise
            time.sleep(0.005)


def _write(file: sqlite3.Connection, rows: Sequence[tuple[object, ...]]) -> None:
    with file:
        file.executemany(_KEEP, rows)


def _logged(ask: Ask) -> int:
    """How many log probabilities a place was asked for: none, the token's own, or those of the likeliest."""
    return max(ask.logprobs, ask.top_logprobs)


def _serves(finish: str, tokens: int, limit: int | None) -> bool:
    """Whether a sample that ended so may stand for one with this limit of new tokens."""
    if finish == "length":
        return limit is not None and tokens == limit
    return limit is None or tokens <= limit
