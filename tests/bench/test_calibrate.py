"""Calibration on pools with a planted truth: what is certified, what is held out, and what is refused."""

from __future__ import annotations

from collections import Counter
from functools import partial
from xml.etree import ElementTree

import anyio
import msgspec
import numpy as np
import pytest
from planted_votes import MARK, programs, votes

from outthink.adaptive.curtailment import Curtail
from outthink.adaptive.gate import Gate
from outthink.adaptive.policy import Policy, from_json, to_json
from outthink.bench.calibrate.chart import chart
from outthink.bench.calibrate.fitting import Asked, Calibration, calibrate
from outthink.bench.calibrate.held_out import held_out
from outthink.bench.calibrate.questions import Recording, checked_size, recording
from outthink.core.errors import InputError
from outthink.core.mark import Mark
from outthink.models.pool import Fingerprint


def write(path, rows):
    path.write_bytes(b"".join(msgspec.json.encode(row) + b"\n" for row in rows))
    return str(path)


def read(*pools, labels="gold") -> Recording:
    return anyio.run(partial(recording, pools, labels))


@pytest.fixture
def fitted(tmp_path):
    """``fitted(rows, …)``: calibrated on a pool of these rows."""

    def fit(rows, labels="gold", **asked) -> Calibration:
        return calibrate(read(write(tmp_path / "pool.jsonl", rows), labels=labels), Asked(labels=labels, **asked))

    return fit


def test_a_policy_is_certified_saves_tokens_and_keeps_its_accuracy_where_it_was_not_fitted(fitted):
    found = fitted(votes(240, told=1.0), loss=0.01)
    held = found.held
    assert held is not None
    assert found.policy.certified
    assert held.saving.low > 1.3
    assert held.difference.value > -0.01
    assert found.policy.held_out == held.figures()
    assert held.accuracy.low < held.accuracy.value < held.accuracy.high
    assert held.brier < held.brier_base
    assert held.ideal[1] < held.tokens


def test_held_out_figures_are_those_of_the_pool(fitted):
    """Votes and tokens counted by hand from the rows that were held out."""
    rows = votes(80, n=8, seed=3)
    found = fitted(rows)
    assert found.held is not None
    rights, alone, tokens = [], [], []
    for row in rows:
        if row.id in found.policy.fitted:
            continue
        said = [sample.text.removeprefix("The answer is ").removesuffix(".") for sample in row.samples]
        counts = Counter(text for text in said if text.isdigit())
        best = [key for key, count in counts.items() if count == max(counts.values())]
        rights.append((row.answer in best) / len(best))  # which of equals comes first is even
        alone.append(np.mean([text == row.answer for text in said]))
        tokens.append(sum(sample.tokens for sample in row.samples))
    assert len(rights) == 40
    assert found.held.fixed[8] == (pytest.approx(np.mean(rights), abs=0.01), pytest.approx(np.mean(tokens)))
    assert found.held.fixed[1][0] == pytest.approx(np.mean(alone), abs=0.03)


def test_a_handful_of_questions_certifies_nothing_and_says_what_is_done_instead(fitted):
    found = fitted(votes(48, n=6, easy=0.0))
    assert not found.policy.certified
    assert found.policy.rule == Curtail()
    assert any("curtailment at 0.95" in notice for notice in found.notices)


