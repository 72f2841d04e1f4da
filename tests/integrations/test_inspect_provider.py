"""Inspect asks through a strategy: what it configures reaches the server or is refused, and what comes back is true."""

import json
import subprocess
import sys
import textwrap

import anyio
import pytest

from outthink.core.errors import BadSpec, UnknownName, Unsupported
from outthink.models.fake_server import FakeServer, Faults
from outthink.models.script import Script

pytest.importorskip("inspect_ai", reason="the extra inspect is not installed")

from inspect_ai.model import (
    ChatMessageAssistant,
    ChatMessageTool,
    ChatMessageUser,
    ContentImage,
    ContentText,
    GenerateConfig,
    ResponseSchema,
    get_model,
)
from inspect_ai.tool import ToolCall, ToolFunction, ToolInfo, ToolParams
from inspect_ai.util import JSONSchema

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.filterwarnings("ignore::DeprecationWarning:inspect_ai"),
    pytest.mark.real_time,
]
QUESTION = "How many are 4 apples and 3 pears?"
SCRIPT = Script(accuracy=0.9, words=6)
WEATHER = ToolInfo(
    name="weather",
    description="The weather of a place.",
    parameters=ToolParams(properties={"place": JSONSchema(type="string")}, required=["place"]),
)


async def ask(server, given=QUESTION, config=GenerateConfig(), tools=(), tool_choice=None, **options):
    """One generation through Inspect's own front door; returns its output and the server's last body."""
    model = get_model(f"outthink/fake@{server.base_url}", memoize=False, **options)
    async with model:
        output = await model.generate(given, tools=list(tools), tool_choice=tool_choice, config=config)
    return output, server.bodies[-1] if server.bodies else None


async def test_a_strategy_answers_and_its_usage_is_the_servers_own_count():
    async with FakeServer(SCRIPT).serve() as server:
        output, _ = await ask(server, strategy="self-consistency(n=6)", config=GenerateConfig(seed=7))
        assert (output.stop_reason, output.metadata["answer"]) == (
            "stop",
            SCRIPT.answer(server.bodies[0]["messages"][-1]["content"]),
        )
        assert output.metadata["strategy"] == "self-consistency(n=6)"
        assert output.metadata["stop_reason"] in ("settled", "exhausted")
        assert sum(output.metadata["votes"].values()) <= 6
        assert output.metadata["seed"] == 7
        assert output.usage.input_tokens == server.prompt_tokens
        assert output.usage.output_tokens == server.completion_tokens
        assert output.usage.total_tokens == server.prompt_tokens + server.completion_tokens
        assert output.input_context_tokens == max(one.prompt_tokens for one in server.billed)


async def test_every_parameter_that_is_mapped_reaches_the_server_by_the_protocols_name():
    schema = ResponseSchema(name="sum", json_schema=JSONSchema(type="object"), strict=True)
    config = GenerateConfig(
        max_tokens=50, temperature=0.3, top_p=0.9, top_k=5, stop_seqs=["END"], seed=11, frequency_penalty=0.1,
        presence_penalty=0.2, logit_bias={3: 1.5}, logprobs=True, top_logprobs=2, reasoning_effort="low",
        verbosity="low", response_schema=schema, extra_body={"min_p": 0.05},
    )  # fmt: skip
    async with FakeServer(SCRIPT).serve() as server:
        output, body = await ask(server, config=config, strategy="direct")
    wanted = {
        "max_tokens": 50, "temperature": 0.3, "top_p": 0.9, "top_k": 5, "stop": ["END"], "seed": 11,
        "frequency_penalty": 0.1, "presence_penalty": 0.2, "logit_bias": {"3": 1.5}, "logprobs": True,
        "top_logprobs": 2, "reasoning_effort": "low", "verbosity": "low", "min_p": 0.05, "model": "fake",
    }  # fmt: skip
    assert {name: body.get(name) for name in wanted} == wanted
    assert body["response_format"]["json_schema"] == {"name": "sum", "schema": {"type": "object"}, "strict": True}
    assert len(output.choices[0].logprobs.content) == output.usage.output_tokens


