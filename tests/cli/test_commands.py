"""The other commands, and the command line as a whole."""

import json

import pytest


def test_strategies_lists_each_with_its_parameters_and_paper(outthink):
    status, out, err = outthink("strategies")
    assert (status, err) == (0, "")
    assert "self-consistency(n=8, temperature=0.7, width=8, stop_below=none)  [arXiv:2203.11171]" in out
    rows = {row["name"]: row for row in json.loads(outthink("strategies", "--json").out)}
    assert {"direct", "cot", "self-consistency"} <= set(rows)
    for row in rows.values():
        assert set(row) == {"name", "summary", "parameters", "needs", "paper"}
        assert row["summary"]
    found = {parameter["name"]: parameter["default"] for parameter in rows["self-consistency"]["parameters"]}
    assert found == {"n": 8, "temperature": 0.7, "width": 8, "stop_below": None}


def test_models_lists_the_catalog(outthink):
    rows = json.loads(outthink("models", "list", "--json").out)
    assert [row["name"] for row in rows if row["default"]] == ["qwen2.5-coder-0.5b"]
    assert not any(row["present"] for row in rows)


@pytest.mark.parametrize("arguments", [["--help"], ["solve", "--help"], ["models", "--help"], ["--version"]])
def test_help_and_version_go_to_standard_output(outthink, arguments):
    status, out, err = outthink(*arguments)
    assert (status, err) == (0, "")
    assert out


@pytest.mark.parametrize(
    "arguments", [["nope"], ["solve", "--nope"], ["solve", "x", "--seed", "x"], ["models", "nope"], ["models", "rm"]]
)
def test_a_command_line_that_is_wrong_is_status_2_with_nothing_on_standard_output(outthink, arguments):
    status, out, err = outthink(*arguments)
    assert (status, out) == (2, "")
    assert err


def test_a_defect_is_one_line_that_asks_for_debug(outthink, monkeypatch):
    def broken(text):
        raise ZeroDivisionError("oh")

    monkeypatch.setattr("outthink.plugins.strategy", broken)
    status, out, err = outthink("solve", "2+2?", "-m", "fake")
    assert (status, out) == (1, "")
    assert err == "outthink: a defect in outthink (ZeroDivisionError: oh); add --debug to see where, and report it\n"
