"""``outthink solve``: what it prints where, and how it ends, for good input and bad."""

import json
import re
import time

import pytest

from outthink.models.fake_server import FakeServer, Faults
from outthink.models.script import Script
from outthink.sandbox import capabilities

pytestmark = pytest.mark.usefixtures("short_waits")
QUESTION = "How many days are there in 7 weeks?"
SCRIPT = Script(accuracy=0.8, answers={"7 weeks": "49"}, words=16)
USAGE = {
    "calls", "prompt_tokens", "cached_tokens", "completion_tokens", "reasoning_tokens", "total_tokens", "usd",
    "seconds", "flops", "estimated", "unsettled_calls",
}  # fmt: skip


def test_the_answer_goes_to_standard_output_and_what_it_cost_to_standard_error(outthink):
    status, out, err = outthink("solve", QUESTION, "--model", "fake:accuracy=1,wrong=1")
    assert status == 0
    assert re.fullmatch(r"\d+\n", out)
    why, cost = err.splitlines()
    assert re.fullmatch(
        r"stopped after 3 samples: P = 0\.86, the leader stays ahead with 0\.9\d, the next wave .*", why
    )
    assert re.fullmatch(r"votes \d+: 3 · confidence 0\.86 \(weighted share\) · \d+ tokens .* in 1 call · .*", cost)


def test_json_is_one_object_with_the_designs_fields_whose_tokens_sum(outthink):
    status, out, err = outthink("solve", QUESTION, "--model", "fake", "--strategy", "self-consistency(n=8)", "--json")
    found = json.loads(out)
    assert (status, err, out.count("\n")) == (0, "", 1)
    assert set(found) == {
        "answer", "text", "confidence", "confidence_source", "stop_reason", "votes", "strategy", "model", "usage",
        "billed", "candidates", "run_id",
    }  # fmt: skip
    assert set(found["usage"]) == USAGE | {"by_role"}
    assert set(found["billed"]) == USAGE
    assert set(found["usage"]["by_role"]) == {"policy", "verifier", "tool"}
    assert all(set(role) == USAGE for role in found["usage"]["by_role"].values())
    assert len(found["candidates"]) == 8
    for candidate in found["candidates"]:
        assert set(candidate) == {"index", "answer", "text", "finish", "origin", "tokens", "scores", "cached"}
    assert sum(candidate["tokens"] for candidate in found["candidates"]) == found["usage"]["completion_tokens"]
    assert found["usage"]["total_tokens"] == found["usage"]["prompt_tokens"] + found["usage"]["completion_tokens"]
    assert (found["strategy"], found["model"]) == ("self-consistency(n=8)", "fake")
    assert sum(found["votes"].values()) == 8


def test_open_text_is_shown_whole(outthink):
    status, out, _ = outthink("solve", "Tell me about weeks.", "--model", "fake", "--answer", "text")
    assert status == 0
    assert out.startswith("first we take")


def test_a_question_may_come_from_standard_input_and_context_goes_before_it(serving, started, tmp_path):
    (tmp_path / "a").write_text("Passage one.\n")
    (tmp_path / "b").write_text("Zweite Passage: naïve.\n", encoding="utf-8")
    with serving(FakeServer(SCRIPT)) as server:
        arguments = ["solve", "-", "--model", f"m@{server.base_url}", "-s", "direct"]
        arguments += ["--context", str(tmp_path / "a"), "--context", str(tmp_path / "b")]
        with started(*arguments, stdin=-1) as child:
            out, err = child.communicate(f"\ufeff{QUESTION}\n".encode(), timeout=30)
    assert (child.returncode, out) == (0, b"49\n"), err
    assert server.bodies[0]["messages"][0]["content"] == f"Passage one.\n\nZweite Passage: naïve.\n\n{QUESTION}"


@pytest.mark.skipif(not any(c.offered for c in capabilities()[1:]), reason="no fences on this machine")
def test_a_program_is_sampled_until_one_passes_the_tests_in_a_file(outthink, serving, tmp_path):
    (tmp_path / "tests.py").write_text("assert f(1) == 2\nassert f(2) == 3\n")
    wrong, right = (f"```python\ndef f(x): return x {end}\n```" for end in ("- 1", "+ 1"))
    with serving(FakeServer(Script(replies=[wrong, wrong, wrong, wrong, wrong, right]))) as server:
        arguments = ["solve", "Add one.", "-m", f"m@{server.base_url}", "--tests", str(tmp_path / "tests.py")]
        status, out, err = outthink(*arguments, "--unsafe-exec")
    assert (status, out) == (0, "def f(x): return x + 1\n")
    assert "in 7 calls" in err  # waves of 1, 1, 2 and 4, a revision, and two different programs run
    assert err.endswith(" · verified\n")
    asked = server.bodies[0]["messages"][-1]["content"]
    assert "It must pass these tests:\nassert f(1) == 2\nassert f(2) == 3" in asked


