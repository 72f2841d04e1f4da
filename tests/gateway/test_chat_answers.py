"""One answer in the protocol's shape, its true cost in the usage, and how much to think chosen four ways."""

import msgspec
import openai
import pytest

from outthink import Engine
from outthink.core.candidate import Answer, Candidate, Result
from outthink.core.usage import Usage
from outthink.core.wire import Price
from outthink.gateway.reply import ranked, usage_of
from outthink.models.fake import FakeModel
from outthink.models.fake_server import FakeServer
from outthink.models.script import Script

pytestmark = pytest.mark.anyio
QUESTION = "How many days are there in 7 weeks?"
ASK = {"messages": [{"role": "user", "content": QUESTION}]}
HELLO = {"messages": [{"role": "user", "content": "Tell me about weeks."}]}
SCRIPT = Script(accuracy=0.8, answers={"7 weeks": "49"})


async def test_a_vote_comes_back_as_one_choice_with_the_servers_own_count_as_usage(open_gateway):
    server = FakeServer(SCRIPT)
    async with server.serve(), open_gateway(server) as gate:
        reply = await gate.client.chat.completions.create(model="fake", **ASK)
    (choice,) = reply.choices
    assert (reply.object, reply.model, choice.index, choice.finish_reason) == ("chat.completion", "fake", 0, "stop")
    assert choice.message.role == "assistant"
    assert choice.message.content.endswith("The answer is 49.")
    assert reply.id.startswith("chatcmpl-")
    used = reply.usage
    assert (used.prompt_tokens, used.completion_tokens) == (server.prompt_tokens, server.completion_tokens)
    assert used.total_tokens == server.prompt_tokens + server.completion_tokens
    visible = len(choice.message.content.split())  # the fake's tokens are words
    assert used.completion_tokens_details.reasoning_tokens == server.completion_tokens - visible
    assert used.prompt_tokens_details.cached_tokens == 0


async def test_the_outthink_object_says_how_the_answer_was_reached(open_gateway):
    server = FakeServer(SCRIPT)
    async with server.serve(), open_gateway(server) as gate:
        reply = await gate.client.chat.completions.create(model="fake", **ASK)
    told = reply.outthink
    assert told["answer"] == "49"
    assert told["confidence"] == pytest.approx(told["votes"]["49"] / (sum(told["votes"].values()) + 0.5))
    assert told["confidence_source"] == "weighted_share"
    assert told["strategy"] == "auto"
    assert told["stop_reason"] == "settled"
    assert told["run_id"]
    assert told["usage"]["by_role"]["policy"]["completion_tokens"] == server.completion_tokens
    assert told["usage"]["calls"] == len(server.billed)


async def test_fields_that_typed_clients_need_are_all_there(open_gateway):
    server = FakeServer(SCRIPT)
    async with server.serve(), open_gateway(server) as gate:
        raw = await gate.client.chat.completions.with_raw_response.create(model="fake", **HELLO)
    body = msgspec.json.decode(raw.content)
    assert {"id", "object", "created", "model", "choices", "usage"} <= body.keys()
    assert {"index", "message", "finish_reason", "logprobs"} == body["choices"][0].keys()
    assert {"role", "content", "refusal"} <= body["choices"][0]["message"].keys()
    assert isinstance(body["created"], int)


@pytest.mark.parametrize(
    ("model", "extra", "default", "strategy"),
    [
        ("fake", {}, None, "auto"),
        ("fake", {}, "self-consistency(n=2)", "self-consistency(n=2)"),
        ("fake+self-consistency(n=3)", {}, "direct", "self-consistency(n=3)"),
        ("fake+direct", {"strategy": "self-consistency(n=4)"}, "cot", "self-consistency(n=4)"),
        ("fake", {"strategy": "cot( shots = 0 )"}, None, "cot(shots=0)"),
    ],
)
async def test_how_much_to_think_is_the_requests_then_the_models_then_the_servers(
    open_gateway, model, extra, default, strategy
):
    server = FakeServer(SCRIPT)
    async with server.serve(), open_gateway(server, strategy=default) as gate:
        reply = await gate.client.chat.completions.create(model=model, **ASK, extra_body={"outthink": extra})
    assert reply.outthink["strategy"] == strategy
    assert reply.model == model
    assert {body["model"] for body in server.bodies} == {"fake"}


async def test_fifty_chat_turns_cost_fifty_calls(open_gateway):
    server = FakeServer(SCRIPT)
    async with server.serve(), open_gateway(server) as gate:
        for turn in range(50):
            messages = [{"role": "user", "content": f"Please write a poem about week {turn}."}]
            await gate.client.chat.completions.create(model="fake", messages=messages)
    assert len(server.billed) == 50
    assert all(one.n == 1 for one in server.billed)


