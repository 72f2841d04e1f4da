"""The escape suite again as an ordinary user, where the tests themselves run as root."""

import json
import os
import shutil
import socket
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest
from attacks import OUT, OVER, PASS, TESTS

NOBODY = 65534
SCRIPT = """
import json, sys
import anyio
from outthink.core.errors import InputError
from outthink.sandbox import Limits, Sandbox

async def main():
    asked = json.load(sys.stdin)
    try:
        bounds = Limits(1.0, memory=200 << 20, disk=8 << 20, output=1 << 18)
        async with Sandbox(limits=bounds, level=asked["level"]) as sandbox:
            said = {}
            for name, code in asked["out"].items():
                outcome = await sandbox.run(code)
                said[name] = [outcome.ended, outcome.stdout[:200], outcome.reason, outcome.seconds]
            for name, code in asked["pass"].items():
                verdict = await sandbox.check(code, asked["tests"])
                said[name] = [tested.passed for tested in verdict.tests]
    except InputError as error:
        said = {"refused": str(error)}
    print(json.dumps(said))

anyio.run(main)
"""
NAMED = f"python{sys.version_info.major}.{sys.version_info.minor}"


def _usable(path: str | None) -> bool:
    """Whether an ordinary user may run this interpreter, with this one's packages."""
    if path is None:
        return False
    code = f"import sys; assert sys.version_info[:2] == {sys.version_info[:2]}; import msgspec, anyio, outthink"
    try:
        return subprocess.run([path, "-c", code], user=NOBODY, env=_environment(), capture_output=True).returncode == 0
    except OSError:
        return False


def _environment() -> dict[str, str]:
    source = Path(__file__).parent.parent.parent / "src"
    return {"PYTHONPATH": f"{source}:{sysconfig.get_path('purelib')}", "OUTTHINK_SECRET_WORD": "sesame"}


@pytest.fixture(scope="module")
def interpreter():
    if os.getuid():
        pytest.skip("the tests run as an ordinary user already")
    for path in (sys.executable, f"/usr/bin/{NAMED}", f"/usr/local/bin/{NAMED}", shutil.which(NAMED)):
        if _usable(path):
            return path
    pytest.skip("no interpreter here that an ordinary user may run")


@pytest.mark.parametrize("level", ["landlock", "namespaces"])
def test_an_ordinary_user_is_held_as_well(interpreter, level, tmp_path_factory):
    folder = Path(subprocess.check_output(["mktemp", "-d"], text=True).strip())
    canary = folder / "canary"
    try:
        canary.write_text("alive")
        for path in (canary, folder):
            os.chown(path, NOBODY, NOBODY)  # theirs: only the fences keep their programs from it
        with socket.create_server(("127.0.0.1", 0)) as server:
            server.setblocking(False)
            said = _said(interpreter, level, canary, server.getsockname()[1])
            with pytest.raises(BlockingIOError):
                server.accept()
        assert canary.read_text() == "alive"
        assert canary.stat().st_mode & 0o777 == 0o644
    finally:
        shutil.rmtree(folder)
    if "refused" in said:
        pytest.skip(said["refused"])
    for name in OUT:
        assert "ESCAPED" not in said[name][1], (name, said[name])
    for name, (_, ended) in OVER.items():
        assert said[name][0] in ended or ("disk" in ended and "OSError" in said[name][2]), (name, said[name])
        assert said[name][3] < 4
    for name in PASS:
        assert said[name] == [False] * len(TESTS), name


def _said(interpreter: str, level: str, canary: Path, port: int) -> dict:
    out = {name: code.replace("CANARY", str(canary)).replace("PORT", str(port)) for name, code in OUT.items()}
    out |= {name: code for name, (code, _) in OVER.items()}
    asked = {"level": level, "out": out, "pass": PASS, "tests": TESTS}
    done = subprocess.run(
        [interpreter, "-c", SCRIPT],
        input=json.dumps(asked),
        capture_output=True,
        text=True,
        user=NOBODY,
        group=NOBODY,
        extra_groups=[],
        env=_environment(),
        cwd="/",
        timeout=50,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)
