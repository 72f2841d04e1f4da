"""The process behind `outthink.answers.solver`: a line of JSON in, the value as plain text or null out.

Only LaTeX is parsed (math-verify's other parser evaluates Python).
"""

from __future__ import annotations

import json
import re
import signal
import sys
from typing import Any

from math_verify import LatexExtractionConfig, parse  # pyright: ignore[reportMissingTypeStubs]
from sympy import Derivative, Expr, Integral, Limit, Product, Sum, sstr

from outthink.answers.grammar import FUNCTIONS

IDLE, MEMORY = 300.0, 2 << 30
"""Seconds without work after which the process ends; bytes of memory it may take."""
_OURS = {"E": "e", "I": "i", "log": "ln", "Abs": "abs"}
"""Names of sympy as `outthink.answers.grammar` has them."""
_KNOWN = FUNCTIONS | {"pi"}


def serve() -> None:
    """Answer until the input ends."""
    _limit_memory()
    print(json.dumps("ready"), flush=True)
    _alarm(IDLE)
    for line in sys.stdin:
        asked = json.loads(line)
        _alarm(asked["limit"] + 0.5)
        print(json.dumps(_value(asked["text"])), flush=True)
        _alarm(IDLE)


def _value(text: str) -> str | None:
    """The value of a LaTeX formula in plain text, None where sympy finds none."""
    try:
        found = parse(f"${text}$", [LatexExtractionConfig()], fallback_mode="no_fallback", parsing_timeout=None)  # pyright: ignore
        value = _two_sided(found[0]).doit() if found and isinstance(found[0], Expr) else None  # pyright: ignore
        if value is None or value.has(Integral, Sum, Product, Limit, Derivative):  # pyright: ignore
            return None
        written = re.sub(r"\b(?:E|I|log|Abs)\b", lambda match: _OURS[match[0]], str(sstr(value)))  # pyright: ignore
        return written if _KNOWN.issuperset(re.findall(r"[A-Za-z]{2,}", written)) else None
    except (ArithmeticError, AttributeError, LookupError, MemoryError, NotImplementedError, RecursionError):
        return None
    except (TypeError, ValueError, RuntimeError):  # sympy raises any of these on what it cannot do
        return None


def _two_sided(formula: Any) -> Any:
    """Limits from both sides, as LaTeX means them: sympy's parser writes the one from above."""
    return formula.replace(Limit, lambda term, x, to, _: Limit(term, x, to, "+-"))  # pyright: ignore


def _alarm(seconds: float) -> None:
    """End this process after so long, whatever it is doing, unless set again (POSIX)."""
    if hasattr(signal, "setitimer"):
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.setitimer(signal.ITIMER_REAL, seconds)


def _limit_memory() -> None:
    try:
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    except (ImportError, ValueError, OSError):
        return
