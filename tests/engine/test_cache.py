"""The sample cache: nothing is bought twice, the books say so, and no fault of the cache costs a run."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import anyio
import pytest

from outthink import Engine
from outthink.core.candidate import Candidate
from outthink.core.errors import BudgetTooSmall
from outthink.core.events import CallSettled, Recalled, Warned
from outthink.core.wire import Ask, Bill
from outthink.engine.cache import SampleCache, key_of
from outthink.models.fake_server import FakeServer
from outthink.models.http import HttpModel
from outthink.models.paths import cache_file
from outthink.models.script import Script

pytestmark = [pytest.mark.anyio, pytest.mark.real_time]
QUESTION = "How many days are there in 7 weeks?"
SCRIPT = Script(accuracy=0.4, answers={"7 weeks": "49"}, words=16)


@pytest.fixture(autouse=True)
def cache_on(monkeypatch):
    monkeypatch.setenv("OUTTHINK_CACHE", "on")


async def solve(server, strategy="self-consistency(n=8)", question=QUESTION, **options):
    logs = []
    model = HttpModel("fake", server.base_url)
    model.source = "fake@somewhere"  # the same place, whatever port this test was given
    async with Engine(model) as engine:
        result = await engine.solve(question, strategy=strategy, watch=logs.append, **options)
    return result, logs[0].events


def seeds(server):
    return [one.seed + i for one in server.billed for i in range(one.n)]


def spent(usage):
    return usage.calls, usage.prompt_tokens, usage.completion_tokens


@pytest.mark.parametrize("refuses", [frozenset(), frozenset({"n"})], ids=["n", "no-n"])
@pytest.mark.parametrize("budget", [None, "seconds=60"], ids=["plain", "streamed"])
async def test_the_same_question_again_buys_nothing_and_is_the_same(refuses, budget):
    server = FakeServer(SCRIPT, refuses=refuses)
    async with server.serve():
        first, _ = await solve(server, budget=budget)
        calls = len(server.billed)
        again, events = await solve(server, budget=budget)
    assert len(server.billed) == calls
    assert [c.text for c in again.candidates] == [c.text for c in first.candidates]
    assert (again.answer, again.votes, again.stop_reason) == (first.answer, first.votes, first.stop_reason)
    assert all(c.cached for c in again.candidates)
    assert spent(again.billed) == (0, 0, 0)
    assert spent(first.billed) == spent(first.usage)
    if not refuses:  # a refused call is not repeated by the cache
        assert spent(again.usage) == spent(first.usage)
    assert any(isinstance(event, Recalled) for event in events)


async def test_more_samples_buy_only_what_is_missing():
    server = FakeServer(SCRIPT)
    async with server.serve():
        await solve(server, "self-consistency(n=4)")
        result, _ = await solve(server, "self-consistency(n=12, width=12)")
    assert sorted(seeds(server)) == list(range(12))
    assert [c.index for c in result.candidates] == list(range(12))
    assert [c.cached for c in result.candidates] == [True] * 4 + [False] * 8
    assert result.usage.completion_tokens == sum(c.tokens for c in result.candidates) == server.completion_tokens


async def test_holes_are_filled_by_the_seeds_they_lack():
    server = FakeServer(SCRIPT)
    async with server.serve():
        whole, _ = await solve(server)
        with sqlite3.connect(cache_file()) as file:
            file.execute("delete from samples where seed in (1, 2, 6)")
        bought = len(server.billed)
        again, _ = await solve(server)
    assert sorted((one.seed, one.n) for one in server.billed[bought:]) == [(1, 2), (6, 1)]
    assert [c.text for c in again.candidates] == [c.text for c in whole.candidates]


@pytest.mark.parametrize(
    "change",
    [
        {"strategy": "self-consistency(n=8, temperature=0.9)"},
        {"question": "How many days are there in 8 weeks?"},
        {"seed": 100},
    ],
)
async def test_another_question_temperature_or_seed_shares_nothing(change):
    server = FakeServer(SCRIPT)
    async with server.serve():
        await solve(server)
        result, _ = await solve(server, **change)
    assert not any(c.cached for c in result.candidates)


@pytest.mark.parametrize("budget", [120, 150, 200, 300, 500])
async def test_a_budget_counts_cached_samples_and_is_kept(budget):
    server = FakeServer(SCRIPT)
    async with server.serve():
        await solve(server)
        try:
            result, events = await solve(server, budget=f"tokens={budget}")
        except BudgetTooSmall:
            return
    assert result.usage.tokens <= budget
    for event in events:
        if isinstance(event, (Recalled, CallSettled)):
            books = event.charged + event.held
            assert books.prompt_tokens + books.completion_tokens <= budget


def kept(cache, ask, *ended):
    one = Candidate(
        index=0, message={"role": "assistant", "content": "x"}, text="x", finish="stop", tokens=1, model="m"
    )
    for finish, tokens in ended:
        sample = Candidate(**{f: getattr(one, f) for f in one.__struct_fields__} | {"finish": finish, "tokens": tokens})
        cache.keep("here", ask, b"call", Bill(10, tokens), [(0, sample)], pytest.fail)


@pytest.mark.parametrize(
    ("finish", "tokens", "limit", "serves"),
    [
        ("stop", 30, None, True),
        ("stop", 30, 30, True),
        ("stop", 30, 29, False),
        ("length", 30, 30, True),
        ("length", 30, 40, False),
        ("length", 30, None, False),
        ("length", 30, 20, False),
        ("cancelled", 30, 30, False),
        ("tool_calls", 30, 40, True),
    ],
)
async def test_a_sample_serves_if_it_ended_within_the_limit_or_by_length_exactly_at_it(tokens, finish, limit, serves):
    cache = SampleCache(cache_file())
    kept(cache, Ask(messages=()), (finish, tokens))
    found = cache.find("here", Ask(messages=(), max_tokens=limit), range(4), pytest.fail)
    cache.close()
    assert [one.seed for one in found] == ([0] if serves else [])


async def test_a_sample_cut_short_does_not_displace_the_whole_one():
    cache = SampleCache(cache_file())
    kept(cache, Ask(messages=()), ("stop", 50), ("length", 20))
    assert [one.sample.tokens for one in cache.find("here", Ask(messages=()), range(1), pytest.fail)] == [50]
    short = cache.find("here", Ask(messages=(), max_tokens=20), range(1), pytest.fail)
    cache.close()
    assert [one.sample.tokens for one in short] == [20]


async def test_a_sample_without_logprobs_does_not_serve_one_that_asks_for_them():
    cache = SampleCache(cache_file())
    kept(cache, Ask(messages=()), ("stop", 5))
    assert not cache.find("here", Ask(messages=(), logprobs=True), range(1), pytest.fail)
    kept(cache, Ask(messages=(), logprobs=True), ("stop", 5))  # asked for them; this server gives none
    assert cache.find("here", Ask(messages=(), logprobs=True), range(1), pytest.fail)
    cache.close()


def test_max_tokens_and_n_take_no_part_in_a_samples_name_and_the_rest_does():
    base = Ask(messages=({"role": "user", "content": "x"},), params={"temperature": 0.5})
    name = key_of("here", base)
    assert key_of("here", Ask(messages=base.messages, params=base.params, n=4, max_tokens=9, seed=3)) == name
    assert key_of("there", base) != name
    assert key_of("here", Ask(messages=base.messages, params={"temperature": 0.6})) != name
    assert key_of("here", Ask(messages=({"role": "user", "content": "y"},), params=base.params)) != name


@pytest.mark.parametrize(
    "damage", [b"this is not a database at all" * 200, b"", b"SQLite format 3\x00" + b"\xff" * 5000]
)
async def test_a_damaged_file_is_said_set_aside_and_replaced_and_the_run_goes_on(damage):
    cache_file().parent.mkdir(parents=True)
    cache_file().write_bytes(damage)
    server = FakeServer(SCRIPT)
    async with server.serve():
        result, events = await solve(server)
        calls = len(server.billed)
        await solve(server)
    assert len(result.candidates) == 8
    said = [event.message for event in events if isinstance(event, Warned)]
    aside = [path for path in cache_file().parent.iterdir() if "damaged" in path.name]
    if damage:
        assert len(said) == 1
        assert "set aside" in said[0]
        assert [path.read_bytes() for path in aside] == [damage]
    assert len(server.billed) == calls  # the new one already holds what this run bought


async def test_damage_while_in_use_costs_only_the_cache():
    server = FakeServer(SCRIPT)
    async with server.serve():
        await solve(server)
        size = cache_file().stat().st_size
        with cache_file().open("r+b") as file:
            file.seek(100)
            file.write(os.urandom(size - 100))
        result, events = await solve(server, question="How many days are there in 9 weeks?")
    assert len(result.candidates) == 8
    assert any(isinstance(event, Warned) and "cache" in event.message for event in events)


async def test_a_place_that_cannot_be_written_is_said_once_and_costs_nothing_else(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("OUTTHINK_HOME", str(tmp_path / "file"))
    server = FakeServer(SCRIPT)
    async with server.serve():
        result, events = await solve(server)
    assert len(result.candidates) == 8
    said = [event.message for event in events if isinstance(event, Warned)]
    assert len(said) == 1
    assert "going on without it" in said[0]


async def test_a_large_file_drops_its_older_half_when_opened(monkeypatch):
    cache = SampleCache(cache_file())
    ask = Ask(messages=())
    kept(cache, ask, *[("length", tokens) for tokens in range(1, 101)])
    cache._file.execute("update samples set at = tokens")
    cache._file.commit()
    cache.close()
    monkeypatch.setattr("outthink.engine.cache.LARGEST", 1000)
    assert not cache.find("here", Ask(messages=(), max_tokens=50), range(1), pytest.fail)
    assert cache.find("here", Ask(messages=(), max_tokens=51), range(1), pytest.fail)
    cache.close()


def _write(path: str, first: int) -> None:
    cache = SampleCache(Path(path))
    for seed in range(first, first + 50):
        one = Candidate(index=seed, message={}, text=str(seed), finish="stop", tokens=1, model="m")
        cache.keep("here", Ask(messages=()), b"call", Bill(1, 1), [(seed, one)], print)
    cache.close()


def test_many_processes_write_at_once_and_nothing_is_lost():
    path = str(cache_file())
    with ProcessPoolExecutor(4) as pool:
        list(pool.map(_write, [path] * 4, range(0, 200, 50)))
    cache = SampleCache(Path(path))
    found = cache.find("here", Ask(messages=()), range(200), pytest.fail)
    cache.close()
    assert [one.sample.text for one in found] == [str(seed) for seed in range(200)]


async def test_killed_in_the_middle_the_same_command_buys_none_of_the_finished_samples(tmp_path):
    server = FakeServer(SCRIPT, refuses=frozenset({"n"}), latency=0.05)
    command = [sys.executable, "-m", "outthink", "solve", QUESTION, "-s", "self-consistency(n=24, width=4)", "--json"]
    async with server.serve():
        trace = tmp_path / "trace.jsonl"
        command += ["--model", f"fake@{server.base_url}", "--trace", str(trace)]
        child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        until = time.monotonic() + 20
        while not (trace.exists() and trace.read_text().count('"Sampled"') >= 8) and time.monotonic() < until:
            await anyio.sleep(0.01)
        child.send_signal(signal.SIGKILL)
        await anyio.to_thread.run_sync(child.wait)
        finished = [json.loads(line) for line in trace.read_text().splitlines()[:-1]]
        kept_seeds = {event["candidate"]["index"] for event in finished if event["type"] == "Sampled"}
        bought = len(server.billed)
        done = await anyio.run_process(command)
        said = json.loads(done.stdout)
    assert len(kept_seeds) >= 7
    rebought = {one.seed for one in server.billed[bought:] if one.ended == "ok"}
    assert not rebought & kept_seeds
    assert {one["index"] for one in said["candidates"] if one["cached"]} >= kept_seeds
    assert said["billed"]["completion_tokens"] < said["usage"]["completion_tokens"]


async def test_one_seed_gives_one_result_whatever_the_waves(monkeypatch):
    monkeypatch.setenv("OUTTHINK_CACHE", "off")
    results = []
    for width, refuses in ((8, frozenset()), (3, frozenset()), (1, frozenset()), (8, frozenset({"n"}))):
        server = FakeServer(SCRIPT, refuses=refuses)
        async with server.serve():
            result, _ = await solve(server, f"self-consistency(n=9, width={width})")
        results.append((result.answer, result.votes, [c.text for c in result.candidates]))
    assert all(result[0] == results[0][0] for result in results)
    assert all(dict(result[1]) == results[0][1] for result in results[1:] if len(result[2]) == len(results[0][2]))
    shortest = min(len(result[2]) for result in results)
    assert all(result[2][:shortest] == results[0][2][:shortest] for result in results)
