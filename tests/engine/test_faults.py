"""The whole path over HTTP against a faulty server, whose own books are the oracle. Real sockets, real time."""

import time

import anyio
import pytest

from outthink import Engine
from outthink.core.errors import (
    BadReply,
    BudgetExhausted,
    ContextOverflow,
    Overloaded,
    Refused,
    ServerFault,
    TimedOut,
    Unreachable,
)
from outthink.core.events import CallSettled, Overdraft, Warned
from outthink.models.fake_server import FakeServer, Faults
from outthink.models.http import HttpModel, Timeouts
from outthink.models.script import Script

pytestmark = [pytest.mark.anyio, pytest.mark.real_time, pytest.mark.usefixtures("short_waits")]
QUESTION = "How many days are there in 7 weeks?"
SCRIPT = Script(accuracy=0.8, answers={"7 weeks": "49"}, words=16)
FAST = Timeouts(connect=1.0, first_byte=0.3, between=0.3)


async def solve(server: FakeServer, strategy="self-consistency(n=8)", question=QUESTION, key=None, **options):
    logs = []
    model = HttpModel("fake", server.base_url, key=key, timeouts=FAST)
    async with Engine(model) as engine:
        result = await engine.solve(question, strategy=strategy, watch=logs.append, **options)
    return result, logs[0].events


def hold_within(result, events, server: FakeServer) -> None:
    """The settlement's promise: exact with nothing unsettled; else the truth lies between report and holds."""
    used = result.usage
    # a call that was cancelled at once may never have been seen; it counts as sent, and as unsettled
    assert used.calls - used.unsettled_calls <= len(server.billed) <= used.calls
    assert server.in_flight == 0
    true = server.prompt_tokens + server.completion_tokens
    charged = [event for event in events if isinstance(event, CallSettled)][-1].charged
    if not used.unsettled_calls:
        assert (used.prompt_tokens, used.completion_tokens) == (server.prompt_tokens, server.completion_tokens)
        assert not used.estimated
    assert used.estimated == bool(used.unsettled_calls)
    assert true <= charged.prompt_tokens + charged.completion_tokens


MIX = {"429": 0.1, "500": 0.08, "503": 0.04, "cut": 0.06, "malformed": 0.06, "hang": 0.03, "empty": 0.03, "html": 0.03}


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("refuses", [frozenset(), frozenset({"n"})], ids=["n", "no-n"])
async def test_an_answer_still_comes_from_a_faulty_server_and_the_books_hold(seed, refuses):
    server = FakeServer(SCRIPT, Faults(MIX, seed), refuses=refuses)
    async with server.serve():
        result, events = await solve(server)
    assert str(result.answer) == "49"
    assert len(result.candidates) >= 5
    hold_within(result, events, server)


@pytest.mark.parametrize("seed", range(6))
async def test_a_budget_is_kept_as_the_faulty_server_counts(seed):
    server = FakeServer(SCRIPT, Faults(MIX, seed), refuses=frozenset({"n"}))
    async with server.serve():
        result, events = await solve(server, "self-consistency(n=32)", budget="tokens=900")
    assert server.prompt_tokens + server.completion_tokens <= 900
    hold_within(result, events, server)


@pytest.mark.parametrize("seed", range(4))
async def test_streams_that_are_cut_are_counted_by_what_arrived(seed):
    server = FakeServer(SCRIPT, Faults({"cut": 0.4, "malformed": 0.1}, seed))
    async with server.serve():
        result, events = await solve(server, budget="seconds=20")
    hold_within(result, events, server)
    assert result.usage.completion_tokens <= server.completion_tokens + 16  # what was lost on the wire, at most


async def test_a_server_without_faults_is_counted_exactly_plain_and_streamed():
    for budget in (None, "seconds=20"):
        server = FakeServer(SCRIPT)
        async with server.serve():
            result, events = await solve(server, budget=budget)
        assert result.usage.unsettled_calls == 0
        hold_within(result, events, server)
        assert sum(c.tokens for c in result.candidates) == server.completion_tokens
        assert bool(server.bodies[0].get("stream")) == (budget is not None)


async def test_one_dead_sample_in_eight_costs_only_itself():
    for refuses in (frozenset(), frozenset({"n"})):
        split = Script(replies=[f"The answer is {k}." for k in range(8)])
        server = FakeServer(split, Faults(dead=frozenset({3})), refuses=refuses)
        async with server.serve():
            result, events = await solve(server)
        assert [c.index for c in result.candidates] == [0, 1, 2, 4, 5, 6, 7]
        hold_within(result, events, server)


async def test_a_burst_of_429_is_outlived_and_each_refusal_costs_a_call_and_no_tokens():
    split = Script(replies=[f"The answer is {k}." for k in range(8)])  # a vote that is never decided early
    server = FakeServer(split, Faults(first=4, retry_after="0.01"), refuses=frozenset({"n"}))
    async with server.serve():
        result, events = await solve(server)
    assert len(result.candidates) == 8
    hold_within(result, events, server)
    assert result.usage.unsettled_calls == 0


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        ("429", Overloaded),
        ("500", ServerFault),
        ("503", Overloaded),
        ("html", ServerFault),
        ("malformed", BadReply),
        ("cut", BadReply),
        ("empty", BadReply),
        ("hang", TimedOut),
    ],
)
async def test_with_every_call_failing_the_error_says_which_server_said_what(kind, error):
    server = FakeServer(SCRIPT, Faults({kind: 1.0}))
    async with server.serve():
        with pytest.raises(error) as caught:
            await solve(server, "cot")
        assert len(server.billed) == 6
        assert server.base_url in str(caught.value)
        assert "\n" not in str(caught.value)
        assert "<" not in str(caught.value)


