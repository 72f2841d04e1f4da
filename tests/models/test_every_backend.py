"""What every registered backend must keep: one suite over all of them, built-in or plugged in.

Those of other packages are named in ``OUTTHINK_TEST_BACKENDS``, as model texts with spaces between them.
"""

import json
import os
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from importlib.metadata import entry_points

import anyio
import pytest

from outthink import plugins
from outthink.core.errors import OutthinkError, Unreachable
from outthink.core.protocols import Model
from outthink.core.wire import Ask, Bill, Reply
from outthink.models.fake_server import FakeServer
from outthink.models.script import Script

QUESTION = "How many days are there in 7 weeks?"
ASKED = ({"role": "user", "content": QUESTION},)
SCRIPT = Script(accuracy=0.6, answers={"7 weeks": "49"}, words=20)
EMBEDDED = os.environ.get("OUTTHINK_TEST_MODEL", "")
OTHERS = os.environ.get("OUTTHINK_TEST_BACKENDS", "").split()
SLOW = 30.0


@dataclass
class Backend:
    """An open model. ``in_flight``: how many requests its other side has, where that is known."""

    model: Model
    in_flight: Callable[[], int] = field(default=lambda: 0)
    repeats: bool = True

    def can(self, *features):
        return not self.model.lacks.intersection(features)


async def _open(text):
    return await plugins.model_opener(text)(text, timeout=60.0)


@asynccontextmanager
async def opened(name: str, folder, slow: float = 0.0) -> AsyncGenerator[Backend]:
    """A backend by its name in this suite; ``slow``: seconds it takes, where it can be told to."""
    if name.startswith("http-"):
        limits = {"refuses": frozenset({"n"})} if name == "http-no-n" else {}
        dialect = "openai" if name == "http-no-n" else name.removeprefix("http-")
        async with FakeServer(SCRIPT, dialect=dialect, latency=slow, **limits).serve() as server:
            model = await _open(f"fake@{server.base_url}")
            try:
                yield Backend(model, lambda: server.in_flight)
            finally:
                await model.aclose()
        return
    texts = {
        "fake": f"fake:latency={slow},words=20,accuracy=0.6",
        "pool": f"pool:{folder}/pool.jsonl",
        "gguf": EMBEDDED,
    }
    if name == "pool":
        _record(folder / "pool.jsonl")
    model = await _open(texts.get(name, name))
    try:
        yield Backend(model, lambda: model.books.in_flight if name == "fake" else 0, repeats=name != "gguf")
    finally:
        await model.aclose()


def _record(path):
    said = [SCRIPT.say(ASKED, seed, None) for seed in range(12)]
    samples = [{"text": one.text, "tokens": len(one.tokens), "finish": "stop"} for one in said]
    path.write_text(json.dumps({"id": "weeks", "question": QUESTION, "prompt_tokens": 11, "samples": samples}) + "\n")


def ask(n=1, seed=0, index=0, max_tokens=48, **params):
    return Ask(messages=ASKED, n=n, seed=seed, index=index, max_tokens=max_tokens, params=params)


async def reply_of(model: Model, wanted: Ask) -> Reply:
    """A plain reply, asked for once more without what the backend turns out to lack."""
    for _ in range(3):
        try:
            return await model.complete(wanted)
        except OutthinkError as error:
            if not getattr(error, "feature", None):
                raise
    raise AssertionError("it goes on refusing")


BUILT_IN = ["fake", "http-openai", "http-llamacpp", "http-ollama", "http-no-n", "pool"]
GGUF = pytest.param("gguf", marks=[pytest.mark.real_model, pytest.mark.skipif(not EMBEDDED, reason="no small model")])
every_backend = pytest.mark.parametrize("name", [*BUILT_IN, GGUF, *OTHERS])
pytestmark = [pytest.mark.anyio, pytest.mark.timeout(300)]


