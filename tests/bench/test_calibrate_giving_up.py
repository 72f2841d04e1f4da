"""When to give chains up, fitted on made-up chains whose savings are worked out by hand."""

from dataclasses import replace

import msgspec
import numpy as np
import pytest

from outthink.adaptive.gate import Gate
from outthink.adaptive.giving_up import GiveUp
from outthink.adaptive.policy import Policy
from outthink.adaptive.stopping import Fixed, Lead
from outthink.bench.calibrate import giving_up, votes
from outthink.bench.calibrate.fitting import Asked, calibrate
from outthink.bench.calibrate.held_out import held_out
from outthink.bench.calibrate.paths import replayed
from outthink.bench.calibrate.questions import Question, Sample, recording
from outthink.core.candidate import LogprobSummary
from outthink.models.pool import PoolRow, PoolSample

LIMIT = 8
FLUENT = LogprobSummary(-0.2, -0.5, -0.2, shape=(-0.2,) * 16)
DIPPING = LogprobSummary(-1.25, -3.0, -3.0, shape=(-0.2,) * 10 + (-3.0,) * 6)
RIGHT, WRONG = Sample("1", 320, True, True, FLUENT), Sample("2", 320, False, True, DIPPING)
STOPPED = 220
"""By hand: a part has 20 tokens, so that two hold a group of 32; parts ten and eleven together have a mean of -1.6."""
SAVES = (320 - STOPPED) / 4


def questions(count=320, samples=(RIGHT,) * 6 + (WRONG,) * 2, prompt=0):
    return [Question(f"q{place}", f"q{place}", samples, "1", prompt) for place in range(count)]


def fit(found, rule=Fixed(4), gate=None):
    return giving_up.fit(found, replayed(found, LIMIT, 0), rule, gate, loss=0.01, seed=0)


def test_wrong_chains_that_dip_are_given_up_where_they_do():
    found, why = fit(questions())
    assert (found, why) == (GiveUp(below=-0.5, saves=SAVES), "")
    (kept,) = giving_up.cut(questions(1), found)
    assert kept.samples == (*(RIGHT,) * 6, *(Sample(None, STOPPED, False, False, None),) * 2)


@pytest.mark.parametrize(
    ("tokens", "shape", "stopped"),
    [
        (1600, (-0.2,) * 10 + (-3.0,) * 6, 1100),  # a part alone holds a group
        (160, (-0.2,) * 10 + (-3.0,) * 6, 110),  # four of ten tokens: three at -0.2 and one at -3 have a mean of -0.9
        (320, (-0.4,) * 16, 320),  # below somewhere within a part: nobody knows where, so nothing is spared
        (320, (), 320),
        (33, (-3.0,) * 16, 33),  # a group is all but the whole chain
    ],
)
def test_where_a_chain_is_stopped_is_the_end_of_the_first_parts_that_lie_below(tokens, shape, stopped):
    chain = Sample("2", tokens, False, True, LogprobSummary(-1.0, -3.0, -1.0, shape=shape))
    (kept,) = giving_up.cut(questions(1, (chain,)), GiveUp(-0.5, 1.0))
    assert (kept.samples[0].tokens, kept.samples[0].key) == (stopped, None)


def test_chains_too_short_for_a_group_and_those_above_are_left_alone():
    short, above = replace(WRONG, tokens=31), replace(WRONG, logprobs=msgspec.structs.replace(DIPPING, low=-0.5))
    found = questions(1, (short, above, replace(WRONG, logprobs=None)))
    assert list(giving_up.cut(found, GiveUp(-0.5, 1.0))) == found


def test_where_nothing_dips_nothing_is_given_up():
    found, why = fit(questions(40, (RIGHT,) * 6 + (replace(WRONG, logprobs=FLUENT),) * 2))
    assert found is None
    assert why.startswith("no chain is given up")
    assert fit(questions(40, (replace(RIGHT, logprobs=None),) * 8)) == (None, "")  # the gate's notice tells


@pytest.mark.parametrize(
    ("changed", "told"),
    [({"tokens": 31}, "none is as long as the 32"), ({"logprobs": LogprobSummary(-1, -3, -1)}, "logprob_shape")],
)
def test_pools_that_cannot_tell_say_why(changed, told):
    samples = (replace(RIGHT, **changed),) * 6 + (replace(WRONG, **changed),) * 2
    assert told in fit(questions(40, samples))[1]


def test_chains_that_dip_on_their_way_to_the_right_answer_are_kept():
    hard = questions(80, (replace(RIGHT, logprobs=DIPPING),) * 8)
    found, why = fit([*hard, *(replace(one, cluster=f"r{one.id}") for one in questions(240, (RIGHT,) * 8))])
    assert found is None
    assert "no threshold can be certified" in why


