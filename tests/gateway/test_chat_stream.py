"""Streams to the letter of the protocol, read by the real client and by its own accumulator."""

import anyio
import httpx2
import msgspec
import openai
import pytest

from outthink import Engine
from outthink.core.events import Grew
from outthink.models.fake_server import FakeServer
from outthink.models.script import Script

pytestmark = pytest.mark.anyio
QUESTION = {"messages": [{"role": "user", "content": "How many days are there in 7 weeks?"}]}
HELLO = {"messages": [{"role": "user", "content": "Tell me about weeks."}]}
SCRIPT = Script(accuracy=0.8, answers={"7 weeks": "49"})


async def chunks_of(gate, **asked):
    return [chunk async for chunk in await gate.client.chat.completions.create(stream=True, **asked)]


async def raw_lines(gate, **asked):
    body = {"model": "fake", "stream": True, **asked}
    async with httpx2.AsyncClient(verify=False) as client:
        reply = await client.post(f"{gate.url}/chat/completions", json=body)
        assert reply.headers["content-type"].startswith("text/event-stream")
        return reply.text.split("\n\n")


@pytest.mark.parametrize("asked", [QUESTION, HELLO], ids=["vote", "direct"])
async def test_a_stream_is_true_to_the_protocol(open_gateway, asked):
    server = FakeServer(SCRIPT)
    async with server.serve(), open_gateway(server) as gate:
        *events, rest = await raw_lines(gate, **asked, stream_options={"include_usage": True})
    assert rest == ""
    assert events[-1] == "data: [DONE]"
    chunks = [msgspec.json.decode(event.removeprefix("data: ")) for event in events[:-1]]
    assert {chunk["object"] for chunk in chunks} == {"chat.completion.chunk"}
    assert len({(chunk["id"], chunk["created"], chunk["model"]) for chunk in chunks}) == 1
    *spoken, last = chunks
    assert spoken[0]["choices"][0]["delta"] == {"role": "assistant", "content": ""}
    assert all("role" not in chunk["choices"][0]["delta"] for chunk in spoken[1:])
    assert [chunk["choices"][0]["finish_reason"] for chunk in spoken] == [None] * (len(spoken) - 1) + ["stop"]
    assert spoken[-1]["choices"][0]["delta"] == {}
    assert all(chunk["usage"] is None for chunk in spoken)
    assert last["choices"] == []
    assert last["usage"]["completion_tokens"] == server.completion_tokens
    assert last["usage"]["total_tokens"] == server.prompt_tokens + server.completion_tokens


async def test_direct_streams_token_by_token_and_says_what_a_plain_reply_says(open_gateway):
    server = FakeServer(SCRIPT)
    async with server.serve(), open_gateway(server) as gate:
        plain = await gate.client.chat.completions.create(model="fake", **HELLO, seed=3)
        chunks = await chunks_of(gate, model="fake", **HELLO, seed=3)
    pieces = [chunk.choices[0].delta.content for chunk in chunks if chunk.choices[0].delta.content]
    assert "".join(pieces) == plain.choices[0].message.content
    assert len(pieces) == server.billed[1].completion_tokens
    assert [body.get("stream") for body in server.bodies] == [None, True]


async def test_the_first_token_is_here_while_the_model_still_speaks(open_gateway):
    server = FakeServer(Script(words=400), token_latency=0.01)
    async with server.serve(), open_gateway(server) as gate:
        stream = await gate.client.chat.completions.create(model="fake", **HELLO, stream=True)
        async for chunk in stream:
            if chunk.choices[0].delta.content:
                break
        assert server.in_flight == 1
        assert server.completion_tokens < 100
        await stream.close()


async def test_a_vote_shows_its_progress_as_reasoning_and_does_not_stream_upstream(open_gateway):
    server = FakeServer(SCRIPT)
    async with server.serve(), open_gateway(server) as gate:
        chunks = await chunks_of(gate, model="fake+self-consistency(n=12, width=4)", seed=3, **QUESTION)
    deltas = [chunk.choices[0].delta for chunk in chunks]
    progress = [delta.reasoning_content for delta in deltas if getattr(delta, "reasoning_content", None)]
    assert progress[0].startswith("4 of 12 samples; votes 49:")
    content = [delta.content for delta in deltas if delta.content]
    assert len(content) == 1
    assert content[0].endswith("The answer is 49.")
    assert all("stream" not in body for body in server.bodies)
    assert chunks[-1].outthink["answer"] == "49"


async def test_usage_is_sent_only_where_asked_for(open_gateway):
    server = FakeServer(SCRIPT)
    async with server.serve(), open_gateway(server) as gate:
        for options in ({}, {"stream_options": {}}, {"stream_options": {"include_usage": False}}):
            chunks = await chunks_of(gate, model="fake", **HELLO, **options)
            assert all(chunk.usage is None and chunk.choices for chunk in chunks)