@pytest.mark.parametrize("budget", [{"tokens": 300}, "tokens=300"])
async def test_a_requests_budget_is_kept_by_the_servers_count(open_gateway, budget):
    server = FakeServer(SCRIPT)
    async with server.serve(), open_gateway(server) as gate:
        reply = await gate.client.chat.completions.create(
            model="fake+self-consistency(n=64, width=4)", **ASK, extra_body={"outthink": {"budget": budget}}
        )
    assert server.prompt_tokens + server.completion_tokens <= 300
    assert reply.outthink["stop_reason"] == "budget"
    assert reply.outthink["answer"] == "49"


async def test_a_models_own_reasoning_tokens_are_told(open_gateway, recorded):
    usage = {
        "prompt_tokens": 9,
        "completion_tokens": 7,
        "prompt_tokens_details": {"cached_tokens": 4},
        "completion_tokens_details": {"reasoning_tokens": 5},
    }
    message = {"role": "assistant", "content": "Hi", "reasoning_content": "A greeting.", "annotations": []}
    server = recorded(message=message, usage=usage)
    async with server.serve(), open_gateway(server) as gate:
        reply = await gate.client.chat.completions.create(model="fake", **HELLO)
    assert reply.usage.completion_tokens_details.reasoning_tokens == 5
    assert reply.usage.prompt_tokens_details.cached_tokens == 4
    assert reply.choices[0].message.reasoning_content == "A greeting."
    assert reply.choices[0].message.annotations == []


