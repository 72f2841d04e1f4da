"""Lines in and out: whole ones only, whatever the chunks, the ends and the disk."""

import errno
import os
import resource
import subprocess
import sys
from contextlib import closing

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from outthink.batch import files
from outthink.batch.files import Line, LineReader, LineWriter, replace_file
from outthink.batch.seen import Seen
from outthink.core.errors import InputError


def read(path) -> list[Line]:
    async def main():
        with closing(LineReader(str(path))) as reader:
            return [line async for line in reader]

    return anyio.run(main)


@given(st.binary(max_size=200), st.integers(1, 9))
def test_lines_are_the_same_whatever_the_chunks(tmp_path_factory, data, chunk):
    path = tmp_path_factory.mktemp("lines") / "in"
    path.write_bytes(data)
    kept, files._CHUNK = files._CHUNK, chunk
    try:
        lines = read(path)
    finally:
        files._CHUNK = kept
    expected = data.split(b"\n")
    if not expected[-1]:
        expected.pop()
    assert [line.number for line in lines] == list(range(1, len(expected) + 1))
    assert [line.text for line in lines[1:]] == expected[1:]
    if expected:
        assert lines[0].text == expected[0].removeprefix(b"\xef\xbb\xbf")
    assert sum(line.size for line in lines) in (len(data), len(data) + 1)


def test_a_line_too_long_to_take_in_is_counted_and_passed_over(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "LONGEST", 100)
    monkeypatch.setattr(files, "_CHUNK", 64)
    (tmp_path / "in").write_bytes(b"a\n" + b"x" * 1000 + b"\nb\n")
    assert [line.text for line in read(tmp_path / "in")] == [b"a", None, b"b"]


def test_lines_of_a_pipe_come_as_they_are_written():
    came, going = os.pipe()

    async def main():
        kept = os.dup(0)
        os.dup2(came, 0)
        try:
            reader = LineReader("-")
        finally:
            os.dup2(kept, 0)
            os.close(kept)
            os.close(came)
        with closing(reader):
            assert reader.size is None
            lines = aiter(reader)
            os.write(going, b"one\ntw")
            assert (await anext(lines)).text == b"one"
            os.write(going, b"o\nlast")
            assert (await anext(lines)).text == b"two"
            os.close(going)
            assert (await anext(lines)).text == b"last"
            with pytest.raises(StopAsyncIteration):
                await anext(lines)

    anyio.run(main)


@pytest.mark.parametrize("name", ["none.jsonl", "."])
def test_what_cannot_be_read_is_told(tmp_path, name):
    with pytest.raises(InputError, match=r"cannot be read|is a folder"):
        LineReader(str(tmp_path / name))


@given(st.binary(max_size=100))
def test_going_on_cuts_off_half_a_line_and_nothing_else(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("out") / "out"
    path.write_bytes(data)
    with closing(LineWriter(str(path), go_on=True, remedy="")) as writer:
        assert list(writer.written()) == data.split(b"\n")[:-1]
        writer.write(b"more")
    assert path.read_bytes() == data[: data.rfind(b"\n") + 1] + b"more\n"


def test_a_file_that_is_there_is_not_written_over(tmp_path):
    (tmp_path / "out").write_bytes(b"")
    with pytest.raises(InputError, match="exists already; do this"):
        LineWriter(str(tmp_path / "out"), go_on=False, remedy="do this")


def test_two_writers_of_one_file_are_refused(tmp_path):
    first = LineWriter(str(tmp_path / "out"), go_on=True, remedy="")
    with pytest.raises(InputError, match="written by another process"):
        LineWriter(str(tmp_path / "out"), go_on=True, remedy="")
    first.close()
    LineWriter(str(tmp_path / "out"), go_on=True, remedy="").close()


_FILL = """
import resource, sys
from outthink.batch.files import LineWriter
from outthink.core.errors import InputError
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
writer = LineWriter(sys.argv[1], go_on=True, remedy="")
try:
    while True:
        writer.write(b"x" * 299)
except InputError as error:
    print(error)
"""


def test_a_disk_that_is_full_is_told_and_every_whole_line_is_kept(tmp_path):
    assert resource.RLIMIT_FSIZE
    done = subprocess.run(
        [sys.executable, "-c", _FILL, str(tmp_path / "out")], capture_output=True, text=True, check=True
    )
    assert "cannot be written any further (File too large); the 3 lines" in done.stdout
    assert (tmp_path / "out").read_bytes() == (b"x" * 299 + b"\n") * 3
    with (
        pytest.raises(InputError, match="No space left"),
        closing(LineWriter("/dev/full", go_on=False, remedy="")) as w,
    ):
        w.write(b"x")


def _too_much():
    yield b"new"
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _broken():
    yield b"new"
    raise InputError("line 2 is broken")


@pytest.mark.parametrize(
    ("parts", "told"), [(_too_much, "out cannot be written .No space.*; free some"), (_broken, "^line 2")]
)
def test_a_file_that_cannot_be_replaced_whole_stays_as_it_was_and_nothing_is_left_beside_it(tmp_path, parts, told):
    path = tmp_path / "out"
    replace_file(path, [b"o", b"ld"], "")
    with pytest.raises(InputError, match=told):
        replace_file(path, parts(), "free some")
    assert [(file.name, file.read_bytes()) for file in tmp_path.iterdir()] == [("out", b"old")]
    with pytest.raises(InputError, match=r"Not a directory\); free some"):
        replace_file(path / "below", [], "free some")


def test_keys_are_remembered_with_their_first_line():
    with closing(Seen()) as seen:
        assert seen.line("a") is None
        assert seen.add("a", 1) is None
        assert seen.add("b", 2) is None
        assert seen.add("a", 3) == 1
        assert seen.line("a") == 1
