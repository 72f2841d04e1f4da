"""Internal thinking as it is written: between ``<think>`` and ``</think>``, before the answer and never part of it."""

from __future__ import annotations

import msgspec

from outthink.answers import extract
from outthink.core.candidate import WHOLE, Candidate
from outthink.core.problem import Problem

OPEN, CLOSE = "<think>\n", "\n</think>\n\n"


def said_by(candidate: Candidate) -> str:
    """All that a candidate said, its thinking included, as a beginning to go on from."""
    if not candidate.reasoning or candidate.text.startswith("<think>"):
        return candidate.text
    return OPEN + candidate.reasoning.strip() + CLOSE + candidate.text


def shown(candidate: Candidate, problem: Problem) -> Candidate:
    """The candidate without its thinking (kept as ``reasoning``), its answer read from what is left."""
    thought, closed, text = candidate.text.rpartition("</think>")
    if not closed:
        return candidate
    text = text.strip()
    return msgspec.structs.replace(
        candidate,
        text=text,
        reasoning=thought.removeprefix("<think>").strip(),
        message={**candidate.message, "content": text},
        answer=extract(text, problem.answer_kind, problem.choices, marked=candidate.finish not in WHOLE),
    )
