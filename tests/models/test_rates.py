"""Limits that servers tell in their headers are read, in every form they come in, and kept before a refusal."""

import anyio
import pytest

from outthink import Engine
from outthink.core.problem import Problem
from outthink.core.wire import Ask, Quota, Rate
from outthink.models.fake_server import FakeServer
from outthink.models.http import HttpModel
from outthink.models.rates import read_rate, seconds
from outthink.models.refusals import retry_after
from outthink.models.script import Script

pytestmark = pytest.mark.anyio
ASK = Ask(messages=({"role": "user", "content": "How many are 4 apples and 3 pears?"},))


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("1s", 1.0), ("6m0s", 360.0), ("120ms", 0.12), ("2m59.56s", 179.56), ("1h2m3s", 3723.0), ("1d", 86400.0),
        ("20", 20.0), ("0.5", 0.5), ("0", 0.0), (" 7s ", 7.0), ("1.s", 1.0),
        ("", None), ("soon", None), ("-3s", None), ("s", None), ("1 s", None), ("1s and more", None),
        ("1764110000", None), ("2026-11-25T23:00:00Z", None), ("1e3", None), ("inf", None), ("nan", None),
    ],
)  # fmt: skip
def test_a_time_until_the_quota_is_renewed(text, wanted):
    found = seconds(text)
    assert found == (None if wanted is None else pytest.approx(wanted))


def test_the_headers_of_openai_are_read():
    headers = {
        "x-ratelimit-limit-requests": "60", "x-ratelimit-remaining-requests": "59", "x-ratelimit-reset-requests": "1s",
        "x-ratelimit-limit-tokens": "150000", "x-ratelimit-remaining-tokens": "149984",
        "x-ratelimit-reset-tokens": "6m0s",
    }  # fmt: skip
    assert read_rate(headers) == Rate(Quota(59, 1.0, 60), Quota(149984, 360.0, 150000))


@pytest.mark.parametrize(
    ("headers", "wanted"),
    [
        ({}, None),
        ({"x-ratelimit-remaining-requests": "5"}, None),
        ({"x-ratelimit-remaining-requests": "many", "x-ratelimit-reset-requests": "1s"}, None),
        ({"x-ratelimit-remaining-requests": "5", "x-ratelimit-reset-requests": "later"}, None),
        ({"x-ratelimit-remaining-requests": "5", "x-ratelimit-reset-requests": "1s"}, Rate(Quota(5, 1.0))),
        ({"x-ratelimit-remaining-tokens": "-7", "x-ratelimit-reset-tokens": "3"}, Rate(None, Quota(0, 3.0))),
        (
            {
                "x-ratelimit-remaining-tokens": "1",
                "x-ratelimit-reset-tokens": "3",
                "x-ratelimit-limit-tokens": "unlimited",
            },
            Rate(None, Quota(1, 3.0)),
        ),
    ],
)
def test_what_is_missing_or_cannot_be_read_limits_nothing(headers, wanted):
    assert read_rate(headers) == wanted


def test_a_refusal_without_retry_after_waits_for_what_is_used_up():
    spent = {"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "7s"}
    other = {"x-ratelimit-remaining-tokens": "50", "x-ratelimit-reset-tokens": "40s"}
    assert retry_after(spent | other) == 7.0
    assert retry_after(spent | other | {"Retry-After": "2"}) == 2.0
    assert retry_after(other) is None


async def test_a_reply_and_a_stream_tell_their_servers_rate():
    async with FakeServer(Script(), requests=5, window=60.0).serve() as server:
        model = HttpModel("fake", server.base_url)
        reply = await model.complete(ASK)
        assert (reply.rate.requests.left, reply.rate.requests.limit, reply.rate.tokens) == (4, 5, None)
        assert 50 < reply.rate.requests.reset <= 60
        async with model.stream(ASK) as deltas:
            first = await anext(aiter(deltas))
        assert first.rate.requests.left == 3
        await model.aclose()
    async with FakeServer(Script()).serve() as server:
        model = HttpModel("fake", server.base_url)
        assert (await model.complete(ASK)).rate is None
        await model.aclose()


@pytest.mark.parametrize("budget", [None, "seconds=60"], ids=["plain", "streamed"])
async def test_runs_side_by_side_wait_for_the_next_window_instead_of_being_refused(budget):
    async with FakeServer(Script(), requests=6, window=0.6).serve() as server:
        async with Engine(f"fake@{server.base_url}", concurrency=4, cache=False) as engine:
            questions = [Problem.of(f"How many are {i} apples and 3 pears?") for i in range(15)]
            async with anyio.create_task_group() as group:
                for one in questions:
                    group.start_soon(lambda q=one: engine.solve(q, strategy="direct", budget=budget))
        assert [one.ended for one in server.billed] == ["ok"] * len(questions)
