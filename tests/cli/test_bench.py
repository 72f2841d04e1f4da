"""``outthink bench``: what it prints, what it refuses, and that a kill costs it nothing."""

import json
import random
import signal
import time

import msgspec
import pytest

from outthink.models.fake_server import FakeServer
from outthink.models.pool import Fingerprint, PoolRow, PoolSample
from outthink.models.script import Script

STRATEGIES = ("--strategy", "self-consistency(n=1)", "--strategy", "best-of-n(n=8)")
SCRIPT = Script(accuracy=0.6, answers={f"{i} cats": str(100 + i) for i in range(40)}, words=8)


def pool(path, questions=40):
    draw = random.Random(4)
    rows = [
        PoolRow(
            id=f"q{i}",
            question=f"How many legs have {i} cats?",
            samples=tuple(
                PoolSample(text=f"The answer is {4 * i + draw.choice([0, 0, 0, 1, 2])}.", tokens=draw.randrange(5, 30))
                for _ in range(8)
            ),
            answer=str(4 * i),
            kind="number",
            prompt_tokens=40,
            fingerprint=Fingerprint(model="tiny"),
        )
        for i in range(questions)
    ]
    path.write_bytes(b"".join(msgspec.json.encode(row) + b"\n" for row in rows))
    return str(path)


def data(path, questions=12):
    rows = [
        {"id": f"q{i}", "question": f"How many legs have {i} cats?", "answer": str(100 + i)} for i in range(questions)
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(path)


def test_a_table_a_line_for_each_decided_difference_and_progress_apart(outthink, tmp_path):
    (tmp_path / "prices.toml").write_text("[tiny]\nprice_in = 1\nprice_out = 2.5\n")
    arguments = ("bench", pool(tmp_path / "p"), *STRATEGIES, "--out", str(tmp_path / "out"), "--repeats", "20")
    status, out, err = outthink(*arguments, "--price", str(tmp_path / "prices.toml"))
    assert status == 0
    lines = out.splitlines()
    assert lines[1].split() == ["strategy", "accuracy", "%", "tokens", "samples", "$"]
    assert "self-consistency(n=1)" in lines[3]
    assert "best-of-n(n=8) beats self-consistency(n=1) by " in out
    assert "a random sample " in out
    assert err.startswith("40 questions · ")


def test_json_is_the_summary_with_the_command_that_made_it(outthink, tmp_path):
    out = tmp_path / "out"
    arguments = (
        "bench",
        pool(tmp_path / "p"),
        "-s",
        "self-consistency(n=2)",
        "-o",
        str(out),
        "--repeats",
        "2",
        "--json",
    )
    printed = json.loads(outthink(*arguments).out)
    assert printed == json.loads((out / "summary.json").read_text())
    assert printed["commands"][0].startswith(f"outthink bench {tmp_path}/p -s 'self-consistency(n=2)'")
    assert {"data", "strategies", "pairs", "random", "oracle", "frontier"} <= set(printed)
    assert printed["frontier"].keys() == {"self-consistency", "self-consistency(n=2)"}


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["none", "-s", "direct"], "cannot read none"),
        (["p", "-s", "nope"], "strategy 'nope' does not exist"),
        (["p", "-s", "direct", "-s", "direct"], "direct is given twice"),
        (["p", "-s", "direct", "--repeats", "0"], "--repeats takes"),
        (["p", "-s", "direct", "--seed", "-1"], "--seed takes"),
        (["p", "-s", "direct", "--price", "none"], "price table none cannot be read"),
        (["p", "-s", "direct", "--price", "p"], "price_in = 0.1"),
        (["p", "-s", "direct", "-m", "fake"], "leave out --model"),
        (["p", "-s", "self-consistency(n=9)"], "takes 9 samples"),
        (["pool:p?check=maybe", "-s", "direct"], "?check=off"),
        (["d", "-s", "direct", "-m", "fake", "-b", "usd=1"], "needs the price of fake"),
    ],
)
def test_what_is_wrong_is_told_on_one_line_and_nothing_is_made(outthink, tmp_path, monkeypatch, arguments, told):
    monkeypatch.chdir(tmp_path)
    pool(tmp_path / "p")
    data(tmp_path / "d")
    status, out, err = outthink("bench", *arguments, "--out", "out")
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert told in err
    assert not (tmp_path / "out").exists()


