"""Programs that runs have run: one sandbox an engine, opened at need; roles, events, limits and books."""

import anyio
import pytest

from outthink import Engine, Problem
from outthink.core.errors import BudgetExhausted, InputError, SandboxError
from outthink.core.events import Executed, LimitReached
from outthink.core.execution import Limits
from outthink.core.usage import Budget
from outthink.engine.context import Limits as RunLimits
from outthink.engine.context import Line, RunContext
from outthink.engine.ledger import Ledger
from outthink.engine.log import EventLog
from outthink.engine.run import EngineRun
from outthink.models.fake import FakeModel
from outthink.models.script import Script
from outthink.sandbox import capabilities, room, warm
from outthink.strategies.results import single

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.real_time,
    pytest.mark.skipif(not any(c.offered for c in capabilities()[1:]), reason="no fences on this machine"),
]
FENCED = ("landlock", "namespaces")


class Doing:
    """A strategy that does one thing with its run before it samples."""

    def __init__(self, work):
        self.work = work

    async def solve(self, problem, run):
        self.found = await self.work(run)
        return single(await run.sample(problem), run)


async def do(work, engine=None, **options):
    """What the work gave, the result, and the programs that were run."""
    doing, logs = Doing(work), []
    async with engine or Engine(FakeModel(Script()), program_limits=Limits(seconds=1)) as opened:
        result = await opened.solve("How many are 3 + 4?", strategy=doing, watch=logs.append, **options)
    return doing.found, result, [event for event in logs[0].events if isinstance(event, Executed)]


async def test_a_program_is_run_and_counts_as_a_call_of_a_tool():
    found, result, (event,) = await do(lambda run: run.execute("print(input()[::-1])", "abc"))
    assert (found.stdout, found.ended) == ("cba\n", "ok")
    assert (event.role, event.passed, event.reason) == ("tool", True, "")
    assert event.level in FENCED
    books = result.by_role["tool"]
    assert (books.calls, books.tokens) == (1, 0)
    assert books.seconds == pytest.approx(event.seconds, abs=1e-5)
    assert result.usage.calls == 2
    assert event.held.calls == 0


async def test_a_check_counts_under_the_role_of_who_asks():
    class Checking:
        async def score(self, problem, candidates, run):
            self.verdict = await run.check("def f(x): return math.sqrt(x)", ["assert f(4) == 3"], "import math")
            return []

    checking = Checking()
    _, result, (event,) = await do(lambda run: run.score(Problem.of("?"), [], checking))
    assert checking.verdict.reason == "assert f(4) == 3: 2.0 vs 3"
    assert (event.role, event.passed, event.reason) == ("verifier", False, "assert f(4) == 3: 2.0 vs 3")
    assert (result.by_role["verifier"].calls, "tool" in result.by_role) == (1, False)


async def test_tests_that_cannot_be_taken_apart_are_an_error_that_costs_no_call():
    async def work(run):
        with pytest.raises(InputError, match="asks the program for nothing"):
            await run.check("x = 1", ["assert 1 == 1"])

    _, result, events = await do(work, budget="calls=1")
    assert (events, result.usage.calls) == ([], 1)


async def test_a_budget_of_calls_counts_programs_in_children_too():
    async def work(run):
        async with run.child(Budget(calls=1)) as child:
            await child.execute("print(1)")
            with pytest.raises(BudgetExhausted, match="no call is left to run a program with"):
                await child.execute("print(2)")
        return (await run.execute("print(3)")).stdout

    found, result, events = await do(work, budget="calls=3")
    assert (found, len(events), result.usage.calls) == ("3\n", 2, 3)


async def test_a_parents_budget_holds_in_its_children():
    async def work(run):
        async with run.child(Budget(calls=9)) as child:
            await child.execute("print(1)")
            with pytest.raises(BudgetExhausted, match="no call is left"):
                await child.execute("print(2)")

    with pytest.raises(BudgetExhausted):  # no call is left for the sample, too
        await do(work, budget="calls=1")


async def test_tokens_that_are_spent_do_not_keep_a_program_from_running():
    async def work(run):
        await run.sample(Problem.of("How many are 1 + 1?"))
        return (await run.execute("print(1)")).ended

    doing, logs = Doing(work), []
    async with Engine(FakeModel(Script(words=80))) as engine:
        with pytest.raises(BudgetExhausted):
            await engine.solve("How many are 3 + 4?", strategy=doing, budget="tokens=100", watch=logs.append)
    assert doing.found == "ok"


async def test_the_deadline_ends_a_program():
    async def work(run):
        with pytest.raises(BudgetExhausted, match="the deadline came while a program was running"):
            await run.execute("while True: pass")
        return run.ended_by

    doing, logs = Doing(work), []
    with anyio.fail_after(20):
        async with Engine(FakeModel(Script()), program_limits=Limits(seconds=15)) as engine:
            with pytest.raises(BudgetExhausted):
                await engine.solve("How many are 3 + 4?", strategy=doing, budget="seconds=1", watch=logs.append)
    assert doing.found == "deadline"
    assert [event.reason for event in logs[0].events if isinstance(event, LimitReached)] == ["deadline"]
    assert [event.reason for event in logs[0].events if isinstance(event, Executed)] == ["it was cut off"]


async def test_one_sandbox_serves_an_engine_and_ends_with_it(monkeypatch):
    opened = []
    real = room.start

    def start(levels):
        opened.append(real(levels))
        return opened[-1]

    monkeypatch.setattr(room, "start", start)

    async def twice(run):
        async with anyio.create_task_group() as group:
            group.start_soon(run.execute, "print(1)")
            group.start_soon(run.execute, "print(2)")

    async with Engine(FakeModel(Script())) as engine:
        await engine.solve("How many are 3 + 4?", strategy="direct")
        assert opened == []
        for _ in range(2):
            await engine.solve("How many are 3 + 4?", strategy=Doing(twice))
        assert opened[0].process.poll() is None
    assert len(opened) == 1
    assert opened[0].process.poll() is not None


async def test_without_fences_nothing_runs_unless_that_was_asked_for(monkeypatch):
    real = warm._started
    monkeypatch.setattr(warm, "_started", lambda level: real(level) if level == "none" else (None, "no Landlock"))
    with pytest.raises(SandboxError, match=r"no Landlock.*--unsafe-exec.*Engine\(unsafe_exec=True\)"):
        await do(lambda run: run.execute("print(1)"))
    unsafe = Engine(FakeModel(Script()), unsafe_exec=True)
    found, _, (event,) = await do(lambda run: run.execute("print(1)"), unsafe)
    assert (found.stdout, found.level, event.level) == ("1\n", "none", "none")


async def test_a_run_that_was_given_no_sandbox_says_so():
    model, log = FakeModel(Script()), EventLog()
    context = RunContext(Line(model, 8), log, 0)
    run = EngineRun(context, RunLimits(Ledger(Budget()), log))
    with pytest.raises(SandboxError, match="ask an Engine"):
        await run.execute("print(1)")