def test_one_seed_gives_one_result(outthink):
    runs = [json.loads(outthink("solve", QUESTION, "--model", "fake", "--seed", "7", "--json").out) for _ in range(2)]
    assert runs[0]["candidates"] == runs[1]["candidates"]


def test_defaults_come_from_the_environment(outthink, monkeypatch):
    monkeypatch.setenv("OUTTHINK_MODEL", "fake")
    monkeypatch.setenv("OUTTHINK_STRATEGY", "self-consistency(n=3)")
    monkeypatch.setenv("OUTTHINK_BUDGET", "calls=1")
    found = json.loads(outthink("solve", QUESTION, "--json").out)
    assert (found["model"], found["strategy"], len(found["candidates"])) == ("fake", "self-consistency(n=3)", 3)


BAD_INPUT = {
    "empty question": (["", "-m", "fake"], "the question is empty; give the text"),
    "blank question": ([" \n ", "-m", "fake"], "the question is empty; give the text"),
    "question that is not UTF-8": (["caf\udce9?", "-m", "fake"], "the question is not text"),
    "unknown model": (["2+2?", "-m", "qwen2.5-coder-0.5"], "did you mean 'qwen2.5-coder-0.5b'? Known: "),
    "model not here": (["2+2?"], "model 'qwen2.5-coder-0.5b' is not on this machine; run: outthink models pull"),
    "model file not here": (["2+2?", "-m", "/no/m.gguf"], "there is no model file /no/m.gguf; check the path"),
    "URL that is none": (["2+2?", "-m", "m@http://h:x/v1"], "is not a URL; write NAME@http://host:port/v1"),
    "unknown setting of the fake": (["2+2?", "-m", "fake:speed=9"], "'speed=9' is not a setting; write fake:"),
    "setting of the fake too low": (["2+2?", "-m", "fake:latency=-1"], "'latency=-1' is not a setting"),
    "setting of the fake that is no number": (["2+2?", "-m", "fake:latency=nan"], "'latency=nan' is not a setting"),
    "unknown strategy": (["2+2?", "-m", "fake", "-s", "self-consistancy"], "did you mean 'self-consistency'? Known: "),
    "unknown parameter": (["2+2?", "-m", "fake", "-s", "self-consistency(m=3)"], "It takes n=8, temperature=0.7"),
    "wrong value": (["2+2?", "-m", "fake", "-s", "self-consistency(n=0)"], "n takes 1 to 4096, not 0"),
    "strategy that does not parse": (["2+2?", "-m", "fake", "-s", "cot("], "column 4: it has a ( that is not closed"),
    "budget that does not parse": (["2+2?", "-m", "fake", "-b", "tokens"], "'tokens' is not a limit; write NAME=NUM"),
    "unknown limit": (["2+2?", "-m", "fake", "-b", "euros=3"], "'euros=3' is not a limit"),
    "limit below none": (["2+2?", "-m", "fake", "-b", "tokens=-3"], "tokens takes a whole number above 0"),
    "limit without end": (["2+2?", "-m", "fake", "-b", "tokens=1" + "0" * 30], "tokens takes a whole number"),
    "price not known": (["2+2?", "-m", "fake", "-b", "usd=1"], "a usd budget needs the price of fake"),
    "unknown kind": (["2+2?", "-m", "fake", "--answer", "poem"], "--answer 'poem' does not exist; use auto, number"),
    "context not here": (["2+2?", "-m", "fake", "--context", "/no/file"], "--context /no/file: cannot be read"),
    "tests not here": (["2+2?", "-m", "fake", "--tests", "/no/file"], "--tests /no/file: cannot be read"),
    "context that is a folder": (["2+2?", "-m", "fake", "--context", "/"], "--context /: cannot be read"),
    "trace in no folder": (["2+2?", "-m", "fake", "--trace", "/no/t"], "the trace '/no/t' cannot be written (No such"),
    "trace on a full disk": (["2+2?", "-m", "fake", "--trace", "/dev/full"], "cannot be written (No space left"),
    "concurrency 0": (["2+2?", "-m", "fake", "--concurrency", "0"], "concurrency takes a whole number above 0, not 0"),
    "timeout 0": (["2+2?", "-m", "fake", "--timeout", "0"], "the timeout takes seconds above 0, not 0"),
    "timeout that is no number": (["2+2?", "-m", "fake", "--timeout", "nan"], "the timeout takes seconds above 0"),
    "seed below 0": (["2+2?", "-m", "fake", "--seed", "-1"], "the seed takes a whole number from 0"),
    "seed without end": (["2+2?", "-m", "fake", "--seed", "9" * 30], "the seed takes a whole number from 0"),
}


