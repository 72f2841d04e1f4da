"""What ``outthink map`` says of how one budget was shared out."""

import json
import re
from importlib.metadata import EntryPoint

import pytest

from outthink import plugins


@pytest.fixture
def asked(tmp_path, monkeypatch):
    known = {"waves": [EntryPoint("waves", "waves:Waves", "outthink.strategies")]}
    found = plugins._entries
    monkeypatch.setattr(plugins, "_entries", lambda group: found(group) | (known if "strategies" in group else {}))
    path = tmp_path / "in.jsonl"
    path.write_text("".join(json.dumps({"question": f"How many are {i} + 5?"}) + "\n" for i in range(30)))
    yield str(path)
    plugins.strategy.cache_clear()
    plugins.strategy_text.cache_clear()


def test_a_total_budget_ends_with_a_line_that_says_who_got_what(outthink, asked, tmp_path):
    model = "fake:accuracy=0.5,words=30"
    ended = outthink("map", asked, str(tmp_path / "out"), "-m", model, "-s", "waves", "--total-budget", "tokens=6000")
    assert (ended.status, ended.out) == (0, "")
    rows, shared = ended.err.splitlines()
    assert rows.startswith("30 rows · ")
    told = re.fullmatch(
        r"shared out: ([\d.]+) samples a row \((\d+) to (\d+)\) · \d+ tokens a row \(\d+ to \d+\) · \d+ further waves "
        r"bought, \d+ refused · expected gain over an even split \+[\d.]+ points \(expected, not measured\)",
        shared,
    )
    assert told, shared
    counts = [len(json.loads(line)["candidates"]) for line in (tmp_path / "out").read_bytes().splitlines()]
    assert (int(told[2]), int(told[3])) == (min(counts), max(counts))
    assert float(told[1]) == pytest.approx(sum(counts) / 30, abs=0.06)


@pytest.mark.parametrize("options", [("-s", "waves"), ("-s", "cot", "--total-budget", "tokens=6000")])
def test_where_nothing_was_shared_out_it_says_nothing_of_it(outthink, asked, tmp_path, options):
    ended = outthink("map", asked, str(tmp_path / "out"), "-m", "fake", *options)
    assert ended.status == 0
    assert ended.err.count("\n") == 1