async def test_as_many_choices_come_back_as_were_asked_for():
    async with FakeServer(SCRIPT).serve() as server:
        output, _ = await ask(server, config=GenerateConfig(num_choices=3, seed=1), strategy="direct")
        assert len(output.choices) == 3
        assert output.usage.output_tokens == server.completion_tokens


@pytest.mark.parametrize(
    "config",
    [
        {"best_of": 4}, {"prompt_logprobs": 1}, {"reasoning_tokens": 500}, {"extra_headers": {"X-A": "b"}},
        {"batch": True}, {"modalities": ["image"]}, {"effort": "high"}, {"top_logprobs": 3},
    ],
)  # fmt: skip
async def test_what_cannot_be_honoured_is_refused_before_anything_is_asked(config):
    name = next(iter(config))
    with pytest.raises(Unsupported, match=name):
        get_model("outthink/fake", memoize=False, config=GenerateConfig(**config))
    async with FakeServer(SCRIPT).serve() as server:
        with pytest.raises(Unsupported, match=name):
            await ask(server, config=GenerateConfig(**config))
        assert not server.billed


def test_a_configuration_that_says_everything_is_sorted_whole():
    """A field that a later Inspect adds is refused until it is thought about."""
    from outthink.integrations.inspect_provider import _CONVERTED, _INSPECTS, _SENT

    assert {*_SENT, *_CONVERTED, *_INSPECTS} <= set(GenerateConfig.model_fields)


async def test_bad_arguments_are_told_when_the_model_is_named():
    with pytest.raises(UnknownName, match="self-consistency"):
        get_model("outthink/fake", memoize=False, strategy="self-consistent(n=3)")
    with pytest.raises(BadSpec, match="tokens"):
        get_model("outthink/fake", memoize=False, budget="token=3")
    with pytest.raises(Unsupported, match="OUTTHINK_API_KEY"):
        get_model("outthink/fake", memoize=False, api_key="secret")


async def test_values_that_inspect_split_at_commas_are_whole_again():
    async with FakeServer(SCRIPT).serve() as server:
        split = {"strategy": ["self-consistency(n=4", " width=2)"], "budget": ["calls=1", "tokens=9000"]}
        output, _ = await ask(server, **split)
        assert output.metadata["strategy"] == "self-consistency(n=4, width=2)"
        assert output.metadata["stop_reason"] == "budget"
        assert len(server.billed) == 1


class ToolServer(FakeServer):
    """Answers every question by a call of the first tool."""

    def _choice(self, index, said, body):
        call = {"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": '{"place": "Ulm"}'}}
        message = {"role": "assistant", "content": None, "tool_calls": [call]}
        return {"index": index, "message": message, "finish_reason": "tool_calls", "logprobs": None}


@pytest.mark.parametrize(
    ("choice", "sent"),
    [
        ("auto", "auto"),
        ("any", "required"),
        (ToolFunction(name="weather"), {"type": "function", "function": {"name": "weather"}}),
    ],
)
async def test_tools_and_their_calls_go_both_ways(choice, sent):
    said = ToolCall(id="call_0", function="weather", arguments={"place": "Jena"})
    turns = [
        ChatMessageUser(content="What is the weather in Ulm?"),
        ChatMessageAssistant(content="", tool_calls=[said]),
        ChatMessageTool(content="rain", tool_call_id="call_0", function="weather"),
        ChatMessageUser(content="And in Ulm?"),
    ]
    config = GenerateConfig(parallel_tool_calls=False)
    async with ToolServer(SCRIPT).serve() as server:
        output, body = await ask(server, turns, config, [WEATHER], choice)
    (call,) = output.message.tool_calls
    assert (output.stop_reason, call.function, call.arguments) == ("tool_calls", "weather", {"place": "Ulm"})
    assert body["tool_choice"] == sent
    assert body["parallel_tool_calls"] is False
    assert body["tools"][0]["function"]["name"] == "weather"
    assert body["tools"][0]["function"]["parameters"]["required"] == ["place"]
    assert [m["role"] for m in body["messages"]] == ["user", "assistant", "tool", "user"]
    assert json.loads(body["messages"][1]["tool_calls"][0]["function"]["arguments"]) == {"place": "Jena"}


