"""Chains that are stopped in mid-generation: where, what is saved, that the books say so, and that they do not vote."""

import math

import anyio
import pytest
from doubtful import DOUBT, STOP_AT, SURE, WHOLE, Doubtful

from outthink import Engine, plugins
from outthink.core.candidate import GROUP, summarise_logprobs
from outthink.core.errors import BadSpec, InputError
from outthink.core.events import CallSettled, CallStarted, GivenUp, Warned
from outthink.core.wire import Delta
from outthink.engine.partial import Growing
from outthink.models.fake import FakeModel
from outthink.models.fake_server import FakeServer
from outthink.models.http import HttpModel
from outthink.verifiers.confidence import stop_threshold

QUESTION = "How many days are there in 7 weeks?"


def replies(*texts):
    return Doubtful(replies=texts)


async def solve(model, strategy, **options):
    logs = []
    async with Engine(model) as engine:
        result = await engine.solve(QUESTION, strategy=strategy, watch=logs.append, **options)
    return result, logs[0].events


def of(events, kind):
    return [event for event in events if isinstance(event, kind)]


@pytest.mark.anyio
@pytest.mark.parametrize("name", ["self-consistency", "best-of-n"])
async def test_a_hopeless_chain_is_stopped_where_it_falls_and_does_not_vote(name):
    model = FakeModel(replies(DOUBT, DOUBT, DOUBT, SURE, SURE), token_latency=0.01)
    result, events = await solve(model, f"{name}(n=5, stop_below=-1)")
    plain, _ = await solve(FakeModel(replies(DOUBT, DOUBT, DOUBT, SURE, SURE)), "self-consistency(n=5)")
    assert (str(plain.answer), str(result.answer)) == ("48", "49")
    assert [(found.finish, found.tokens) for found in result.candidates] == [
        *[("cancelled", STOP_AT)] * 3,
        *[("stop", WHOLE[SURE])] * 2,
    ]
    given = of(events, GivenUp)
    assert sorted((event.index, event.tokens, event.threshold) for event in given) == [
        (i, STOP_AT, -1.0) for i in range(3)
    ]
    assert all(event.group == pytest.approx((10 * -3.0 + 22 * -0.2) / GROUP) for event in given)


@pytest.mark.anyio
async def test_what_is_saved_was_never_generated_and_the_ledger_says_what_was():
    model = FakeModel(replies(DOUBT, SURE, DOUBT, SURE), token_latency=0.01)
    result, _ = await solve(model, "best-of-n(n=4, stop_below=-1)")
    made = 2 * STOP_AT + 2 * WHOLE[SURE]
    assert model.books.completion_tokens == result.usage.completion_tokens == made
    assert result.usage.prompt_tokens == model.books.prompt_tokens
    assert made < 2 * WHOLE[DOUBT] + 2 * WHOLE[SURE]
    assert (result.usage.calls, result.usage.unsettled_calls, model.books.in_flight) == (4, 2, 0)
    assert result.usage.estimated  # a stream that was stopped has no bill


@pytest.mark.anyio
async def test_chains_that_may_be_stopped_are_streams_of_their_own():
    model = FakeModel(replies(SURE), token_latency=0.01)
    await solve(model, "self-consistency(n=4, width=4, stop_below=-1)")
    assert [(ask.n, ask.logprobs) for ask in model.asks] == [(1, True)] * 4
    whole = FakeModel(replies(SURE))
    await solve(whole, "self-consistency(n=4, width=4)")
    assert [ask.n for ask in whole.asks] == [4]


@pytest.mark.anyio
@pytest.mark.parametrize("lacks", ["stream", "logprobs"])
async def test_a_server_that_streams_no_log_probabilities_stops_nothing_and_that_is_said(lacks):
    model = FakeModel(replies(DOUBT, SURE, SURE), lacks=(lacks,))
    result, events = await solve(model, "self-consistency(n=3, stop_below=-1)")
    assert str(result.answer) == "49"
    assert [found.finish for found in result.candidates if found.index == 0] in (["stop"], ["cancelled"])
    assert any("no chain can be stopped" in event.message for event in of(events, Warned))


@pytest.mark.anyio
async def test_a_chain_that_came_whole_but_fell_below_does_not_vote_either():
    model = FakeModel(replies(DOUBT, DOUBT, SURE), lacks=("stream",))
    result, _ = await solve(model, "self-consistency(n=3, stop_below=-1)")
    assert str(result.answer) == "49"
    assert result.votes == {"49": 1}