@pytest.mark.parametrize("strategy", ["direct", "self-consistency(n=4)"])
@pytest.mark.parametrize("settings", [{}, {"refuses": frozenset({"n"})}, {"dialect": "ollama"}], ids=str)
async def test_the_clients_accumulator_puts_several_choices_together(open_gateway, strategy, settings):
    server = FakeServer(SCRIPT, **settings)
    asked = {"model": f"fake+{strategy}", **QUESTION, "n": 3, "seed": 11}
    async with server.serve(), open_gateway(server) as gate:
        plain = await gate.client.chat.completions.create(**asked)
        async with gate.client.chat.completions.stream(**asked, stream_options={"include_usage": True}) as stream:
            whole = await stream.get_final_completion()
    assert [choice.message.content for choice in whole.choices] == [c.message.content for c in plain.choices]
    assert [choice.finish_reason for choice in whole.choices] == ["stop"] * 3
    assert whole.usage.total_tokens == plain.usage.total_tokens


CALL_DELTAS = [
    {"role": "assistant", "content": None},
    {
        "tool_calls": [
            {"index": 0, "id": "call_0", "type": "function", "function": {"name": "weather", "arguments": ""}}
        ]
    },
    {"tool_calls": [{"index": 0, "function": {"arguments": '{"place": '}}]},
    {"tool_calls": [{"index": 0, "function": {"arguments": '"Paris"}'}}]},
    {"tool_calls": [{"index": 1, "id": "call_1", "type": "function", "function": {"name": "time", "arguments": "{}"}}]},
]
CALLS = [("call_0", "weather", '{"place": "Paris"}'), ("call_1", "time", "{}")]
WHOLE_CALLS = [
    {"id": name, "type": "function", "function": {"name": function, "arguments": arguments}}
    for name, function, arguments in CALLS
]
TOOLS = [{"type": "function", "function": {"name": name, "parameters": {"type": "object"}}} for _, name, _ in CALLS]


@pytest.mark.parametrize("strategy", ["direct", "self-consistency(n=1)"])
async def test_streamed_tool_calls_come_whole_with_id_and_name_once(open_gateway, recorded, strategy):
    message = {"role": "assistant", "content": None, "tool_calls": WHOLE_CALLS}
    server = recorded(message=message, deltas=CALL_DELTAS, finish="tool_calls")
    asked = {"model": f"fake+{strategy}", **HELLO, "tools": TOOLS}
    async with server.serve(), open_gateway(server) as gate:
        chunks = await chunks_of(gate, **asked)
        async with gate.client.chat.completions.stream(**asked) as stream:
            whole = await stream.get_final_completion()
    pieces = [call for chunk in chunks for call in chunk.choices[0].delta.tool_calls or ()]
    assert [piece.id for piece in pieces if piece.id] == ["call_0", "call_1"]
    assert [piece.function.name for piece in pieces if piece.function.name] == ["weather", "time"]
    assert {piece.index for piece in pieces} == {0, 1}
    assert chunks[-1].choices[0].finish_reason == "tool_calls"
    found = whole.choices[0].message.tool_calls
    assert [(call.id, call.function.name, call.function.arguments) for call in found] == CALLS


async def test_reasoning_refusal_and_unknown_fields_of_a_stream_are_passed_on(open_gateway, recorded):
    deltas = [{"role": "assistant"}, {"reasoning": "Hm"}, {"reasoning_content": "m."}, {"refusal": "No"}, {"mood": [1]}]
    server = recorded(deltas=deltas)
    async with server.serve(), open_gateway(server) as gate:
        chunks = await chunks_of(gate, model="fake", **HELLO)
    said = [chunk.choices[0].delta.model_dump(exclude_unset=True) for chunk in chunks]
    assert said[1:-1] == [{"reasoning_content": "Hm"}, {"reasoning_content": "m."}, {"refusal": "No"}, {"mood": [1]}]


async def test_thinking_left_in_the_text_is_told_apart_streamed_or_not(open_gateway, recorded):
    pieces = ["<thi", "nk>Let me", " see.</th", "ink>\n\nIt ", "is 3."]
    server = recorded(
        message={"role": "assistant", "content": "".join(pieces)}, deltas=[{"content": piece} for piece in pieces]
    )
    async with server.serve(), open_gateway(server) as gate:
        plain = await gate.client.chat.completions.create(model="fake", **HELLO)
        deltas = [chunk.choices[0].delta for chunk in await chunks_of(gate, model="fake", **HELLO)]
    message = plain.choices[0].message
    assert (message.content, message.reasoning_content) == ("It is 3.", "Let me see.")
    assert "".join(delta.content or "" for delta in deltas) == "It is 3."
    assert "".join(getattr(delta, "reasoning_content", "") for delta in deltas) == "Let me see."


