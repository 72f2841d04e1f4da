"""Tests that a model writes for a problem: asked for without showing it a candidate, read for what can be used."""

from __future__ import annotations

import ast
import re

from outthink.answers.python import parsed
from outthink.core.problem import Message, Problem, SamplingParams, text_of
from outthink.core.protocols import Run
from outthink.verifiers.suite import readable

FIRST = 1 << 20
"""The index of the first list of tests among a run's samples, out of the candidates' way."""
_EACH, _MOST = 8, 40
"""Tests that are taken of one list, and of all."""
_PARAMS = SamplingParams(temperature=0.8, max_tokens=256)
_WANTED = (
    "Do not write the function. Write six different tests of `{name}`, each one line: assert {name}(...) == ... "
    "Reply with only the tests, in one Python block."
)
_SHOWN: tuple[Message, ...] = (
    {
        "role": "user",
        "content": "Write a function to count the vowels in a text.\n" + _WANTED.format(name="vowels"),
    },
    {
        "role": "assistant",
        "content": "```python\nassert vowels('tree') == 2\nassert vowels('') == 0\nassert vowels('AEIou') == 5\n"
        "assert vowels('rhythm') == 0\nassert vowels('a b a') == 2\nassert vowels('queue') == 4\n```",
    },
)


async def written_tests(problem: Problem, name: str, lists: int, run: Run, setup: str = "") -> list[str]:
    """Different tests of a function that so many samples hold. Raises as `Run.fan_out`."""
    question = f"{text_of(problem.messages[-1])}\n{_WANTED.format(name=name)}"
    asked = Problem(messages=(*_SHOWN, {"role": "user", "content": question}), id=problem.id, answer_kind="text")
    found: dict[str, None] = {}
    async with run.fan_out(asked, _PARAMS, lists, first=FIRST) as samples:
        texts = sorted([(sample.index, sample.text) async for sample in samples])
    for _, text in texts:
        found.update(dict.fromkeys(assertions_in(text, name, setup)))
    return list(found)[:_MOST]


def assertions_in(text: str, name: str, setup: str) -> list[str]:
    """The one-line assertions about a function in a text, those that cannot be run left out."""
    found: list[str] = []
    for line in re.findall(r"^[ \t]*(assert\b[^\n]+)", text, re.MULTILINE):
        tree = parsed(line, "exec")
        statement = tree.body[0] if isinstance(tree, ast.Module) and len(tree.body) == 1 else None
        if isinstance(statement, ast.Assert) and name in {n.id for n in ast.walk(tree) if isinstance(n, ast.Name)}:  # pyright: ignore
            plain = ast.unparse(ast.Assert(statement.test))
            if readable(plain, setup) and plain not in found:
                found.append(plain)
    return found[:_EACH]