def test_a_handful_of_questions_certifies_nothing():
    assert "no threshold can be certified to lose at most 1.0%" in fit(questions(40))[1]


@pytest.mark.parametrize(
    ("prompt", "told"),
    [
        (10, None),  # of 4 · 320 tokens 4 · 25 are spared, and 3 · 10 sent again
        (24, "1.2% would be spared"),  # of 8 · 320 tokens 8 · 25 - 7 · 24
        (25, "spares 25 tokens a sample, and each would send 25 again"),
    ],
)
def test_the_prompts_that_are_sent_again_are_taken_off(prompt, told):
    found, why = fit(questions(prompt=prompt), Fixed(4) if told is None else Fixed(8))
    assert (found is None, told or "") == (told is not None, why if told is None else told)
    assert (told or "") in why


def test_votes_that_are_missed_may_cost_more_than_is_spared():
    """With a lead of two, two wrong chains of eight cost a sample or two more than they spare."""
    samples = (*(replace(RIGHT, tokens=800),) * 6, *(replace(RIGHT, logprobs=DIPPING),) * 2)
    found, why = fit(questions(samples=samples), Lead(2))
    assert found is None
    assert "a vote without those chains takes more samples" in why


def test_a_question_with_a_longer_prompt_than_is_spared_stays_as_it_is():
    long, short = questions(1, prompt=26)[0], questions(1, prompt=25)[0]
    kept = giving_up.cut([long, short], GiveUp(-0.5, 25.5))
    assert kept[0] == long
    assert [one.tokens for one in kept[1].samples] == [320] * 6 + [STOPPED] * 2


def test_the_held_out_report_is_of_chains_that_end_where_they_are_given_up():
    policy = Policy(rule=Fixed(4), giving_up=GiveUp(-0.5, SAVES), limit=LIMIT)
    found = held_out(questions(400), policy, programs=False, seed=0)
    assert found.tokens == pytest.approx(4 * (6 * 320 + 2 * STOPPED) / 8, rel=0.005)
    assert found.accuracy.value == 1  # what is wrong does not vote
    assert found.fixed[LIMIT] == (1, LIMIT * 320)  # all samples, whole
    plain = held_out(questions(400), msgspec.structs.replace(policy, giving_up=None), programs=False, seed=0)
    assert plain.tokens == 4 * 320
    assert plain.accuracy.value < 1  # two to two at times


def test_a_chain_that_is_given_up_does_not_pass_the_gate():
    policy = Policy(rule=Fixed(4), gate=Gate(-99.0, 0.9), giving_up=GiveUp(-0.5, SAVES), limit=LIMIT)
    found = held_out(questions(200), policy, programs=False, seed=0)
    assert found.gated == pytest.approx(6 / 8, abs=0.02)
    assert found.accuracy.value == 1


def test_agreement_and_rule_go_with_the_chains_that_are_given_up():
    found = votes.fit(questions(), LIMIT, loss=0.01, seed=0, floor=None)
    assert found.policy.giving_up == GiveUp(-0.5, SAVES)
    assert found.policy.certified
    assert found.policy.agreement == pytest.approx(6 / 8 * 5 / 7, abs=0.02)  # of two right ones
    assert not any("given up" in notice for notice in found.notices)


@pytest.mark.anyio
async def test_a_recorded_pool_brings_its_prompts_and_the_shape_of_its_chains(tmp_path):
    shape = {"logprob_mean": -1.25, "logprob_low": -3.0, "logprob_tail": -3.0, "logprob_shape": DIPPING.shape}
    fluent = {"logprob_mean": -0.2, "logprob_low": -0.5, "logprob_tail": -0.2, "logprob_shape": FLUENT.shape}
    said = [("1", fluent)] * 6 + [("2", shape)] * 2
    samples = tuple(PoolSample(text=f"The answer is {key}.", tokens=320, **known) for key, known in said)
    rows = [
        PoolRow(id=f"q{k}", question=f"What is {k}?", answer="1", kind="number", samples=samples, prompt_tokens=7)
        for k in range(40)
    ]
    file = tmp_path / "pool.jsonl"
    file.write_bytes(b"".join(msgspec.json.encode(row) + b"\n" for row in rows))
    found = await recording([str(file)])
    assert {question.prompt for question in found.questions} == {7}
    (kept,) = giving_up.cut(found.questions[:1], GiveUp(-0.5, SAVES))
    assert np.mean([one.tokens for one in kept.samples]) == 320 - SAVES
    fitted = calibrate(found, Asked(loss=0.01))
    assert fitted.policy.giving_up is None
    assert any("no threshold can be certified" in notice for notice in fitted.notices)
