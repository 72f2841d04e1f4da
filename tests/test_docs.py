"""The documentation is true: every code block runs, and the made pages are fresh.

In Markdown, a comment before a block says what to do with it: ``<!-- not run: REASON -->`` leaves it out, and
``<!-- file: NAME -->`` writes it as a file (``config.toml`` into Outthink's home; a ``pyproject.toml`` installs its
entry points) for the blocks after it. ``python`` blocks run by themselves; of ``bash`` and ``console`` blocks the
commands that begin with ``outthink`` or ``python -m pytest`` run, with the fake as the model. Outputs that are shown
are not compared.
"""

import ast
import importlib
import os
import pkgutil
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import msgspec
import pytest

import outthink
from outthink.cli.helppages import pages
from outthink.models.config import Config

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
_BLOCK = re.compile(r"(?:<!-- (not run|file): ([^\n]*?) -->\n)?^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_COMMAND = re.compile(r"((\w+=(\"[^\"]*\"|\S+) )*|.*\| *)(outthink|python -m pytest) ")
_RUNNER = """
import ast, asyncio, inspect, sys
found = eval(compile(sys.stdin.read(), sys.argv[1], "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT), {"__name__": "__main__"})
if inspect.iscoroutine(found):
    asyncio.run(found)
"""


@dataclass
class Block:
    language: str
    text: str
    mark: str
    marked: str
    line: int


def blocks(path):
    text = path.read_text()
    for found in _BLOCK.finditer(text):
        mark, marked, language, code = found.groups()
        yield Block(language, code, mark or "", marked or "", text[: found.start()].count("\n") + 1)


def commands(block):
    """The commands of a shell block that are run: those of Outthink, whatever stands before or behind them."""
    joined = block.text.replace("\\\n", " ")
    lines = joined.splitlines()
    if block.language == "console":
        lines = [line[2:] for line in lines if line.startswith("$ ")]
    return [line for line in lines if _COMMAND.match(f"{line} ")]


class Desk:
    """A folder where a page's blocks run one after another, with packages of their own on the path."""

    def __init__(self, folder):
        self.folder, self.home = folder, folder / "home"
        self.home.mkdir()
        binaries = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        self.environment = {
            **os.environ, "PATH": binaries, "PYTHONPATH": str(folder), "OUTTHINK_HOME": str(self.home),
            "OUTTHINK_MODEL": "fake", "COLUMNS": "100", "_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1",
        }  # fmt: skip

    def write(self, name, text):
        if name == "config.toml":
            (self.home / name).write_text(text)
        elif name == "pyproject.toml":
            self._install(msgspec.toml.decode(text)["project"])
        else:
            (self.folder / name).write_text(text)

    def _install(self, project):
        place = self.folder / f"{project['name'].replace('-', '_')}-{project['version']}.dist-info"
        place.mkdir()
        (place / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n"
        )
        groups = (
            f"[{group}]\n" + "".join(f"{name} = {value}\n" for name, value in entries.items())
            for group, entries in project["entry-points"].items()
        )
        (place / "entry_points.txt").write_text("\n".join(groups))

    def shell(self, command):
        environment = self.environment
        if "pytest" in command:  # the tests choose their own model
            environment = {name: value for name, value in environment.items() if name != "OUTTHINK_MODEL"}
        return self._run(["bash", "-c", f"set -o pipefail; {command}"], None, environment, "pytest" in command)

    def python(self, code, where):
        return self._run([sys.executable, "-c", _RUNNER, where], code, self.environment, False)

    def _run(self, command, given, environment, at_root):
        return subprocess.run(
            command, input=given, stdin=None if given else subprocess.DEVNULL, capture_output=True, text=True,
            timeout=100, cwd=ROOT if at_root else self.folder, env=environment, check=False,
        )  # fmt: skip


@pytest.mark.timeout(300)
@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_every_code_block_runs(path, tmp_path):
    desk = Desk(tmp_path)
    for block in blocks(path):
        where = f"{path.name}, line {block.line}"
        done = []
        if block.mark == "not run":
            assert block.marked, f"{where}: say why it is not run"
        elif block.mark == "file":
            desk.write(block.marked, block.text)
        elif block.language == "python":
            done = [desk.python(block.text, where)]
        elif block.language in ("bash", "console", "sh"):
            done = [desk.shell(command) for command in commands(block)]
        for one in done:
            assert one.returncode == 0, f"{where}: {one.args[-1]}\n{one.stdout}\n{one.stderr}"


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_blocks_say_what_they_are_and_links_lead_somewhere(path):
    for block in blocks(path):
        assert block.language in ("python", "bash", "console", "toml", "yaml", "text", "json", ""), (
            f"{path.name}:{block.line}"
        )
    for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", path.read_text()):
        assert (path.parent / target).exists(), f"{path.name} leads to {target}, which is not there"


def test_the_help_page_is_fresh():
    fresh = (ROOT / "docs" / "help.md").read_text() == pages()
    assert fresh, "docs/help.md is stale; run: .venv/bin/python -m outthink.cli.helppages > docs/help.md"


def test_the_help_page_does_not_depend_on_the_terminal(monkeypatch):
    before = pages()
    monkeypatch.setenv("COLUMNS", "40")
    monkeypatch.setenv("TERM", "dumb")
    assert pages() == before


def docstring_blocks():
    """The indented blocks after ``::`` in docstrings of modules and of what they define."""
    for found in pkgutil.walk_packages(outthink.__path__, "outthink."):
        source = Path(importlib.util.find_spec(found.name).origin).read_text()
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
                text = ast.get_docstring(node) or ""
                for block in re.findall(r"::\n\n((?:(?: {4}.*)?\n)+)", text + "\n"):
                    yield pytest.param(found.name, re.sub(r"^ {4}", "", block, flags=re.MULTILINE), id=found.name)


@pytest.mark.parametrize(("module", "code"), list(docstring_blocks()))
def test_every_example_in_a_docstring_is_valid(module, code, tmp_path):
    try:
        ast.parse(code)
    except SyntaxError:
        msgspec.toml.decode(code, type=Config)
        return
    names = "from __future__ import annotations\nfrom dataclasses import dataclass\nfrom outthink import *\n"
    done = Desk(tmp_path).python(f"{names}from {module} import *\n{code}", module)
    assert done.returncode == 0, done.stderr


def test_there_are_examples_in_docstrings():
    assert len(list(docstring_blocks())) >= 3