@pytest.mark.anyio
async def test_where_every_chain_is_hopeless_the_least_so_is_returned():
    deeper = "um " * 100 + "The answer is 47."
    model = FakeModel(replies(deeper, DOUBT), token_latency=0.01)
    for name in ("self-consistency", "best-of-n"):
        result, _ = await solve(model, f"{name}(n=2, stop_below=-1)")
        assert result.answer is None
        assert result.text.startswith("so so")


@pytest.mark.anyio
async def test_a_vote_is_decided_among_the_chains_that_may_vote():
    model = FakeModel(replies(DOUBT, DOUBT, SURE, SURE, SURE), token_latency=0.01)
    result, _ = await solve(model, "self-consistency(n=5, width=4, stop_below=-1)")
    assert result.stop_reason == "settled"
    assert model.books.calls == 4  # two to none, and only one is still to come


@pytest.mark.anyio
async def test_a_budget_holds_while_chains_are_stopped():
    model = FakeModel(replies(DOUBT, SURE, DOUBT, SURE), token_latency=0.01)
    result, events = await solve(model, "self-consistency(n=4, stop_below=-1)", budget="tokens=1200")
    assert result.usage.tokens <= 1200
    for event in of(events, CallSettled):
        held, charged = event.held, event.charged
        assert (
            sum((held.prompt_tokens, held.completion_tokens, charged.prompt_tokens, charged.completion_tokens)) <= 1200
        )
    assert all(event.n == 1 for event in of(events, CallStarted))


def test_over_http_the_server_stops_generating_and_the_truth_lies_within_the_books():
    async def over_http():
        server = FakeServer(replies(DOUBT, SURE, DOUBT), token_latency=0.01)
        async with server.serve():
            found = await solve(
                HttpModel("fake", server.base_url), "best-of-n(n=3, stop_below=-1)", budget="tokens=9000"
            )
            with anyio.fail_after(10):
                while server.in_flight:
                    await anyio.sleep(0.01)
        return server, found

    server, (result, events) = anyio.run(over_http)
    assert str(result.answer) == "49"
    assert sorted(one.ended for one in server.billed) == ["cancelled", "cancelled", "ok"]
    assert result.usage.completion_tokens <= server.completion_tokens < 2 * 150 + WHOLE[SURE]
    charged = of(events, CallSettled)[-1].charged
    assert server.completion_tokens <= charged.completion_tokens
    assert result.usage.prompt_tokens == server.prompt_tokens


def test_a_growing_choice_knows_the_lowest_group_that_each_piece_completes():
    logprobs = [-0.2] * 40 + [-3.0] * 12 + [-0.1] * 60
    grown, seen = Growing(0), []
    for start in range(0, len(logprobs), 5):
        grown.add(Delta(index=0, logprobs=tuple(logprobs[start : start + 5]), tokens=5))
        seen.append(grown.group)
    assert seen[:6] == [None] * 6  # thirty tokens are no group yet
    lows = [sum(logprobs[i : i + GROUP]) / GROUP for i in range(len(logprobs) - GROUP + 1)]
    assert min(low for low in seen if low is not None) == pytest.approx(min(lows))
    assert min(lows) == pytest.approx(summarise_logprobs(logprobs).low)


def test_a_threshold_keeps_the_share_of_recorded_chains_that_it_says():
    lows = [-0.1 * k for k in range(1, 11)]
    assert stop_threshold(lows, 0.9) == pytest.approx(-0.9)
    assert sum(low >= stop_threshold(lows, 0.7) for low in lows) == 7
    assert stop_threshold(lows, 1.0) == min(lows)
    for bad in (([], 0.9), (lows, 0.0), (lows, math.nan)):
        with pytest.raises(InputError, match="needs recorded chains"):
            stop_threshold(*bad)


@pytest.mark.parametrize("name", ["self-consistency", "best-of-n"])
@pytest.mark.parametrize("value", ["0", "1.5", "-200"])
def test_a_threshold_that_is_no_mean_log_probability_is_refused(name, value):
    with pytest.raises(BadSpec, match="stop_below takes a mean log probability below 0"):
        plugins.strategy(f"{name}(stop_below={value})")
