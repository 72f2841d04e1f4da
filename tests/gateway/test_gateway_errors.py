"""What a client is told when there is no answer: the envelope, the true status, and whether to try again."""

import httpx2
import msgspec
import openai
import pytest

from outthink.core import errors
from outthink.core.usage import Usage
from outthink.engine import call
from outthink.gateway.errors import failure
from outthink.models.fake_server import FakeServer, Faults
from outthink.models.script import Script

pytestmark = pytest.mark.anyio
HELLO = {"messages": [{"role": "user", "content": "Tell me about weeks."}]}
SCRIPT = Script()


async def post(gate, body, path="/chat/completions", **headers):
    data = body if isinstance(body, bytes) else msgspec.json.encode(body)
    async with httpx2.AsyncClient(verify=False) as client:
        return await client.post(gate.url + path, content=data, headers=headers)


def envelope(reply):
    """The error of a reply, once its shape is the protocol's."""
    body = reply.json()
    assert body.keys() == {"error"}
    assert body["error"].keys() == {"message", "type", "param", "code"}
    assert reply.headers["x-request-id"]
    return body["error"]


BAD = [
    (b"{not json", None, "not JSON"),
    (b"\xff\xfe", None, "not JSON"),
    (b"[" * 100_000, None, "not JSON"),
    (b"[]", None, "not a JSON object"),
    (b"", None, "not JSON"),
    ({"model": "fake"}, "messages", "messages"),
    ({**HELLO}, "model", "model"),
    ({"model": "fake", "messages": []}, "messages", "messages"),
    ({"model": "fake", "messages": "hello"}, "messages", "messages"),
    ({"model": "fake", "messages": [{"content": "x"}]}, "messages", "role"),
    ({"model": "fake", "messages": [{"role": "user", "content": 5}]}, "messages", "content"),
    ({"model": "fake", "messages": [{"role": "user", "content": "  "}]}, None, "empty"),
    ({"model": "fake", **HELLO, "temperature": 3}, "temperature", "temperature"),
    ({"model": "fake", **HELLO, "temperature": "hot"}, "temperature", "temperature"),
    ({"model": "fake", **HELLO, "top_p": -1}, "top_p", "top_p"),
    ({"model": "fake", **HELLO, "n": 0}, "n", "n"),
    ({"model": "fake", **HELLO, "max_tokens": 0}, "max_tokens", "max_tokens"),
    ({"model": "fake", **HELLO, "max_tokens": 5, "max_completion_tokens": 5}, "max_tokens", "not both"),
    ({"model": "fake", **HELLO, "top_logprobs": 2}, "top_logprobs", "logprobs"),
    ({"model": "fake", **HELLO, "stream_options": {"include_usage": True}}, "stream_options", "stream"),
    (
        {"model": "fake", **HELLO, "stream": True, "stream_options": {"continuous_usage_stats": True}},
        "stream_options",
        "continuous_usage_stats",
    ),
    ({"model": "fake", **HELLO, "reasoning_effort": "huge"}, "reasoning_effort", "minimal"),
    ({"model": "fake", **HELLO, "outthink": {"stratgy": "cot"}}, "outthink", "stratgy"),
    ({"model": "fake", **HELLO, "outthink": {"budget": {"token": 5}}}, None, "token"),
    ({"model": "fake", **HELLO, "outthink": {"budget": "tokens=-5"}}, None, "above 0"),
    ({"model": "fake", **HELLO, "outthink": {"strategy": "cott"}}, "strategy", "did you mean 'cot'"),
    ({"model": "fake+self-consistency(n=0)", **HELLO}, "strategy", "n takes 1"),
    *(
        ({"model": "fake", **HELLO, "outthink": {"strategy": text}}, "strategy", told)
        for text, told in (
            ("cascade(models=['x@http://127.0.0.1:9/v1', fake])", "no model of this server; use fake"),
            ("best-of-n(verifier=prm('x@http://127.0.0.1:9'))", "no model of this server"),
            ("auto(larger='m.gguf')", "no model of this server"),
            ("refine(best-of-n(verifier=judge(model=elsewhere)))", "no model of this server"),
            ("best-of-n(verifier=probe('/etc/passwd'))", "names a file of the server"),
            ("fallback(direct, auto(policy='nothing-here.json'))", "names a file of the server"),
            ("best-of-n(verifier=stack([probe(file=a)], file=b))", "names a file of the server"),
        )
    ),
]


