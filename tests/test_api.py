"""The library's face: `solve`, `solve_sync` and `Engine`."""

import anyio
import anyio.lowlevel
import pytest

import outthink
from outthink import Budget, Engine, InputError, Problem, solve, solve_sync
from outthink.core.errors import BadProblem, BadSpec, BudgetTooSmall
from outthink.core.events import CallSettled, RunEnded
from outthink.models.fake import FakeModel
from outthink.models.fake_server import FakeServer
from outthink.models.http import HttpModel
from outthink.models.script import Script

pytestmark = pytest.mark.real_time
QUESTION = "How many days are there in 7 weeks?"
SCRIPT = Script(accuracy=0.8, answers={"7 weeks": "49"}, words=16)


def test_solve_sync_is_solve_for_code_without_a_loop():
    result = solve_sync(QUESTION, model="fake", seed=3)
    assert anyio.run(lambda: solve(QUESTION, model="fake", seed=3)).candidates == result.candidates
    assert str(result.answer) in result.votes


@pytest.mark.anyio
async def test_solve_sync_inside_a_loop_says_what_to_write_instead():
    with pytest.raises(InputError, match=r"write: await outthink\.solve"):
        solve_sync(QUESTION, model="fake")


def test_defaults_come_from_the_environment_and_arguments_win(monkeypatch):
    monkeypatch.setenv("OUTTHINK_MODEL", "fake")
    monkeypatch.setenv("OUTTHINK_STRATEGY", "self-consistency(n=3)")
    monkeypatch.setenv("OUTTHINK_BUDGET", "tokens=5")
    with pytest.raises(BudgetTooSmall):
        solve_sync(QUESTION)
    result = solve_sync(QUESTION, budget="tokens=4000")
    assert (result.model, result.strategy, len(result.candidates)) == ("fake", "self-consistency(n=3)", 3)
    assert solve_sync(QUESTION, strategy="cot", budget=Budget(calls=1)).strategy == "cot"
    monkeypatch.setenv("OUTTHINK_BUDGET", "much")
    with pytest.raises(BadSpec, match="'much' is not a limit"):
        solve_sync(QUESTION)


@pytest.mark.parametrize("question", ["", " \n", "\ud800", Problem(messages=())])
def test_a_question_that_is_none_is_an_input_error(question):
    with pytest.raises(BadProblem):
        solve_sync(question, model="fake")


@pytest.mark.parametrize(
    "budget", [Budget(seconds=0), Budget(tokens=-1), Budget(usd=float("nan")), Budget(tokens=2.5), "tokens=0", ""]
)
def test_a_budget_is_checked_whether_text_or_object(budget):
    with pytest.raises(BadSpec, match=r"takes a|is not a limit"):
        solve_sync(QUESTION, model="fake", budget=budget)


def test_a_budget_of_nothing_is_no_limit():
    assert solve_sync(QUESTION, model="fake", budget=Budget()).answer is not None


@pytest.mark.parametrize("options", [{"concurrency": 0}, {"timeout": 0}, {"timeout": float("nan")}, {"timeout": -1}])
def test_an_engine_checks_its_numbers(options):
    with pytest.raises(InputError):
        Engine("fake", **options)


@pytest.mark.anyio
async def test_an_engine_keeps_its_models_open_for_many_runs_and_closes_each_once():
    class Closing(FakeModel):
        closed = 0

        async def aclose(self):
            self.closed += 1

    model = Closing(SCRIPT)
    async with Engine(model) as engine:
        for seed in range(3):
            result = await engine.solve(QUESTION, seed=seed)
            assert result.model == "fake"
        assert model.closed == 0
    assert model.closed == 1
    with pytest.raises(InputError, match="this engine is closed"):
        await engine.solve(QUESTION)


@pytest.mark.anyio
async def test_an_engine_opens_other_models_by_their_text_once():
    async with Engine(FakeModel(SCRIPT)) as engine:
        await engine.solve(QUESTION, model="fake:accuracy=1")
        first = await engine.line("fake:accuracy=1")
        assert await engine.line("fake:accuracy=1") is first
        assert first.model is not (await engine.line()).model


@pytest.mark.anyio
async def test_a_model_of_ones_own_needs_no_more_than_the_protocol():
    class Mine:
        name = source = "mine"
        slots = context = price = parameters = None

        def __init__(self):
            self.lacks = {"stream", "count", "n"}

        async def complete(self, ask):
            return await FakeModel(SCRIPT).complete(ask)

        async def aclose(self):
            pass

    async with Engine(Mine()) as engine:
        result = await engine.solve(QUESTION, strategy="self-consistency(n=3)", budget="tokens=3000,seconds=20")
    assert (result.model, len(result.candidates)) == ("mine", 3)


@pytest.mark.anyio
async def test_calls_in_flight_are_bounded_over_all_runs_of_an_engine():
    server = FakeServer(SCRIPT, refuses=frozenset({"n"}), latency=0.01)
    async with server.serve(), Engine(HttpModel("m", server.base_url), concurrency=3) as engine:
        async with anyio.create_task_group() as group:
            for _ in range(5):
                group.start_soon(engine.solve, QUESTION)
        assert (await engine.line()).limiter.taken == 0
    assert server.most_in_flight == 3


@pytest.mark.anyio
@pytest.mark.parametrize("budget", [None, "tokens=5000,seconds=60"], ids=["plain", "streamed"])
async def test_cancelling_from_outside_leaves_nothing_in_flight_nor_held_nor_a_permit(budget):
    server = FakeServer(Script(words=500), refuses=frozenset({"n"}), token_latency=0.002)
    async with server.serve(), Engine(HttpModel("m", server.base_url), concurrency=4) as engine:
        for moment in range(1, 12):
            logs = []
            with anyio.move_on_after(0.004 * moment):
                await engine.solve(QUESTION, strategy="self-consistency(n=16)", budget=budget, watch=logs.append)
            assert (await engine.line()).limiter.taken == 0
            assert isinstance(logs[0].events[-1], RunEnded)
            settled = [event for event in logs[0].events if isinstance(event, CallSettled)]
            assert not settled or settled[-1].held.calls == 0
        with anyio.fail_after(5):
            while server.in_flight:  # until the server has noticed
                await anyio.lowlevel.checkpoint()


@pytest.mark.anyio
async def test_a_deadline_holds_while_a_server_is_asked_to_count():
    server = FakeServer(SCRIPT)

    async def never(request):
        await anyio.sleep(3600)

    server._count = never
    async with server.serve():
        began = anyio.current_time()
        with pytest.raises(outthink.BudgetExhausted):
            async with Engine(HttpModel("m", server.base_url)) as engine:
                await engine.solve(QUESTION, budget="tokens=2000,seconds=0.2")
        assert anyio.current_time() - began < 2


@pytest.mark.anyio
async def test_a_usd_budget_without_a_price_is_refused_before_anything_is_spent():
    model = FakeModel(SCRIPT)
    async with Engine(model) as engine:
        with pytest.raises(InputError, match="needs the price of fake"):
            await engine.solve(QUESTION, budget="usd=1")
    assert model.books.calls == 0


@pytest.mark.parametrize("seed", [-1, 2**60])
def test_a_seed_is_a_whole_number_that_every_server_can_take(seed):
    with pytest.raises(InputError, match="the seed takes"):
        solve_sync(QUESTION, model="fake", seed=seed)
