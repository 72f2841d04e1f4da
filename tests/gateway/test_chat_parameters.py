"""What a client sends reaches the model as it came: the fake server keeps the bodies."""

import pytest

from outthink.models.fake_server import FakeServer
from outthink.models.script import Script

pytestmark = pytest.mark.anyio
NUMBER = "How many days are there in 7 weeks?"
HELLO = [{"role": "user", "content": "Tell me about weeks."}]
SCRIPT = Script(accuracy=0.8, answers={"7 weeks": "49"})
WEATHER = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": "The weather at a place",
        "parameters": {"type": "object", "properties": {"place": {"type": "string"}}, "required": ["place"]},
    },
}
CONVERSATION = [
    {"role": "system", "content": "Be brief."},
    {"role": "system", "content": "Answer in English."},
    {"role": "developer", "content": "No emoji."},
    {"role": "user", "content": "What is the weather in Paris?", "name": "ann"},
    {
        "role": "assistant",
        "content": None,
        "tool_calls": [
            {"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": '{"place": "Paris"}'}}
        ],
    },
    {"role": "tool", "tool_call_id": "call_1", "content": '{"celsius": 21}'},
    {"role": "assistant", "content": "21 °C."},
    {
        "role": "user",
        "content": [
            {"type": "text", "text": "And what is this?"},
            {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA", "detail": "low"}},
        ],
    },
]
PARAMETERS = {
    "temperature": 0.3,
    "top_p": 0.9,
    "presence_penalty": 0.1,
    "frequency_penalty": -0.2,
    "stop": ["\n\n", "END"],
    "logit_bias": {"50256": -100},
    "max_tokens": 77,
    "seed": 1234,
    "user": "u-1",
    "metadata": {"trace": "t-1"},
    "response_format": {"type": "json_object"},
    "tools": [WEATHER],
    "tool_choice": {"type": "function", "function": {"name": "weather"}},
    "parallel_tool_calls": False,
    "logprobs": True,
    "top_logprobs": 3,
    "service_tier": "flex",
    "store": False,
}
EXTRAS = {"min_p": 0.05, "repetition_penalty": 1.1, "guided_json": {"type": "object"}, "chat_template_kwargs": {"a": 1}}


@pytest.mark.parametrize("stream", [False, True])
async def test_every_turn_part_tool_and_parameter_reaches_the_model_unchanged(open_gateway, stream):
    server = FakeServer(SCRIPT)
    async with server.serve(), open_gateway(server) as gate:
        reply = await gate.client.chat.completions.create(
            model="fake+direct", messages=CONVERSATION, **PARAMETERS, stream=stream, extra_body=EXTRAS
        )
        if stream:
            async for _ in reply:
                pass
    own = {"stream": True, "stream_options": {"include_usage": True}} if stream else {}
    assert server.bodies == [{"model": "fake", "messages": CONVERSATION, **PARAMETERS, **EXTRAS, **own}]


async def test_a_vote_keeps_the_parameters_and_derives_each_seed(open_gateway):
    server = FakeServer(SCRIPT, refuses=frozenset({"n"}))
    async with server.serve(), open_gateway(server) as gate:
        await gate.client.chat.completions.create(
            model="fake",
            messages=[{"role": "system", "content": "Be brief."}, {"role": "user", "content": NUMBER}],
            temperature=1.1,
            max_completion_tokens=50,
            seed=100,
            user="u-1",
            extra_body={"outthink": {"strategy": "self-consistency(n=4)"}, "min_p": 0.05},
        )
    tried = [body for body in server.bodies if "n" not in body]
    assert sorted(body["seed"] for body in tried) == [100, 101, 102, 103]
    for body in tried:
        assert (body["temperature"], body["max_completion_tokens"], body["user"], body["min_p"]) == (
            1.1,
            50,
            "u-1",
            0.05,
        )
        assert "max_tokens" not in body
        assert body["messages"][0] == {"role": "system", "content": "Be brief."}
        assert body["messages"][-1] == {"role": "user", "content": NUMBER}


async def test_requests_without_a_seed_differ_and_the_seed_is_told(open_gateway):
    server = FakeServer(SCRIPT)
    async with server.serve(), open_gateway(server) as gate:
        replies = [await gate.client.chat.completions.create(model="fake", messages=HELLO) for _ in range(2)]
    seeds = [body["seed"] for body in server.bodies]
    assert seeds == [reply.outthink["seed"] for reply in replies]
    assert seeds[0] != seeds[1]


