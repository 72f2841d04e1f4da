"""Measuring verifiers whose worth is known, on pools and on labelled steps."""

import json
from pathlib import Path

import anyio
import numpy as np
import pytest
from planted import rows, write

from outthink import Engine
from outthink.bench.verifiers.evaluate import evaluate
from outthink.bench.verifiers.graded import read_graded
from outthink.bench.verifiers.selection import chosen, draws
from outthink.bench.verifiers.steps import best_threshold, evaluate_steps, f1, first_wrong, is_step_file, read_solutions
from outthink.core.candidate import Score
from outthink.core.errors import InputError, ServerFault
from outthink.core.mark import Mark
from outthink.models.fake import FakeModel
from outthink.models.script import Script
from outthink.verifiers.calibrated import Calibrated
from outthink.verifiers.fitted import Fitted, to_json
from outthink.verifiers.heads import Platt
from outthink.verifiers.recorded import Recorded
from outthink.verifiers.symbolic import Symbolic

pytestmark = pytest.mark.anyio


@pytest.fixture
def questions(tmp_path):
    return anyio.run(read_graded, [write(tmp_path / "pool.jsonl", rows(questions=80, n=8))])


class Knows:
    """Tells right from wrong by the grades; ``wrong`` ones are told as well as right where ``blind``."""

    def __init__(self, questions):
        self.grades = {q.row.id: dict(zip([c.index for c in q.candidates], q.grades, strict=True)) for q in questions}

    async def score(self, problem, candidates, run):
        await run.sample(problem)  # as a judge would
        return [Score(verifier="knows", value=0.05 + 0.9 * self.grades[problem.id][c.index]) for c in candidates]


async def test_a_score_of_known_worth_is_measured_as_that(questions):
    async with Engine(FakeModel(Script())) as engine:
        report = await evaluate(engine, Recorded("rm"), "rm", questions, orders=5)
        noise = await evaluate(engine, Recorded("noise"), "noise", questions, orders=5)
    assert report.auc == pytest.approx(0.760, abs=0.04)  # two normals that are 1 apart
    assert report.auc_within.low < 0.760 < report.auc_within.high
    assert report.brier is None
    assert noise.auc_within.low < 0.5 < noise.auc_within.high
    best = {gain.n: gain for gain in report.gains if gain.rule == "best"}
    assert sorted(best) == [2, 4, 8]
    assert best[8].over_random.low > 0.05
    assert best[2].accuracy == pytest.approx(_best_of_two(questions), abs=0.04)


def _best_of_two(questions):
    """What the better of two is right by a score of this worth: p² + 2 p (1 - p) AUC, question by question."""
    shares = [np.mean(question.grades) for question in questions]
    return float(np.mean([p * (8 * p - 1) / 7 + 2 * p * (1 - p) * 8 / 7 * 0.760 for p in shares]))


async def test_who_knows_reaches_the_oracle_and_is_charged(questions):
    async with Engine(FakeModel(Script())) as engine:
        report = await evaluate(engine, Knows(questions), "knows", questions[:20], orders=3)
    assert report.auc == 1.0
    for gain in report.gains:
        if gain.rule == "best":
            assert gain.accuracy == pytest.approx(report.baselines[gain.n]["oracle"])
    assert report.tokens > 0
    assert report.brier == pytest.approx(0.05**2)


async def test_one_that_fails_says_nothing_and_the_report_says_why(questions):
    class Fails:
        async def score(self, problem, candidates, run):
            raise ServerFault("the judge is away", 500)

    async with Engine(FakeModel(Script())) as engine:
        report = await evaluate(engine, Fails(), "fails", questions[:5], orders=2)
    assert (report.auc, report.abstained) == (None, 1.0)
    assert report.warnings == ("the verifier Fails could not tell: the judge is away",)
    for gain in report.gains:
        if gain.rule == "posterior":
            assert gain.over_majority.value == 0.0  # without evidence it is the vote


async def test_questions_that_it_was_fitted_on_are_left_out_and_none_left_is_refused(questions, tmp_path):
    def fitted(ids):
        file = str(tmp_path / f"{len(ids)}.json")
        curve, mark = Platt(1.0, 0.0), Mark(model="planted")
        Path(file).write_bytes(
            to_json(Fitted(kind="calibrated", columns=("rm",), fill=(0.0,), curve=curve, mark=mark, ids=ids))
        )
        return Calibrated(Recorded("rm"), file)

    async with Engine(FakeModel(Script())) as engine:
        report = await evaluate(engine, fitted(("sum-0", "sum-1")), "rm", questions, orders=1)
        assert (report.left_out, report.questions) == (2, 78)
        with pytest.raises(InputError, match="all 80 questions were used to fit"):
            await evaluate(engine, fitted(tuple(q.row.id for q in questions)), "rm", questions, orders=1)


