"""Chat: turns kept, settings changed, errors on one line; piped, and once on a real terminal."""

import contextlib
import json
import os
import pty
import select
import subprocess
import sys
import time

import pytest

from outthink.cli.chat import _offers
from outthink.models.fake_server import FakeServer
from outthink.models.script import Script


def chat(*typed, arguments=("--model", "fake"), **environment):
    """Runs a piped chat over these lines; gives exit status, answers and what was told."""
    done = subprocess.run(
        [sys.executable, "-m", "outthink", "chat", *arguments],
        input="".join(line + "\n" for line in typed),
        capture_output=True,
        text=True,
        timeout=50,
        env={**os.environ, **environment},
        check=False,
    )
    assert "Traceback" not in done.stderr
    return done.returncode, done.stdout.splitlines(), done.stderr.splitlines()


def test_each_question_is_answered_with_a_line_about_it_and_the_end_of_input_leaves():
    status, answers, told = chat("How many days are there in 7 weeks?", "", "What is 3 + 4?")
    assert status == 0
    assert len(answers) == 2
    assert [line.split()[0] for line in told] == ["votes", "votes"]


def test_errors_are_one_line_and_the_chat_goes_on():
    status, answers, told = chat(
        "/strategy slef-consistency", "/budget tokens=-1", "/answer prose", "/sve x", "/model nothing-like-it",
        "/budget tokens=3", "What is 3 + 4?", "/budget", "What is 3 + 4?",
    )  # fmt: skip
    assert status == 0
    assert len(answers) == 1
    errors = [line for line in told if line.startswith("outthink: ")]
    assert len(errors) == 6
    for line, word in zip(
        errors, ("self-consistency", "above 0", "prose", "/save", "nothing-like-it", "smallest"), strict=True
    ):
        assert word in line


def test_settings_change_what_follows_and_are_shown():
    _, answers, told = chat(
        "/strategy direct", "/answer number", "/budget calls=5,tokens=9000", "What is 3 + 4?", "/strategy"
    )
    assert told[:3] == [
        "direct · fake · no budget of its own",
        "direct · fake · no budget of its own · number",
        "direct · fake · budget tokens=9000,calls=5 · number",
    ]
    assert told[-1].startswith("default strategy")
    assert "in 1 call" in told[3]
    assert len(answers) == 1


def test_a_wrong_setting_at_the_start_is_the_commands_own_error():
    status, answers, told = chat("Hello?", arguments=("--model", "fake", "--strategy", "magic"))
    assert (status, answers, len(told)) == (2, [], 1)
    status, answers, told = chat("Hello?", arguments=("--model", "nothing-like-it"))
    assert (status, answers, len(told)) == (2, [], 1)


def test_a_conversation_is_saved_and_a_file_of_others_is_not_overwritten(tmp_path):
    other = tmp_path / "other.json"
    other.write_text("mine")
    file = tmp_path / "talk.json"
    _, _, told = chat(
        "What is 3 + 4?",
        f"/save {file}",
        "What is 5?",
        f"/save {file}",
        f"/save {other}",
        "/save",
        f"/save {tmp_path}/no/x",
    )
    data = json.loads(file.read_text())
    assert [message["role"] for message in data["messages"]] == ["user", "assistant"] * 2
    assert len(data["results"]) == 2
    assert other.read_text() == "mine"
    assert sum(line.startswith("outthink: ") for line in told) == 3


def test_a_line_with_two_slashes_is_a_question_and_quit_leaves_the_rest_unread():
    status, answers, _ = chat("//etc is what?", "/quit", "What is 3 + 4?")
    assert status == 0
    assert len(answers) == 1


@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_earlier_turns_go_with_each_question_until_new(anyio_backend):
    import anyio

    server = FakeServer(Script(replies=("Said so. The answer is 5.",)))
    async with server.serve():
        lines = ("What is one?", "What is two?", "/new", "What is three?")
        arguments = ("--model", f"f@{server.base_url}", "--strategy", "direct")
        await anyio.to_thread.run_sync(lambda: chat(*lines, arguments=arguments))
    asked = [[(m["role"], m["content"].split("\n")[0]) for m in body["messages"]] for body in server.bodies]
    assert asked == [
        [("user", "What is one?")],
        [("user", "What is one?"), ("assistant", "Said so. The answer is 5."), ("user", "What is two?")],
        [("user", "What is three?")],
    ]


def test_tab_offers_commands_and_their_values():
    assert _offers("/st") == ["/strategy "]
    assert "/strategy self-consistency" in _offers("/strategy se")
    assert _offers("/strategy self-consistency(n=4,wid") == ["/strategy self-consistency(n=4,width="]
    assert _offers("/answer nu") == ["/answer number"]
    assert _offers("/budget tokens=3,sec") == ["/budget tokens=3,seconds="]
    assert _offers("What ") == []
    assert _offers("/new x") == []


class Terminal:
    """A chat on a pseudo-terminal."""

    def __init__(self, *arguments):
        self.screen, self.at, (self.end, theirs) = "", 0, pty.openpty()
        command = [sys.executable, "-m", "outthink", "chat", *arguments]
        environment = {**os.environ, "TERM": "xterm", "COLUMNS": "100", "LINES": "30", "NO_COLOR": "1"}
        self.process = subprocess.Popen(
            command, stdin=theirs, stdout=theirs, stderr=theirs, env=environment, start_new_session=True,
            preexec_fn=self._own_terminal,
        )  # fmt: skip
        os.close(theirs)

    @staticmethod
    def _own_terminal():
        import fcntl
        import termios

        fcntl.ioctl(0, termios.TIOCSCTTY, 0)

    def type(self, text):
        os.write(self.end, text.encode())

    def until(self, text, seconds=20.0, again=""):
        """Read until this text is on the screen, after what was read before; what follows it is kept for later.

        ``again`` is typed until then: a key that comes before the line is being edited waits for the next one.
        """
        limit, due = time.monotonic() + seconds, 0.0
        while text not in self.screen[self.at :]:
            if again and time.monotonic() >= due:
                self.type(again)
                due = time.monotonic() + 1.0
            assert time.monotonic() < limit, f"{text!r} did not come: {self.screen[self.at :]}"
            if select.select([self.end], [], [], 0.2)[0]:
                self.screen += os.read(self.end, 65536).decode("utf-8", "replace")
        begin, self.at = self.at, self.screen.index(text, self.at) + len(text)
        return self.screen[begin : self.at]

    def close(self):
        """The exit status, minus 9 if it had to be killed."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(10)
        self.process.kill()
        os.close(self.end)
        return self.process.wait(10)


def test_on_a_terminal_ctrl_c_ends_only_the_answer_and_ctrl_d_leaves():
    terminal = Terminal("--model", "fake:latency=600", "--strategy", "direct", "--budget", "tokens=4000")
    try:
        assert "direct · fake:latency=600 · budget tokens=4000" in terminal.until("> ")
        terminal.type("What is 3 + 4?\n")
        terminal.until("1 thinking")
        terminal.type("\x03")
        terminal.until("interrupted")
        terminal.until("> ")
        terminal.type("half a line")
        terminal.until("half a line")
        terminal.until("> ", again="\x03")
        terminal.type("/model fake\n")
        terminal.until("direct · fake · ")
        terminal.until("> ")
        terminal.type("What is 3 + 4?\n")
        terminal.until("in 1 call")
        terminal.until("> ")
        terminal.type("\x04")
    finally:
        status = terminal.close()
    assert status == 0
    assert "Traceback" not in terminal.screen