async def test_images_stay_parts_of_their_message():
    picture = "data:image/png;base64,iVBORw0KGgo="
    turn = ChatMessageUser(content=[ContentText(text="What is this?"), ContentImage(image=picture)])
    async with FakeServer(SCRIPT).serve() as server:
        _, body = await ask(server, [turn])
    assert [part["type"] for part in body["messages"][-1]["content"]] == ["text", "image_url"]
    assert body["messages"][-1]["content"][1]["image_url"]["url"] == picture


async def test_a_cut_answer_a_long_prompt_and_a_spent_budget_are_told_apart():
    async with FakeServer(SCRIPT).serve() as server:
        output, _ = await ask(server, config=GenerateConfig(max_tokens=3), strategy="direct")
        assert output.stop_reason == "max_tokens"
        server.context = 2
        output, _ = await ask(server)
        assert (output.stop_reason, output.completion) == ("model_length", "")
        assert "context" in output.error
        server.context, server.latency = None, 5.0
        output, _ = await ask(server, budget="seconds=0.3")
        assert (output.stop_reason, output.metadata["stop_reason"]) == ("max_tokens", "deadline")
        assert output.usage.total_tokens == output.metadata["usage"]["total_tokens"] > 0


async def test_faults_are_tried_again_here_and_cost_inspect_nothing():
    async with FakeServer(SCRIPT, Faults(first=1, first_kind="503")).serve() as server:
        output, _ = await ask(server, strategy="direct")
        assert output.stop_reason == "stop"
        assert output.metadata["usage"]["calls"] == len(server.billed) == 2


async def test_epochs_sample_anew_unless_a_seed_is_set():
    async with FakeServer(SCRIPT).serve() as server:
        for _ in range(3):
            await ask(server, strategy="direct")
        assert len({body["seed"] for body in server.bodies}) == 3


def test_a_model_that_inspect_keeps_serves_the_next_evaluations_loop():
    kept, ended = [], []

    async def evaluate(port):
        async with FakeServer(SCRIPT).serve(port) as server:
            kept.append(kept[0] if kept else get_model(f"outthink/fake@{server.base_url}", memoize=False))
            output = await kept[-1].generate(QUESTION)
            ended.append(output.stop_reason)
            return int(server.base_url.split(":")[2].partition("/")[0])

    async def close():
        await kept[0].api.aclose()

    port = anyio.run(evaluate, 0)
    anyio.run(evaluate, port)
    anyio.run(close)
    assert ended == ["stop", "stop"]


@pytest.mark.timeout(120)
async def test_an_evaluation_from_the_command_line_runs_through_a_strategy(tmp_path):
    questions = [f"How many are {i} apples and 3 pears?" for i in range(6)]
    task = f"""
        from inspect_ai import Task, task
        from inspect_ai.dataset import Sample
        from inspect_ai.scorer import match
        from inspect_ai.solver import generate
        from outthink.models.script import Script

        @task
        def apples():
            rows = [Sample(input=text, target=Script().answer(text)) for text in {questions!r}]
            return Task(dataset=rows, solver=generate(), scorer=match(numeric=True))
    """
    (tmp_path / "task.py").write_text(textwrap.dedent(task))
    command = [sys.executable, "-m", "inspect_ai", "eval", "task.py", "--model", "outthink/fake", "--epochs", "2"]
    command += ["-M", "strategy=self-consistency(n=8, width=4)", "-M", "budget=calls=16,tokens=9000"]
    command += ["--display", "plain", "--log-format", "json", "--log-dir", "logs"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (log,) = (tmp_path / "logs").glob("*.json")
    found = json.loads(log.read_text())
    assert found["status"] == "success"
    assert len(found["samples"]) == 12
    told = [sample["output"]["metadata"] for sample in found["samples"]]
    assert {one["strategy"] for one in told} == {"self-consistency(n=8, width=4)"}
    used = found["stats"]["model_usage"]["outthink/fake"]
    assert used["total_tokens"] == sum(one["usage"]["total_tokens"] for one in told)
