"""Auto where a question states what its answer must fit: samples until one does, whatever most of them say."""

import pytest
from msgspec.structs import replace

from outthink import Engine, Problem
from outthink.adaptive.curtailment import Lossless
from outthink.adaptive.policy import Policy, to_json
from outthink.answers.equations import decisive
from outthink.core.events import Decided
from outthink.core.mark import Mark
from outthink.models.fake import FakeModel
from outthink.models.script import Script

pytestmark = pytest.mark.anyio
LINEAR = "If x + 3 = 10, what is x?"


async def solve(replies, question=LINEAR, technique="auto(effort=low)"):
    model, logs = FakeModel(Script(replies=replies)), []
    async with Engine(model) as engine:
        result = await engine.solve(question, strategy=technique, watch=logs.append)
    return result, [event for event in logs[0].events if isinstance(event, Decided)]


async def test_the_first_answer_that_fits_ends_it_though_most_say_otherwise():
    result, decisions = await solve(["The answer is 9."] * 6 + ["The answer is 7."] + ["The answer is 9."] * 20)
    assert (result.answer.text, result.stop_reason) == ("7", "verified")
    assert result.votes["9"] > result.votes["7"] == 1
    assert result.confidence > 0.9
    assert len(result.candidates) <= 9  # six that do not fit, a revision, and what came beside the one that does
    assert decisions[0].reason == "an answer can be put back into x + 3 = 10"
    assert decisions[-1].reason == "the answer fits the question's equations"


async def test_an_easy_one_takes_one_sample():
    result, _ = await solve(["The answer is 7."] * 16)
    assert (len(result.candidates), result.stop_reason) == (1, "verified")


@pytest.mark.parametrize("question", ["What is 3 + 4?", "3 + 4 ="])
async def test_a_calculation_is_checked_like_an_equation(question):
    result, decisions = await solve(["The answer is 9.", "The answer is 7."] + ["The answer is 9."] * 20, question)
    assert (result.answer.text, result.stop_reason) == ("7", "verified")
    assert decisions[0].reason == "an answer can be put back into 3 + 4 = ?"


async def test_where_none_fits_the_most_frequent_is_given_and_not_called_verified():
    result, _ = await solve(["The answer is 9.", "The answer is 8."] + ["The answer is 9."] * 30)
    assert result.answer.text == "9"
    assert result.stop_reason in ("exhausted", "diminishing", "futile")


async def test_what_is_told_to_a_revision_is_which_answer_does_not_fit():
    model = FakeModel(Script(replies=["The answer is 9."] * 40))
    async with Engine(model) as engine:
        result = await engine.solve(LINEAR, strategy="auto(effort=low)")
    (version, *_) = [found for found in result.candidates if found.parent is not None]
    assert version.index >= 1_000
    told = [ask.messages[-1]["content"] for ask in model.asks if len(ask.messages) > 1]
    assert any(text.startswith("9 does not fit x + 3 = 10") for text in told)


async def test_answers_that_cannot_be_put_back_vote_and_none_is_asked_for_twice():
    problem = Problem.of(LINEAR, "expression")
    result, _ = await solve(["The answer is \\boxed{\\sqrt{2}}."] * 16, problem)
    assert result.stop_reason == "settled"
    assert [found.index for found in result.candidates] == list(range(len(result.candidates)))


NOT_ALONE = [
    ("Solve for x: x^2 - 5x + 6 = 0", "2"),  # and 3
    ("Two numbers have a product of 48 and a difference of 2. What is the larger number?", "8"),  # and -6
    ("How many days are there in 7 weeks?", "49"),
]


@pytest.mark.parametrize(("question", "answer"), NOT_ALONE)
async def test_where_an_answer_that_fits_may_be_wrong_all_of_them_vote(question, answer):
    assert decisive(replace(Problem.of(question), answer_kind="number")) is None
    result, _ = await solve([f"The answer is {answer}."] * 16, question)
    assert (result.stop_reason, len(result.candidates) > 1) == ("settled", True)


async def test_the_plain_votes_answer_stays_what_it_is(tmp_path):
    file = tmp_path / "policy.json"
    file.write_bytes(to_json(Policy(rule=Lossless(), fingerprint=Mark())))
    result, _ = await solve(
        ["The answer is 9.", "The answer is 7.", "The answer is 9."] * 8, LINEAR, f'auto(effort=low, policy="{file}")'
    )
    assert result.answer.text == "9"


def test_only_numbers_are_put_back():
    assert decisive(Problem.of(LINEAR, "number")).text == "x + 3 = 10"
    assert decisive(Problem.of(LINEAR, "choice")) is None
