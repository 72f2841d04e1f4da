"""Auto where chains state arithmetic that does not hold: those do not vote while another does."""

import pytest

from outthink import Engine
from outthink.adaptive.curtailment import Lossless
from outthink.adaptive.gate import Gate
from outthink.adaptive.policy import Policy, to_json
from outthink.answers import canonical
from outthink.core.candidate import Candidate
from outthink.core.events import Scored
from outthink.core.mark import Mark
from outthink.models.fake import FakeModel
from outthink.models.script import Script
from outthink.strategies.tally import Tally

pytestmark = pytest.mark.anyio
QUESTION = "Ann has 3 nuts and finds 4 more. How many has she now?"
FALSE, TRUE = "She has 3 + 4 = 8. The answer is 8.", "She has 3 + 4 = 7. The answer is 7."


async def solve(replies, technique="auto(effort=low)", question=QUESTION):
    logs = []
    async with Engine(FakeModel(Script(replies=replies))) as engine:
        result = await engine.solve(question, strategy=technique, watch=logs.append)
    return result, [event for event in logs[0].events if isinstance(event, Scored)]


async def test_the_few_whose_sums_hold_outvote_the_many_whose_sums_do_not():
    replies = [FALSE, FALSE, FALSE, TRUE] * 8
    plain, _ = await solve(replies, "self-consistency(n=16)")
    result, told = await solve(replies)
    assert (plain.answer.text, result.answer.text) == ("8", "7")
    assert set(result.votes) == {"7"}
    assert len(told) == len(result.candidates)
    assert {found.scores["symbolic"] for found in result.candidates} == {0.0, 1.0}


async def test_doubted_ones_cost_confidence():
    sure, _ = await solve([TRUE] * 16)
    unsure, _ = await solve([TRUE, FALSE] * 16)
    assert unsure.confidence < sure.confidence
    assert len(unsure.candidates) > len(sure.candidates)


async def test_where_no_chain_holds_all_of_them_vote_and_it_is_given_up_early():
    result, _ = await solve([FALSE] * 12 + ["She has 3 + 4 = 9. The answer is 9."] * 4)
    assert (result.answer.text, set(result.votes)) == ("8", {"8"})
    assert result.stop_reason == "futile"  # what is false settles nothing


async def test_other_kinds_of_answers_are_not_looked_at():
    _, told = await solve(["3 + 4 = 8, so yes. The answer is yes."] * 16, question="Is 8 = 3 + 4, yes or no?")
    assert told == []


async def test_the_plain_votes_answer_stays_what_it_is(tmp_path):
    file = tmp_path / "policy.json"
    file.write_bytes(to_json(Policy(rule=Lossless(), fingerprint=Mark())))
    result, told = await solve([FALSE, FALSE, FALSE, TRUE] * 8, f'auto(effort=low, policy="{file}")')
    assert (result.answer.text, told) == ("8", [])


async def test_a_doubted_first_sample_does_not_pass_the_gate(tmp_path):
    file = tmp_path / "policy.json"
    gate = Gate(least=-9.0, precision=0.9, measure="mean")
    file.write_bytes(to_json(Policy(gate=gate, fingerprint=Mark())))
    technique = f'auto(effort=low, policy="{file}")'
    passed, _ = await solve([TRUE] * 16, technique)
    asked_again, _ = await solve([FALSE] + [TRUE] * 15, technique)
    assert (len(passed.candidates), passed.confidence) == (1, 0.9)
    assert asked_again.answer.text == "7"


def said(index, answer):
    text = f"The answer is {answer}."
    return Candidate(
        index=index, message={"role": "assistant", "content": text}, text=text, finish="stop", tokens=5, model="fake",
        answer=answer,
    )  # fmt: skip


async def test_a_doubted_candidate_counts_as_silent_and_votes_only_alone():
    tally = Tally()
    tally.add(said(0, canonical("8", "number")), doubted=True)
    alone = tally.state(15)
    assert tally.posterior().probabilities.keys() == {"8"}
    tally.add(said(1, canonical("7", "number")))
    both = tally.state(14)
    assert (alone.counts, alone.silent, alone.limit) == ((), 1, 16)
    assert (both.counts, both.silent, both.limit) == ((1,), 1, 16)
    assert tally.posterior().probabilities.keys() == {"7"}
