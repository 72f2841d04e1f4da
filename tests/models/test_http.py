"""The HTTP model over real sockets: what is sent, where keys go, and servers that misbehave below the JSON."""

import asyncio
import json
import ssl
import subprocess

import pytest
from aiohttp import web

from outthink import Engine, Problem, plugins
from outthink.core.errors import BadReply, BadSpec, BudgetExhausted, InputError, Refused, TimedOut, Unreachable
from outthink.core.events import CallSettled
from outthink.core.wire import Ask
from outthink.engine import call
from outthink.engine.log import TraceFile
from outthink.models import http
from outthink.models.fake_server import FakeServer
from outthink.models.http import HttpModel, Timeouts, key_for, open_http
from outthink.models.script import Script

pytestmark = pytest.mark.anyio
FAST = Timeouts(connect=1.0, first_byte=0.5, between=0.5)
QUESTION = ({"role": "user", "content": "How many days are there in 7 weeks?"},)
SECRET = "sk-very-secret-0123"
GOOD = {
    "choices": [
        {"index": 0, "message": {"role": "assistant", "content": "The answer is 49."}, "finish_reason": "stop"}
    ],
    "usage": {"prompt_tokens": 9, "completion_tokens": 5},
}


def ask(**more) -> Ask:
    return Ask(messages=QUESTION, **more)


async def complete(url, question=None, key=None, **options):
    model = HttpModel("m", url, key=key, timeouts=FAST, **options)
    try:
        return await model.complete(question or ask())
    finally:
        await model.aclose()


async def text_of_stream(model, question):
    async with model.stream(question) as deltas:
        return [delta async for delta in deltas]


async def test_a_body_holds_the_model_the_messages_and_what_was_set_and_nothing_else(answering):
    bodies = []

    async def handle(request):
        bodies.append(await request.json())
        return web.json_response(GOOD)

    async with answering(handle) as url:
        await complete(url)
        await complete(url, ask(n=3, max_tokens=9, seed=4, params={"temperature": 0.5, "user": "u"}))
    assert bodies[0] == {"model": "m", "messages": list(QUESTION)}
    assert bodies[1] == {
        "model": "m", "messages": list(QUESTION), "n": 3, "max_tokens": 9, "seed": 4, "temperature": 0.5, "user": "u",
        "logprobs": True, "top_logprobs": 1,
    }  # fmt: skip


async def test_plain_and_streamed_say_the_same_with_the_same_bill():
    server = FakeServer(Script(words=20))
    async with server.serve():
        model = HttpModel("fake", server.base_url)
        question = ask(n=3, seed=5, logprobs=True)
        plain = await model.complete(question)
        deltas = await text_of_stream(model, question)
        await model.aclose()
    texts = {i: "".join(delta.text for delta in deltas if delta.index == i) for i in range(3)}
    assert texts == {c.index: c.text for c in plain.choices}
    assert deltas[-1].bill == plain.bill
    assert sum(delta.tokens for delta in deltas) == plain.bill.completion_tokens


async def test_what_a_server_lacks_is_left_out_of_the_next_body(answering):
    refused = {"seed", "logprobs", "top_logprobs", "temperature", "max_tokens", "stream_options"}
    bodies = []

    async def handle(request):
        body = await request.json()
        bodies.append(body)
        for name in sorted(refused & body.keys()):
            text = f"Unsupported parameter: '{name}'"
            return web.json_response({"error": {"message": text, "param": name}}, status=400)
        return web.json_response(GOOD)

    async with answering(handle) as url:
        model = HttpModel("m", url, timeouts=FAST)
        async with Engine(model) as engine:
            given = {"seed": 1, "logprobs": True, "top_logprobs": 5, "temperature": 0.5, "max_tokens": 40}
            result = await engine.solve(Problem(messages=QUESTION, params=given), strategy="direct")
    assert str(result.answer) == "49"
    assert model.lacks == {"seed", "logprobs", "temperature", "max_tokens"}
    assert bodies[-1] == {"model": "m", "messages": list(QUESTION), "max_completion_tokens": 40}
    assert len(bodies) == 5  # one refusal each, however often it is asked for


