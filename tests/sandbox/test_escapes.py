"""The escape suite: nothing gets out, nothing outstays its limits, and nothing passes itself."""

import os
import socket
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path

import anyio
import pytest
from attacks import OUT, OVER, PASS, TESTS

from outthink.sandbox import Limits, Outcome, Sandbox, Verdict, capabilities

BOUNDS = Limits(seconds=1.0, memory=200 << 20, disk=8 << 20, output=1 << 18)
LEVELS = [level.level for level in capabilities() if level.offered and level.level != "interpreter"]
pytestmark = pytest.mark.skipif(not LEVELS, reason="this machine has no fences for untrusted code")


async def _run(level: str, code: str) -> Outcome:
    async with Sandbox(limits=BOUNDS, level=level) as sandbox:
        return await sandbox.run(code)


async def _check(level: str, code: str) -> Verdict:
    async with Sandbox(limits=BOUNDS, level=level) as sandbox:
        return await sandbox.check(code, TESTS)


@pytest.fixture
def canary():
    """A file that anyone on this machine may read and write, but a program in the sandbox."""
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o777)
        path = Path(folder) / "canary"
        path.write_text("alive")
        path.chmod(0o666)
        yield path


@pytest.fixture
def listener():
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        yield server


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("name", OUT)
def test_nothing_gets_out(name, level, canary, listener, monkeypatch):
    monkeypatch.setenv("OUTTHINK_SECRET_WORD", "sesame")
    code = OUT[name].replace("CANARY", str(canary)).replace("PORT", str(listener.getsockname()[1]))
    began = time.monotonic()
    outcome = anyio.run(_run, level, code)
    assert time.monotonic() - began < 20
    assert "ESCAPED" not in outcome.stdout
    assert outcome.level == level
    assert outcome.error is None or outcome.error.type in ("MemoryError", "RecursionError"), outcome
    assert canary.read_text() == "alive"
    assert canary.stat().st_mode & 0o777 == 0o666
    with pytest.raises(BlockingIOError):
        listener.accept()
    for path in ("/tmp/outthink-escaped", "/dev/shm/outthink-escaped"):
        assert not Path(path).exists()


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("name", OVER)
def test_nothing_outstays_its_limits(name, level, monkeypatch):
    code, ended = OVER[name]
    home = Path(tempfile.mkdtemp())  # of its own: another sandbox may be at work beside this one
    home.chmod(0o755)
    monkeypatch.setattr(tempfile, "tempdir", str(home))
    began = time.monotonic()
    outcome = anyio.run(_run, level, code)
    assert time.monotonic() - began < 20
    assert outcome.seconds < BOUNDS.seconds + 2
    assert outcome.ended in ended or ("disk" in ended and outcome.error.type == "OSError"), outcome
    assert outcome.reason
    home.rmdir()  # which fails where anything is left


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("name", PASS)
def test_nothing_passes_itself(name, level):
    began = time.monotonic()
    verdict = anyio.run(_check, level, PASS[name])
    assert time.monotonic() - began < 30
    assert not verdict.passed
    assert [tested.passed for tested in verdict.tests] == [False] * len(TESTS), verdict
    assert verdict.reason
    assert verdict.level == level


@pytest.mark.parametrize("level", LEVELS)
def test_the_same_tests_pass_for_a_program_that_solves_them(level):
    answers = {2: "GOLD-7531", 3: [3, 1], 4: ["u", "v"], 5: 17.25, 6: True, 7: [8, 9]}
    assert anyio.run(_check, level, f"def f(x): return {answers}[x]").passed


@pytest.mark.skipif(find_spec("pydantic_monty") is None, reason="the extra `sandbox` is not installed")
@pytest.mark.parametrize("name", PASS)
def test_nothing_passes_itself_where_the_restricted_interpreter_is_tried_first(name):
    async def check() -> Verdict:
        async with Sandbox(limits=BOUNDS, quick=True) as sandbox:
            return await sandbox.check(PASS[name], TESTS)

    verdict = anyio.run(check)
    assert [tested.passed for tested in verdict.tests] == [False] * len(TESTS), verdict
    assert verdict.level != "interpreter"  # what it does not pass is run again behind the fences
