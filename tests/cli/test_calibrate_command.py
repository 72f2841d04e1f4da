"""``outthink calibrate``: from a pool to a policy and its chart; the bench refuses what it was fitted on."""

import json
from pathlib import Path

import msgspec
import pytest
from planted_votes import votes

from outthink.adaptive.giving_up import GiveUp
from outthink.adaptive.policy import Policy, from_json
from outthink.bench.calibrate.fitting import Calibration
from outthink.cli import calibrate_table
from outthink.strategies.direct import Direct


@pytest.fixture
def pool(tmp_path):
    path = tmp_path / "pool.jsonl"
    path.write_bytes(b"".join(msgspec.json.encode(row) + b"\n" for row in votes(60, n=6)))
    return str(path)


def test_a_pool_becomes_a_policy_a_chart_and_a_table(outthink, pool, tmp_path):
    file = tmp_path / "policy.json"
    status, out, err = outthink("calibrate", pool, "-o", str(file), "--loss", "0.01", "--seed", "2")
    assert status == 0, err
    policy = from_json(file.read_bytes())
    assert len(policy.fitted) == 30
    assert policy.fingerprint.model == "planted"
    assert policy.held_out["questions"] == 30
    assert "fitted on 30 questions, at most 6 samples each" in out
    assert "N = 6" in out
    assert "the policy" in out
    assert "outthink: no gate" in err
    assert (tmp_path / "policy.svg").read_text().startswith("<svg")


def test_the_bench_refuses_the_questions_of_a_policy_and_takes_the_others(outthink, pool, tmp_path, monkeypatch):
    file = str(tmp_path / "policy.json")
    assert outthink("calibrate", pool, "-o", file).status == 0
    monkeypatch.setattr("outthink.plugins.strategy", lambda text: Direct())  # what uses policies is not of interest
    monkeypatch.setattr("outthink.plugins.strategy_text", lambda text: text)
    strategy = f'auto(policy="{file}")'
    status, _, err = outthink("bench", pool, "-s", strategy, "--out", str(tmp_path / "all"))
    assert status == 2
    assert "policy.json was fitted on 30 of these questions" in err
    fitted = set(from_json((tmp_path / "policy.json").read_bytes()).fitted)
    others = tmp_path / "others.jsonl"
    lines = Path(pool).read_text().splitlines(keepends=True)
    others.write_text("".join(line for line in lines if json.loads(line)["id"] not in fitted))
    status, out, err = outthink(
        "bench", f"pool:{others}?check=off", "-s", strategy, "--out", str(tmp_path / "some"), "--repeats", "2", "--json"
    )
    assert status == 0, err
    assert json.loads(out)["data"]["questions"] == 30


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--labels", "mood"], "--labels takes gold or majority"),
        (["--hold-out", "1"], "--hold-out takes 0 or a part under 1"),
        (["--hold-out", "0.8"], "at least 100 questions are needed"),
        (["--loss", "0.1"], "--loss takes 0.005 or 0.01"),
        (["--limit", "7"], "--limit takes 4 to 6"),
        (["--gate", "2"], "--gate takes a precision between 0 and 1"),
    ],
)
def test_what_cannot_be_done_is_told_in_one_line(outthink, pool, tmp_path, arguments, told):
    status, out, err = outthink("calibrate", pool, "-o", str(tmp_path / "p.json"), *arguments)
    assert (status, out) == (2, "")
    assert told in err
    assert err.count("\n") == 1
    assert not (tmp_path / "p.json").exists()


def test_what_is_given_up_is_in_the_table():
    policy = Policy(giving_up=GiveUp(below=-1.25, saves=80.0))
    table = calibrate_table.told(Calibration(policy, None, (), False), "f")
    assert "a chain of which 32 tokens lie under -1.250: spares 80 a sample" in table


def test_a_place_that_cannot_be_written_is_told(outthink, pool, tmp_path):
    status, _, err = outthink("calibrate", pool, "-o", str(tmp_path / "away" / "p.json"))
    assert status == 2
    assert "cannot be written" in err