async def test_a_unix_socket_is_spoken_to_like_any_host(answering, tmp_path):
    async def handle(request):
        return web.json_response(GOOD)

    path = str(tmp_path / "s.sock")
    async with answering(handle, unix=path) as url:
        reply = await complete(url, unix=path)
    assert reply.choices[0].text == "The answer is 49."


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_no_redirect_is_followed_by_a_call_or_a_count(answering, status):
    seen = []

    async def handle(request):
        seen.append((request.path, request.headers.get("Authorization")))
        return web.Response(status=status, headers={"Location": "/elsewhere"})

    async with answering(handle) as url:
        model = HttpModel("m", url, key=SECRET, timeouts=FAST)
        with pytest.raises(Refused, match="redirects are not followed"):
            await model.complete(ask())
        assert await model.count_prompt(ask()) is None
        await model.aclose()
    assert [path for path, _ in seen] == [
        "/v1/chat/completions",
        "/v1/chat/completions/input_tokens",
        "/tokenize",
    ]


async def test_a_count_is_asked_for_as_llama_cpp_or_vllm_offer_it_and_no_more_once_neither_does(answering):
    asked = []

    async def handle(request):
        asked.append(request.path)
        offered = {"/tokenize": {"count": 12}}
        return web.json_response(offered[request.path]) if request.path in offered else web.Response(status=404)

    async with answering(handle) as url:
        model = HttpModel("m", url, timeouts=FAST)
        assert await model.count_prompt(ask()) == 12
        await model.aclose()
        other = HttpModel("m", url.replace("/v1", "/other/v1"), timeouts=FAST)
        assert await other.count_prompt(ask()) is None
        assert await other.count_prompt(ask()) is None
        await other.aclose()
    assert other.lacks == {"count"}
    assert len(asked) == 4


@pytest.mark.parametrize(
    ("environment", "url", "key", "variable"),
    [
        ({}, "http://localhost:8000/v1", None, "OUTTHINK_API_KEY"),
        ({}, "https://api.openai.com/v1", None, "OPENAI_API_KEY"),
        ({"OUTTHINK_API_KEY": "a"}, "http://anywhere/v1", "a", "OUTTHINK_API_KEY"),
        ({"OUTTHINK_API_KEY": "a", "OPENAI_API_KEY": "b"}, "https://api.openai.com/v1", "a", "OUTTHINK_API_KEY"),
        ({"OUTTHINK_API_KEY": " a\n"}, "http://anywhere/v1", "a", "OUTTHINK_API_KEY"),
        ({"OPENAI_API_KEY": "b"}, "https://api.openai.com/v1", "b", "OPENAI_API_KEY"),
        ({"OPENAI_API_KEY": "b"}, "https://API.OpenAI.com/v1", "b", "OPENAI_API_KEY"),
        ({"OPENAI_API_KEY": "b"}, "https://api.openai.com.evil.example/v1", None, "OUTTHINK_API_KEY"),
        ({"OPENAI_API_KEY": "b"}, "https://evil.example/api.openai.com/v1", None, "OUTTHINK_API_KEY"),
        ({"OPENAI_API_KEY": "b"}, "http://localhost:8000/v1", None, "OUTTHINK_API_KEY"),
        ({"OPENAI_API_KEY": "b", "OPENAI_BASE_URL": "http://proxy:1/v1"}, "http://proxy:2/v1", "b", "OPENAI_API_KEY"),
        ({"OPENAI_API_KEY": "b", "OPENAI_BASE_URL": "http://proxy:1/v1"}, "http://other/v1", None, "OUTTHINK_API_KEY"),
        ({"OPENAI_API_KEY": "b", "OPENAI_BASE_URL": "nonsense"}, "http://other/v1", None, "OUTTHINK_API_KEY"),
        ({"OPENAI_API_KEY": "b", "OPENAI_BASE_URL": "http://h:x"}, "http://other/v1", None, "OUTTHINK_API_KEY"),
        ({"OPENAI_API_KEY": "b", "OPENAI_BASE_URL": ""}, "http://other/v1", None, "OUTTHINK_API_KEY"),
    ],
)
def test_a_key_goes_to_the_host_it_is_for_and_no_other(monkeypatch, environment, url, key, variable):
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert key_for(url) == (key, variable)


