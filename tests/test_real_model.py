"""The whole path on real weights: the command line as a user runs it, and the embedded engine behind it.

Runs where the small model is on this machine (``make test`` fetches it); with OUTTHINK_REAL=1 its absence fails.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import time

import pytest

from outthink import Engine
from outthink.core.errors import ContextOverflow, ModelFileError
from outthink.core.wire import Ask
from outthink.models.embedded import open_embedded
from outthink.models.http import open_http

MODEL = os.environ.get("OUTTHINK_TEST_MODEL", "")
QUESTION = "A shop sells pens at 3 for $2. How much do 18 pens cost, in dollars?"
pytestmark = [pytest.mark.real_model, pytest.mark.timeout(300), pytest.mark.real_time]


@pytest.fixture(autouse=True)
def present():
    if not MODEL:
        if os.environ.get("OUTTHINK_REAL"):
            pytest.fail("the small model is not here; run: outthink models pull smollm2-135m")
        pytest.skip("the small model is not on this machine")


def outthink(*arguments, **options):
    command = [sys.executable, "-m", "outthink", "solve", *arguments, "--model", MODEL]
    return subprocess.run(command, capture_output=True, text=True, timeout=240, **options)


def test_self_consistency_prints_one_object_whose_candidates_sum_to_the_usage():
    done = outthink(QUESTION, "--strategy", "self-consistency(n=8)", "--json")
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert len(said["candidates"]) == 8
    assert sum(one["tokens"] for one in said["candidates"]) == said["usage"]["completion_tokens"] > 0
    assert said["usage"]["unsettled_calls"] == 0
    assert not said["usage"]["estimated"]


@pytest.mark.parametrize("strategy", ["direct", "cot", "self-consistency(n=8)", "self-consistency(n=8, width=2)"])
def test_a_token_budget_is_kept_as_the_engine_itself_counts(strategy, tmp_path):
    trace = tmp_path / "trace.jsonl"
    done = outthink(QUESTION, "-s", strategy, "-b", "tokens=300", "--json", "--answer", "number", "--trace", str(trace))
    assert done.returncode in (0, 3), done.stderr
    events = [json.loads(line) for line in trace.read_text().splitlines()]
    settled = [event for event in events if event["type"] == "CallSettled"]
    assert 0 < sum(one["usage"]["prompt_tokens"] + one["usage"]["completion_tokens"] for one in settled) <= 300
    for event in settled:
        books = [event["charged"], event["held"]]
        assert sum(part.get("prompt_tokens", 0) + part.get("completion_tokens", 0) for part in books) <= 300


def test_a_deadline_is_kept_loading_included():
    began = time.monotonic()
    done = outthink("Write a long story about a lighthouse.", "-b", "seconds=3", "--json")
    assert time.monotonic() - began < 10  # the promise is 3.5 s on a quiet machine
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert said["stop_reason"] in ("deadline", "exhausted")
    assert said["text"]


def test_an_interrupt_in_mid_run_ends_with_130_and_a_readable_trace(tmp_path):
    trace = tmp_path / "trace.jsonl"
    command = [sys.executable, "-m", "outthink", "solve", "Write a very long story about a lighthouse."]
    command += ["--strategy", "direct", "--model", MODEL, "--trace", str(trace)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as child:
        while not (trace.exists() and "CallStarted" in trace.read_text()):
            assert child.poll() is None, child.stderr.read()
            time.sleep(0.02)
        child.send_signal(signal.SIGINT)
        _, errors = child.communicate(timeout=60)
    assert child.returncode == 130, errors
    assert "Traceback" not in errors
    events = [json.loads(line) for line in trace.read_text().splitlines()]
    assert events[-1]["type"] == "RunEnded"
    assert events[-1]["stop_reason"] == "cancelled"


@pytest.mark.anyio
async def test_choice_i_samples_with_seed_plus_i_whatever_the_wave():
    model = await open_embedded(MODEL)
    ask = Ask(messages=({"role": "user", "content": "Say a color."},), n=3, max_tokens=6, seed=5)
    try:
        together = await model.complete(ask)
        single = [await model.complete(Ask(messages=ask.messages, max_tokens=6, seed=5 + i)) for i in range(3)]
    finally:
        await model.aclose()
    assert len({choice.text for choice in together.choices}) > 1
    assert [choice.text for choice in together.choices] == [reply.choices[0].text for reply in single]


@pytest.mark.anyio
async def test_its_own_count_of_a_prompt_is_what_it_then_bills():
    model = await open_embedded(MODEL)
    ask = Ask(messages=({"role": "user", "content": QUESTION},), max_tokens=1)
    try:
        counted = await model.count_prompt(ask)
        billed = (await model.complete(ask)).bill
    finally:
        await model.aclose()
    assert billed is not None
    assert counted == billed.prompt_tokens


@pytest.mark.anyio
async def test_a_question_longer_than_the_context_is_told_in_one_line():
    async with Engine(MODEL) as engine:
        with pytest.raises(ContextOverflow, match="context"):
            await engine.solve("word " * 5000, strategy="direct")


@pytest.mark.anyio
async def test_closing_leaves_no_socket_behind():
    model = await open_embedded(MODEL)
    folder = model._folder  # closed at once after opening: the engine's loop must be running by then
    assert os.listdir(folder) == ["engine.sock"]
    assert os.stat(folder).st_mode & 0o077 == 0
    await model.aclose()
    assert not os.path.exists(folder)


@pytest.mark.anyio
async def test_a_truncated_file_is_refused_before_the_engine_sees_it(tmp_path):
    broken = tmp_path / "broken.gguf"
    with open(MODEL, "rb") as whole:
        broken.write_bytes(whole.read(1 << 20))
    with pytest.raises(ModelFileError, match="truncated"):
        await open_embedded(str(broken))


SERVE = """
import sys, xllamacpp
params = xllamacpp.CommonParams()
params.model.path, params.port = sys.argv[1], int(sys.argv[2])
params.n_parallel, params.n_ctx, params.verbosity = 4, 4096, 0
server = xllamacpp.Server(params)
print("ready", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def tcp_server():
    """A llama.cpp server over TCP, in a process of its own."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-c", SERVE, MODEL, str(port)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
        try:
            assert "ready" in child.stdout.readline()
            yield f"small@http://127.0.0.1:{port}/v1"
        finally:
            child.kill()


@pytest.mark.anyio
async def test_a_llama_cpp_server_over_tcp_is_told_by_its_words_and_its_count_is_ours(tcp_server):
    model = await open_http(tcp_server)
    assert await model.can_continue()
    assert model.dialect.name == "llamacpp"
    assert model.parameters == 134515008
    async with Engine(model) as engine:
        first = await engine.solve(QUESTION, strategy="best-of-n(n=6)")
        timed = await engine.solve(QUESTION, strategy="best-of-n(n=4)", budget="seconds=120")
        tight = await engine.solve(QUESTION, strategy="cot", budget="tokens=400")
    for result in (first, timed):
        assert result.usage.unsettled_calls == 0
        assert sum(c.tokens for c in result.candidates) == result.usage.completion_tokens
    assert model.slots == 4  # learned from the server's own refusal of six
    assert tight.usage.tokens <= 400


@pytest.mark.anyio
@pytest.mark.parametrize("budget", [None, "seconds=100"], ids=["plain", "streamed"])
async def test_a_beginning_is_gone_on_with(budget):
    async with Engine(MODEL) as engine:
        result = await engine.solve(QUESTION, strategy="think(min_tokens=12, max_tokens=24)", budget=budget)
    thoughts = [c for c in result.candidates if c.text.startswith("<think>") and "</think>" not in c.text]
    assert 12 <= sum(c.tokens for c in thoughts) <= 24
    assert all(c.text.count("<think>") == 1 for c in result.candidates)
    assert "think>" not in result.text
    assert result.usage.unsettled_calls == 0
