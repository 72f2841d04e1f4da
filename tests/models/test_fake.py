"""The public fake: what it says is known beforehand, and its own books count it."""

import anyio
import pytest

from outthink import Engine
from outthink.core.errors import BadSpec, Overloaded
from outthink.core.wire import Ask
from outthink.models.fake import FakeModel, open_fake
from outthink.models.script import Script, count_prompt

pytestmark = pytest.mark.anyio
QUESTION = ({"role": "user", "content": "How many days are there in 7 weeks?"},)


async def test_its_text_sets_its_script_and_its_pace():
    model = await open_fake("fake:accuracy=0.25,wrong=2,words=9,seed=3,latency=0.5,token_latency=0.1,slots=4")
    assert model.script == Script(accuracy=0.25, wrong=2, words=9, seed=3)
    assert (model.latency, model.token_latency, model.slots) == (0.5, 0.1, 4)
    assert (await open_fake("fake")).script == Script()
    assert (await open_fake("fake: accuracy = 1 ")).script == Script(accuracy=1.0)


@pytest.mark.parametrize("part", ["accuracy", "accuracy=", "accuracy=x", "pace=1", "words=1.5", "words=1e9", "seed=-1"])
async def test_a_setting_that_is_none_is_named_with_those_there_are(part):
    with pytest.raises(BadSpec, match="write fake:NAME=NUMBER with accuracy, wrong, words") as caught:
        await open_fake(f"fake:{part}")
    assert repr(part) in str(caught.value)


async def test_its_accuracy_is_the_share_of_right_samples():
    for accuracy in (0.0, 0.3, 1.0):
        model = await open_fake(f"fake:accuracy={accuracy}")
        reply = await model.complete(Ask(messages=QUESTION, n=1000, seed=0))
        right = model.script.answer(QUESTION[0]["content"])
        share = sum(choice.text.endswith(f"is {right}.") for choice in reply.choices) / 1000
        assert abs(share - accuracy) < 0.05


async def test_the_same_seed_says_the_same_plain_streamed_and_one_by_one():
    model = FakeModel(Script())
    together = await model.complete(Ask(messages=QUESTION, n=4, seed=5))
    apart = [(await model.complete(Ask(messages=QUESTION, seed=5 + i))).choices[0].text for i in range(4)]
    async with model.stream(Ask(messages=QUESTION, n=4, seed=5)) as deltas:
        pieces = [delta async for delta in deltas]
    streamed = ["".join(delta.text for delta in pieces if delta.index == i) for i in range(4)]
    assert [choice.text for choice in together.choices] == apart == streamed
    assert pieces[-1].bill == together.bill


async def test_its_books_count_what_it_made_finished_or_not():
    model = FakeModel(
        Script(words=20), token_latency=0.001, fault=lambda n, ask: Overloaded("", 429) if n == 0 else None
    )
    with pytest.raises(Overloaded):
        await model.complete(Ask(messages=QUESTION))
    assert (model.books.calls, model.books.prompt_tokens, model.books.completion_tokens) == (1, 0, 0)
    reply = await model.complete(Ask(messages=QUESTION, n=2, max_tokens=5))
    assert (model.books.prompt_tokens, model.books.completion_tokens) == (count_prompt(QUESTION), 10)
    assert [choice.finish for choice in reply.choices] == ["length", "length"]
    async with model.stream(Ask(messages=QUESTION)) as deltas:
        async for _ in deltas:
            break
    assert model.books.completion_tokens == 11
    assert (model.books.calls, model.books.cancelled, model.books.in_flight) == (3, 0, 0)
    with anyio.move_on_after(0.001):
        await model.complete(Ask(messages=QUESTION))
    assert (model.books.cancelled, model.books.in_flight) == (1, 0)


async def test_its_slots_bound_the_choices_in_flight():
    async with Engine("fake:slots=4,latency=0.001") as engine:
        result = await engine.solve(QUESTION[0]["content"], strategy="self-consistency(n=8)")
        model = (await engine.line()).model
    assert len(result.candidates) == 8
    assert {ask.n for ask in model.asks} == {4}