@pytest.mark.parametrize("key", ["two\nlines", "naïve", "\x00"[1:] + "a\tb"])
def test_a_key_that_cannot_be_sent_is_an_error_that_does_not_show_it(monkeypatch, key):
    monkeypatch.setenv("OUTTHINK_API_KEY", key)
    with pytest.raises(InputError, match="OUTTHINK_API_KEY holds") as caught:
        key_for("http://localhost/v1")
    assert key not in str(caught.value)


async def test_a_server_that_sends_the_key_back_does_not_get_it_into_errors_or_traces(answering):
    said = f"Incorrect API key provided: {SECRET}."

    async def handle(request):
        assert request.headers["Authorization"] == f"Bearer {SECRET}"
        kind = request.path.split("/")[1]
        if kind == "refused":
            return web.json_response({"error": {"message": said}}, status=401)
        if kind == "stream":
            return web.Response(text=f'data: {{"error": "{said}"}}\n\n', content_type="text/event-stream")
        return web.json_response({"error": said})

    async with answering(handle) as url:
        for kind in ("refused", "plain", "stream"):
            logs = []
            model = HttpModel("m", url.replace("/v1", f"/{kind}/v1"), key=SECRET, timeouts=FAST)
            async with Engine(model) as engine:
                budget = "seconds=20,calls=1" if kind == "stream" else "calls=1"
                with pytest.raises((Refused, BudgetExhausted), match="Incorrect API key") as caught:
                    await engine.solve("2 + 2?", strategy="direct", budget=budget, watch=logs.append)
            assert SECRET not in str(caught.value)
            assert SECRET not in repr(logs[0].events)


@pytest.mark.parametrize(
    "text",
    [
        "m@http://user:pa55word@host/v1",
        "m@http://pa55word@host/v1",
        "m@https://host/v1?api_key=pa55word",
        "m@http://user:pa55word@:x/v1",
        "m@http://host/v1#pa55word",
    ],
)
async def test_a_url_with_a_secret_in_it_is_refused_without_showing_it(text):
    with pytest.raises(BadSpec) as caught:
        await open_http(text)
    assert "pa55word" not in str(caught.value)


@pytest.mark.parametrize(
    "url", ["http://", "http://:80/v1", "http://h:99999/v1", "http://h:x/v1", "ftp://h/v1", "x://h"]
)
async def test_a_url_that_is_none_is_an_input_error(url):
    with pytest.raises(BadSpec, match="write NAME@http://host:port/v1"):
        await open_http(f"m@{url}")


@pytest.mark.parametrize(
    ("text", "name", "url"),
    [
        ("m@http://h:1/v1", "m", "http://h:1/v1"),
        ("org/m:7b@https://h/v1/", "org/m:7b", "https://h/v1"),
        ("@cf/meta/llama@https://h/v1", "@cf/meta/llama", "https://h/v1"),
    ],
)
async def test_a_model_text_is_a_name_and_a_url(text, name, url):
    assert plugins.model_opener(text) is open_http
    model = await open_http(text)
    assert (model.name, model.base_url) == (name, url)


