"""``outthink serve`` as a user runs it: a process, its two lines, and its end."""

import asyncio
import os
import signal
import subprocess
import sys

import anyio
import anyio.to_thread
import openai
import pytest

from outthink.cli import app
from outthink.models.fake_server import FakeServer
from outthink.models.paths import cache_file


@pytest.fixture
def start():
    processes = []

    def begin(*arguments, **options):
        command = [sys.executable, "-m", "outthink", "serve", *arguments]
        processes.append(
            subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True, **options)
        )
        return processes[-1]

    yield begin
    for process in processes:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_it_serves_says_where_and_ends_when_told(start, how):
    process = start("--port", "0", "--model", "fake:accuracy=1", "--strategy", "self-consistency(n=4)")
    line = process.stderr.readline()
    assert line.startswith("outthink: serving fake at http://127.0.0.1:")
    assert "any bearer is accepted, from this machine only" in process.stderr.readline()
    with openai.OpenAI(base_url=line.split()[-1], api_key="any") as client:
        messages = [{"role": "user", "content": "How many days are there in 7 weeks?"}]
        reply = client.chat.completions.create(model="fake", messages=messages)
    assert reply.outthink["strategy"] == "self-consistency(n=4)"
    assert not cache_file().exists()
    process.send_signal(how)
    out, told = process.communicate(timeout=30)
    assert (process.returncode, out) == (0, "")
    assert told == f"outthink: served 1 runs, {reply.usage.total_tokens} tokens\n"


@pytest.mark.anyio
async def test_a_second_signal_ends_what_is_in_flight_at_once(start):
    server = FakeServer(latency=60.0)
    async with server.serve():
        process = start("--port", "0", "--model", f"fake@{server.base_url}")
        url = (await anyio.to_thread.run_sync(process.stderr.readline)).split()[-1]
        process.stderr.readline()
        async with openai.AsyncOpenAI(base_url=url, api_key="any", max_retries=0) as client:
            ask = client.chat.completions.create(model="fake", messages=[{"role": "user", "content": "Hello"}])
            asked = asyncio.ensure_future(ask)
            with anyio.fail_after(20):
                while not server.in_flight:
                    await anyio.sleep(0.005)
            process.send_signal(signal.SIGINT)
            while not asked.done():  # two that come at once may be told as one
                process.send_signal(signal.SIGINT)
                await anyio.sleep(0.05)
            with pytest.raises(openai.InternalServerError, match="the server is stopping"):
                await asked
        told = (await anyio.to_thread.run_sync(process.communicate))[1]
    assert process.returncode == 0
    assert server.billed[0].ended == "cancelled"
    assert told.startswith("outthink: served 1 runs")
    assert told.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--host", "0.0.0.0"), "not a loopback address"),
        (("--strategy", "cott"), "did you mean 'cot'"),
        (("--model", "no-such-model"), "no-such-model"),
        (("--model", "fake", "--model", "fake:accuracy=1"), "same name"),
    ],
)
def test_what_cannot_be_served_is_one_line_and_status_2(start, arguments, told):
    process = start("--port", "0", *arguments)
    out, said = process.communicate(timeout=30)
    assert (process.returncode, out) == (2, "")
    assert told in said
    assert said.count("\n") == 1


def test_without_the_extra_it_says_what_to_install(start, tmp_path):
    (tmp_path / "starlette.py").write_text(
        "raise ModuleNotFoundError(\"No module named 'starlette'\", name='starlette')"
    )
    process = start("--port", "0", env={**os.environ, "PYTHONPATH": str(tmp_path)})
    said = process.communicate(timeout=30)[1]
    assert process.returncode == 2
    assert said == "outthink: the gateway needs starlette; run: pip install 'outthink[server]'\n"


def test_naming_the_command_loads_no_server():
    code = "import sys; from outthink.cli import app; app('serve'); print({'starlette', 'uvicorn'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "set()\n"
    assert app("serve")
