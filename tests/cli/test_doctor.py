"""Doctor: every check is one line with a remedy, and nothing makes it fall."""

import json
import os
import subprocess
import sys

import pytest

from outthink.cli.doctor import findings
from outthink.core.finding import Finding
from outthink.engine.cache import SampleCache
from outthink.models import machine
from outthink.models.fake_server import FakeServer, Faults
from outthink.models.paths import cache_file, config_file, models_dir
from outthink.models.script import Script

pytestmark = [pytest.mark.anyio, pytest.mark.real_time]
COUNTING = Script(replies=("1, 2, 3, 4, 5, 6, 7, 8, 9, 10",))


async def check(model="fake", generate=True):
    return {finding.name: finding async for finding in findings(model, generate, 5.0)}


def run(*arguments, **environment):
    command = [sys.executable, "-m", "outthink", "doctor", *arguments]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=50, env={**os.environ, **environment}, check=False
    )
    assert "Traceback" not in done.stderr
    return done


def test_it_prints_a_line_a_check_and_leaves_with_0_when_nothing_failed():
    done = run("--model", "fake")
    assert done.returncode == 0
    assert done.stderr == ""
    names = (
        "python",
        "cores",
        "models in",
        "cache in",
        "configuration",
        "reply",
        "sandbox",
        "cache",
        "threads",
        "terminal",
    )
    lines = done.stdout.splitlines()
    assert [line[5:19].strip() for line in lines] == list(names)
    assert {line[:4].strip() for line in lines} <= {"ok", "warn"}


def test_a_missing_default_model_fails_with_the_command_that_fetches_it():
    done = run("--json")
    assert done.returncode == 2
    told = json.loads(done.stdout)
    assert told["ok"] is False
    (model,) = [check for check in told["checks"] if check["state"] == "fail"]
    assert "outthink models pull qwen2.5-coder-0.5b" in model["found"] + model["remedy"]


async def test_a_damaged_model_file_is_told(tmp_path):
    (tmp_path / "x.gguf").write_bytes(b"nothing like it" * 100)
    found = await check(str(tmp_path / "x.gguf"))
    assert found["model"].state == "fail"
    assert "reply" not in found


async def test_a_truncated_catalog_file_is_told_with_the_pull_that_mends_it():
    models_dir().mkdir(parents=True)
    (models_dir() / "smollm2-135m-instruct-q4_1.gguf").write_bytes(b"GGUF")
    found = (await check("smollm2-135m"))["model"]
    assert found.state == "fail"
    assert "models pull smollm2-135m" in found.found + found.remedy


async def test_a_server_that_can_all_is_ok_throughout_and_the_cost_is_what_it_billed():
    async with (server := FakeServer(COUNTING, dialect="vllm")).serve():
        found = await check(f"fake@{server.base_url}")
    names = ("server", "reply", "n", "logprobs", "seed", "streaming", "counting", "continuing", "cost")
    assert {name: found[name].state for name in names} == dict.fromkeys(names, "ok")
    assert (
        f"{len(server.billed)} requests and {server.prompt_tokens + server.completion_tokens} tokens"
        in found["cost"].found
    )


@pytest.mark.parametrize(
    ("name", "server"),
    [
        ("n", FakeServer(COUNTING, refuses=frozenset({"n"}))),
        ("n", FakeServer(COUNTING, dialect="ollama")),
        ("logprobs", FakeServer(COUNTING, refuses=frozenset({"logprobs"}))),
        ("seed", FakeServer(COUNTING, refuses=frozenset({"seed"}))),
        ("streaming", FakeServer(COUNTING, refuses=frozenset({"stream_options"}))),
        ("counting", FakeServer(COUNTING, counts=False)),
        ("continuing", FakeServer(Script())),
        ("server", FakeServer(COUNTING, models=("another", "third"))),
    ],
)
async def test_what_a_server_lacks_is_a_warning(name, server):
    async with server.serve():
        found = await check(f"fake@{server.base_url}")
    assert found[name].state == "warn"
    others = {found[other].state for other in ("server", "reply", "n", "logprobs", "streaming") if other != name}
    assert others == {"ok"}


