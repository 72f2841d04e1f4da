"""What is wrong with a candidate, in words, and a candidate that has been told.

Feedback in order of worth: failing tests, false arithmetic, a verifier's critique, other answers that samples came to,
and last the model's own second look, which without anything from outside is known not to help reasoning (Huang et al.,
2023, arXiv:2310.01798).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from outthink.answers import resolved
from outthink.core.candidate import Candidate, Score, StopReason
from outthink.core.errors import BudgetExhausted
from outthink.core.problem import Problem, SamplingParams
from outthink.core.protocols import Run, Verifier
from outthink.strategies.cot import CHAIN_TOKENS
from outthink.strategies.rescue import rescued
from outthink.strategies.results import agree

REVISIONS = 1_000
"""Sample indexes of revisions begin here, apart from those of samples."""
_LONGEST = 600
"""Characters of a critique that are shown."""
_SECOND_LOOK = "Look at each step once more. If a step is wrong, correct it from there on; else keep the answer."
_ENDINGS = {"code": "Reply with the whole corrected code, in one block."}
_ENDING = "Write the whole corrected solution in the same form, with its answer at the end."


@dataclass(frozen=True, slots=True)
class Finding:
    """What a look at a candidate came to. ``worth``: None where nothing measures it. ``words``: empty where no fault
    was found. ``passed``: a verifier that can tell says that it is right."""

    worth: float | None = None
    words: str = ""
    passed: bool = False


async def examined(
    problem: Problem, candidate: Candidate, run: Run, verifier: Verifier | None, others: Sequence[str] = ()
) -> Finding:
    """The first fault that is found, by the order of worth; ``others``: answers that other samples came to."""
    checks = _checks(problem, verifier)
    scores = [await _scored(problem, candidate, run, check) for check in checks]
    worth = next((score.worth for score in scores if score.worth is not None), None)
    words = next((score.critique for score in scores if score.critique), "")
    if not words and checks and checks[0] == "tests" and scores[0].passed:
        return Finding(worth, passed=True)
    if not words and len(others) > 1:
        words = f"Other attempts came to {', '.join(others[:4])}. Find out which is right."
    return Finding(worth, words)


def _checks(problem: Problem, verifier: Verifier | None) -> list[Verifier | str]:
    checks: list[Verifier | str] = ["tests"] if problem.tests or problem.answer_kind == "code" else []
    if verifier is not None:
        checks.append(verifier)
    return [*checks, "symbolic"] if problem.answer_kind not in ("code", "json", "tool_call") else checks


async def _scored(problem: Problem, candidate: Candidate, run: Run, verifier: Verifier | str) -> Score:
    (score,) = await run.score(problem, [candidate], verifier)
    return score


async def revised(
    asked: Problem, candidate: Candidate, words: str, run: Run, *, temperature: float, index: int
) -> Candidate:
    """The candidate once more, by a model that was told what is wrong with it. ``asked``: as it was prompted."""
    ending = _ENDINGS.get(asked.answer_kind, _ENDING)
    told = f"{words[:_LONGEST] or _SECOND_LOOK}\n{ending}"
    messages = (*asked.messages, _plain(candidate), {"role": "user", "content": told})
    again = msgspec.structs.replace(asked, messages=messages)
    params = SamplingParams(temperature=temperature, max_tokens=CHAIN_TOKENS, logprobs=True)
    found = await run.sample(again, params, index=index, parent=candidate)
    return await resolved(await rescued(again, found, run))


def _plain(candidate: Candidate) -> dict[str, str]:
    return {"role": "assistant", "content": candidate.text}


async def improved(
    problem: Problem,
    asked: Problem,
    candidate: Candidate,
    run: Run,
    *,
    rounds: int,
    verifier: Verifier | None = None,
    temperature: float = 0.7,
    others: Sequence[str] = (),
    index: int = 0,
) -> tuple[Candidate, Finding, StopReason]:
    """The best version after at most so many rounds, what was found of it, and why it stopped.

    A version that passes is never replaced, a worse one is backed out of (the next round starts from the best), and
    a round that changes nothing ends it. Revisions have the sample indexes from ``index`` on.
    """
    best, found = candidate, await examined(problem, candidate, run, verifier, others)
    for place in range(rounds):
        if found.passed:
            return best, found, "verified"
        if found.worth is not None and not found.words:  # all that can be checked holds
            return best, found, "diminishing"
        try:
            version = await revised(asked, best, found.words, run, temperature=temperature, index=index + place)
        except BudgetExhausted:
            return best, found, run.ended_by or "budget"
        if version.text.strip() == best.text.strip():
            return best, found, "diminishing"
        look = await examined(problem, version, run, verifier, others)
        if _better(version, look, best, found):
            unchanged = not look.passed and not look.words and agree(version, best)
            best, found = version, look
            if unchanged:
                return best, found, "settled"
    return best, found, "verified" if found.passed else run.ended_by or "exhausted"


def _better(version: Candidate, look: Finding, best: Candidate, found: Finding) -> bool:
    """Whether a new version replaces the best: never one without an answer, or of less worth."""
    if version.answer is None and best.answer is not None:
        return False
    if found.worth is not None:
        return look.worth is not None and look.worth >= found.worth
    return True
