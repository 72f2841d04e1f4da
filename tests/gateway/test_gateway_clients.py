"""Clients that leave, that read slowly, that come all at once, and that should not get in."""

import socket
from urllib.parse import urlsplit

import anyio
import httpx2
import msgspec
import openai
import pytest

from outthink.core.errors import InputError
from outthink.gateway.app import is_loopback
from outthink.gateway.listen import base_url, bound
from outthink.models.fake_server import FakeServer
from outthink.models.http import key_for
from outthink.models.script import Script

pytestmark = pytest.mark.anyio
QUESTION = {"messages": [{"role": "user", "content": "How many days are there in 7 weeks?"}]}
HELLO = {"messages": [{"role": "user", "content": "Tell me about weeks."}]}
SCRIPT = Script(accuracy=0.8, answers={"7 weeks": "49"})


async def until(true, seconds=5.0):
    with anyio.fail_after(seconds):
        while not true():
            await anyio.sleep(0.005)


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("upstream", ["n", "no-n"])
async def test_a_client_that_leaves_a_vote_cancels_every_call_upstream(open_gateway, stream, upstream):
    refuses = frozenset({"n"} if upstream == "no-n" else ())
    server = FakeServer(SCRIPT, latency=60.0, refuses=refuses)
    calls = 8 if upstream == "no-n" else 1
    async with server.serve(), open_gateway(server) as gate:
        async with anyio.create_task_group() as group:
            ask = gate.client.chat.completions.create
            group.start_soon(lambda: ask(model="fake+self-consistency(n=8)", **QUESTION, stream=stream))
            await until(lambda: server.in_flight == calls)
            left = anyio.current_time()
            group.cancel_scope.cancel()
        await until(lambda: server.in_flight == 0)
        assert anyio.current_time() - left < 3.0  # a safety bound; nothing else would end it for a minute
        await until(lambda: gate.gateway.runs == 1)
        waiting = [one for one in server.billed if one.ended != "400"]
        assert [one.ended for one in waiting] == ["cancelled"] * calls
        assert gate.gateway.spent.calls == len(server.billed)
        assert gate.gateway.spent.unsettled_calls == calls


async def test_a_client_that_leaves_in_mid_stream_is_charged_what_had_arrived(open_gateway):
    server = FakeServer(Script(words=1000), token_latency=0.005)
    async with server.serve(), open_gateway(server) as gate:
        stream = await gate.client.chat.completions.create(model="fake", **HELLO, stream=True)
        seen = 0
        async for chunk in stream:
            seen += bool(chunk.choices[0].delta.content)
            if seen == 5:
                break
        await stream.close()
        await until(lambda: server.in_flight == 0)
        await until(lambda: gate.gateway.runs == 1)
        assert server.billed[0].ended == "cancelled"
        assert 5 <= gate.gateway.spent.completion_tokens <= server.completion_tokens
        assert gate.gateway.spent.estimated


async def test_the_permits_of_those_who_left_are_free_again(open_gateway):
    server = FakeServer(SCRIPT, latency=60.0)
    async with server.serve(), open_gateway(server, concurrency=1) as gate:
        for _ in range(3):
            async with anyio.create_task_group() as group:
                group.start_soon(lambda: gate.client.chat.completions.create(model="fake", **HELLO))
                await until(lambda: server.in_flight == 1)
                group.cancel_scope.cancel()
            await until(lambda: server.in_flight == 0)
        server.latency = 0.0
        reply = await gate.client.chat.completions.create(model="fake", **HELLO)
    assert reply.choices[0].message.content


@pytest.mark.parametrize("ping", [15.0, 0.01], ids=["no headers yet", "headers sent"])
@pytest.mark.parametrize("stream", [False, True])
async def test_a_server_that_stops_ends_its_runs_and_says_so(open_gateway, stream, ping):
    server, told = FakeServer(SCRIPT, latency=60.0), []
    async with server.serve(), open_gateway(server, ping=ping) as gate:

        async def ask():
            with pytest.raises(openai.APIError, match="the server is stopping") as caught:
                async for _ in await gate.client.chat.completions.create(model="fake", **HELLO, stream=True):
                    pass
            told.append(caught.value)

        async def ask_plainly():
            with pytest.raises(openai.InternalServerError, match="the server is stopping") as caught:
                await gate.client.chat.completions.create(model="fake", **HELLO)
            told.append(caught.value)

        async with anyio.create_task_group() as group:
            group.start_soon(ask if stream else ask_plainly)
            await until(lambda: server.in_flight == 1)
            await anyio.sleep(0.05 if ping < 1 else 0)
            gate.gateway.stopping.set()
        await until(lambda: server.in_flight == 0)
        assert gate.gateway.spent.calls == 1
    assert [error.code for error in told] == ["stopping"]
    assert (getattr(told[0], "status_code", None) == 503) == (not stream or ping > 1)


