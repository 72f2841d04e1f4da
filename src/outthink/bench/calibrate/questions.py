"""Pools as what a policy is fitted on: each sample's answer, tokens, log probabilities, and whether it is right."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Literal, get_args

import anyio

from outthink.answers import program_in
from outthink.answers.equations import CHECKABLE
from outthink.batch.spread import spread
from outthink.bench.deck import Deck
from outthink.bench.grading import BY_ANSWER, Grader
from outthink.bench.pools import GRADING, Pool, differs, read
from outthink.bench.replay import ReplayRun
from outthink.bench.rows import NONE, Row
from outthink.core.candidate import WHOLE, Candidate, LogprobSummary
from outthink.core.errors import InputError
from outthink.core.mark import Mark
from outthink.core.protocols import Run
from outthink.models.pool import PoolRow
from outthink.strategies.results import with_kind
from outthink.strategies.tally import refuted
from outthink.verifiers.suite import suite_of

Labels = Literal["gold", "majority"]
LABELS: tuple[Labels, ...] = get_args(Labels)
LEAST, SAMPLES = 20, 4
"""Questions to fit on, and samples of each, without which nothing is fitted."""


@dataclass(frozen=True, slots=True)
class Sample:
    """``key``: of its answer, None where it does not vote. ``passed``: the tests that its question shows, if any."""

    key: str | None
    tokens: int
    right: bool
    whole: bool
    logprobs: LogprobSummary | None
    passed: bool | None = None


@dataclass(frozen=True, slots=True)
class Question:
    """``gold``: the key of the right answer, None where no sample gave it. ``prompt``: its tokens, 0 for not known."""

    id: str
    cluster: str
    samples: tuple[Sample, ...]
    gold: str | None
    prompt: int = 0


@dataclass(frozen=True, slots=True)
class Recording:
    """All questions, and what they were recorded with, as text."""

    questions: tuple[Question, ...]
    fingerprint: Mark

    @property
    def verified(self) -> bool:
        """Whether samples are programs that can be held against tests shown."""
        return all(sample.passed is not None for question in self.questions for sample in question.samples)

    @property
    def least(self) -> int:
        """Samples that every question has."""
        return min(len(question.samples) for question in self.questions)


async def recording(sources: Sequence[str], labels: Labels = "gold", *, unsafe: bool = False) -> Recording:
    """The pools, graded. Programs run in the sandbox, against the tests that their question shows and all they have.

    Raises `InputError` for pools that were not recorded alike, ids that come twice, and rows without gold.
    """
    pools = [read(source, "fit them apart", graded=False) for source in sources]
    rows = _together(sources, pools)
    found: list[Question] = []
    async with Grader(unsafe=unsafe) as grader:

        async def work(item: tuple[PoolRow, Row]) -> Question:
            await anyio.lowlevel.checkpoint()
            return await _question(*item, labels, grader)

        items = _each(rows)
        async with aclosing(items):
            await spread(items, work, found.append, concurrency=GRADING, ordered=True)
    return Recording(tuple(found), _origin([row for row, _ in rows]))


def _together(sources: Sequence[str], pools: Sequence[Pool]) -> list[tuple[PoolRow, Row]]:
    """The rows of all pools, of which any two must go together."""
    rows: list[tuple[PoolRow, Row]] = []
    owner: dict[str, str] = {}
    for source, pool in zip(sources, pools, strict=True):
        other = differs(pools[0].rows[0], pool.rows[0], pools[0].data[0], pool.data[0])
        if other:
            raise InputError(f"the pool {source} {other} the pool {sources[0]}; fit them apart")
        for row, data in zip(pool.rows, pool.data, strict=True):
            if row.id in owner:
                raise InputError(
                    f"{source}: the question {row.id!r} is in {owner[row.id]} too; leave one of them out, or give it "
                    "an id of its own"
                )
            owner[row.id] = source
            rows.append((row, data))
    return rows


async def _each(rows: Sequence[tuple[PoolRow, Row]]) -> AsyncGenerator[tuple[PoolRow, Row]]:
    for row in rows:
        yield row


async def _question(row: PoolRow, data: Row, labels: Labels, grader: Grader) -> Question:
    deck = Deck(row)
    said = [deck.candidate(place, place, data.problem, None, True) for place in range(len(row.samples))]
    passed: Sequence[bool | None] = [None] * len(said)
    if data.grader == "tests":
        if labels == "majority":
            raise InputError(f"{row.id!r} asks for a program, and programs have no majority; use --labels gold")
        grades, passed = await _tested(data, said, grader)
    else:
        grades = _agreeing(said) if labels == "majority" else await _grades(data, said, grader)
    keys = await _voting(data, said, ReplayRun(deck))
    samples = tuple(_sample(*parts) for parts in zip(said, keys, grades, passed, strict=True))
    rights = Counter(sample.key for sample in samples if sample.right and sample.key is not None)
    gold = rights.most_common(1)[0][0] if rights else None
    return Question(row.id, data.cluster, samples, gold, row.prompt_tokens)


async def _voting(data: Row, said: Sequence[Candidate], run: Run) -> list[str | None]:
    """The key that each votes for: as in ``auto``, what states something false has none while another has one."""
    keys = [None if one.answer is None else one.answer.key for one in said]
    if with_kind(data.problem).answer_kind not in CHECKABLE:
        return keys
    doubts = map(refuted, await run.score(data.problem, said, "symbolic"))
    sound = [None if doubted else key for key, doubted in zip(keys, doubts, strict=True)]
    return sound if any(sound) else keys


def _sample(said: Candidate, key: str | None, right: bool, passed: bool | None) -> Sample:
    return Sample(key, said.tokens, right, said.finish in WHOLE, said.logprobs, passed)


def _agreeing(said: Sequence[Candidate]) -> list[bool]:
    """Whether each says what most say; of equals, what was said first."""
    votes = Counter(one.answer.key for one in said if one.answer is not None)
    leader = max(votes, key=lambda key: votes[key], default=None)
    return [one.answer is not None and one.answer.key == leader for one in said]


async def _grades(data: Row, said: Sequence[Candidate], grader: Grader) -> list[bool]:
    """Whether each is right; equal answers are graded once."""
    if data.grader == NONE:
        raise InputError(f"{data.id!r} has no gold answer; fit with --labels majority, or give the data answers")
    known: dict[str, bool] = {}
    found: list[bool] = []
    for one in said:
        key = one.answer.key if one.answer is not None and data.grader in BY_ANSWER else one.text
        if key not in known:
            known[key] = await grader.graded(data, one.text, one.answer) >= 0.5
        found.append(known[key])
    return found


async def _tested(data: Row, said: Sequence[Candidate], grader: Grader) -> tuple[list[bool], list[bool]]:
    """Whether each program passes all tests, and whether it passes those that its question shows. Equal ones run once,
    and not against all where a shown one that is among them fails."""
    shown = suite_of(data.problem)
    if not shown.tests:
        raise InputError(f"{data.id!r} shows no test to hold programs against; leave out rows that show none")
    among = set(data.tests).issuperset(shown.tests)
    known: dict[str | None, tuple[bool, bool]] = {None: (False, False)}
    for program in dict.fromkeys(program_in(one.text) for one in said):
        if program is not None:
            passed = (await grader.check(program, shown.tests, shown.setup)).passed
            known[program] = (passed or not among) and (await grader.check(program, data.tests)).passed, passed
    found = [known[program_in(one.text)] for one in said]
    return [right for right, _ in found], [passed for _, passed in found]


def _origin(rows: Sequence[PoolRow]) -> Mark:
    """Model, prompt and temperature, where all rows share them."""
    found, alike = rows[0].fingerprint, {row.fingerprint.prompt for row in rows}
    return Mark(model=found.model, prompt=found.prompt if len(alike) == 1 else None, temperature=found.temperature)


def checked_size(questions: int, samples: int, limit: int | None, hold_out: float) -> int:
    """How many samples of each question count. Raises `InputError` for too few, or a limit there is no way to meet."""
    needed = _needed(hold_out)
    if questions < needed or samples < SAMPLES:
        kept = f" where {hold_out:g} of them are held out" if hold_out else ""
        raise InputError(
            f"{questions} questions with {samples} samples each are too few to fit a policy: at least {needed} "
            f"questions are needed{kept}, and {SAMPLES} samples of each (200 with 16 are better); record more with "
            "outthink sample"
        )
    if limit is None:
        return min(64, samples)
    if not SAMPLES <= limit <= samples:
        raise InputError(
            f"--limit takes {SAMPLES} to {samples}, which is what every question has, not {limit}; lower it, or record "
            "more with outthink sample"
        )
    return limit


def _needed(hold_out: float) -> int:
    """Questions of which a part is held out so that enough remain on both sides."""
    if not hold_out:
        return LEAST
    return max(math.ceil(round(LEAST / share, 6)) for share in (1 - hold_out, 2 * hold_out))