@pytest.mark.parametrize(
    ("server", "told"),
    [
        (FakeServer(key="sesame"), "OUTTHINK_API_KEY"),
        (FakeServer(faults=Faults({"500": 1.0})), "500"),
        (FakeServer(faults=Faults({"malformed": 1.0})), "cannot be read"),
        (FakeServer(faults=Faults({"html": 1.0})), "Bad gateway"),
    ],
)
async def test_a_server_that_does_not_answer_fails_with_what_it_said(server, told):
    async with server.serve():
        found = await check(f"fake@{server.base_url}")
    assert found["server"].state == "fail"
    assert told in found["server"].found
    assert "terminal" in found  # the checks go on


async def test_no_generate_sends_nothing():
    async with (server := FakeServer(COUNTING)).serve():
        found = await check(f"fake@{server.base_url}", generate=False)
    assert server.billed == []
    assert "--no-generate" in found["reply"].found


async def test_a_faulty_configuration_fails_and_a_good_one_is_told(monkeypatch):
    config_file().write_text("model = 3")
    found = await check()
    assert found["configuration"].state == "fail"
    assert found["model"].state == "fail"
    config_file().write_text('strategy = "cot"\n[models.far]\nendpoint = "http://h/v1"\nkey_env = "FAR_KEY"')
    found = [finding async for finding in findings("fake", True, 5.0)]
    told = [finding for finding in found if finding.name == "configuration"]
    assert [finding.state for finding in told] == ["ok", "warn"]
    assert "strategy = cot" in told[0].found
    assert "export FAR_KEY=" in told[1].remedy


async def test_the_cache_is_looked_at_and_left_as_it_is():
    assert (await check())["cache"].found.startswith("empty")
    cache = SampleCache(cache_file())
    cache._open()
    cache.close()
    assert (await check())["cache"].found.startswith("0 samples")
    cache_file().write_bytes(b"rubbish" * 1000)
    assert (await check())["cache"].state == "warn"
    assert cache_file().read_bytes() == b"rubbish" * 1000


async def test_places_that_cannot_be_written_fail(monkeypatch):
    monkeypatch.setattr(os, "access", lambda place, mode: False)
    found = await check()
    assert found["models in"].state == found["cache in"].state == "fail"
    assert "OUTTHINK_HOME" in found["models in"].remedy


def test_memory_cores_disk_and_threads_have_thresholds(monkeypatch):
    monkeypatch.setattr(machine, "_available", lambda: 1_000_000_000)
    assert machine.memory(0).state == "ok"
    assert machine.memory(400_000_000).state == "ok"
    assert machine.memory(900_000_000).state == "fail"
    monkeypatch.setattr(machine, "_available", lambda: None)
    assert machine.memory(900_000_000).state == "ok"
    assert machine.disk(10**18).state == "fail"
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {0})
    assert machine.cores().state == "warn"
    monkeypatch.setenv("OMP_WAIT_POLICY", "ACTIVE")
    assert machine.threads().state == "warn"


def test_an_engine_that_does_not_load_fails_with_the_reason(monkeypatch, tmp_path):
    (tmp_path / "xllamacpp.py").write_text("raise ImportError('no such instruction')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setattr("importlib.metadata.version", lambda name: "1.0")
    found = machine.engine()
    assert found.state == "fail"
    assert "no such instruction" in found.found
    (tmp_path / "xllamacpp.py").write_text("import os; os.kill(os.getpid(), 4)")
    assert "signal 4" in machine.engine().found


async def test_packages_add_checks_and_a_failing_one_is_a_finding(monkeypatch):
    def broken():
        raise OSError("no such thing")

    extra = {"sandbox": lambda: [Finding("sandbox", "ok", "seccomp")], "mine": broken}
    monkeypatch.setattr("outthink.plugins.checks", lambda: extra)
    found = await check()
    assert found["sandbox"].found == "seccomp"
    assert found["mine"].state == "fail"