def test_questions_of_a_cluster_stay_on_one_side_and_half_are_held_out(fitted):
    rows = [
        type(row)(**{name: getattr(row, name) for name in row.__struct_fields__ if name != "extra"},
                  extra={"cluster": f"c{place // 4}"})
        for place, row in enumerate(votes(100, n=6))
    ]  # fmt: skip
    found = fitted(rows)
    kept = {int(name.removeprefix("q")) // 4 for name in found.policy.fitted}
    assert found.held is not None
    assert len(found.policy.fitted) + found.held.questions == 100
    assert len(found.policy.fitted) == 4 * len(kept)
    assert found.held.questions == pytest.approx(50, abs=3)


def test_nothing_held_out_is_fitted_on_all_and_says_so(fitted):
    found = fitted(votes(40, n=6), hold_out=0.0)
    assert found.held is None
    assert len(found.policy.fitted) == 40
    assert found.policy.held_out == {}
    assert any("nothing is known" in notice for notice in found.notices)


def test_log_probabilities_that_tell_become_a_column_and_those_that_do_not_are_left_out(fitted):
    telling = fitted(votes(160, n=8, told=3.0))
    assert telling.policy.columns == ("mean",)
    assert telling.policy.weights.columns[0].mean + telling.policy.weights.columns[0].total > 0
    silent = fitted(votes(160, n=8, told=0.0, seed=5))
    assert silent.policy.columns == ()
    assert any("add nothing to votes" in notice for notice in silent.notices)


def test_without_log_probabilities_there_is_no_gate_and_it_is_said(fitted):
    found = fitted(votes(60, n=6, logprobs=False))
    assert found.policy.gate is None
    assert found.policy.columns == ()
    assert any("no log probabilities were recorded" in notice for notice in found.notices)


def test_a_gate_with_a_floor_lets_sure_samples_pass(fitted):
    found = fitted(votes(200, n=8, told=6.0, easy=0.8), floor=0.9)
    assert found.policy.gate is not None
    assert found.policy.gate.precision > 0.9
    assert found.held is not None
    assert found.held.gated > 0.3
    assert found.held.samples < 4


def test_a_gate_ends_what_it_lets_pass_after_one_sample(tmp_path):
    questions = read(write(tmp_path / "p.jsonl", votes(30, n=6))).questions
    closed = held_out(questions, Policy(limit=6), programs=False, seed=0)
    opened = held_out(questions, Policy(limit=6, gate=Gate(-99.0, 0.8)), programs=False, seed=0)
    answered = np.mean([[one.key is not None for one in question.samples] for question in questions])
    assert opened.gated == pytest.approx(answered, abs=0.02)
    assert opened.samples < 1.2 < closed.samples
    assert -0.02 < opened.accuracy.value - opened.fixed[1][0] < 1.02 - answered  # who said nothing is asked again


def test_agreement_is_how_often_two_samples_agree(fitted):
    rows = votes(60, n=10, logprobs=False)
    found = fitted(rows, hold_out=0.0)
    pairs = []
    for row in rows:
        counts = Counter(sample.text for sample in row.samples if "answer" in sample.text)
        pairs.append(sum(count * (count - 1) for count in counts.values()) / 90)
    assert found.policy.agreement == pytest.approx(np.mean(pairs), abs=0.02)


def test_pseudo_labels_do_without_gold_and_say_what_they_are(fitted):
    found = fitted(votes(80, n=12, answers=False), labels="majority")
    assert found.policy.labels == "majority"
    assert not found.policy.weights.calibrated  # agreement is not being right
    assert found.held is not None
    assert found.held.fixed[12][0] > 0.9  # all samples agree with their majority, but for ties
    assert any("agreeing with it" in notice for notice in found.notices)


def test_a_policy_survives_its_file_and_knows_what_it_was_recorded_with(fitted):
    found = fitted(votes(60, n=6, told=3.0), floor=0.8)
    assert from_json(to_json(found.policy)) == found.policy
    assert found.policy.fingerprint == Mark(model="planted", prompt="abc", temperature=0.7)


def test_the_chart_is_a_drawing_of_every_fixed_number_the_policy_and_the_oracle(fitted):
    found = fitted(votes(60, n=6))
    assert found.held is not None
    drawn = ElementTree.fromstring(chart(found.held, "policy <1>", "the vote"))
    titles = [element.text or "" for element in drawn.iter("{http://www.w3.org/2000/svg}title")]
    assert [title.split(":")[0] for title in titles] == ["N = 1", "N = 2", "N = 3", "N = 4", "N = 6", "oracle",
                                                         "the policy"]  # fmt: skip


@pytest.mark.parametrize(
    ("sizes", "told"),
    [
        ((39, 16, None, 0.5), "39 questions with 16 samples each are too few.* at least 40 questions .*4 samples"),
        ((40, 3, None, 0.5), "40 questions with 3 samples each are too few"),
        ((19, 16, None, 0.0), "at least 20 questions"),
        ((60, 16, None, 0.75), "at least 80 questions are needed where 0.75 of them are held out"),
        ((60, 16, 17, 0.5), "--limit takes 4 to 16"),
    ],
)
def test_too_few_questions_or_samples_say_how_many_are_needed(sizes, told):
    with pytest.raises(InputError, match=told):
        checked_size(*sizes)


def test_the_limit_is_what_every_question_has_and_64_at_most():
    assert checked_size(40, 16, None, 0.5) == 16
    assert checked_size(40, 200, None, 0.5) == 64
    assert checked_size(40, 200, 128, 0.5) == 128


def test_pools_of_other_origin_and_ids_that_come_twice_are_refused(tmp_path):
    first = write(tmp_path / "a.jsonl", votes(3, n=4))
    other = write(tmp_path / "b.jsonl", votes(3, n=4, mark=Fingerprint(model="other", prompt="abc", temperature=0.7)))
    with pytest.raises(InputError, match=r"was recorded with model other, not planted as the pool .* fit them apart"):
        read(first, other)
    with pytest.raises(InputError, match=r"'q0' is in .*a\.jsonl too"):
        read(first, write(tmp_path / "c.jsonl", votes(3, n=4)))
    mixed = [*votes(2, n=4), *votes(3, n=4, mark=Fingerprint(model="planted", prompt="xyz", temperature=0.7))[2:]]
    with pytest.raises(InputError, match=r"line 3: 'q2' was recorded with prompt xyz.* fit them apart"):
        read(write(tmp_path / "d.jsonl", mixed))


def test_questions_without_gold_name_the_remedy(tmp_path):
    with pytest.raises(InputError, match="no gold answer; fit with --labels majority"):
        read(write(tmp_path / "a.jsonl", votes(3, n=4, answers=False)))


def test_where_every_sample_is_wrong_there_is_nothing_to_fit(fitted):
    rows = votes(40, n=4)
    wrong = [type(row)(**{**{n: getattr(row, n) for n in row.__struct_fields__}, "answer": "7"}) for row in rows]
    with pytest.raises(InputError, match="every sample is wrong"):
        fitted(wrong)


def test_programs_are_calibrated_by_the_test_shown_against_all_of_them(tmp_path):
    """A third is right, a third passes the test shown only: recall 1, and half of the wrong ones pass."""
    found = read(write(tmp_path / "p.jsonl", programs(questions=20, n=4)))
    assert found.verified
    samples = [one for question in found.questions for one in question.samples]
    assert {(one.right, one.passed) for one in samples} == {(True, True), (False, True), (False, False)}
    policy = calibrate(found, Asked(hold_out=0.0)).policy
    wrong = [one.passed for one in samples if not one.right]
    assert policy.solvable.recall > 0.95
    assert policy.solvable.false_pass == pytest.approx(np.mean(wrong), abs=0.02)
    assert policy.fingerprint.model == MARK.model


def test_programs_have_no_majority(tmp_path):
    with pytest.raises(InputError, match="programs have no majority"):
        read(write(tmp_path / "p.jsonl", programs(questions=1)), labels="majority")


@pytest.mark.parametrize("asked", [{"hold_out": 1.0}, {"loss": 0.02}, {"floor": 1.0}])
def test_what_is_out_of_range_is_refused(asked):
    with pytest.raises(InputError, match="takes"):
        Asked(**asked)