def test_ties_are_split_and_non_answers_do_not_vote(questions):
    question = questions[0]
    right, wrong = (question.grades.index(grade) for grade in (1.0, 0.0))
    scores = [Score(verifier="v")] * 2
    found = chosen(question, [right, wrong], scores)
    assert found == {"random": 0.5, "oracle": 1.0, "majority": 0.5, "best": 0.5, "sum": 0.5, "posterior": 0.5}


def test_every_draw_is_without_replacement_and_the_same_for_a_seed(questions):
    found = draws(questions[0], 4, 20)
    assert all(len(set(places)) == 4 for places in found)
    assert found == draws(questions[0], 4, 20) != draws(questions[0], 4, 20, seed=1)
    assert draws(questions[0], 8) == [list(range(8))]
    assert draws(questions[0], 16) == []


def test_f1_is_the_harmonic_mean_and_a_constant_gets_none():
    labels = [0, 1, 2, -1, -1]
    assert f1(labels, labels) == 1.0
    assert f1([0, 0, 2, -1, 0], labels) == pytest.approx(2 / (1.5 + 2))
    assert f1([-1] * 5, labels) == f1([0] * 5, labels) == 0.0
    assert first_wrong([0.9, None, 0.2, 0.1], 0.5) == 2
    assert best_threshold([[0.9, 0.1], [0.8, 0.7]], [1, -1]) > 0.1


async def test_the_first_wrong_step_is_found_where_it_is_a_false_sum(tmp_path):
    file = tmp_path / "steps.jsonl"
    with file.open("w") as out:
        for i in range(40):
            steps = [f"{i} + 1 = {i + 1}", f"{i} + 2 = {i + 2}", f"{i} + 3 = {i + 3}", "That is it."]
            label = i % 4 - 1
            if label >= 0:
                steps[label] = f"{i} + 5 = {i + 6}"
            out.write(json.dumps({"id": str(i), "question": f"q{i}", "steps": steps, "label": label}) + "\n")
    assert is_step_file(str(file))
    async with Engine(FakeModel(Script())) as engine:
        report = await evaluate_steps(engine, Symbolic(), "symbolic", read_solutions(str(file)))
    assert report.f1 == 1.0
    assert report.constant_f1 == 0.0
    assert 0.2 < report.coin_f1 < 0.5


class Stepwise:
    """Finds the step that says "wrong"; its steps are paragraphs, or something else (where not ``stepwise``)."""

    def __init__(self, stepwise):
        self.stepwise, self.asked = stepwise, []

    async def score(self, problem, candidates, run):
        (candidate,) = candidates
        self.asked.append(candidate.text)
        steps = [0.1 if "wrong" in step else 0.9 for step in candidate.text.split("\n\n")]
        return [Score(verifier="stepwise", raw=min(steps), steps=tuple(steps if self.stepwise else steps[::-1]))]


@pytest.mark.parametrize("stepwise", [True, False])
async def test_a_stepwise_verifier_is_asked_once_and_any_other_about_each_beginning(tmp_path, stepwise):
    file = tmp_path / "steps.jsonl"
    solutions = [["fine", "wrong", "fine"], ["fine", "fine"], ["wrong", "fine", "fine", "fine"], ["fine"]]
    with file.open("w") as out:
        for i in range(24):
            steps = solutions[i % 4]
            label = steps.index("wrong") if "wrong" in steps else -1
            out.write(json.dumps({"question": f"q{i}", "steps": steps, "label": label}) + "\n")
    verifier = Stepwise(stepwise)
    async with Engine(FakeModel(Script())) as engine:
        report = await evaluate_steps(engine, verifier, "stepwise", read_solutions(str(file)))
    assert report.f1 == 1.0
    assert len(verifier.asked) == (24 if stepwise else 60)


def test_a_step_file_that_is_wrong_is_told_by_its_line(tmp_path):
    good = {"question": "q", "steps": ["a"], "label": 0}
    for row, told in ((good | {"label": 3}, "names none of its 1 steps"), ({"question": "q"}, "line 2")):
        file = tmp_path / "steps.jsonl"
        file.write_text(json.dumps(good) + "\n" + json.dumps(row) + "\n")
        with pytest.raises(InputError, match=told):
            read_solutions(str(file))
    assert not is_step_file(str(tmp_path / "none.jsonl"))