async def test_a_refused_key_is_told_at_once_with_the_variable_that_holds_it():
    server = FakeServer(SCRIPT, key="right")
    async with server.serve():
        with pytest.raises(Refused, match="OUTTHINK_API_KEY") as caught:
            await solve(server, key="wrong")
        assert caught.value.status == 401
        assert "wrong" not in str(caught.value)
        assert len(server.billed) == 1
        result, _ = await solve(server, key="right")
        assert result.answer is not None


async def test_an_unreachable_server_costs_nothing_and_says_so():
    server = FakeServer(SCRIPT)
    async with server.serve():
        pass
    with pytest.raises(Unreachable, match="could not be reached"):
        await solve(server, "cot")


async def test_a_question_longer_than_the_context_is_an_input_error():
    server = FakeServer(SCRIPT, context=50)
    async with server.serve():
        with pytest.raises(ContextOverflow, match="shorten"):
            await solve(server, "direct", "word " * 100)
        assert len(server.billed) == 1


@pytest.mark.parametrize("parameter", ["n", "logprobs", "seed", "temperature", "max_tokens", "stream_options"])
async def test_a_parameter_the_server_refuses_by_name_is_left_out_with_one_warning(parameter):
    server = FakeServer(
        SCRIPT, refuses=frozenset({parameter, "top_logprobs"} if parameter == "logprobs" else {parameter})
    )
    async with server.serve():
        for _ in range(2):
            budget = "seconds=20" if parameter == "stream_options" else None
            result, events = await solve(server, budget=budget)
            assert str(result.answer) == "49"
            warned = [e.message for e in events if isinstance(e, Warned) and parameter in e.message]
            assert len(warned) == 1
    last = server.bodies[-1]
    assert parameter not in last
    assert ("max_completion_tokens" in last) == (parameter == "max_tokens")


async def test_a_server_that_ignores_n_is_asked_for_the_rest_one_by_one():
    server = FakeServer(SCRIPT, dialect="ollama")
    async with server.serve():
        result, events = await solve(server)
    assert [c.index for c in result.candidates] == list(range(8))
    assert len(server.billed) == 8
    assert result.usage.completion_tokens == server.completion_tokens
    assert [e for e in events if isinstance(e, Warned)]


async def test_llama_cpps_count_of_one_choice_is_corrected_and_its_limit_on_n_kept():
    server = FakeServer(SCRIPT, dialect="llamacpp", slots=4)
    async with server.serve():
        result, _ = await solve(server, "self-consistency(n=16, width=8)")
    assert result.usage.completion_tokens == server.completion_tokens
    assert sum(c.tokens for c in result.candidates) == server.completion_tokens
    assert {one.n for one in server.billed if one.ended == "ok"} == {4}


async def test_a_budget_without_a_count_from_the_server_holds_by_bytes():
    server = FakeServer(SCRIPT, counts=False)
    async with server.serve():
        result, events = await solve(server, budget="tokens=400")
    assert server.prompt_tokens + server.completion_tokens <= 400
    assert not [e for e in events if isinstance(e, Overdraft)]
    hold_within(result, events, server)


async def test_a_deadline_holds_against_a_server_that_hangs_and_cancels_upstream():
    server = FakeServer(SCRIPT, Faults({"hang": 1.0}))
    async with server.serve():
        began = time.monotonic()
        with pytest.raises(BudgetExhausted, match="deadline"):
            await solve(server, "cot", budget="seconds=0.6")
        assert time.monotonic() - began < 1.2
        await anyio.sleep(0.05)
        assert server.in_flight == 0


async def test_a_client_that_leaves_cancels_upstream_at_once():
    server = FakeServer(SCRIPT, latency=5.0, refuses=frozenset({"n"}))
    async with server.serve():
        with anyio.move_on_after(0.15):
            await solve(server)
        await anyio.sleep(0.1)
        assert server.in_flight == 0
        assert all(one.ended in ("cancelled", "400") for one in server.billed)


async def test_a_redirect_is_not_followed_so_that_no_key_travels():
    from aiohttp import web

    seen = []

    async def move(request):
        seen.append(str(request.url))
        raise web.HTTPTemporaryRedirect("/elsewhere")

    app = web.Application()
    app.router.add_post("/v1/chat/completions", move)
    app.router.add_post("/elsewhere", move)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    model = HttpModel("m", f"http://127.0.0.1:{runner.addresses[0][1]}/v1", key="secret", timeouts=FAST)
    try:
        async with Engine(model) as engine:
            with pytest.raises(Refused, match="redirects are not followed"):
                await engine.solve(QUESTION, strategy="cot")
    finally:
        await runner.cleanup()
    assert len(seen) == 1


async def test_many_runs_may_find_out_at_once_what_a_server_lacks():
    server = FakeServer(SCRIPT, refuses=frozenset({"n"}), latency=0.01)
    results = []
    async with server.serve():
        model = HttpModel("fake", server.base_url, timeouts=FAST)
        async with Engine(model) as engine, anyio.create_task_group() as group:

            async def one(k: int) -> None:
                results.append(await engine.solve(f"{QUESTION} ({k})", strategy="self-consistency(n=8)"))

            for k in range(10):
                group.start_soon(one, k)
    assert [str(result.answer) for result in results] == ["49"] * 10
