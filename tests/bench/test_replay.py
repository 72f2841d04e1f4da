"""Replay: what a run over a pool comes to is what the engine makes of ``pool:FILE``, to the token."""

import random

import msgspec
import pytest

from outthink import Engine, Problem, plugins
from outthink.bench.deck import Deck
from outthink.bench.replay import ReplayRun
from outthink.core.candidate import Score
from outthink.core.errors import BudgetExhausted, BudgetTooSmall, InputError, Unsupported
from outthink.core.problem import SamplingParams
from outthink.core.usage import Budget
from outthink.engine.context import Shared
from outthink.engine.ledger import Ledger
from outthink.models.pool import Fingerprint, PoolRow, PoolSample, open_pool

pytestmark = pytest.mark.anyio
QUESTION = "How many legs have 7 cats and 3 birds?"
PROBLEM = Problem(messages=({"role": "user", "content": QUESTION},), answer_kind="number")
NEW_TEXT = ("refine", "revise-chains", "cascade", "route", "universal-self-consistency", "program")  # ask anew
BUILT_IN = [
    info.name
    for info in plugins.describe()
    if info.name not in NEW_TEXT and not any(one.required for one in info.parameters)
]
STRATEGIES = [
    *(name for name in BUILT_IN if name != "auto"),  # which may ask for more samples than there are
    "auto(effort=low)",
    "auto(effort=low, accuracy=0.9)",
    "auto(effort=low, verifier=symbolic)",
    "self-consistency(n=16)",
    "self-consistency(n=12, width=3)",
    "best-of-n(n=16)",
    "best-of-n(n=8, verifier=symbolic)",
    "best-of-n(n=5, verifier=confidence(kind=tail), aggregate=max)",
]


def pool_row(seed=0, **more):
    draw = random.Random(seed)
    samples = []
    for k in range(16):
        said = draw.choice(["34", "34", "31", "40"])
        words = f"7 * 4 = {draw.choice([28, 27])}. Then 28 + 6 = 34.\nThe answer is {said}."
        finish = "stop"
        if k % 5 == 2:  # cut before it says anything
            words, finish = "7 * 4 = 28. And then", "length"
        if k % 7 == 3:
            words = f"<think>Legs, legs.</think>{words}"
        mean = -draw.random()
        samples.append(
            PoolSample(
                text=words, tokens=draw.randrange(20, 60), finish=finish, logprob_mean=mean, logprob_low=2 * mean
            )
        )
    mark = Fingerprint(model="tiny", parameters=5e8)
    return PoolRow(
        id="q", question=QUESTION, samples=tuple(samples), answer="34", kind="number", prompt_tokens=50,
        fingerprint=mark, **more,
    )  # fmt: skip


def write(path, *rows):
    path.write_bytes(b"".join(msgspec.json.encode(row) + b"\n" for row in rows))
    return path


async def replayed(strategy, row, seed, budget="", problem=PROBLEM, **deck):
    run = ReplayRun(Deck(row, **deck), seed, Budget.parse(budget) if budget else Budget())
    return run.completed(await plugins.strategy(strategy).solve(problem, run))


async def by_the_engine(strategy, path, seed, budget="", problem=PROBLEM, options=""):
    async with Engine(await open_pool(f"pool:{path}{options}")) as engine:
        return await engine.solve(problem, strategy=strategy, seed=seed, budget=budget or None)


def told(result):
    """A result without what differs by nature: names of the run, and time."""

    def still(usage):
        return msgspec.structs.replace(usage, seconds=0.0)

    return msgspec.structs.replace(
        result,
        run_id="",
        strategy="",
        usage=still(result.usage),
        billed=still(result.billed),
        by_role={role: still(usage) for role, usage in result.by_role.items() if usage.calls},
    )


@pytest.mark.parametrize("strategy", STRATEGIES)
async def test_replay_comes_to_what_the_engine_comes_to(strategy, tmp_path):
    row = pool_row()
    path = write(tmp_path / "p.jsonl", row)
    for seed in (0, 1, 2, 17):
        assert told(await replayed(strategy, row, seed)) == told(await by_the_engine(strategy, path, seed))


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize(
    "budget", ["tokens=130", "tokens=300", "tokens=900", "completion_tokens=100", "calls=1", "tokens=600,calls=2"]
)
async def test_budgets_hold_as_they_do_in_the_engine(strategy, budget, tmp_path):
    row = pool_row(1)
    path = write(tmp_path / "p.jsonl", row)
    for seed in (0, 3):
        try:
            wanted = told(await by_the_engine(strategy, path, seed, budget))
        except (BudgetExhausted, BudgetTooSmall) as error:
            with pytest.raises(type(error), match="budget"):
                await replayed(strategy, row, seed, budget)
            continue
        found = told(await replayed(strategy, row, seed, budget))
        assert found == wanted
        assert Budget.parse(budget).tokens is None or found.usage.tokens <= Budget.parse(budget).tokens


async def test_prompts_billed_with_each_request_are_the_engines_too(tmp_path):
    path = write(tmp_path / "p.jsonl", row := pool_row())
    strategy = "best-of-n(n=12, width=5)"
    one = await replayed(strategy, row, 4, each_prompt=True)
    assert told(one) == told(await by_the_engine(strategy, path, 4, options="?prompts=each"))
    assert one.usage.prompt_tokens == 50 * one.usage.calls == 150