async def test_tool_calls_come_back_whole(open_gateway, recorded):
    calls = [
        {"id": f"call_{i}", "type": "function", "function": {"name": "weather", "arguments": f'{{"place": "{place}"}}'}}
        for i, place in enumerate(("Paris", "Rome"))
    ]
    server = recorded(message={"role": "assistant", "content": None, "tool_calls": calls}, finish="tool_calls")
    tools = [{"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}]
    async with server.serve(), open_gateway(server) as gate:
        reply = await gate.client.chat.completions.create(model="fake", **HELLO, tools=tools)
    (choice,) = reply.choices
    assert choice.finish_reason == "tool_calls"
    assert [call.model_dump() for call in choice.message.tool_calls] == calls
    assert choice.message.content is None
    assert server.bodies[0]["tools"] == tools


async def test_the_true_cost_is_in_the_headers_and_the_callers_request_id_comes_back(open_gateway):
    model = FakeModel(SCRIPT, price=Price(1.0, 2.0))
    async with open_gateway(model) as gate:
        raw = await gate.client.chat.completions.with_raw_response.create(
            model="fake", **ASK, extra_headers={"x-request-id": "mine-1"}
        )
        other = await gate.client.models.with_raw_response.list()
    books = model.books
    assert raw.headers["x-request-id"] == "mine-1"
    assert int(raw.headers["x-litellm-total-tokens"]) == books.prompt_tokens + books.completion_tokens
    cost = (books.prompt_tokens + 2 * books.completion_tokens) / 1e6
    assert float(raw.headers["x-litellm-response-cost"]) == pytest.approx(cost)
    assert other.headers["x-request-id"].startswith("req_")


async def test_an_unknown_price_is_not_told_as_a_cost(open_gateway):
    server = FakeServer(SCRIPT)
    async with server.serve(), open_gateway(server) as gate:
        raw = await gate.client.chat.completions.with_raw_response.create(model="fake", **ASK)
    assert "x-litellm-response-cost" not in raw.headers


async def test_models_are_listed_and_found_by_their_public_names(open_gateway):
    server = FakeServer(SCRIPT)
    async with server.serve(), open_gateway(server) as gate:
        listed = await gate.client.models.list()
        one = await gate.client.models.retrieve("fake")
        with pytest.raises(openai.NotFoundError):
            await gate.client.models.retrieve("gpt-5")
    assert [model.id for model in listed.data] == ["fake"]
    assert (one.id, one.object, one.owned_by) == ("fake", "model", "outthink")


@pytest.mark.parametrize("strategy", ["direct", "self-consistency(n=8)"])
async def test_n_gives_as_many_choices_each_indexed(open_gateway, strategy):
    server = FakeServer(SCRIPT)
    async with server.serve(), open_gateway(server) as gate:
        reply = await gate.client.chat.completions.create(model=f"fake+{strategy}", **ASK, n=3)
    assert [choice.index for choice in reply.choices] == [0, 1, 2]
    assert all(choice.message.content for choice in reply.choices)
    assert reply.usage.completion_tokens == server.completion_tokens
    assert sum(body.get("n", 1) for body in server.bodies) == (3 if strategy == "direct" else 8)


async def test_n_of_a_vote_are_distinct_answers_the_winner_first(open_gateway):
    replies = [f"So the answer is {value}." for value in (5, 7, 5, 9, 5, 7)]
    server = FakeServer(Script(replies=replies))
    async with server.serve(), open_gateway(server) as gate:
        reply = await gate.client.chat.completions.create(
            model="fake+self-consistency(n=6)", messages=ASK["messages"], n=4, seed=0
        )
    said = [choice.message.content for choice in reply.choices]
    assert said == [f"So the answer is {value}." for value in (5, 7, 9, 5)]


async def test_a_vote_decided_early_still_gives_n_answers(open_gateway):
    server = FakeServer(Script(accuracy=1.0, answers={"7 weeks": "49"}))
    async with server.serve(), open_gateway(server) as gate:
        for n, bought in ((1, 6), (8, 8)):  # five of eight decide, in waves of two
            ask = gate.client.chat.completions.create
            reply = await ask(model="fake+self-consistency(n=8, width=2)", **ASK, n=n)
            assert len(reply.choices) == n
            assert reply.outthink["votes"] == {"49": bought}


async def test_open_text_gives_n_texts_for_n_calls_worth(open_gateway):
    server = FakeServer(Script(replies=["one", "two", "three"]))
    async with server.serve(), open_gateway(server) as gate:
        reply = await gate.client.chat.completions.create(model="fake+self-consistency(n=8)", **HELLO, n=3, seed=0)
    assert [choice.message.content for choice in reply.choices] == ["one", "two", "three"]
    assert sum(body.get("n", 1) for body in server.bodies) == 3


@pytest.mark.parametrize(
    ("strategy", "n"), [("cot", 2), ("self-consistency(n=3)", 4), ("best-of-n(n=3)", 4), ("think", 2)]
)
async def test_more_answers_than_a_strategy_has_are_refused_before_spending(open_gateway, strategy, n):
    server = FakeServer(SCRIPT)
    async with server.serve(), open_gateway(server) as gate:
        with pytest.raises(openai.BadRequestError, match=f"n={n}") as caught:
            await gate.client.chat.completions.create(model=f"fake+{strategy}", **ASK, n=n)
    assert caught.value.code == "unsupported_parameter"
    assert server.billed == []


async def test_best_of_n_gives_n_answers_and_think_keeps_its_thinking_internal(open_gateway):
    model = FakeModel(SCRIPT)
    async with open_gateway(model) as gate:
        best = await gate.client.chat.completions.create(model="fake+best-of-n(n=4)", **ASK, n=2)
        thought = await gate.client.chat.completions.create(model="fake+think(max_tokens=8)", **ASK)
    assert len(best.choices) == 2
    (choice,) = thought.choices
    assert "think" not in choice.message.content
    assert "reasoning_content" not in choice.message.model_dump()
    used = thought.usage
    assert best.usage.total_tokens + used.total_tokens == model.books.prompt_tokens + model.books.completion_tokens
    assert 0 < used.completion_tokens_details.reasoning_tokens < used.completion_tokens


async def test_the_gateways_books_are_the_servers(open_gateway):
    server = FakeServer(SCRIPT)
    async with server.serve(), open_gateway(server) as gate:
        for _ in range(3):
            await gate.client.chat.completions.create(model="fake", **ASK)
        assert gate.gateway.runs == 3
        assert gate.gateway.spent.prompt_tokens == server.prompt_tokens
        assert gate.gateway.spent.completion_tokens == server.completion_tokens


def candidate(index, text, key=None, finish="stop", tokens=10):
    answer = None if key is None else Answer(key, "number", key)
    message = {"role": "assistant", "content": text}
    return Candidate(index=index, message=message, text=text, finish=finish, tokens=tokens, model="fake", answer=answer)


def test_ranking_fills_from_the_winning_class_and_leaves_out_what_was_cut():
    found = (
        candidate(0, "a", "1"),
        candidate(1, "b", "2"),
        candidate(2, "c"),
        candidate(3, "d", "1"),
        candidate(4, "e", "2", finish="cancelled"),
        candidate(5, "f", "1"),
    )
    result = Result(
        answer=found[0].answer,
        message=found[0].message,
        text="a",
        stop_reason="exhausted",
        confidence_source="vote_share",
        candidates=found,
    )
    assert [one.text for one in ranked(result, 9)] == ["a", "b", "d", "f", "c"]
    assert [one.text for one in ranked(result, 2)] == ["a", "b"]


def test_a_message_of_no_candidate_is_still_an_answer():
    result = Result(
        answer=None, message={"role": "assistant", "content": "merged"}, text="merged", stop_reason="exhausted",
        candidates=(candidate(0, "a"),), usage=Usage(1, 5, 0, 10),
    )  # fmt: skip
    shown = ranked(result, 1)
    assert shown[0].message["content"] == "merged"
    assert usage_of(result, shown)["completion_tokens_details"]["reasoning_tokens"] == 10


async def test_two_models_of_one_name_are_refused():
    from outthink.core.errors import InputError
    from outthink.gateway.main import opened

    async with Engine() as engine:
        with pytest.raises(InputError, match="same name 'fake'"):
            await opened(engine, ["fake", "fake:accuracy=0.5"])
