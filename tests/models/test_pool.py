"""Pools: what was recorded is what is said, every seed another order, and nothing else is answered."""

import json
from collections import Counter

import msgspec
import pytest

from outthink import Engine
from outthink.core.errors import BadSpec, InputError, Unsupported
from outthink.core.problem import Problem
from outthink.core.wire import Ask
from outthink.engine.log import TraceFile
from outthink.models.fake import FakeModel
from outthink.models.pool import open_pool, prompt_fingerprint, read_pool
from outthink.models.script import Script

pytestmark = pytest.mark.anyio
QUESTION = "How many days are there in 7 weeks?"


def sample(text, tokens=10, **more):
    return {"text": text, "tokens": tokens, "finish": "stop", **more}


def write(path, *rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return f"pool:{path}"


@pytest.fixture
def pool(tmp_path):
    said = [
        sample(f"So it is {k}. The answer is {49 if k % 3 else 40 + k}.", 10 + k, logprob_mean=-0.1 * k)
        for k in range(12)
    ]
    row = {"id": "weeks", "question": QUESTION, "answer": "49", "prompt_tokens": 50, "samples": said}
    return write(tmp_path / "pool.jsonl", row)


async def solve(model, strategy="self-consistency(n=12)", question=QUESTION, **options):
    async with Engine(model) as engine:
        return await engine.solve(question, strategy=strategy, **options)


async def test_a_vote_over_a_pool_is_the_vote_over_its_samples(pool):
    result = await solve(pool)
    assert str(result.answer) == "49"
    assert result.votes == {"49": 9, "40": 1, "43": 1, "46": 1}  # sample 9 is right by chance
    assert result.usage.completion_tokens == sum(c.tokens for c in result.candidates)
    assert result.usage.prompt_tokens == 50  # once a run, whatever the waves


async def test_prompts_can_be_billed_with_each_request(pool):
    result = await solve(f"{pool}?prompts=each", "self-consistency(n=12, width=4)")
    assert result.usage.prompt_tokens == 50 * result.usage.calls > 50


async def test_each_seed_is_another_order_of_the_same_samples_without_repeats(pool):
    orders = []
    for seed in range(6):
        result = await solve(pool, "best-of-n(n=12)", seed=seed)
        orders.append([c.text for c in result.candidates])
        assert Counter(orders[-1]) == Counter(orders[0])
    assert orders[0] == sorted(orders[0], key=lambda text: int(text.split()[3].strip(".")))
    assert len({tuple(order) for order in orders}) == 6


async def test_one_seed_gives_one_result_whatever_the_waves(pool):
    for seed in (0, 5):
        results = [await solve(pool, f"best-of-n(n=9, width={width})", seed=seed) for width in (1, 4, 9)]
        assert len({(str(r.answer), r.confidence, tuple(c.text for c in r.candidates)) for r in results}) == 1


async def test_more_samples_than_there_are_is_told_with_the_number_there_is(pool):
    with pytest.raises(InputError, match="holds 12 samples of 'weeks', and sample 16"):
        await solve(pool, "best-of-n(n=16, width=16)")


async def test_a_question_that_was_not_recorded_is_told(pool):
    with pytest.raises(InputError, match="holds no samples for 'How many days are there in 8"):
        await solve(pool, question="How many days are there in 8 weeks?")


async def test_another_prompt_or_temperature_is_refused_unless_told_otherwise(tmp_path):
    messages = ({"role": "user", "content": QUESTION},)
    mark = {"prompt": prompt_fingerprint(messages, QUESTION), "temperature": 0.7}
    row = {"id": "w", "question": QUESTION, "prompt_tokens": 9, "samples": [sample("49")] * 4, "fingerprint": mark}
    text = write(tmp_path / "p.jsonl", row)
    assert (await solve(text, "direct")).text == "49"
    with pytest.raises(Unsupported, match="recorded with prompt"):
        await solve(text, "cot")
    assert (await solve(f"{text}?check=off", "cot")).text == "49"
    warm = Problem(messages=messages, params={"temperature": 0.2})
    with pytest.raises(Unsupported, match=r"temperature 0\.7, not 0\.2"):
        await solve(text, "direct", question=warm)


async def test_a_sample_is_cut_at_the_limit_of_new_tokens(pool):
    model = await open_pool(pool)
    ask = Ask(messages=({"role": "user", "content": QUESTION},), max_tokens=5, seed=0)
    (choice,) = (await model.complete(ask)).choices
    assert (choice.finish, choice.tokens) == ("length", 5)
    assert choice.text == "So it is 0. The answer is 40."[: 29 * 5 // 10]


async def test_the_trace_of_a_run_replays_to_the_same_result_without_a_model(tmp_path):
    model = FakeModel(Script(accuracy=0.5, answers={"7 weeks": "49"}))
    trace = TraceFile(tmp_path / "trace.jsonl")
    async with Engine(model) as engine:
        lived = await engine.solve(QUESTION, strategy="self-consistency(n=8)", trace=trace)
    trace.close()
    again = await solve(f"pool:{tmp_path / 'trace.jsonl'}", "self-consistency(n=8)")
    for name in ("answer", "text", "votes", "confidence", "stop_reason"):
        assert getattr(again, name) == getattr(lived, name)
    assert again.usage.tokens == lived.usage.tokens


def test_half_a_line_at_the_end_is_left_out_and_a_broken_one_elsewhere_is_named(tmp_path):
    good = json.dumps({"id": "a", "question": "q", "samples": [sample("x")]})
    path = tmp_path / "p.jsonl"
    path.write_text(good + "\n" + good[:30])
    assert len(read_pool(path)) == 1
    path.write_text(good[:30] + "\n" + good + "\n")
    with pytest.raises(InputError, match="line 1"):
        read_pool(path)
    path.write_text("")
    with pytest.raises(InputError, match="holds no rows"):
        read_pool(path)
    with pytest.raises(InputError, match="cannot be read"):
        read_pool(tmp_path / "none.jsonl")


@pytest.mark.parametrize("text", ["pool:", "pool:x.jsonl?chek=off", "pool:x.jsonl?check=maybe"])
async def test_a_wrong_pool_text_says_what_to_write(text):
    with pytest.raises(BadSpec, match=r"write pool:FILE\.jsonl"):
        await open_pool(text)


def test_the_prompts_fingerprint_is_the_same_for_every_question_and_differs_by_technique():
    def asked(question, extra=""):
        return prompt_fingerprint([{"role": "user", "content": question + extra}], question)

    assert asked("Why 7?") == asked('What is "x"\n?')
    assert asked("Why 7?") != asked("Why 7?", " Think.")
    assert msgspec.json.encode("x") == b'"x"'


async def test_a_chain_that_was_cut_stays_cut_since_a_pool_cannot_go_on(tmp_path):
    said = [sample("so it goes on", 400, finish="length"), *[sample("The answer is 49.", 5)] * 2]
    row = {"id": "w", "question": QUESTION, "prompt_tokens": 9, "samples": said}
    result = await solve(write(tmp_path / "p.jsonl", row), "self-consistency(n=3)")
    assert result.votes == {"49": 2}
    assert result.usage.tokens == 9 + 410
    assert result.usage.unsettled_calls == 0
