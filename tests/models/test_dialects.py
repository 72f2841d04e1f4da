"""What servers do differently: told from their list of models, and going on from a given beginning in each dialect."""

import json

import pytest

from outthink import Engine
from outthink.core.wire import Ask
from outthink.models.dialects import DIALECTS, read_models, thinking_cap
from outthink.models.fake_server import FakeServer
from outthink.models.http import HttpModel
from outthink.models.script import Script

pytestmark = pytest.mark.anyio
QUESTION = "How many days are there in 7 weeks?"
SCRIPT = Script(accuracy=1.0, answers={"7 weeks": "49"}, words=12)
CONTINUING = ["llamacpp", "vllm", "sglang", "ollama"]


@pytest.mark.parametrize(
    ("listed", "name", "context", "parameters"),
    [
        # shapes as the servers send them
        ({"id": "Qwen/Qwen3-8B", "object": "model", "owned_by": "vllm", "max_model_len": 40960}, "vllm", 40960, None),
        (
            {"id": "Qwen/Qwen3-8B", "object": "model", "owned_by": "sglang", "max_model_len": 32768},
            "sglang",
            32768,
            None,
        ),
        ({"id": "llama3:8b", "object": "model", "owned_by": "library", "created": 1}, "ollama", None, None),
        (
            {"id": "m", "owned_by": "llamacpp", "meta": {"n_ctx": 2048, "n_ctx_train": 8192, "n_params": 134515008}},
            "llamacpp",
            2048,
            134515008.0,
        ),
        ({"id": "gpt-5", "object": "model", "owned_by": "system"}, "openai", None, None),
    ],
)
def test_a_list_of_models_tells_the_dialect_and_the_size(listed, name, context, parameters):
    served = read_models(json.dumps({"object": "list", "data": [listed]}).encode(), listed["id"])
    assert (served.dialect.name, served.context, served.parameters) == (name, context, parameters)
    assert served.models == (listed["id"],)


@pytest.mark.parametrize("data", [b"", b"<html>", b'{"data": 3}', b'{"data": [{"meta": 3}]}', b"[]", b'{"data": []}'])
def test_a_list_that_cannot_be_read_tells_of_a_plain_server(data):
    assert read_models(data, "m").dialect is DIALECTS["openai"]


def test_thinking_is_capped_in_each_dialects_own_words():
    assert thinking_cap(DIALECTS["vllm"], 99) == {"thinking_token_budget": 99}
    assert thinking_cap(DIALECTS["sglang"], 99) == {"chat_template_kwargs": {"thinking_budget": 99}}
    assert thinking_cap(DIALECTS["llamacpp"], 99) == {"reasoning_budget_tokens": 99}
    efforts = [thinking_cap(DIALECTS["openai"], tokens)["reasoning_effort"] for tokens in (500, 4000, 20000)]
    assert efforts == ["low", "medium", "high"]


@pytest.mark.parametrize("dialect", CONTINUING)
@pytest.mark.parametrize("streamed", [False, True])
async def test_a_beginning_is_gone_on_with_and_the_reply_holds_only_what_is_new(dialect, streamed):
    server = FakeServer(SCRIPT, dialect=dialect)
    messages = ({"role": "user", "content": QUESTION}, {"role": "assistant", "content": "So.\n\nThe answer is"})
    ask = Ask(messages=messages, continues=True, max_tokens=8, seed=0)
    async with server.serve():
        model = HttpModel("fake", server.base_url)
        assert await model.can_continue()
        if streamed:
            async with model.stream(ask) as deltas:
                text = "".join([delta.text async for delta in deltas])
        else:
            text = (await model.complete(ask)).choices[0].text
        await model.aclose()
    assert text == " 49."
    assert server.bodies[0]["messages"] == list(messages)


async def test_where_a_server_begins_a_new_turn_it_is_asked_to_go_on_in_one():
    server = FakeServer(SCRIPT)
    async with server.serve():
        model = HttpModel("fake", server.base_url)
        assert not await model.can_continue()
        messages = ({"role": "user", "content": QUESTION}, {"role": "assistant", "content": "So"})
        await model.complete(Ask(messages=messages, continues=True))
        await model.aclose()
    sent = server.bodies[0]["messages"]
    assert sent[:2] == list(messages)
    assert (sent[2]["role"], sent[2]["content"][:5]) == ("user", "Go on")


@pytest.mark.parametrize("dialect", CONTINUING)
async def test_chains_are_rescued_and_thinking_is_forced_in_every_dialect_that_goes_on(dialect, monkeypatch):
    monkeypatch.setattr("outthink.strategies.self_consistency.CHAIN_TOKENS", 5)
    server = FakeServer(SCRIPT, dialect=dialect)
    async with server.serve(), Engine(HttpModel("fake", server.base_url)) as engine:
        vote = await engine.solve(QUESTION, strategy="self-consistency(n=3)")
        thought = await engine.solve(QUESTION, strategy="think(max_tokens=4)")
    assert (str(vote.answer), vote.votes) == ("49", {"49": 2}) or vote.votes == {"49": 3}
    assert str(thought.answer) == "49"
    assert "think>" not in thought.text
    for result in (vote, thought):
        assert result.usage.unsettled_calls == 0
    assert vote.usage.tokens + thought.usage.tokens == server.prompt_tokens + server.completion_tokens


async def test_thinking_is_capped_where_it_cannot_be_forced_and_a_refusal_of_the_cap_is_remembered():
    server = FakeServer(Script(replies=["The answer is 49."]), refuses=frozenset({"reasoning_effort"}))
    async with server.serve(), Engine(HttpModel("fake", server.base_url)) as engine:
        result = await engine.solve(QUESTION, strategy="think(max_tokens=2000)")
    assert [body.get("reasoning_effort") for body in server.bodies] == ["medium", None]
    assert str(result.answer) == "49"