async def test_a_bad_request_is_a_400_that_names_the_field_and_costs_nothing(open_gateway):
    server = FakeServer(SCRIPT)
    async with server.serve(), open_gateway(server) as gate:
        replies = [await post(gate, body) for body, _, _ in BAD]
    for (body, param, told), reply in zip(BAD, replies, strict=True):
        error = envelope(reply)
        assert (reply.status_code, error["type"], error["param"]) == (400, "invalid_request_error", param), body
        assert told in error["message"]
        assert "\n" not in error["message"]
    assert server.billed == []


async def test_an_unknown_model_is_not_found(open_gateway):
    server = FakeServer(SCRIPT)
    async with server.serve(), open_gateway(server) as gate:
        for model in ("gpt-5", "fakeish", "fake@http://127.0.0.1:1/v1", "fake-direct", ""):
            with pytest.raises(openai.NotFoundError) as caught:
                await gate.client.chat.completions.create(model=model, **HELLO)
            assert (caught.value.code, caught.value.param) == ("model_not_found", "model")
    assert server.billed == []


async def test_unknown_routes_and_methods_answer_in_the_envelope(open_gateway):
    server = FakeServer(SCRIPT)
    async with server.serve(), open_gateway(server) as gate, httpx2.AsyncClient(verify=False) as client:
        missing = await client.get(f"{gate.url}/nothing")
        wrong = await client.get(f"{gate.url}/chat/completions")
        healthy = await client.get(gate.url.removesuffix("/v1") + "/healthz")
    assert (missing.status_code, envelope(missing)["type"]) == (404, "invalid_request_error")
    assert wrong.status_code == 405
    assert "Method Not Allowed" in envelope(wrong)["message"]
    assert wrong.headers["allow"] == "POST"
    assert (healthy.status_code, healthy.json()) == (200, {"status": "ok"})


@pytest.mark.parametrize("chunked", [False, True])
async def test_a_body_beyond_the_limit_is_413(open_gateway, chunked):
    server = FakeServer(SCRIPT)
    body = msgspec.json.encode({"model": "fake", "messages": [{"role": "user", "content": "x" * 5000}]})

    async def pieces():
        for start in range(0, len(body), 1000):
            yield body[start : start + 1000]

    async with server.serve(), open_gateway(server, largest=2000) as gate, httpx2.AsyncClient(verify=False) as client:
        reply = await client.post(f"{gate.url}/chat/completions", content=pieces() if chunked else body)
    assert reply.status_code == 413
    assert envelope(reply)["code"] == "request_too_large"


@pytest.mark.parametrize(
    ("faults", "settings", "status", "kind", "code"),
    [
        ({"429": 1.0}, {}, 429, "rate_limit_error", "upstream_overloaded"),
        ({"503": 1.0}, {}, 503, "server_error", "upstream_overloaded"),
        ({"500": 1.0}, {}, 500, "server_error", "upstream_error"),
        ({"html": 1.0}, {}, 500, "server_error", "upstream_error"),
        ({"empty": 1.0}, {}, 502, "server_error", "upstream_error"),
        ({}, {"key": "k"}, 401, "authentication_error", "upstream_error"),
        ({}, {"context": 3}, 400, "invalid_request_error", "context_length_exceeded"),
    ],
)
async def test_an_upstreams_error_keeps_its_status(open_gateway, faults, settings, status, kind, code):
    server = FakeServer(SCRIPT, Faults(faults), **settings)
    async with server.serve(), open_gateway(server) as gate:
        with pytest.raises(openai.APIStatusError) as caught:
            await gate.client.chat.completions.create(model="fake", **HELLO)
    error = caught.value
    assert (error.status_code, error.type, error.code) == (status, kind, code)
    assert len(server.billed) <= call.ATTEMPTS
    assert not any(one.ended == "ok" for one in server.billed)