async def test_many_requests_share_one_engine_and_its_limit(open_gateway):
    server = FakeServer(SCRIPT, latency=0.01)
    replies = []
    async with server.serve(), open_gateway(server, concurrency=8) as gate:

        async def one(number):
            ask = {"model": "fake", **QUESTION, "seed": number, "stream": False}
            replies.append(await gate.client.chat.completions.create(**ask))

        async with anyio.create_task_group() as group:
            for number in range(100):
                group.start_soon(one, number)
    assert len(replies) == len({reply.id for reply in replies}) == 100
    assert 1 < server.most_in_flight <= 8
    assert sum(reply.usage.completion_tokens for reply in replies) == server.completion_tokens
    assert sum(reply.usage.prompt_tokens for reply in replies) == server.prompt_tokens


async def test_a_slow_reader_stalls_neither_its_run_nor_the_others(open_gateway, recorded):
    long = [{"content": "word " * 1000}] * 3000  # 15 MB, far beyond what sockets hold
    server = recorded(message={"role": "assistant", "content": "Hi"}, deltas=long)
    async with server.serve(), open_gateway(server) as gate:
        address = urlsplit(gate.url)
        reader = socket.socket()
        reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        with reader:
            reader.connect((address.hostname, address.port))
            body = msgspec.json.encode({"model": "fake", **HELLO, "stream": True})
            head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n\r\n"
            reader.sendall(head.encode() + body)  # and nothing of the reply is read
            await until(lambda: server.bodies)
            other = await gate.client.chat.completions.create(model="fake", **HELLO)
            assert other.choices[0].message.content == "Hi"
            await until(lambda: gate.gateway.runs == 2, 30)  # the run is over, though its reader has seen nothing
            assert gate.gateway.spent.completion_tokens == 2 * server.usage["completion_tokens"]


async def test_the_clients_bearer_never_goes_upstream(open_gateway, recorded):
    server = recorded(message={"role": "assistant", "content": "Hi"})
    async with server.serve(), open_gateway(server, key="client-secret") as gate:
        await gate.client.chat.completions.create(
            model="fake", **HELLO, extra_headers={"openai-organization": "org-secret", "cookie": "a=secret"}
        )
    assert "secret" not in str(server.headers)
    assert "secret" not in str(server.bodies)


async def test_the_servers_key_goes_to_its_server_and_no_field_of_a_request_moves_it(open_gateway, monkeypatch):
    monkeypatch.setenv("OUTTHINK_API_KEY", "server-secret")
    elsewhere = FakeServer(SCRIPT)
    server = FakeServer(SCRIPT, key="server-secret")
    async with server.serve(), elsewhere.serve(), open_gateway(_with_key(server)) as gate:
        fields = dict.fromkeys(("api_base", "base_url", "endpoint", "url", "api_key"), elsewhere.base_url)
        await gate.client.chat.completions.create(
            model="fake", **HELLO, extra_body=fields, extra_headers={"x-base-url": elsewhere.base_url}
        )
        for model in (f"fake@{elsewhere.base_url}", f"fake+direct@{elsewhere.base_url}"):
            with pytest.raises((openai.NotFoundError, openai.BadRequestError)):
                await gate.client.chat.completions.create(model=model, **HELLO)
    assert len(server.billed) == 1
    assert elsewhere.billed == []


def _with_key(server):
    from outthink.models.http import HttpModel

    return HttpModel("fake", server.base_url, key=key_for(server.base_url)[0])


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"host": "localhost:1"}, 200),
        ({"host": "[::1]:1"}, 200),
        ({"origin": "http://localhost:3000"}, 200),
        ({"host": "rebound.example"}, 403),
        ({"origin": "https://page.example"}, 403),
        ({"origin": "null"}, 403),
    ],
)
async def test_pages_of_other_sites_are_turned_away(open_gateway, headers, status):
    server = FakeServer(SCRIPT)
    async with server.serve(), open_gateway(server) as gate, httpx2.AsyncClient(verify=False) as client:
        reply = await client.post(f"{gate.url}/chat/completions", json={"model": "fake", **HELLO}, headers=headers)
    assert reply.status_code == status
    assert len(server.billed) == (status == 200)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "example.com"])
def test_without_keys_it_listens_on_loopback_only(host):
    with pytest.raises(InputError, match=r"--host .* is not a loopback address"):
        bound(host, 0)


def test_replies_do_not_wait_for_acknowledgements():
    with bound("127.0.0.1", 0) as listener:
        assert listener.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_a_port_in_use_is_said():
    with bound("127.0.0.1", 0) as first:
        port = first.getsockname()[1]
        assert base_url(first) == f"http://127.0.0.1:{port}/v1"
        with pytest.raises(InputError, match="another --port"):
            bound("127.0.0.1", port)


@pytest.mark.parametrize(("host", "own"), [("localhost", True), ("127.8.8.8", True), ("::1", True), ("", False)])
def test_loopback_is_told_by_address(host, own):
    assert is_loopback(host) is own