def test_no_registered_backend_is_left_out():
    known = {name.partition("-")[0] for name in BUILT_IN} | {"gguf"} | {plugins.model_scheme(text) for text in OTHERS}
    missing = {entry.name for entry in entry_points(group="outthink.models")} - known
    assert not missing, f"name a model text of each of {missing} in OUTTHINK_TEST_BACKENDS"


@every_backend
async def test_it_says_who_it_is(name, tmp_path):
    async with opened(name, tmp_path) as backend:
        model = backend.model
        assert model.name
        assert isinstance(model.source, str)
        assert model.slots is None or model.slots >= 1
        assert model.context is None or model.context > 0
        assert model.parameters is None or model.parameters > 0
        assert isinstance(model.lacks, set)
        assert model.price is None or model.price.of(Bill(1, 1)) >= 0


@every_backend
async def test_its_counts_add_up(name, tmp_path):
    async with opened(name, tmp_path) as backend:
        n = 3 if backend.can("n") else 1
        try:
            reply = await reply_of(backend.model, ask(n))
        except AssertionError:
            reply = await reply_of(backend.model, ask())
        assert reply.bill is not None
        assert reply.bill.prompt_tokens > 0
        assert 0 <= reply.bill.cached_tokens <= reply.bill.prompt_tokens
        tokens = [choice.tokens for choice in reply.choices]
        if None not in tokens:
            assert sum(tokens) == reply.bill.completion_tokens
        assert all(choice.text == choice.message["content"] for choice in reply.choices)
        counted = await backend.model.count_prompt(ask())
        assert counted in (None, reply.bill.prompt_tokens)


@every_backend
async def test_n_choices_come_in_order_and_choice_i_is_the_sample_of_seed_plus_i(name, tmp_path):
    async with opened(name, tmp_path) as backend:
        if name == "http-no-n":
            with pytest.raises(OutthinkError, match="'n'"):
                await backend.model.complete(ask(3))
            assert not backend.can("n")
            return
        together = (await reply_of(backend.model, ask(3, seed=5))).choices
        assert [choice.index for choice in together] == list(range(len(together)))
        assert len(together) == (1 if name == "http-ollama" else 3)
        for i, choice in enumerate(together if backend.repeats else ()):
            (alone,) = (await reply_of(backend.model, ask(1, seed=5 + i, index=i))).choices
            assert alone.text == choice.text


@every_backend
async def test_one_seed_is_one_text(name, tmp_path):
    async with opened(name, tmp_path) as backend:
        wanted = ask(seed=3, temperature=0.8)
        first, second = [(await reply_of(backend.model, wanted)).choices[0].text for _ in range(2)]
        assert first == second


@every_backend
async def test_max_tokens_is_kept_and_the_finish_says_so(name, tmp_path):
    async with opened(name, tmp_path) as backend:
        reply = await reply_of(backend.model, ask(max_tokens=3))
        assert reply.choices[0].tokens in (None, 3)
        assert reply.bill.completion_tokens == 3
        assert reply.choices[0].finish == "length"
        whole = (await reply_of(backend.model, ask())).choices[0].text
        assert 0 < len(reply.choices[0].text) < len(whole)


@every_backend
async def test_stop_is_kept(name, tmp_path):
    if name == "pool":
        pytest.skip("a pool says what was recorded")
    async with opened(name, tmp_path) as backend:
        whole = (await reply_of(backend.model, ask(temperature=0.0))).choices[0].text
        word = whole.split()[4]
        for stop in (word, [word, "never said"]):
            cut = (await reply_of(backend.model, ask(temperature=0.0, stop=stop))).choices[0]
            assert cut.text.rstrip() == whole.partition(word)[0].rstrip()
            assert cut.finish == "stop"