async def test_a_child_run_spends_from_both_budgets_and_ends_by_its_own():
    run = ReplayRun(Deck(pool_row()), 0, Budget(tokens=1000))
    async with run.child(Budget(tokens=140)) as child:
        async with child.fan_out(PROBLEM, SamplingParams(max_tokens=40), 16, width=1) as samples:
            few = [one async for one in samples]
        assert child.ended_by == "budget"
        assert 0 < len(few) < 16
    assert run.ended_by is None
    assert run.usage.tokens == 50 + sum(one.tokens for one in few) <= 140
    assert run.tokens_left() == 1000 - run.usage.tokens


async def test_a_wave_that_nobody_pulls_is_not_paid_for():
    run = ReplayRun(Deck(pool_row()))
    async with run.fan_out(PROBLEM, SamplingParams(), 16, width=4) as samples:
        for _ in range(5):
            await anext(samples)
    assert (run.samples, run.usage.calls) == (8, 2)


@pytest.mark.parametrize("strategy", ["self-consistency(n=16)", "best-of-n(n=16)", "think"])
def test_nothing_waits_so_that_a_strategy_needs_no_event_loop(strategy):
    run = ReplayRun(Deck(pool_row()), 5)
    with pytest.raises(StopIteration) as ended:
        plugins.strategy(strategy).solve(PROBLEM, run).send(None)
    assert ended.value.value.text


async def test_more_samples_than_there_are_are_an_error():
    with pytest.raises(InputError, match="holds 16 samples of 'q', and sample 24"):
        await replayed("best-of-n(n=24)", pool_row(), 0)


@pytest.mark.parametrize(
    ("mark", "strategy", "said"),
    [
        (Fingerprint(prompt="00"), "self-consistency(n=4)", "prompt 00, not"),
        (Fingerprint(temperature=0.7), "cot", "temperature 0.7, not 0"),
    ],
)
async def test_what_was_recorded_otherwise_is_refused_unless_it_is_not_checked(mark, strategy, said):
    row = msgspec.structs.replace(pool_row(), fingerprint=mark)
    with pytest.raises(Unsupported, match=said):
        await replayed(strategy, row, 0)
    assert (await replayed(strategy, row, 0, checked=False)).text


async def test_what_was_never_asked_cannot_be_answered():
    run = ReplayRun(Deck(pool_row()))
    with pytest.raises(Unsupported, match="run the strategy live"):
        await run.sample(Problem.of("Is this right?"))


async def test_a_revision_is_refused():
    with pytest.raises(Unsupported, match="run the strategy live"):
        await replayed("refine", pool_row(), 0)


class Counting:
    """A verifier that looks at each candidate alone, and counts how many."""

    alone = True

    def __init__(self):
        self.looked = 0

    async def score(self, problem, candidates, run):
        self.looked += len(candidates)
        return await plugins.verifier("confidence").score(problem, candidates, run)


async def test_a_verifier_that_looks_at_each_alone_is_asked_once_a_sample():
    deck, verifier = Deck(pool_row()), Counting()
    for seed in range(20):
        best = type(plugins.strategy("best-of-n"))(n=6, verifier=verifier)
        await best.solve(PROBLEM, ReplayRun(deck, seed))
    assert verifier.looked == 16


async def test_scores_for_one_problem_are_not_those_for_another():
    class Kind(Counting):
        async def score(self, problem, candidates, run):
            return [Score(verifier="kind", raw=float(problem.answer_kind == "number")) for _ in candidates]

    deck, verifier = Deck(pool_row()), Kind()
    for problem, worth in ((PROBLEM, 1.0), (msgspec.structs.replace(PROBLEM, answer_kind="span"), 0.0), (PROBLEM, 1.0)):
        run = ReplayRun(deck)
        scores = await run.score(problem, [await run.sample(PROBLEM)], verifier)
        assert [one.worth for one in scores] == [worth]


async def test_a_program_is_run_once_for_all_runs():
    ran = []

    async def check(code, tests, setup):
        ran.append(code)
        return code

    deck = Deck(pool_row(), check=check)
    for seed in range(3):
        assert await ReplayRun(deck, seed).check("x = 1", ["assert x"]) == "x = 1"
    assert ran == ["x = 1"]
    with pytest.raises(InputError, match="no sandbox"):
        await ReplayRun(Deck(pool_row())).check("x = 1", ["assert x"])


async def test_a_seat_decides_for_a_replayed_run_and_its_children_and_its_books_are_charged():
    class Seat:
        async def worth_it(self, gain, tokens):
            return gain > 0.1

    job = Ledger(Budget(tokens=1000))
    alone, run = ReplayRun(Deck(pool_row())), ReplayRun(Deck(pool_row()), within=Shared(job, seat=Seat()))
    async with alone.child() as one, run.child() as other:
        assert [await asked.worth_it(0.1, 5) for asked in (alone, one, run, other)] == [True, True, False, False]
        assert await other.worth_it(0.2, 5)
        await other.sample(PROBLEM)
    assert job.charged.prompt_tokens + job.charged.completion_tokens == run.usage.tokens > 0
