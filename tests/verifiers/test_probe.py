"""The probe, its features, calibration and stacks: what they say, when they hold back, what best-of-n makes of it."""

import time
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outthink import Engine, Problem
from outthink.adaptive.posterior import Column, Weights
from outthink.answers import canonical
from outthink.core.candidate import PARTS, Candidate, LogprobSummary, Score, summarise_logprobs
from outthink.core.errors import InputError
from outthink.core.events import Warned
from outthink.core.mark import Mark
from outthink.models.fake import FakeModel
from outthink.models.script import Script
from outthink.verifiers.calibrated import Calibrated, Stack
from outthink.verifiers.chains import chain, spans
from outthink.verifiers.features import FEATURES, rows_of
from outthink.verifiers.fitted import Fitted, to_json
from outthink.verifiers.heads import Isotonic, Linear, Platt
from outthink.verifiers.probe import Probe
from outthink.verifiers.recorded import Recorded

pytestmark = pytest.mark.anyio
QUESTION = "Ann has 7 boxes with 12 pens and gives away 4. How many pens has she?"
PROBLEM = Problem.of(QUESTION)


def said(text, index=0, answer=None, finish="stop", **fields):
    found = answer and canonical(answer, "number")
    message = {"role": "assistant", "content": text}
    return Candidate(
        index=index, message=message, text=text, finish=finish, tokens=9, model="m", answer=found, **fields
    )


class Run:
    """A run that scores and keeps events."""

    def __init__(self):
        self.events = []

    def emit(self, event):
        self.events.append(event)

    async def score(self, problem, candidates, verifier=None):
        return await verifier.score(problem, candidates, self)


def fit(tmp_path, **fields):
    """A file with defaults that make a probe of one feature."""
    kept = {"kind": "probe", "columns": ("shared",), "head": Linear((4.0,), 0.0), "curve": Platt(1.0, 0.0)}
    file = str(tmp_path / f"{len(list(tmp_path.iterdir()))}.json")
    Path(file).write_bytes(to_json(Fitted(**{**kept, "mark": Mark(model="m"), **fields})))
    return file


@given(st.text(alphabet="ab1 .\n=+$*", max_size=200))
def test_steps_are_the_whole_text_without_gaps(text):
    found = spans(text)
    assert "".join(text[start:end] for start, end in found) == text


def test_steps_are_lines_and_sentences_and_a_line_number_is_no_step():
    text = "1. We have 7 * 12 = 84 pens. She gives 4 away.\n2. 84 - 4 = 81\n\\]\nThe answer is 81."
    steps = chain(QUESTION, text)
    assert [text[step.start : step.end].strip() for step in steps] == [
        "1. We have 7 * 12 = 84 pens.", "She gives 4 away.", "2. 84 - 4 = 81\n\\]", "The answer is 81.",
    ]  # fmt: skip
    assert [set(step.results) for step in steps] == [{"84"}, set(), {"81"}, set()]
    assert [(step.held, step.false) for step in steps] == [(1, 0), (0, 0), (0, 1), (0, 0)]


def test_one_candidate_alone_is_neither_praised_nor_blamed_for_agreement():
    ((*_, last),) = rows_of(QUESTION, [said("7 * 12 = 84.\nThe answer is 84.", answer="84")])
    assert (last["shared"], last["share"]) == (0.0, 0.5)


def test_what_others_arrive_at_too_is_shared_and_what_nobody_does_is_not():
    same = "7 * 12 = 84.\n84 - 4 = 80.\nThe answer is 80."
    odd = "7 + 12 = 19.\n19 - 4 = 15.\nThe answer is 15."
    first, *_, last = rows_of(QUESTION, [said(same, i, "80") for i in range(3)] + [said(odd, 3, "15")])
    assert first[-1]["shared"] > 0.1 > -0.1 > last[-1]["shared"]
    assert first[-1]["share"] > last[-1]["share"]
    assert first[-1]["lead"] == 0.5


def test_a_chain_under_way_is_not_judged_by_what_it_has_not_said():
    whole = said("7 * 12 = 84.\n84 - 4 = 80.", answer="80")
    begun = said("7 * 12 = 84.", 1, finish="length")
    (first, last), (only,) = rows_of(QUESTION, [whole, begun])
    assert (first["final"], last["final"], only["final"]) == (0.0, 1.0, 0.0)
    assert only["said"] == only["share"] == 0.0