@every_backend
async def test_a_stream_says_and_bills_what_a_plain_reply_does(name, tmp_path):
    async with opened(name, tmp_path) as backend:
        if not backend.can("stream"):
            pytest.skip("it does not stream, and says so")
        n = 2 if name not in ("http-no-n", "http-ollama") else 1
        plain = await reply_of(backend.model, ask(n, seed=4, temperature=0.0))
        texts, finishes, bills, tokens = {}, {}, [], 0
        async with backend.model.stream(ask(n, seed=4, temperature=0.0)) as deltas:
            async for delta in deltas:
                if delta.index is None:
                    bills.append(delta.bill)
                    continue
                texts[delta.index] = texts.get(delta.index, "") + delta.text
                tokens += delta.tokens
                if delta.finish:
                    finishes[delta.index] = delta.finish
        assert [texts[i] for i in sorted(texts)] == [choice.text for choice in plain.choices]
        assert [finishes[i] for i in sorted(finishes)] == [choice.finish for choice in plain.choices]
        assert [(bill.prompt_tokens, bill.completion_tokens) for bill in bills] == [
            (plain.bill.prompt_tokens, plain.bill.completion_tokens)
        ]
        assert abs(tokens - plain.bill.completion_tokens) <= n  # the end of a text may be a token of its own


@every_backend
@pytest.mark.parametrize("way", ["plain", "stream"])
async def test_cancelling_frees_it_at_once(name, way, tmp_path):
    async with opened(name, tmp_path, SLOW) as backend:
        if way == "stream" and not backend.can("stream"):
            pytest.skip("it does not stream, and says so")

        async def request():
            if way == "plain":
                await backend.model.complete(ask())
                return
            async with backend.model.stream(ask()) as deltas:
                async for _ in deltas:
                    pass

        with anyio.fail_after(SLOW / 2):
            async with anyio.create_task_group() as group:
                group.start_soon(request)
                await anyio.sleep(0.2)
                group.cancel_scope.cancel()
            while backend.in_flight():
                await anyio.sleep(0.01)
        assert not backend.in_flight()


@every_backend
async def test_leaving_a_stream_early_frees_it_and_the_next_request_is_answered(name, tmp_path):
    async with opened(name, tmp_path) as backend:
        if not backend.can("stream"):
            pytest.skip("it does not stream, and says so")
        async with backend.model.stream(ask()) as deltas:
            async for delta in deltas:
                assert delta.text or delta.index is not None
                break
        with anyio.fail_after(10):
            while backend.in_flight():
                await anyio.sleep(0.01)
        assert (await reply_of(backend.model, ask())).choices[0].text


@every_backend
@pytest.mark.parametrize(
    "wrong",
    [
        Ask(messages=({"role": "user", "content": ""},), max_tokens=4),
        Ask(messages=({"role": "user", "content": "word " * 200_000},), max_tokens=4),
        Ask(messages=({"role": "nobody", "content": QUESTION},), max_tokens=4),
        Ask(messages=ASKED, max_tokens=4, n=100_000),
    ],
    ids=["empty", "long", "role", "many"],
)
async def test_what_it_cannot_do_is_an_error_of_the_tree(name, wrong, tmp_path):
    if wrong.n > 1000 and name in ("fake", "http-openai", *OTHERS):
        pytest.skip("it would simply say them all")
    async with opened(name, tmp_path) as backend:
        try:
            told = (await backend.model.complete(wrong)).choices[0].message["role"]
        except OutthinkError as error:
            told = str(error)
        assert told
        assert "\n" not in told


@every_backend
async def test_closing_twice_is_safe(name, tmp_path):
    async with opened(name, tmp_path) as backend:
        assert (await reply_of(backend.model, ask())).choices
        await backend.model.aclose()
        await backend.model.aclose()  # and once more when the block is left


async def test_a_server_that_is_gone_is_unreachable():
    async with FakeServer(SCRIPT).serve() as server:
        model = await _open(f"fake@{server.base_url}")
    with pytest.raises(Unreachable):
        await model.complete(ask())
    await model.aclose()
