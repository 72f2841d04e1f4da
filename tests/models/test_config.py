"""The configuration file: what wins over what, aliases in the requests that leave, and faults told with a remedy."""

import pytest

from outthink import Engine, Problem
from outthink.core.errors import InputError
from outthink.core.events import Warned
from outthink.models.config import load_config
from outthink.models.fake_server import FakeServer
from outthink.models.paths import config_file
from outthink.models.script import Script

pytestmark = pytest.mark.anyio
QUESTION = "How many days are there in 7 weeks?"
SCRIPT = Script(accuracy=1.0, answers={"7 weeks": "49"}, words=10)


@pytest.fixture
def write():
    """Writes the configuration of this test's own home."""

    def writing(text):
        config_file().parent.mkdir(parents=True, exist_ok=True)
        config_file().write_text(text)

    return writing


async def solve(question=QUESTION, model=None, **options):
    logs = []
    async with Engine(model) as engine:
        result = await engine.solve(question, watch=logs.append, **options)
    return result, logs[0].events


async def test_what_is_given_wins_over_the_environment_over_the_file_over_what_is_built_in(write, monkeypatch):
    def told(events):
        return events[0].strategy, events[0].budget.tokens

    monkeypatch.setenv("OUTTHINK_MODEL", "fake")
    _, events = await solve()
    assert told(events) == ("auto", None)
    write('model = "fake:words=9"\nstrategy = "cot"\nbudget = "tokens=5000"')
    _, events = await solve()
    assert told(events) == ("cot", 5000)
    monkeypatch.setenv("OUTTHINK_STRATEGY", "direct")
    monkeypatch.setenv("OUTTHINK_BUDGET", "tokens=6000")
    _, events = await solve()
    assert told(events) == ("direct", 6000)
    _, events = await solve(strategy="self-consistency(n=2)", budget="tokens=7000")
    assert told(events) == ("self-consistency(n=2)", 7000)


async def test_the_model_of_the_file_is_used_when_none_is_named(write):
    write('model = "fake:accuracy=1"')
    result, _ = await solve()
    assert result.model == "fake"


async def test_an_alias_opens_its_endpoint_with_its_key_headers_name_and_price(write, monkeypatch):
    monkeypatch.setenv("EXAMPLE_KEY", "sesame")
    monkeypatch.setenv("OUTTHINK_API_KEY", "another")
    seen = []
    server = FakeServer(SCRIPT, key="sesame")
    refused = server._refused
    server._refused = lambda request, *rest: seen.append(dict(request.headers)) or refused(request, *rest)
    async with server.serve():
        write(f"""
            [models.fast]
            endpoint = "{server.base_url}"
            name = "big-one"
            key_env = "EXAMPLE_KEY"
            headers = {{ "X-Team" = "search" }}
            price_in = 1.0
            price_out = 2.0
            parameters = 1e9
        """)
        result, _ = await solve(model="fast", strategy="direct", budget="usd=0.5")
    assert server.bodies[0]["model"] == result.model == "big-one"
    assert seen[0]["X-Team"] == "search"
    assert result.usage.usd == pytest.approx((server.prompt_tokens + 2 * server.completion_tokens) / 1e6)
    assert result.usage.flops == 2e9 * result.usage.tokens


async def test_what_an_endpoint_refuses_is_left_out_with_one_event_each(write):
    server = FakeServer(SCRIPT, refuses=frozenset({"seed", "top_p", "n"}))
    problem = Problem(messages=({"role": "user", "content": QUESTION},), params={"top_p": 0.5, "user": "u"})
    async with server.serve():
        write(f'[models.plain]\nendpoint = "{server.base_url}"\nrefuses = ["seed", "top_p", "n", "unused"]')
        _, events = await solve(problem, "plain", strategy="self-consistency(n=4)")
    assert len(server.bodies) == 4
    assert all(one.ended == "ok" for one in server.billed)  # nothing had to be refused
    assert not any({"seed", "top_p", "n"} & body.keys() for body in server.bodies)
    assert all(body["user"] == "u" for body in server.bodies)
    told = [event.message for event in events if isinstance(event, Warned)]
    assert sorted(message.split("refuse ")[1].split(";")[0] for message in told if "refuse " in message) == [
        "seed", "top_p",
    ]  # fmt: skip


async def test_a_key_variable_without_a_key_is_named_before_anything_is_sent(write, monkeypatch):
    write('[models.fast]\nendpoint = "http://127.0.0.1:9/v1"\nkey_env = "EXAMPLE_KEY"')
    for value in (None, "", "  "):
        if value is not None:
            monkeypatch.setenv("EXAMPLE_KEY", value)
        with pytest.raises(InputError, match=r"the variable EXAMPLE_KEY.*holds no key; run: export EXAMPLE_KEY="):
            await solve(model="fast")


@pytest.mark.parametrize(
    ("model", "told"),
    [
        ("fast", r"add price_in = DOLLARS and price_out = DOLLARS \(a million tokens\) to \[models.fast\] in .*toml"),
        ("a/b@http://127.0.0.1:9/v1", r'add \[models."a/b"\], endpoint = "http://127.0.0.1:9/v1", price_in'),
        ("fake", r"limit tokens instead"),
    ],
)
async def test_a_dollar_budget_without_a_price_names_the_line_to_add(write, model, told):
    write('[models.fast]\nendpoint = "http://127.0.0.1:9/v1"')
    with pytest.raises(InputError, match=told):
        await solve(model=model, budget="usd=0.01")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("modle = 'x'", "modle"),
        ("model = 3", "Expected `str"),
        ("model = ", r"config.toml"),
        ("[models.a]", "endpoint"),
        ("[models.a]\nendpoint = 'host:80'", "is not a URL; write http://host:port/v1"),
        ("[models.a]\nendpoint = 'http://h/v1'\nprice_in = 1.0", "price_in and price_out go together"),
        ("[models.a]\nendpoint = 'http://h/v1'\nprice_in = -1.0\nprice_out = 1.0", "prices are 0 or more"),
        ("[models.a]\nendpoint = 'http://h/v1'\nrpm = 0", "above 0"),
        ("[models.a]\nendpoint = 'http://h/v1'\nrpm = 0.5", "rpm is 1 or more"),
        ("[models.a]\nendpoint = 'http://h/v1'\nheaders = { 'A' = \"b\\nc\" }", "headers are"),
        ("\xff", "config.toml"),
    ],
)
def test_a_fault_in_the_file_is_told_with_file_and_place(write, text, told):
    write("")
    config_file().write_bytes(text.encode("latin-1"))
    with pytest.raises(InputError, match=told) as caught:
        load_config()
    assert "config.toml" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_no_file_is_an_empty_configuration():
    assert load_config().models == {}


async def test_rpm_of_an_alias_reaches_the_line(write):
    write(
        '[models.slow]\nendpoint = "http://127.0.0.1:9/v1"\nrpm = 7\n[models.free]\nendpoint = "http://127.0.0.1:9/v1"'
    )
    async with Engine() as engine:
        assert (await engine.line("slow")).pace is not None
        assert (await engine.line("free")).pace is None