async def test_a_streamed_candidate_holds_what_its_pieces_held(recorded):
    deltas = [{"refusal": "I can"}, {"refusal": "not."}, {"function_call": {"name": "f", "arguments": "{"}}]
    deltas += [{"function_call": {"arguments": "}"}}, {"notes": [1]}, {"notes": [2]}, {"mark": 1}, {"mark": None}]
    server, logs = recorded(deltas=deltas), []
    async with server.serve(), Engine(f"fake@{server.base_url}") as engine:
        result = await engine.solve("Hello", strategy="direct", live=True, watch=logs.append)
    assert result.message == {
        "role": "assistant",
        "content": "",
        "refusal": "I cannot.",
        "function_call": {"name": "f", "arguments": "{}"},
        "notes": [1, 2],
        "mark": 1,
    }
    assert sum(isinstance(event, Grew) for event in logs[0].events) == len(deltas) - 1


async def test_silence_is_filled_with_comments_that_clients_ignore(open_gateway):
    server = FakeServer(SCRIPT, latency=0.5)
    async with server.serve(), open_gateway(server, ping=0.05) as gate:
        events = await raw_lines(gate, **QUESTION)
        chunks = await chunks_of(gate, model="fake", **QUESTION)
    pings = [event for event in events if event == ": ping"]
    assert len(pings) >= 3
    assert events[0] == ": ping"
    assert chunks[-1].choices[0].finish_reason == "stop"


async def test_no_comment_comes_while_there_is_something_to_say(open_gateway):
    server = FakeServer(Script(words=30), token_latency=0.01)
    async with server.serve(), open_gateway(server, ping=5.0) as gate:
        events = await raw_lines(gate, **HELLO)
    assert ": ping" not in events


async def test_a_stream_cut_upstream_ends_in_an_error_event_and_is_not_begun_anew(open_gateway, recorded):
    server = recorded(deltas=[{"content": "Once"}, {"content": " upon"}], broken=b"data: {broken\n\n")
    async with server.serve(), open_gateway(server) as gate:
        said = []

        async def read():
            async for chunk in await gate.client.chat.completions.create(model="fake", **HELLO, stream=True):
                said.append(chunk.choices[0].delta.content)

        with pytest.raises(openai.APIError, match="cannot be read") as caught:
            await read()
    assert "".join(said) == "Once upon"
    assert caught.value.body["type"] == "server_error"
    assert len(server.bodies) == 1


async def test_what_fails_before_the_first_token_has_its_true_status(open_gateway):
    server = FakeServer(SCRIPT, key="another")
    async with server.serve(), open_gateway(server) as gate:
        with pytest.raises(openai.AuthenticationError):
            await gate.client.chat.completions.create(model="fake", **HELLO, stream=True)


async def test_what_fails_after_a_comment_is_an_error_event(open_gateway):
    server = FakeServer(SCRIPT, latency=60.0)
    async with server.serve(), open_gateway(server, ping=0.02) as gate:
        events = await raw_lines(gate, **HELLO, outthink={"budget": "seconds=0.2"})
    assert events[0] == ": ping"
    assert msgspec.json.decode(events[-2].removeprefix("data: "))["error"]["type"] == "budget_exhausted"
    assert "data: [DONE]" not in events


async def test_a_reply_cut_by_its_budget_ends_by_length(open_gateway):
    server = FakeServer(Script(words=300))
    async with server.serve(), open_gateway(server) as gate:
        chunks = await chunks_of(gate, model="fake", **HELLO, extra_body={"outthink": {"budget": {"tokens": 100}}})
    assert chunks[-1].choices[0].finish_reason == "length"
    assert server.prompt_tokens + server.completion_tokens <= 100


async def test_a_server_that_does_not_stream_is_answered_for_at_once(open_gateway):
    from outthink.models.fake import FakeModel

    model = FakeModel(SCRIPT, lacks=("stream",))
    async with open_gateway(model) as gate:
        chunks = await chunks_of(gate, model="fake", **HELLO)
    content = [chunk.choices[0].delta.content for chunk in chunks if chunk.choices[0].delta.content]
    assert len(content) == 1
    assert chunks[-1].choices[0].finish_reason == "stop"


async def test_the_engine_puts_no_pieces_on_record_unless_asked(recorded):
    server, logs = FakeServer(SCRIPT), []
    async with server.serve(), Engine(f"fake@{server.base_url}") as engine:
        await engine.solve("Hello", strategy="direct", watch=logs.append)
        with anyio.fail_after(5):
            await engine.solve("Hello", strategy="direct", budget="seconds=3", watch=logs.append)
    assert not any(isinstance(event, Grew) for log in logs for event in log.events)
