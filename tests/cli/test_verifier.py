"""``outthink verifier``: from a pool to a file, from the file to figures."""

import json
from functools import partial

import pytest
from planted import rows, write

from outthink.bench.verifiers.train import Recipe


@pytest.fixture
def pool(tmp_path, monkeypatch):
    monkeypatch.setattr("outthink.cli.verifier.Recipe", partial(Recipe, heads=("linear",)))
    return write(tmp_path / "pool.jsonl", rows(questions=40))


def test_what_is_calibrated_on_one_part_is_measured_on_the_other(outthink, pool, tmp_path):
    file = str(tmp_path / "v.json")
    wanted = ("--verifier", "recorded(rm)", "--hold-out", "0.4")
    status, out, err = outthink("verifier", "train", pool, "-o", file, *wanted)
    assert status == 0, err
    assert "calibrated fitted on 192 samples of 24 questions" in err
    assert "128 candidates of 16 questions" in out
    status, out, err = outthink("verifier", "eval", f'calibrated(recorded(rm), file="{file}")', pool, "--json")
    found = json.loads(out)
    assert (status, found["questions"], found["left_out"]) == (0, 16, 24)
    assert found["auc"] > 0.6
    assert found["ece"] is not None
    assert [gain["n"] for gain in found["gains"] if gain["rule"] == "best"] == [2, 4, 8]


def test_a_probe_is_trained_and_used_by_best_of_n_on_the_pool(outthink, pool, tmp_path):
    file, figures = str(tmp_path / "p.json"), tmp_path / "figures.json"
    status, _, err = outthink(
        "verifier", "train", pool, "-o", file, "--features", "position,symbolic", "--hold-out", "0.3"
    )
    assert status == 0, err
    status, out, _ = outthink("verifier", "eval", f'probe(file="{file}")', pool, "--out", str(figures))
    assert status == 0
    assert "within a question" in out
    assert json.loads(figures.read_text())["questions"] == 12
    question = rows(questions=1)[0].question
    strategy = f'best-of-n(n=8, verifier=probe(file="{file}"))'
    model = f"pool:{pool}?check=off"
    status, out, _ = outthink("solve", question, "-m", model, "-s", strategy, "--answer", "number", "--json")
    found = json.loads(out)
    assert status == 0
    assert all(candidate["scores"]["probe"] is not None for candidate in found["candidates"])


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["train", "POOL", "-o", "f", "--features", "mood"], "'mood' does not exist"),
        (["train", "POOL", "-o", "f", "--labels", "mood"], "takes outcome or siblings"),
        (["train", "POOL", "-o", "f", "--hold-out", "1"], "takes 0 or a part under 1"),
        (["train", "POOL", "-o", "f", "--hold-out", "0.9"], "4 questions with two samples or more are too few"),
        (["train", "POOL", "-o", "f", "--complete", "2"], "give --model"),
        (["eval", "probe(file=away)", "POOL"], "cannot be read"),
        (["eval", "mood", "POOL"], "does not exist"),
        (["eval", "confidence", "none.jsonl"], "cannot be read"),
    ],
)
def test_what_cannot_be_done_is_told_in_one_line(outthink, pool, arguments, told):
    status, out, err = outthink("verifier", *(pool if word == "POOL" else word for word in arguments))
    assert (status, out) == (2, "")
    assert told in err
    assert err.count("\n") == 1