async def test_an_error_names_a_server_that_refuses_cannot_be_found_or_speaks_no_tls(answering):
    async def handle(request):
        return web.json_response(GOOD)

    async with answering(handle) as url:
        with pytest.raises(Unreachable, match="could not be reached"):
            await complete(url.replace("http", "https"))
    with pytest.raises(Unreachable, match=url):
        await complete(url)
    with pytest.raises(Unreachable, match=r"http://no-such-host\.invalid/v1 could not be reached"):
        await complete("http://no-such-host.invalid/v1")
    with pytest.raises(Unreachable, match="could not be reached"):
        await complete("http://x/v1", unix="/no/such/socket")


async def test_a_certificate_that_nobody_signed_is_told_as_such(tmp_path):
    key, certificate = tmp_path / "key", tmp_path / "certificate"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    command += ["-subj", "/CN=localhost", "-days", "1", "-keyout", str(key), "-out", str(certificate)]
    try:
        subprocess.run(command, check=True, capture_output=True)
    except FileNotFoundError:
        pytest.skip("there is no openssl to make a certificate with")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server = await asyncio.start_server(lambda reader, writer: writer.close(), "127.0.0.1", 0, ssl=context)
    async with server:
        with pytest.raises(Unreachable, match="certificate"):
            await complete(f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1")


async def raw(handle):
    """A server below HTTP: ``handle(number of the connection, reader, writer)``."""
    count = 0

    async def accept(reader, writer):
        nonlocal count
        count += 1
        try:
            await handle(count, reader, writer)
        finally:
            writer.close()

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    return server, f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"


async def read_request(reader) -> bytes:
    head = await reader.readuntil(b"\r\n\r\n")
    length = next(
        int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length")
    )
    return await reader.readexactly(length)


def http_reply(body: bytes) -> bytes:
    return b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)


async def test_a_kept_connection_that_the_server_drops_costs_one_try():
    received = []

    async def handle(number, reader, writer):
        received.append(await read_request(reader))
        writer.write(http_reply(json.dumps(GOOD).encode()))
        await writer.drain()
        if number == 1:
            await reader.readuntil(b"\r\n\r\n")  # the next request comes, and the line is cut

    server, url = await raw(handle)
    async with server, Engine(HttpModel("m", url, timeouts=FAST)) as engine:
        first = await engine.solve("2 + 2?", strategy="direct")
        second = await engine.solve("2 + 2?", strategy="direct")
    assert first.usage.calls == 1
    assert str(second.answer) == "49"
    assert second.usage.calls == 2
    assert second.usage.unsettled_calls == 1
    assert len(received) == 2


