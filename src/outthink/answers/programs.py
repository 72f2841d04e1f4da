"""Source code as an answer, and the program in a text: one rule for votes, verifiers and graders.

Code is only told apart from other code (comments and layout aside): what it is worth, running it tells, not a vote.
"""

from __future__ import annotations

import ast
import re

from outthink.answers.fences import begun, blocks
from outthink.answers.python import LONGEST, parsed
from outthink.core.candidate import Answer

_PYTHON = frozenset(("", "python", "python3", "py"))
_DEFINES = re.compile(r"^(?:def|class|async def) ", re.MULTILINE)
_WHOLE = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Import, ast.ImportFrom)


def program_in(text: str, *, closed: bool = False) -> str | None:
    """The program in a text: the last fenced block of Python that defines something, else the last of Python, else
    the last; without a block, all of it where that is Python. ``closed``: the text was cut, so only blocks that were
    closed count. None where there is none.
    """
    found = blocks(text) if "```" in text or "~~~" in text else []
    if not closed and (last := begun(text)) is not None:
        found.append(last)
    python = [block for language, block in found if language.lower() in _PYTHON]
    defining = [block for block in python if _DEFINES.search(block)]
    block = next(reversed(defining or python or [block for _, block in found]), None)
    if block is not None or closed:
        return block
    tree = parsed(text.strip(), "exec")
    whole = isinstance(tree, ast.Module) and any(isinstance(node, _WHOLE) for node in tree.body)
    return text if whole else None


def find_code(text: str, closed: bool) -> Answer | None:
    """The code a text gives, as an answer."""
    program = program_in(text[-LONGEST:], closed=closed)
    return None if program is None else code_answer(program)


def code_answer(text: str) -> Answer | None:
    """Source as an answer: Python without comments and layout, other languages without trailing space."""
    source = "\n".join(line.rstrip() for line in text.strip("\n").split("\n")).rstrip()
    if not source.strip():
        return None
    tree = parsed(source, "exec")
    try:
        key = source if tree is None else ast.unparse(tree)
    except RecursionError:
        key = source
    return Answer(source, "code", key or source)
