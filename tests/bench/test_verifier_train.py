"""Training on pools with a planted truth: it is found on other questions, and what cannot be fitted is told."""

from pathlib import Path

import msgspec
import pytest
from planted import MARK, rows, write

from outthink import Engine
from outthink.bench.verifiers.calibrate import calibrate
from outthink.bench.verifiers.complete import completed
from outthink.bench.verifiers.evaluate import auc, evaluate
from outthink.bench.verifiers.graded import read_graded
from outthink.bench.verifiers.table import table
from outthink.bench.verifiers.train import Recipe, fit_weights, train_probe
from outthink.core.errors import InputError
from outthink.models.fake import FakeModel
from outthink.models.script import Script
from outthink.verifiers.calibrated import Calibrated, Stack
from outthink.verifiers.features import FEATURES
from outthink.verifiers.fitted import to_json
from outthink.verifiers.probe import Probe
from outthink.verifiers.recorded import Recorded

pytestmark = pytest.mark.anyio
LINEAR = Recipe(heads=("linear",))


@pytest.fixture
def graded(tmp_path):
    async def make(**fields):
        return await read_graded([write(tmp_path / "made.jsonl", rows(**fields))])

    return make


async def test_a_probe_finds_on_other_questions_what_was_planted(graded, tmp_path):
    fitted = train_probe(await graded(questions=40), LINEAR)
    file = str(tmp_path / "probe.json")
    Path(file).write_bytes(to_json(fitted))
    others = [msgspec.structs.replace(row, id=f"other-{row.id}") for row in rows(questions=30, seed=9)]
    questions = await read_graded([write(tmp_path / "others.jsonl", others)])
    async with Engine(FakeModel(Script())) as engine:
        report = await evaluate(engine, Probe(file), "probe", questions, orders=5)
    assert report.auc_within.low > 0.8  # 70 % of wrong chains state a false sum
    assert report.ece is not None
    at_two = next(gain for gain in report.gains if (gain.n, gain.rule) == (2, "posterior"))
    assert at_two.over_majority.low > 0
    assert report.tokens == 0


async def test_the_probe_is_the_same_for_one_seed_and_knows_what_it_was_fitted_on(graded):
    questions = await graded(questions=24)
    fitted = train_probe(questions, LINEAR)
    assert fitted == train_probe(questions, LINEAR)
    assert fitted.ids == tuple(f"sum-{i}" for i in range(24))
    assert (fitted.mark.model, fitted.mark.temperature) == ("planted", 0.7)


async def test_trees_are_tried_beside_the_line_and_the_report_says_what_each_lost(graded, monkeypatch):
    monkeypatch.setattr("outthink.bench.verifiers.fit.TREES", 5)
    fitted = train_probe(await graded(questions=24, n=4), Recipe(("symbolic",)))
    assert set(fitted.report["heads"]) == {"linear", "trees"}
    assert fitted.report["log_loss"] < fitted.report["base_log_loss"]


async def test_features_that_say_nothing_get_no_weight(graded):
    fitted = train_probe(await graded(questions=40), Recipe(("logprobs",), heads=("linear",)))
    assert fitted.curve is None
    assert fitted.weights is None


async def test_siblings_label_a_step_by_all_that_arrive_at_the_same_number(graded):
    questions = await graded(questions=1, n=8, seed=3)
    (question,) = questions
    rows = table(questions, "siblings")
    whole = rows.whole & ~rows.last
    for place in whole.nonzero()[0]:
        sample = int(rows.sample[place])
        grade = question.grades[sample]
        stated = rows.x[place, FEATURES.index("stated")] > 0
        if stated and grade == 1.0:
            assert rows.y[place] == 1.0  # all that arrive at the right sum are right
        if not stated:
            assert rows.y[place] == pytest.approx(sum(question.grades) / 8)
    ends = rows.whole & rows.last
    assert rows.y[ends].tolist() == list(question.grades)


async def test_a_calibrated_score_is_a_probability_and_noise_is_given_none(graded, tmp_path):
    questions = await graded(questions=60, n=16, shift=1.5)
    async with Engine(FakeModel(Script())) as engine:
        good = await calibrate(engine, [Recorded("rm")], questions)
        noise = await calibrate(engine, [Recorded("noise")], questions)
        file = str(tmp_path / "c.json")
        Path(file).write_bytes(to_json(good))
        others = [msgspec.structs.replace(row, id="x" + row.id) for row in rows(questions=60, n=16, seed=4, shift=1.5)]
        test = await read_graded([write(tmp_path / "others.jsonl", others)])
        report = await evaluate(engine, Calibrated(Recorded("rm"), file), "rm", test, orders=2)
    assert (good.kind, good.columns) == ("calibrated", ("rm",))
    assert noise.curve is None
    assert report.ece < report.ece_limit + 0.03
    assert report.brier < report.brier_base