async def test_a_null_means_not_given(open_gateway):
    server = FakeServer(SCRIPT)
    async with server.serve(), open_gateway(server) as gate:
        reply = await gate.client.chat.completions.create(
            model="fake", messages=HELLO, temperature=None, max_tokens=None, n=None, stop=None, seed=None
        )
    assert reply.choices[0].message.content
    assert server.bodies[0].keys() == {"model", "messages", "seed", "logprobs", "top_logprobs"}


async def test_log_probabilities_come_back_as_the_server_gave_them_only_where_asked_for(open_gateway, recorded):
    entry = {"token": "Hi", "logprob": -0.25, "bytes": [72, 105], "top_logprobs": [{"token": "Yo", "logprob": -2.0}]}
    server = recorded(message={"role": "assistant", "content": "Hi"}, logprobs={"content": [entry]})
    async with server.serve(), open_gateway(server) as gate:
        asked = await gate.client.chat.completions.create(model="fake", messages=HELLO, logprobs=True)
        plain = await gate.client.chat.completions.create(model="fake", messages=HELLO)
    assert asked.choices[0].logprobs.model_dump(exclude_unset=True)["content"] == [entry]
    assert plain.choices[0].logprobs is None
    assert "top_logprobs" not in server.bodies[0]


async def test_streamed_log_probabilities_are_those_of_the_pieces(open_gateway):
    server = FakeServer(SCRIPT)
    async with server.serve(), open_gateway(server) as gate:
        said, entries = [], []
        async for chunk in await gate.client.chat.completions.create(
            model="fake+direct", messages=HELLO, logprobs=True, stream=True
        ):
            choice = chunk.choices[0]
            said.append(choice.delta.content or "")
            entries += choice.logprobs.content if choice.logprobs else []
    assert "".join(entry.token for entry in entries) == "".join(said)
    assert len(entries) == server.completion_tokens


async def test_what_a_server_lacks_is_left_out_with_a_word_in_the_answer(open_gateway):
    server = FakeServer(SCRIPT, refuses=frozenset({"logprobs", "top_logprobs", "seed"}))
    async with server.serve(), open_gateway(server) as gate:
        reply = await gate.client.chat.completions.create(
            model="fake", messages=HELLO, logprobs=True, top_logprobs=2, seed=5
        )
    assert reply.choices[0].message.content
    assert reply.choices[0].logprobs is None
    warned = " ".join(reply.outthink["warnings"])
    assert "logprobs" in warned
    assert "seed" in warned


async def test_an_image_alone_is_a_question(open_gateway):
    server = FakeServer(SCRIPT)
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
    messages = [{"role": "user", "content": [image]}]
    async with server.serve(), open_gateway(server) as gate:
        await gate.client.chat.completions.create(model="fake", messages=messages)
    assert server.bodies[0]["messages"] == messages


async def test_a_parameter_the_model_refuses_is_the_clients_400(open_gateway):
    server = FakeServer(SCRIPT, refuses=frozenset({"logit_bias"}))
    async with server.serve(), open_gateway(server) as gate:
        with pytest.raises(Exception, match="logit_bias") as caught:
            await gate.client.chat.completions.create(model="fake", messages=HELLO, logit_bias={"1": 2})
    assert caught.value.status_code == 400


@pytest.mark.parametrize(
    ("effort", "extra", "strategy", "forwarded"),
    [
        ("none", {}, "direct", False),
        ("minimal", {}, "auto(effort=low)", False),
        ("low", {}, "auto(effort=low)", False),
        ("medium", {}, "auto(effort=medium)", False),
        ("xhigh", {}, "auto(effort=high)", False),
        ("high", {"strategy": "auto(effort=low, accuracy=0.9)"}, "auto(effort=high, accuracy=0.9)", False),
        ("none", {"strategy": "auto(accuracy=0.9)"}, "auto(accuracy=0.9)", False),
        ("low", {"strategy": "auto(policy=off)"}, "auto(effort=low, policy=off)", False),
        ("high", {"strategy": "cot"}, "cot", False),
        ("none", {"strategy": "cot"}, "cot", False),
        ("high", {"strategy": "direct"}, "direct", True),
    ],
)
async def test_reasoning_effort_ends_here_except_under_an_explicit_direct(
    open_gateway, effort, extra, strategy, forwarded
):
    server = FakeServer(SCRIPT)
    async with server.serve(), open_gateway(server, strategy="self-consistency(n=3)") as gate:
        reply = await gate.client.chat.completions.create(
            model="fake",
            messages=[{"role": "user", "content": NUMBER}],
            reasoning_effort=effort,
            extra_body={"outthink": extra},
        )
    assert reply.outthink["strategy"] == strategy
    assert {body.get("reasoning_effort") for body in server.bodies} == {effort if forwarded else None}