@pytest.mark.parametrize(("arguments", "told"), BAD_INPUT.values(), ids=BAD_INPUT)
def test_bad_input_is_one_line_that_names_it_and_status_2(outthink, arguments, told):
    status, out, err = outthink("solve", *arguments)
    assert (status, out) == (2, "")
    assert told in err
    assert err.startswith("outthink: ")
    assert err.count("\n") == 1


def test_a_budget_too_small_for_a_call_names_the_smallest_that_would_do(outthink):
    for strategy in ("direct", "cot", "self-consistency(n=8)"):
        arguments = ["solve", QUESTION, "-m", "fake", "-s", strategy, "-b"]
        status, out, err = outthink(*arguments, "tokens=10")
        assert (status, out) == (2, "")
        smallest = re.search(r"the smallest that does is (tokens=\d+)\n", err)
        assert smallest, err
        number = int(smallest[1].removeprefix("tokens="))
        assert outthink(*arguments, f"tokens={number - 1}").status == 2
        status, out, _ = outthink(*arguments, smallest[1])
        assert (status, bool(out)) == (0, True)


@pytest.mark.parametrize(
    ("data", "told"),
    [(b"", "is not a GGUF file"), (b"GGUF\3\0\0\0\1", "is truncated"), (b"PK\3\4", "use a model in GGUF format")],
)
def test_a_model_file_that_is_none_is_told_before_the_engine_sees_it(outthink, tmp_path, data, told):
    (tmp_path / "m.gguf").write_bytes(data)
    status, out, err = outthink("solve", QUESTION, "-m", str(tmp_path / "m.gguf"))
    assert (status, out) == (2, "")
    assert told in err
    assert err.count("\n") == 1


def test_a_refused_key_names_its_variable_and_is_not_shown(outthink, serving, monkeypatch):
    monkeypatch.setenv("OUTTHINK_API_KEY", "sk-wrong-0123")
    with serving(FakeServer(SCRIPT, key="right")) as server:
        status, out, err = outthink("solve", QUESTION, "-m", f"m@{server.base_url}")
        assert (status, out) == (4, "")
        assert f"{server.base_url} answered 401" in err
        assert "OUTTHINK_API_KEY" in err
        assert "sk-wrong" not in err
        monkeypatch.setenv("OUTTHINK_API_KEY", "right")
        assert outthink("solve", QUESTION, "-m", f"m@{server.base_url}").out == "49\n"


def test_a_question_longer_than_the_context_is_told_with_the_remedy(outthink, serving):
    with serving(FakeServer(SCRIPT, context=50)) as server:
        status, out, err = outthink("solve", "word " * 100, "-m", f"m@{server.base_url}")
    assert (status, out) == (2, "")
    assert "shorten the question" in err


@pytest.mark.parametrize(
    ("kind", "said"),
    [("500", "answered 500: Internal error"), ("429", "answered 429: Rate limit"), ("malformed", "cannot be read")],
)
def test_with_every_call_failing_the_server_and_what_it_said_are_told_with_status_4(outthink, serving, kind, said):
    with serving(FakeServer(SCRIPT, Faults({kind: 1.0}))) as server:
        status, out, err = outthink("solve", QUESTION, "-m", f"m@{server.base_url}")
    assert (status, out) == (4, "")
    last = err.splitlines()[-1]
    assert server.base_url in last
    assert said in last


def test_a_server_out_of_reach_is_told_with_status_4(outthink):
    status, out, err = outthink("solve", QUESTION, "-m", "m@http://127.0.0.1:9/v1")
    assert (status, out) == (4, "")
    assert "http://127.0.0.1:9/v1 could not be reached" in err