@pytest.mark.parametrize(
    ("sent", "error"),
    [
        (b"", BadReply),
        (b"SSH-2.0-OpenSSH_9.6\r\n", BadReply),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\n{", BadReply),
        (b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n{", BadReply),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", BadReply),
        (b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\nabcd", BadReply),
        (b"HTTP/1.1 200 OK\r\nX: " + b"x" * 100_000 + b"\r\n\r\n", BadReply),
        (b"HTTP/1.1 200 OK\r\n\r\n", BadReply),
        (b"HTTP/1.1 204 No Content\r\n\r\n", Refused),
    ],
)
@pytest.mark.parametrize("streamed", [False, True])
async def test_what_is_no_http_is_a_bad_reply(sent, error, streamed):
    async def handle(number, reader, writer):
        await read_request(reader)
        writer.write(sent)
        await writer.drain()

    server, url = await raw(handle)
    async with server:
        model = HttpModel("m", url, timeouts=FAST)
        with pytest.raises(error) as caught:
            await (text_of_stream(model, ask()) if streamed else model.complete(ask()))
        await model.aclose()
    assert url in str(caught.value)
    assert "\n" not in str(caught.value)


async def test_a_server_that_says_nothing_or_stops_in_the_middle_is_timed_out(monkeypatch):
    async def handle(number, reader, writer):
        await read_request(reader)
        writer.write(sent)
        await reader.read()

    short = Timeouts(connect=0.1, first_byte=0.1, between=0.1)
    server, url = await raw(handle)
    async with server:
        for began in (False, True):
            sent = http_reply(b"x" * 99)[:-50] if began else b""
            model = HttpModel("m", url, timeouts=short)
            for way in (model.complete, lambda question, model=model: text_of_stream(model, question)):
                with pytest.raises(TimedOut, match=url) as caught:
                    await way(ask())
                assert caught.value.began == began
            await model.aclose()


async def test_a_reply_without_end_is_cut_off(answering, monkeypatch):
    monkeypatch.setattr(http, "_LONGEST", 1 << 20)
    sent = 0

    async def handle(request):
        nonlocal sent
        response = web.StreamResponse()
        await response.prepare(request)
        while sent < 1 << 26:
            sent += 1 << 16
            await response.write(b"x" * (1 << 16))
        return response

    async with answering(handle) as url:
        with pytest.raises(BadReply, match="more than 1 MB"):
            await complete(url)
    assert sent < 1 << 26


async def test_a_stream_that_is_left_is_closed_upstream():
    server = FakeServer(Script(words=500), token_latency=0.01)
    async with server.serve():
        model = HttpModel("fake", server.base_url)
        async with model.stream(ask()) as deltas:
            async for _ in deltas:
                break
        for _ in range(200):
            if not server.in_flight:
                break
            await asyncio.sleep(0.01)
        await model.aclose()
    assert server.in_flight == 0
    assert server.completion_tokens < 400


@pytest.mark.parametrize("refused", ["8", "1", "0"])
async def test_a_server_that_refuses_n_again_and_again_cannot_keep_a_run_going(answering, refused):
    calls = 0

    async def handle(request):
        nonlocal calls
        calls += 1
        text = f"Field 'n': Value must be between 1 <= value <= {refused}, but got 1"
        return web.json_response({"error": {"message": text, "param": "n"}}, status=400)

    async with answering(handle) as url, Engine(HttpModel("m", url, timeouts=FAST)) as engine:
        with pytest.raises(Refused):
            await engine.solve("2 + 2?", strategy="self-consistency(n=8)")
    assert calls < 20


async def test_a_limit_on_n_found_out_in_mid_run_leaves_no_permit_behind(answering):
    server = FakeServer(Script(), dialect="llamacpp", slots=4)
    async with server.serve(), Engine(HttpModel("fake", server.base_url), concurrency=16) as engine:
        await engine.solve(QUESTION[0]["content"], strategy="self-consistency(n=16)")
        line = await engine.line("fake")
        assert line.limiter.taken == 0


async def test_nothing_that_a_server_sends_breaks_the_books(answering, monkeypatch, tmp_path):
    """Each reply of a bad server costs a call and a hold, and an answer still comes from its good ones."""
    bad = [
        b'{"choices": null}',
        b'{"choices": [{"message": {"content": 5}}]}',
        b"[" * 100_000,
        b"\xff\xfe",
        b'{"choices": [{"message": {"content": "The answer is 49.", "x": ' + b"[" * 900 + b"]" * 900 + b"}}]}",
    ]

    calls = 0

    async def handle(request):
        nonlocal calls
        if not request.path.endswith("completions"):
            return web.Response(status=404)
        calls += 1
        data = bad[calls - 1] if calls <= len(bad) else json.dumps(GOOD).encode()
        return web.Response(body=data, content_type="application/json")

    monkeypatch.setattr(call, "_BACKOFF_MOST", 0.01)
    logs, trace = [], TraceFile(tmp_path / "trace")
    async with answering(handle) as url, Engine(HttpModel("m", url, timeouts=FAST)) as engine:
        result = await engine.solve("2 + 2?", strategy="cot", budget="tokens=100000", watch=logs.append, trace=trace)
    trace.close()
    settled = [event for event in logs[0].events if isinstance(event, CallSettled)]
    assert str(result.answer) == "49"
    assert len(settled) == calls
    assert settled[-1].held.calls == settled[-1].held.completion_tokens == 0
    assert len((tmp_path / "trace").read_bytes().splitlines()) == len(logs[0].events)
