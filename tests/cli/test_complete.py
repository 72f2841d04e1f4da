"""Completion as a shell asks for it: commands, options and values, whichever command is loaded."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from outthink.models.paths import config_file

COMMAND = Path(sys.executable).with_name("outthink")


def offered(line):
    """What bash is offered for the last word of a line."""
    words = line.split(" ")
    environment = {"_OUTTHINK_COMPLETE": "complete_bash", "COMP_WORDS": line, "COMP_CWORD": str(len(words) - 1)}
    done = subprocess.run(
        [COMMAND], capture_output=True, text=True, timeout=30, env={**os.environ, **environment}, check=False
    )
    assert done.stderr == ""
    return done.stdout.split()


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("outthink ", {"solve", "chat", "doctor", "models", "strategies"}),
        ("outthink so", {"solve"}),
        ("outthink solve --st", {"--strategy"}),
        ("outthink chat --mo", {"--model"}),
        ("outthink models ", {"list", "pull", "path", "rm"}),
        ("outthink solve --strategy ", {"direct", "cot", "self-consistency", "best-of-n", "think"}),
        ("outthink solve --strategy self-consistency(n", {"self-consistency(n="}),
        ("outthink chat -s bes", {"best-of-n"}),
        ("outthink solve -m qwen", {"qwen2.5-coder-0.5b", "qwen2.5-coder-1.5b"}),
        ("outthink doctor --model fa", {"fake", "far"}),
        ("outthink solve --answer ", {"number", "choice", "text", "auto"}),
        ("outthink solve --budget tokens=40,se", {"tokens=40,seconds="}),
    ],
)
def test_a_shell_is_offered(line, words):
    config_file().write_text('[models.far]\nendpoint = "http://h/v1"')
    found = set(offered(line))
    assert words <= found
    typed = line.split(" ")[-1]
    assert all(word.startswith(typed) for word in found)


def test_a_faulty_configuration_does_not_break_it():
    config_file().write_text("rubbish")
    assert "fake" in offered("outthink solve -m fa")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_for_a_shell_is_shown(shell):
    done = subprocess.run(
        [COMMAND, "--show-completion", shell], capture_output=True, text=True, timeout=30, check=False,
        env={**os.environ, "_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1"},
    )  # fmt: skip
    assert done.returncode == 0
    assert "_OUTTHINK_COMPLETE" in done.stdout