async def test_retry_after_is_passed_on_and_nothing_paid_may_be_tried_again(open_gateway):
    server = FakeServer(SCRIPT, Faults({"429": 1.0}, retry_after="0.01"))
    async with server.serve(), open_gateway(server) as gate:
        with pytest.raises(openai.RateLimitError) as caught:
            await gate.client.chat.completions.create(model="fake", **HELLO)
    headers = caught.value.response.headers
    assert (headers["retry-after"], headers["retry-after-ms"]) == ("1", "10")
    assert "x-should-retry" not in headers


async def test_once_samples_were_paid_for_the_client_is_told_not_to_try_again(open_gateway):
    server = FakeServer(SCRIPT, Faults({"cut": 1.0}))
    async with server.serve(), open_gateway(server) as gate:
        patient = gate.client.with_options(max_retries=2)
        with pytest.raises(openai.APIStatusError) as caught:
            await patient.chat.completions.create(model="fake", **HELLO)
        spent = gate.gateway.spent
    headers = caught.value.response.headers
    assert headers["x-should-retry"] == "false"
    assert len(server.billed) == call.ATTEMPTS
    assert int(headers["x-litellm-total-tokens"]) == spent.tokens > 0
    assert gate.gateway.runs == 1


async def test_a_budget_too_small_for_one_call_names_the_smallest(open_gateway):
    server = FakeServer(SCRIPT)
    async with server.serve(), open_gateway(server) as gate:
        with pytest.raises(openai.BadRequestError, match="the smallest that does is tokens=") as caught:
            await gate.client.chat.completions.create(
                model="fake", **HELLO, extra_body={"outthink": {"budget": {"tokens": 10}}}
            )
    assert caught.value.code == "budget_too_small"
    assert server.billed == []


async def test_a_deadline_before_any_answer_is_a_429_that_is_not_tried_again(open_gateway):
    server = FakeServer(SCRIPT, latency=5.0)
    async with server.serve(), open_gateway(server) as gate:
        patient = gate.client.with_options(max_retries=2)
        with pytest.raises(openai.RateLimitError) as caught:
            await patient.chat.completions.create(
                model="fake", **HELLO, extra_body={"outthink": {"budget": {"seconds": 0.1}}}
            )
    assert (caught.value.type, caught.value.code) == ("budget_exhausted", "deadline")
    assert caught.value.response.headers["x-should-retry"] == "false"
    assert len(server.billed) == 1


async def test_a_dollar_budget_without_a_price_is_the_clients_400(open_gateway):
    server = FakeServer(SCRIPT)
    async with server.serve(), open_gateway(server) as gate:
        for stream in (False, True):
            with pytest.raises(openai.BadRequestError, match="price"):
                await gate.client.chat.completions.create(
                    model="fake", **HELLO, stream=stream, extra_body={"outthink": {"budget": {"usd": 1}}}
                )


async def test_a_server_that_is_gone_is_a_502(open_gateway):
    server = FakeServer(SCRIPT)
    async with server.serve():
        pass
    async with open_gateway(server) as gate:
        with pytest.raises(openai.InternalServerError) as caught:
            await gate.client.chat.completions.create(model="fake", **HELLO)
    assert caught.value.status_code == 502


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (errors.TimedOut("late"), 504),
        (errors.Refused("moved", 302), 502),
        (errors.Refused("no", 403), 403),
        (errors.ModelFileError("gone"), 503),
        (errors.ServerFault("bad", 529), 529),
        (errors.OutthinkError("odd"), 500),
    ],
)
def test_every_other_error_has_a_status(error, status):
    found = failure(error)
    assert found.status == status
    assert found.headers == {}
    assert failure(error, Usage(1, 2, 0, 3)).headers["x-should-retry"] == "false"


async def test_a_defect_of_ours_shows_none_of_its_insides(open_gateway, capsys):
    server = FakeServer(SCRIPT)
    async with server.serve(), open_gateway(server) as gate:
        gate.gateway.models = None
        with pytest.raises(openai.InternalServerError) as caught:
            await gate.client.chat.completions.create(model="fake", **HELLO)
    assert "NoneType" not in caught.value.message
    assert "NoneType" in capsys.readouterr().err
