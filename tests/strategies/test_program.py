"""The strategy `program`: what programs print is the answer, and what fails is none."""

import pytest

from outthink import Engine, Problem
from outthink.core.errors import BadSpec, SandboxError
from outthink.core.events import Executed
from outthink.core.execution import Limits
from outthink.models.fake import FakeModel
from outthink.models.script import Script
from outthink.sandbox import capabilities, room
from outthink.strategies.program import Program

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.real_time,
    pytest.mark.skipif(not any(c.offered for c in capabilities()[1:]), reason="no fences on this machine"),
]
QUESTION = "How many days are there in 7 weeks?"


def block(program):
    return f"```python\n{program}\n```"


async def solve(replies, strategy, problem=QUESTION, **options):
    model, logs = FakeModel(Script(replies=replies)), []
    async with Engine(model, program_limits=Limits(seconds=1)) as engine:
        result = await engine.solve(problem, strategy=strategy, watch=logs.append, **options)
    return result, model, [event for event in logs[0].events if isinstance(event, Executed)]


async def test_what_the_program_prints_last_is_the_answer_and_is_said():
    result, model, (event,) = await solve([block("print('weeks:', 7)\nprint(7 * 7)")], "program")
    assert str(result.answer) == "49"
    assert result.text.endswith("```\n\nThe answer is 49.")
    assert result.message["content"] == result.text
    assert (event.role, result.by_role["tool"].calls) == ("tool", 1)
    (ask,) = model.asks
    assert (ask.max_tokens, ask.params["temperature"]) == (200, 0.0)
    assert "program that prints only the answer" in ask.messages[0]["content"]
    assert len(ask.messages) == 8


@pytest.mark.parametrize(
    ("question", "kind", "printed", "answer"),
    [
        (QUESTION, "number", "0.1 + 0.2", "0.3"),
        (QUESTION, "number", "10 ** 20 / 1", "100000000000000000000"),
        (QUESTION, "number", "'$', 49", "49"),
        ("Which is prime?\n(A) 8\n(B) 7", "choice", "'B'", "B"),
        ("Yes or no: is 7 a prime number?", "boolean", "7 in (2, 3, 5, 7)", "yes"),
        ("Reduce 6/8.", "expression", "'3/4'", "0.75"),
        ("Reduce 4/12.", "expression", "4 / 12", "1/3"),
        (QUESTION, "number", "4 / 12", "0.333333333333"),
        ("What is the largest prime below 100", "auto", "97", "97"),
        ("What is the capital of France", "span", "'Paris'", "Paris"),
    ],
)
async def test_the_printed_result_is_read_as_the_kind_of_answer_asked_for(question, kind, printed, answer):
    result, _, _ = await solve([block(f"print({printed})")], "program", Problem.of(question, kind))
    assert str(result.answer) == answer


@pytest.mark.parametrize(
    ("reply", "runs"),
    [
        (block("print(49)\nprint(1 / 0)"), 1),
        (block("while True: pass"), 1),
        (block("answer = 49"), 1),
        (block("print('many')"), 1),
        (block("print(49"), 0),
        ("The answer is 49.", 0),
    ],
)
async def test_a_program_that_fails_is_paid_for_and_is_no_answer(reply, runs):
    result, model, events = await solve([reply], "program")
    assert result.answer is None
    assert result.text == reply
    assert len(events) == runs
    assert result.by_role["policy"].completion_tokens == model.books.completion_tokens > 0


async def test_programs_vote_equal_ones_run_once_and_failed_ones_have_no_vote():
    replies = [block("print(48)"), block("print(49)"), block("print(7 * 7)"), block("print(49)  # days"), block("x =")]
    result, model, events = await solve(replies, "program(n=5)")
    assert (str(result.answer), result.votes) == ("49", {"49": 3, "48": 1})
    assert (result.confidence, result.confidence_source) == (3 / 5, "vote_share")
    assert len(events) == 4
    assert model.asks[0].params["temperature"] == 0.7


async def test_chains_of_thought_vote_along():
    replies = [block("print(48)"), block("print(49)"), "7 * 7 = 49. The answer is 49.", "The answer is 49."]
    result, model, events = await solve(replies, "program(n=2, with_chains=2)")
    assert (result.votes, len(events)) == ({"49": 3, "48": 1}, 2)
    assert [ask.index for ask in model.asks] == [0, 2]
    assert len(result.candidates) == 4


async def test_where_there_is_nothing_to_print_it_is_one_plain_sample():
    for kind in ("text", "json", "code"):
        result, model, events = await solve(["hello"], "program(n=4)", Problem.of("Say hello.", kind))
        assert (result.text, result.stop_reason, events) == ("hello", "unscorable", [])
        assert [len(ask.messages) for ask in model.asks] == [1]


async def test_without_a_sandbox_it_is_refused(monkeypatch):
    def none(levels):
        raise SandboxError("this machine cannot hold untrusted code (no Landlock)")

    monkeypatch.setattr(room, "start", none)
    with pytest.raises(SandboxError, match="no Landlock"):
        await solve([block("print(49)")], "program")


async def test_a_budget_without_room_for_examples_or_runs_is_kept():
    result, model, _ = await solve([block("print(49)")], "program", budget="tokens=200")
    assert len(model.asks[0].messages) == 1
    assert str(result.answer) == "49"
    result, _, events = await solve([block("print(49)")], "program", budget="calls=1")
    assert (result.answer, events, result.usage.calls) == (None, [], 1)


@pytest.mark.parametrize("wrong", [{"n": 0}, {"with_chains": -1}, {"temperature": 3.0}])
def test_its_parameters_have_ranges(wrong):
    with pytest.raises(BadSpec, match=r"^program: "):
        Program(**wrong)
