"""The command line as a process: signals, pipes, closed streams and terminals."""

import json
import os
import pty
import select
import signal
import subprocess
import sys

import pytest

from outthink.models.fake_server import FakeServer

QUESTION = "How many days are there in 7 weeks?"
SLOW = ["solve", QUESTION, "--model", "fake:latency=600"]


def wait_for(path, kind: str) -> list[dict]:
    """The events of a trace once it holds one of this kind."""
    for _ in range(4000):
        lines = path.read_text().splitlines() if path.exists() else []
        if any(f'"type":"{kind}"' in line for line in lines):
            return [json.loads(line) for line in lines]
        select.select([], [], [], 0.005)
    raise AssertionError(f"there came no {kind}")


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_ends_with_130_and_a_readable_trace(started, tmp_path, end):
    trace = tmp_path / "trace.jsonl"
    with started(*SLOW, "--trace", str(trace)) as child:
        wait_for(trace, "CallStarted")
        child.send_signal(end)
        out, err = child.communicate(timeout=20)
    assert (child.returncode, out, err) == (130, b"", b"outthink: interrupted\n")
    events = [json.loads(line) for line in trace.read_text().splitlines()]
    assert events[-1]["type"] == "RunEnded"
    assert events[-1]["stop_reason"] == "cancelled"
    assert events[-1]["usage"]["unsettled_calls"] == 1


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM])
def test_waiting_for_standard_input_can_be_interrupted(started, end):
    with started("solve", "-", "--model", "fake", stdin=subprocess.PIPE) as child:
        for _ in range(2000):  # until it waits for a line
            with open(f"/proc/{child.pid}/wchan") as state:
                if "pipe_read" in state.read() or child.poll() is not None:
                    break
            select.select([], [], [], 0.005)
        else:
            pytest.skip("this system does not tell what a process waits for")
        child.send_signal(end)
        _, err = child.communicate(timeout=20)
    assert child.returncode == 130
    assert b"Traceback" not in err


def test_standard_input_that_is_not_text_is_told(started):
    with started("solve", "-", "--model", "fake", stdin=subprocess.PIPE) as child:
        out, err = child.communicate(b"caf\xe9 2 + 2?", timeout=20)
    assert (child.returncode, out) == (2, b"")
    assert err.startswith(b"outthink: standard input is not UTF-8 text")
    assert err.count(b"\n") == 1


def test_a_reader_that_goes_away_ends_it_without_a_word(started):
    read, write = os.pipe()
    os.close(read)
    with (
        started("models", "list", stdout=write) as listing,
        started("solve", "2+2?", "-m", "fake", stdout=write) as run,
    ):
        os.close(write)
        for child in (listing, run):
            _, err = child.communicate(timeout=20)
            assert child.returncode == 1
            assert b"Traceback" not in err
            assert b"Exception" not in err


def test_a_full_disk_behind_standard_output_is_told(started):
    with open("/dev/full", "wb") as full, started("solve", "2+2?", "-m", "fake", "--json", stdout=full) as child:
        _, err = child.communicate(timeout=20)
    assert child.returncode == 2
    assert err == b"outthink: this machine refused ([Errno 28] No space left on device); add --debug to see where\n"


@pytest.mark.parametrize(
    ("closing", "question", "status", "out"),
    [
        ("2>&-", QUESTION, 0, b"32\n"),
        ("2>&-", "", 2, b""),  # the error must not turn up on standard output
        ("<&-", "-", 2, b""),
        (">&-", QUESTION, 0, b""),
    ],
)
def test_closed_streams_change_nothing_else(closing, question, status, out):
    command = f'exec "$0" -m outthink solve "$1" --model fake {closing}'
    done = subprocess.run(["sh", "-c", command, sys.executable, question], capture_output=True, timeout=30)
    assert (done.returncode, done.stdout) == (status, out)
    assert b"Traceback" not in done.stderr


def test_an_answer_that_the_terminal_cannot_show_is_escaped(started):
    environment = os.environ | {"PYTHONIOENCODING": "ascii", "OUTTHINK_MODEL": "naïve"}
    with started("solve", "2+2?", env=environment) as child:
        out, err = child.communicate(timeout=20)
    assert (child.returncode, out) == (2, b"")
    assert b"model 'na\\xefve' does not exist" in err


def on_a_terminal(started, *arguments: str) -> tuple[int, bytes, bytes]:
    """Run with standard error on a terminal; gives the status, standard output, and what the terminal got."""
    ours, theirs = pty.openpty()
    environment = os.environ | {"TERM": "xterm-256color", "COLUMNS": "100", "LINES": "30"}
    shown = bytearray()
    with started(*arguments, stderr=theirs, env=environment) as child:
        os.close(theirs)
        while True:
            try:
                block = os.read(ours, 65536)
            except OSError:  # the other end is closed
                break
            if not block:
                break
            shown += block
        out, _ = child.communicate(timeout=20)
    os.close(ours)
    return child.returncode, out, bytes(shown)


def test_the_live_view_shows_candidates_vote_and_tokens_and_leaves_the_answer_to_standard_output(started):
    arguments = ["--strategy", "self-consistency(n=8, width=2)", "--budget", "tokens=4000,seconds=60"]
    status, out, shown = on_a_terminal(
        started, "solve", QUESTION, "--model", "fake:token_latency=0.01,accuracy=1", *arguments
    )
    assert (status, out) == (0, b"32\n")
    text = shown.decode()
    assert "self-consistency(n=8, width=2) on fake" in text
    assert "thinking" in text
    assert "of 4,000 left" in text
    assert "█" in text
    assert "votes 32: " in text
    assert "Traceback" not in text


def test_an_error_in_a_live_view_leaves_the_terminal_as_it_was(started, serving):
    with serving(FakeServer(key="right")) as server:
        status, out, shown = on_a_terminal(started, "solve", QUESTION, "--model", f"m@{server.base_url}")
    assert (status, out) == (4, b"")
    assert b"answered 401" in shown
    assert shown.rfind(b"\x1b[?25h") > shown.rfind(b"\x1b[?25l")  # the cursor is back
