"""Recording pools: every sample once, in order, with its fingerprint, resumable at any moment, and replayed."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import anyio
import pytest

from outthink import Engine, Problem
from outthink.batch.record import Recording
from outthink.batch.sample import Question, sample
from outthink.core.errors import InputError, Refused, ServerFault, Unsupported
from outthink.models.fake import FakeModel
from outthink.models.fake_server import FakeServer, Faults
from outthink.models.http import HttpModel
from outthink.models.pool import open_pool, read_pool
from outthink.models.script import Script

pytestmark = pytest.mark.anyio
SCRIPT = Script(accuracy=0.6, words=10)


def question(number: int, **more) -> Question:
    problem = Problem.of(f"How many legs have {number} cats and 3 birds?")
    return Question(f"q{number}", problem, str(4 * number + 6), more)


QUESTIONS = [question(i) for i in range(12)]


async def record(path, questions=QUESTIONS, model=None, **recording):
    recording.setdefault("n", 6)
    async with Engine(model or FakeModel(SCRIPT, latency=0.1)) as engine:
        return await sample(engine, questions, str(path), Recording(**recording))


async def test_a_pool_holds_every_sample_in_order_with_what_is_known_of_it(tmp_path):
    model = FakeModel(SCRIPT, latency=0.1)
    done = await record(tmp_path / "p", [question(2, level=3), question(1)], model, max_tokens=7, width=4)
    two, one = read_pool(tmp_path / "p")
    assert (two.id, two.answer, two.kind, two.extra, one.extra) == ("q2", "14", "number", {"level": 3}, {})
    assert two.question == question(2).problem.question
    asked = model.asks[0].messages
    for place, found in enumerate(two.samples):
        said = SCRIPT.say(asked, place, 7)
        assert (found.text, found.tokens, found.finish) == (said.text, 7, said.finish) == (said.text, 7, "length")
        assert found.logprob_mean == pytest.approx(sum(said.logprobs) / 7)
        assert found.logprob_low is not None
        assert found.logprob_tail is not None
    assert two.prompt_tokens == model.books.prompt_tokens // model.books.calls
    mark = two.fingerprint
    assert (mark.model, mark.temperature, mark.max_tokens, mark.strategy) == ("fake", 0.7, 7, "self-consistency")
    assert mark.prompt == one.fingerprint.prompt
    assert mark.version
    assert (done.progress.rows, done.progress.errors, done.failures) == (2, 0, [])


@pytest.mark.parametrize(
    ("strategy", "temperature", "max_tokens", "replay"),
    [
        ("direct", 0.7, None, "direct"),
        ("cot", 0.7, 400, "cot(temperature=0.7)"),
        ("cot(shots=0, temperature=0.3)", 0.3, 400, "cot(shots=0, temperature=0.3)"),
        ("self-consistency(temperature=0.9)", 0.9, 400, "self-consistency(n=6, temperature=0.9)"),
    ],
)
async def test_a_technique_lends_its_prompt_and_its_replay_finds_it(
    tmp_path, strategy, temperature, max_tokens, replay
):
    model, live = FakeModel(SCRIPT), FakeModel(SCRIPT)
    await record(tmp_path / "p", QUESTIONS[:1], model, strategy=strategy)
    (ask,) = model.asks
    assert (ask.params["temperature"], ask.max_tokens, ask.n) == (temperature, max_tokens, 6)
    async with Engine(live) as engine:
        await engine.solve(QUESTIONS[0].problem, strategy=replay)
    assert live.asks[0].messages == ask.messages
    async with Engine(await open_pool(f"pool:{tmp_path / 'p'}")) as engine:
        again = await engine.solve(QUESTIONS[0].problem, strategy=replay)
    assert again.candidates[0].text == read_pool(tmp_path / "p")[0].samples[0].text


async def test_the_vote_over_a_pool_is_the_vote_over_the_model(tmp_path):
    await record(tmp_path / "p", n=8)
    async with Engine(await open_pool(f"pool:{tmp_path / 'p'}")) as replay, Engine(FakeModel(SCRIPT)) as live:
        for asked in QUESTIONS:
            one = await replay.solve(asked.problem, strategy="self-consistency(n=8)")
            two = await live.solve(asked.problem, strategy="self-consistency(n=8)")
            assert (one.answer, one.votes, one.usage.tokens) == (two.answer, two.votes, two.usage.tokens)


@pytest.mark.parametrize("strategy", ["best-of-n(n=4)", "nonsense"])
async def test_what_has_no_single_prompt_is_refused(tmp_path, strategy):
    with pytest.raises((Unsupported, InputError)):
        await record(tmp_path / "p", strategy=strategy)
    assert not (tmp_path / "p").exists()


async def test_cut_anywhere_and_resumed_the_pool_is_the_same_to_the_byte(tmp_path):
    await record(tmp_path / "whole")
    whole = (tmp_path / "whole").read_bytes()
    lines = whole.splitlines(keepends=True)
    for kept in range(len(lines) + 1):
        half = lines[kept][: 40 * kept] if kept < len(lines) else b""
        (tmp_path / "p").write_bytes(b"".join(lines[:kept]) + half)
        model = FakeModel(SCRIPT, latency=0.1)
        done = await record(tmp_path / "p", model=model)
        assert (tmp_path / "p").read_bytes() == whole
        assert (done.progress.kept, done.progress.rows) == (kept, len(lines) - kept)
        assert sum(ask.n for ask in model.asks) == 6 * (len(lines) - kept)


async def test_more_samples_buy_only_what_is_missing_and_the_pool_is_as_if_recorded_at_once(tmp_path):
    await record(tmp_path / "whole", n=9)
    await record(tmp_path / "p", n=4)
    model = FakeModel(SCRIPT)
    await record(tmp_path / "p", model=model, n=9)
    assert sum(ask.n for ask in model.asks) == 5 * len(QUESTIONS)
    assert (tmp_path / "p").read_bytes() == (tmp_path / "whole").read_bytes()
    await record(tmp_path / "p", n=3)  # fewer: nothing to do, nothing is lost
    assert (tmp_path / "p").read_bytes() == (tmp_path / "whole").read_bytes()


async def test_killed_before_short_rows_were_dropped_the_next_run_drops_them(tmp_path):
    await record(tmp_path / "short", n=4)
    await record(tmp_path / "whole", n=9)
    short, whole = (tmp_path / "short").read_bytes(), (tmp_path / "whole").read_bytes()
    (tmp_path / "p").write_bytes(short + whole[: len(whole) // 2])
    assert len(read_pool(tmp_path / "p")) == len(QUESTIONS)
    await record(tmp_path / "p", n=9)
    assert (tmp_path / "p").read_bytes() == whole


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"temperature": 0.2}, "temperature 0.7, not 0.2"),
        ({"max_tokens": 50}, "max_tokens 400, not 50"),
        ({"strategy": "cot"}, "strategy self-consistency, not cot"),
    ],
)
async def test_a_pool_recorded_otherwise_is_refused_before_anything_is_spent(tmp_path, change, told):
    await record(tmp_path / "p", QUESTIONS[:3])
    model = FakeModel(SCRIPT)
    with pytest.raises(InputError, match=told):
        await record(tmp_path / "p", model=model, **change)
    assert model.books.calls == 0


async def test_another_prompt_model_or_question_is_refused(tmp_path):
    await record(tmp_path / "p", QUESTIONS[:1])
    other = FakeModel(SCRIPT)
    other.name = "another"
    with pytest.raises(InputError, match="model fake, not another"):
        await record(tmp_path / "p", model=other)
    with pytest.raises(InputError, match="another question as 'q0'"):
        await record(tmp_path / "p", [Question("q0", Problem.of("How many are 2 + 2?"), "4", {})])
    row = json.loads((tmp_path / "p").read_text())
    row["fingerprint"]["prompt"] = "000000000000"
    (tmp_path / "p").write_text(json.dumps(row) + "\n")
    with pytest.raises(InputError, match="prompt 000000000000, not"):
        await record(tmp_path / "p")


async def test_a_question_that_is_not_whole_is_left_out_and_recorded_by_the_next_run(tmp_path):
    def fault(_, ask):
        return ServerFault("broken", 500) if "5 cats" in ask.messages[-1]["content"] else None

    done = await record(tmp_path / "p", model=FakeModel(SCRIPT, fault=fault))
    assert [name for name, _ in done.failures] == ["q5"]
    assert [row.id for row in read_pool(tmp_path / "p")] == [one.id for one in QUESTIONS if one.id != "q5"]
    done = await record(tmp_path / "p")
    assert not done.failures
    assert len(read_pool(tmp_path / "p")) == len(QUESTIONS)


async def test_a_server_that_never_worked_ends_it_at_once(tmp_path):
    model = FakeModel(SCRIPT, fault=lambda *_: Refused("set OUTTHINK_API_KEY", 401))
    with pytest.raises(Refused):
        await record(tmp_path / "p", model=model)


async def test_double_ids_are_refused_before_anything_is_spent(tmp_path):
    with pytest.raises(InputError, match="question 3 has the id 'q0' of question 1"):
        await record(tmp_path / "p", [QUESTIONS[0], QUESTIONS[1], QUESTIONS[0]])


@pytest.mark.real_time
class TestAgainstAServer:
    @pytest.fixture(autouse=True)
    def caching(self, monkeypatch):
        monkeypatch.setenv("OUTTHINK_CACHE", "on")

    async def test_faults_cost_no_sample_and_what_was_bought_is_not_bought_again(self, tmp_path, short_waits):
        server = FakeServer(SCRIPT, refuses=frozenset({"n"}), faults=Faults({"500": 0.2}, dead=frozenset({4})))
        async with server.serve():
            done = await record(tmp_path / "p", QUESTIONS[:3], HttpModel("fake", server.base_url))
            assert len(done.failures) == 3  # the sample of seed 4 never comes
            server.faults = Faults()
            bought = len(server.billed)
            done = await record(tmp_path / "p", QUESTIONS[:3], HttpModel("fake", server.base_url))
        assert not done.failures
        assert {one.seed for one in server.billed[bought:] if one.ended == "ok"} == {4}
        assert [len(row.samples) for row in read_pool(tmp_path / "p")] == [6, 6, 6]

    async def test_killed_and_run_again_it_buys_nothing_twice_and_ends_with_the_same_pool(self, tmp_path):
        rows = [{"id": one.id, "question": one.problem.question, "answer": one.answer} for one in QUESTIONS]
        (tmp_path / "d").write_text("".join(json.dumps(row) + "\n" for row in rows))
        server = FakeServer(SCRIPT, latency=0.03)
        async with server.serve():

            async def command(pool: Path, *options, kill=False):
                words = [sys.executable, "-m", "outthink", "sample", str(tmp_path / "d"), str(pool), "--n", "6"]
                words += ["-m", f"fake@{server.base_url}", "--concurrency", "2", *options]
                child = subprocess.Popen(words, stderr=subprocess.PIPE, text=True)
                until = time.monotonic() + 30
                while kill and time.monotonic() < until:
                    if pool.exists() and pool.read_bytes().count(b"\n") >= 4:
                        child.send_signal(signal.SIGKILL)
                        break
                    await anyio.sleep(0.005)
                await anyio.to_thread.run_sync(child.communicate)
                return child.returncode

            assert await command(tmp_path / "p", kill=True) == -signal.SIGKILL
            with (tmp_path / "p").open("ab") as file:
                file.write(b'{"id":"q')
            assert await command(tmp_path / "p") == 0
            bought = [one for one in server.billed if one.ended == "ok"]
            assert len(bought) <= len(QUESTIONS) + 2  # at most those in flight when it was killed
            assert await command(tmp_path / "whole", "--no-cache") == 0
        assert (tmp_path / "p").read_bytes() == (tmp_path / "whole").read_bytes()


@pytest.mark.parametrize(
    ("arguments", "status", "told"),
    [
        (["none", "p", "-n", "2"], 2, "cannot read none"),
        (["d", "p", "-n", "0"], 2, "--n takes"),
        (["d", "p", "-n", "2", "--first", "9"], 2, "no rows from row 9"),
        (["d", "p", "-n", "2", "-s", "best-of-n"], 2, "no single prompt"),
        (["d", "p", "-n", "2", "--temperature", "7"], 2, "--temperature"),
        (["d", "p", "-n", "2", "--first", "2", "--limit", "1"], 0, "1 question · "),
    ],
)
def test_the_command_says_what_is_wrong_on_one_line_with_a_status(tmp_path, arguments, status, told):
    rows = [{"id": one.id, "question": one.problem.question, "answer": one.answer} for one in QUESTIONS[:3]]
    (tmp_path / "d").write_text("".join(json.dumps(row) + "\n" for row in rows))
    command = [sys.executable, "-m", "outthink", "sample", *arguments, "-m", "fake"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert done.returncode == status, done.stderr
    assert told in done.stderr
    assert done.stderr.count("\n") == 1
    if status == 0:
        assert [row.id for row in read_pool(tmp_path / "p")] == ["q1"]