def test_without_the_extra_it_names_it(outthink, tmp_path, monkeypatch):
    def missing(name):
        raise ImportError("no numpy", name="numpy")

    source = pool(tmp_path / "p")
    monkeypatch.setattr("outthink.bench.run.import_module", missing)
    status, _, err = outthink("bench", source, "-s", "direct", "--out", str(tmp_path / "out"))
    assert status == 2
    assert "needs numpy; install it with: pip install 'outthink[bench]'" in err


def killed(started, growing, lines, *arguments):
    """Start a command and kill it once a file has so many lines."""
    with started(*arguments) as child:
        until = time.monotonic() + 60
        while time.monotonic() < until and child.poll() is None:
            if growing.exists() and growing.read_bytes().count(b"\n") >= lines:
                child.send_signal(signal.SIGKILL)
                break
            time.sleep(0.01)
        child.communicate()
        assert child.returncode == -signal.SIGKILL


def finished(started, *arguments):
    with started(*arguments) as child:
        out, err = child.communicate(timeout=90)
        assert child.returncode == 0, err
        return out


def test_a_replay_that_was_killed_goes_on_and_ends_with_the_same_bytes(started, tmp_path):
    arguments = ("bench", pool(tmp_path / "p"), *STRATEGIES, "--repeats", "60", "--out")
    out = tmp_path / "out"
    killed(started, out / "rows.jsonl", 200, *arguments, str(out))
    assert not (out / "summary.json").exists()
    there = (out / "rows.jsonl").read_bytes()
    finished(started, *arguments, str(out))
    finished(started, *arguments, str(tmp_path / "whole"))
    assert (out / "rows.jsonl").read_bytes().startswith(there.rpartition(b"\n")[0])
    for path in (tmp_path / "whole").iterdir():
        mended = (out / path.name).read_bytes()
        assert mended.replace(b"/out", b"/whole") == path.read_bytes(), path.name


def test_a_live_bench_that_was_killed_buys_nothing_again_that_had_ended(started, serving, tmp_path):
    with serving(FakeServer(SCRIPT, latency=0.03)) as server:
        arguments = ("bench", data(tmp_path / "d"), *STRATEGIES, "-m", f"fake@{server.base_url}", "--concurrency", "2")
        out = tmp_path / "out"
        killed(started, out / "runs.jsonl", 7, *arguments, "--no-cache", "--out", str(out))
        finished(started, *arguments, "--no-cache", "--out", str(out))
        bought = [one for one in server.billed if one.ended == "ok"]
        assert len(bought) <= 24 + 2  # one request a run; at most those in flight when it was killed
        finished(started, *arguments, "--no-cache", "--out", str(tmp_path / "whole"))

    def rows(folder):
        return [
            {name: value for name, value in json.loads(line).items() if name != "seconds"}
            for line in (tmp_path / folder / "rows.jsonl").read_text().splitlines()
        ]

    assert rows("out") == rows("whole")
    assert (out / "questions.jsonl").read_bytes() == (tmp_path / "whole" / "questions.jsonl").read_bytes()


def test_interrupted_it_says_so_and_keeps_what_is_there(started, tmp_path):
    out = tmp_path / "out"
    arguments = ("bench", pool(tmp_path / "p"), *STRATEGIES, "--repeats", "400", "--out", str(out))
    with started(*arguments) as child:
        until = time.monotonic() + 60
        while time.monotonic() < until and not ((out / "rows.jsonl").exists() and (out / "rows.jsonl").stat().st_size):
            time.sleep(0.01)
        child.send_signal(signal.SIGINT)
        _, err = child.communicate(timeout=30)
    assert child.returncode == 130
    assert b"interrupted; what is finished is kept" in err