def test_warnings_are_told_on_standard_error_and_the_answer_still_comes(outthink, serving):
    with serving(FakeServer(SCRIPT, refuses=frozenset({"n"}))) as server:
        status, out, err = outthink("solve", QUESTION, "-m", f"m@{server.base_url}", "--json")
    assert status == 0
    assert json.loads(out)["answer"] == "49"
    assert "'n' is not supported with this model" in err
    assert err.endswith("asking without it\n")


@pytest.mark.parametrize("seconds", ["", ",seconds=20"], ids=["plain", "streamed"])
@pytest.mark.parametrize("words", [16, 2000])
@pytest.mark.parametrize("tokens", [300, 1500])
@pytest.mark.parametrize("refuses", [frozenset(), frozenset({"n"})], ids=["n", "no-n"])
def test_a_token_budget_is_kept_as_the_server_counts_however_fast_it_is(
    outthink, serving, seconds, words, tokens, refuses
):
    server = FakeServer(Script(accuracy=0.8, answers={"7 weeks": "49"}, words=words), refuses=refuses)
    with serving(server):
        arguments = ["-s", "self-consistency(n=8)", "-b", f"tokens={tokens}{seconds}", "--json"]
        status, out, _ = outthink("solve", QUESTION, "-m", f"m@{server.base_url}", *arguments)
        found = json.loads(out)
    assert server.prompt_tokens + server.completion_tokens <= tokens
    assert status == (0 if words == 16 else 3)  # a chain that never ends has no answer
    if words == 16:
        assert found["answer"] == "49"


@pytest.mark.parametrize("strategy", ["direct", "self-consistency(n=8)"])
def test_a_deadline_is_kept_with_a_slow_server(outthink, serving, strategy):
    with serving(FakeServer(SCRIPT, token_latency=0.01)) as server:
        arguments = ["solve", QUESTION, "-m", f"m@{server.base_url}", "-s", strategy, "-b"]
        assert outthink(*arguments, "seconds=30").out == "49\n"
        server.latency = 3600
        began = time.monotonic()
        status, out, err = outthink(*arguments, "seconds=0.4")
        assert time.monotonic() - began < 0.9
    assert (status, out) == (3, "")
    assert "deadline" in err


def test_a_time_out_is_the_servers_and_names_it(outthink, serving):
    with serving(FakeServer(SCRIPT, latency=3600)) as server:
        arguments = ["-s", "cot", "--timeout", "0.05"]
        status, out, err = outthink("solve", QUESTION, "-m", f"m@{server.base_url}", *arguments)
    assert (status, out) == (4, "")
    assert f"{server.base_url} sent nothing in 0.05 s" in err


def test_concurrency_bounds_the_calls_in_flight(outthink, serving):
    with serving(FakeServer(SCRIPT, refuses=frozenset({"n"}), latency=0.02)) as server:
        assert outthink("solve", QUESTION, "-m", f"m@{server.base_url}", "--concurrency", "2").out == "49\n"
    assert server.most_in_flight == 2


def test_a_trace_holds_every_event_and_ends_with_the_end(outthink, tmp_path):
    path = tmp_path / "trace.jsonl"
    found = json.loads(outthink("solve", QUESTION, "-m", "fake", "--trace", str(path), "--json").out)
    events = [json.loads(line) for line in path.read_text().splitlines()]
    assert events[0]["type"] == "RunStarted"
    assert events[0]["run_id"] == found["run_id"]
    assert events[-1]["type"] == "RunEnded"
    assert events[-1]["answer"] == found["answer"]
    assert sum(event["type"] == "Sampled" for event in events) == len(found["candidates"])


def test_a_run_that_is_refused_before_it_begins_leaves_no_trace(outthink, tmp_path):
    path = tmp_path / "trace.jsonl"
    assert outthink("solve", QUESTION, "-m", "fake", "-s", "nope", "--trace", str(path)).status == 2
    assert not path.exists()


def test_debug_shows_where_an_error_comes_from(started):
    for extra, shown in (([], False), (["--debug"], True)):
        with started("solve", "2+2?", "-m", "nope", *extra) as child:
            out, err = child.communicate(timeout=30)
        assert out == b""
        assert (b"Traceback" in err) == shown
        assert b"model 'nope' does not exist" in err
