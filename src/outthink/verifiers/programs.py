"""Candidates as programs: what of each can be run, and which are equal."""

from __future__ import annotations

import ast
from dataclasses import dataclass

from outthink.answers import program_in
from outthink.answers.python import parse
from outthink.core.candidate import Candidate


@dataclass(frozen=True, slots=True)
class Program:
    """The program of a candidate. Equal ones have one ``key``; ``functions``: those it defines, the last first.

    ``fault``: why it cannot be run, else empty.
    """

    text: str = ""
    key: str = ""
    functions: tuple[str, ...] = ()
    fault: str = ""

    @classmethod
    def of(cls, candidate: Candidate) -> Program:
        text = program_in(candidate.text)
        if text is None or not text.strip():
            return cls(fault="there is no program in it")
        try:
            tree = parse(text)
            key = ast.unparse(tree)
        except SyntaxError as error:
            return cls(text, fault=f"SyntaxError: {error.msg} (line {error.lineno})")
        except (ValueError, RecursionError, MemoryError) as error:
            return cls(text, fault=f"it cannot be read: {error}")
        body = tree.body if isinstance(tree, ast.Module) else []
        defined = (node.name for node in reversed(body) if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)))
        return cls(text, key, tuple(defined))