def test_a_number_is_plausible_by_how_it_stands_to_the_questions_numbers():
    for answer, expected in (("80", (1, 0, 0)), ("-3", (1, 1, 0)), ("2.5", (0, 0, 0)), ("12", (1, 0, 1))):
        ((*_, last),) = rows_of(QUESTION, [said(f"It is {answer}", answer=answer)])
        assert (last["whole"], last["negative"], last["given"]) == expected


def test_every_feature_is_computed_for_every_step_and_is_a_number():
    texts = ["", "x" * 30_000, "7 * 12 = 84\n" * 200, "\\(\\frac{1}{0}\\)", "1e400"]
    for rows in rows_of(QUESTION, [said(text, i, "1") for i, text in enumerate(texts)]):
        for row in rows:
            assert set(row) == set(FEATURES)
            assert all(-1e6 < value < 1e6 for value in row.values())


def test_the_least_sure_part_of_a_step_counts_where_the_shape_is_known():
    sure = summarise_logprobs([-0.1] * 32 + [-2.0] * 32)
    assert len(sure.shape) == PARTS
    (first, last), (same, _) = rows_of(
        QUESTION, [said("a" * 49 + "\n" + "b" * 50, logprobs=sure), said("a\nb", logprobs=LogprobSummary(-1, -1, -1))]
    )
    assert first["shape"] > 0 > last["shape"]
    assert same["shape"] == 0.0
    assert summarise_logprobs([-1.0] * (PARTS - 1)).shape == ()


async def test_a_probe_scores_steps_and_its_last_step_is_the_candidates_probability(tmp_path):
    same, odd = "7 * 12 = 84.\n84 - 4 = 80.", "7 + 12 = 19.\n19 - 4 = 15."
    candidates = [said(same, 0, "80"), said(same, 1, "80"), said(same, 2, "80"), said(odd, 3, "15")]
    probe = Probe(fit(tmp_path))
    scores = await probe.score(PROBLEM, candidates, Run())
    assert scores[0].value == scores[1].value > 0.5 > scores[3].value
    assert all(score.steps[-1] == score.value and len(score.steps) == 2 for score in scores)
    turned = await probe.score(PROBLEM, candidates[::-1], Run())
    assert [score.value for score in turned[::-1]] == [score.value for score in scores]


async def test_on_another_models_samples_it_warns_and_gives_no_probability(tmp_path):
    run = Run()
    (score,) = await Probe(fit(tmp_path, mark=Mark(model="another"))).score(PROBLEM, [said("7 * 12 = 84.")], run)
    assert score.value is None
    assert score.raw is not None
    assert "model another, not m" in run.events[0].message


async def test_what_showed_no_value_says_nothing(tmp_path):
    (score,) = await Probe(fit(tmp_path, curve=None)).score(PROBLEM, [said("7 * 12 = 84.")], Run())
    assert (score.raw, score.value) == (None, None)


def test_a_file_that_asks_for_unknown_features_is_refused_when_it_is_named(tmp_path):
    with pytest.raises(InputError, match="asks for mood"):
        Probe(fit(tmp_path, columns=("mood",)))


async def test_calibrated_is_the_curve_of_the_raw_score(tmp_path):
    file = fit(tmp_path, kind="calibrated", columns=("rm",), head=None, fill=(0.0,), curve=Isotonic((0, 2), (0.1, 0.9)))
    candidates = [said("a", 0, scores={"rm": 1.0}), said("b", 1, scores={"rm": 9.0}), said("c", 2)]
    scores = await Calibrated(Recorded("rm"), file).score(PROBLEM, candidates, Run())
    assert [score.value for score in scores] == [0.5, 0.9, None]
    run = Run()
    scores = await Calibrated(Recorded("other"), file).score(PROBLEM, [said("a", scores={"other": 1.0})], run)
    assert scores[0].value is None
    assert "fitted on rm, not other" in run.events[0].message
    elsewhere = fit(tmp_path, kind="calibrated", columns=("rm",), head=None, fill=(0.0,), mark=Mark(model="another"))
    (score,) = await Calibrated(Recorded("rm"), elsewhere).score(PROBLEM, candidates[:1], Run())
    assert (score.raw, score.value) == (1.0, None)