async def test_a_stack_takes_in_what_helps_and_leaves_out_what_does_not(graded, tmp_path):
    questions = await graded(questions=60, n=16)
    async with Engine(FakeModel(Script())) as engine:
        fitted = await calibrate(engine, [Recorded("noise"), Recorded("rm")], questions)
        with pytest.raises(InputError, match="told nothing"):
            await calibrate(engine, [Recorded("none"), Recorded("rm")], questions)
        with pytest.raises(InputError, match="go by the name"):
            await calibrate(engine, [Recorded("rm"), Recorded("rm")], questions)
    assert fitted.head.weights[0] == 0.0
    assert 0.6 < fitted.head.weights[1] < 1.2  # log odds of two normals that are 1 apart, held back
    assert fitted.report["alone"]["noise"]["curve"] is None
    file = str(tmp_path / "s.json")
    Path(file).write_bytes(to_json(fitted))
    assert Stack((Recorded("noise"), Recorded("rm")), file).alone


async def test_the_posterior_finds_that_a_true_probability_deserves_its_weight(graded):
    questions = await graded(questions=150, n=8, shift=2.0)
    scores = [[sample.scores["rm"] for sample in question.candidates] for question in questions]
    told = [[1 / (1 + 2.718281828 ** -(2 * s - 2)) for s in own] for own in scores]
    useful, useless = fit_weights(questions, told), fit_weights(questions, [[0.5] * 8] * 150)
    (column,) = useful.columns
    assert column.mean + column.total + column.best > 1.0
    assert useless.columns[0].mean == pytest.approx(0.0, abs=1e-6)


async def test_too_few_questions_are_told_with_how_many_are_needed(graded):
    with pytest.raises(InputError, match=r"^12 questions .* record at least 20 \(100 are better\)"):
        train_probe(await graded(questions=12))


async def test_pools_of_two_origins_are_not_mixed(tmp_path):
    other = [
        msgspec.structs.replace(row, id=f"b{row.id}") for row in rows(20, mark=msgspec.structs.replace(MARK, model="b"))
    ]
    pools = [write(tmp_path / "a.jsonl", rows(20)), write(tmp_path / "b.jsonl", other)]
    with pytest.raises(InputError, match="model planted, not b"):
        train_probe(await read_graded(pools))
    with pytest.raises(InputError, match="is in another pool too"):
        await read_graded([pools[0], pools[0]])


async def test_samples_that_are_all_right_cannot_be_told_apart(tmp_path):
    found = [
        msgspec.structs.replace(row, samples=tuple(s for s in row.samples if f"is {row.answer}." in s.text))
        for row in rows(60)
    ]
    with pytest.raises(InputError, match="every sample is right"):
        train_probe(await read_graded([write(tmp_path / "a.jsonl", found)]))


async def test_completions_label_the_steps_of_a_few_chains_by_how_they_end(graded):
    questions = await graded(questions=5)
    model = FakeModel(Script(replies=["The answer is 0."]))
    model.name = "planted"
    async with Engine(model) as engine:
        shares, spent = await completed(engine, questions, 2, most=2)
        assert len(shares) == 4
        assert spent.calls == 2 * sum(len(found) - 1 for found in shares.values())
        for (name, sample), found in shares.items():
            question = next(one for one in questions if one.row.id == name)
            assert found[:-1] == [0.0] * (len(found) - 1)  # every completion ends in 0, which is wrong
            assert found[-1] == question.grades[sample]
    labelled = table(questions, "outcome", shares)
    assert (labelled.y != table(questions, "outcome").y).any()
    async with Engine(FakeModel(Script())) as engine:
        with pytest.raises(InputError, match="would complete them"):
            await completed(engine, questions, 2)


def test_auc_counts_ties_as_half():
    import numpy as np

    assert auc(np.array([1.0, 2.0, 2.0, np.nan]), np.array([0.0, 0.0, 1.0, 1.0])) == 0.75
    assert auc(np.array([1.0, 2.0]), np.array([1.0, 1.0])) is None