async def test_a_stack_adds_up_its_verifiers_and_fills_in_what_one_cannot_tell(tmp_path):
    file = fit(tmp_path, kind="stack", columns=("a", "b"), head=Linear((1.0, 2.0), 0.0), fill=(0.5, 0.25))
    candidates = [said("", 0, scores={"a": 1.0, "b": 1.0}), said("", 1, scores={"a": 1.0}), said("", 2)]
    stack = Stack((Recorded("a"), Recorded("b")), file)
    scores = await stack.score(PROBLEM, candidates, Run())
    assert [score.raw for score in scores] == [3.0, 1.5, None]
    with pytest.raises(InputError, match="fitted on 2 verifiers"):
        Stack((Recorded("a"),), file)


@dataclass(frozen=True)
class Says:
    """Values by text, with the fit of a file that has them."""

    values: dict
    fitted: object = None

    async def score(self, problem, candidates, run):
        return [Score(verifier="says", value=self.values[found.text]) for found in candidates]


TEXTS = ["The answer is 5.", "The answer is 8.", "The answer is 8."]


async def test_the_weights_in_the_file_decide_and_the_confidence_is_then_calibrated():
    from outthink.strategies.best_of_n import BestOfN

    values = {TEXTS[0]: 0.9, TEXTS[1]: 0.45}
    trusting = Weights(columns=(Column(mean=3.0),), calibrated=True)
    for weights, expected in ((trusting, "5"), (Weights(columns=(Column(),), calibrated=True), "8")):
        fitted = Fitted(kind="probe", columns=("shared",), head=Linear((1.0,), 0.0), weights=weights)
        async with Engine(FakeModel(Script(replies=TEXTS))) as engine:
            result = await engine.solve(PROBLEM, strategy=BestOfN(3, Says(values, fitted)))
        assert (str(result.answer), result.confidence_source) == (expected, "calibrated")


async def test_with_another_prompt_or_temperature_it_warns_and_the_scores_are_no_probabilities():
    from outthink.strategies.best_of_n import BestOfN

    weights = Weights(columns=(Column(mean=3.0),), calibrated=True)
    for mark in (Mark(prompt="another"), Mark(temperature=0.1)):
        fitted = Fitted(kind="probe", columns=("shared",), head=Linear((1.0,), 0.0), weights=weights, mark=mark)
        logs = []
        async with Engine(FakeModel(Script(replies=TEXTS))) as engine:
            strategy = BestOfN(3, Says({TEXTS[0]: 0.9, TEXTS[1]: 0.45}, fitted))
            result = await engine.solve(PROBLEM, strategy=strategy, watch=logs.append)
        assert result.confidence_source == "weighted_share"
        warned = [event.message for event in logs[0].events if isinstance(event, Warned)]
        assert any("its scores are not taken for probabilities" in message for message in warned)


@given(st.lists(st.tuples(st.sampled_from("123"), st.floats(0.01, 1)), min_size=1, max_size=9))
def test_without_a_calibration_the_posterior_is_the_sum_of_the_scores(drawn):
    from outthink.strategies.weighing import posterior_of

    candidates = [said(f"{i}", i, answer) for i, (answer, _) in enumerate(drawn)]
    found = posterior_of(candidates, [Score(verifier="v", raw=raw) for _, raw in drawn]).probabilities
    totals = {key: sum(raw for answer, raw in drawn if canonical(answer, "number").key == key) for key in found}
    ratio = next(iter(found.values())) / next(iter(totals.values()))
    assert {key: value * ratio for key, value in totals.items()} == pytest.approx(found)


async def test_pessimism_takes_the_vote_back_from_one_high_score():
    from outthink.strategies.best_of_n import BestOfN

    values = {TEXTS[0]: 1.0, TEXTS[1]: 0.6}
    for beta, expected in ((0.05, "5"), (5.0, "8")):
        async with Engine(FakeModel(Script(replies=TEXTS))) as engine:
            best = BestOfN(3, Says(values), aggregate="pessimistic", pessimism=beta)
            result = await engine.solve(PROBLEM, strategy=best)
        assert str(result.answer) == expected


async def test_sixteen_candidates_are_scored_in_far_less_time_than_they_took_to_sample(tmp_path):
    text = "\n".join(f"Step {i}: {i} * 12 = {i * 12} and {i * 12} - 4 = {i * 12 - 4}." for i in range(1, 12))
    candidates = [said(f"{text}\nThe answer is {i}.", i, str(i)) for i in range(16)]
    probe = Probe(fit(tmp_path, columns=FEATURES, head=Linear((0.1,) * len(FEATURES), 0.0)))
    began = time.process_time()
    await probe.score(PROBLEM, candidates, Run())
    assert time.process_time() - began < 1.0  # about 0.02 on a quiet machine
