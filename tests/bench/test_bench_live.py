"""A live bench: every run through the engine, kept as it ends, bought once, and the truth of the fake recovered."""

import json
import os

import pytest
from benching import read

from outthink import plugins
from outthink.bench.stats import mcnemar
from outthink.core.errors import InputError, Refused, ServerFault
from outthink.core.usage import Budget
from outthink.core.wire import Price
from outthink.models.fake import FakeModel
from outthink.models.script import Script

pytestmark = pytest.mark.anyio
TWO = ("self-consistency(n=1)", "self-consistency(n=5)")


def question(number):
    return f"How many legs have {number} cats?"


def data(path, questions=10, **more):
    rows = [
        {"id": f"q{i}", "question": question(i), "answer": str(100 + i), "grader": "number", **more}
        for i in range(questions)
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(path)


@pytest.fixture
def models(monkeypatch):
    """``models["name"] = FakeModel(…)``: models by text."""
    known = {}

    async def opened(text, **options):
        return known[text]

    monkeypatch.setattr(plugins, "model_opener", lambda text: opened)

    def make(name="fake", accuracy=0.6, **options):
        script = Script(accuracy=accuracy, answers={question(i): str(100 + i) for i in range(500)}, words=8)
        model = known[name] = FakeModel(script, **options)
        model.name = name
        return model

    return make


def still(row):
    return {name: value for name, value in row.items() if name != "seconds"}


async def test_every_run_is_a_row_and_its_books_are_the_models(benched, models, tmp_path):
    model = models(latency=0.5)
    summary = await benched(data(tmp_path / "d.jsonl"), *TWO, models=("fake",), repeats=2, prices={"fake": Price(1, 2)})
    rows = read(tmp_path / "out" / "rows.jsonl")
    order = [(q, s, r) for q in range(10) for s in TWO for r in range(2)]
    assert [(row["id"], row["strategy"], row["repeat"]) for row in rows] == [(f"q{q}", s, r) for q, s, r in order]
    books = model.books
    assert sum(row["calls"] for row in rows) == books.calls
    assert sum(row["prompt_tokens"] for row in rows) == books.prompt_tokens
    assert sum(row["completion_tokens"] for row in rows) == books.completion_tokens
    for row in rows:
        assert row["correct"] == (row["answer"] == str(100 + int(row["id"][1:])))
        assert row["usd"] == pytest.approx((row["prompt_tokens"] + 2 * row["completion_tokens"]) / 1e6)
        assert row["seconds"] == pytest.approx(0.5)
        assert row["samples"] == int(row["strategy"][-2])
    assert summary.kind == "live"
    assert (summary.random, summary.oracle, summary.pairs[0].mcnemar_p) == (None, None, None)
    assert summary.strategies[0].seconds_p95 == pytest.approx(0.5)
    kept = read(tmp_path / "out" / "questions.jsonl")
    assert all(one["correct"] == (one["answer"] == row["gold"]) for row in kept for one in row["samples"])


async def test_repeats_are_other_samples_and_a_single_run_is_compared_by_mcnemar(benched, models, tmp_path):
    models()
    await benched(data(tmp_path / "d.jsonl", 40), TWO[0], models=("fake",), repeats=2, out="twice")
    answers = [[row["answer"] for row in read(tmp_path / "twice" / "rows.jsonl") if row["repeat"] == r] for r in (0, 1)]
    assert answers[0] != answers[1]
    summary = await benched(data(tmp_path / "d.jsonl", 40), *TWO, models=("fake",))
    right = [
        [row["correct"] for row in read(tmp_path / "out" / "rows.jsonl") if row["strategy"] == strategy]
        for strategy in TWO
    ]
    only = [sum(a > b for a, b in zip(*pair, strict=True)) for pair in (right, right[::-1])]
    assert summary.pairs[0].mcnemar_p == mcnemar(*only)


async def test_the_accuracy_of_the_fake_is_recovered(benched, models, tmp_path):
    models("weak", 0.3)
    models("strong", 0.8)
    summary = await benched(data(tmp_path / "d.jsonl", 200), TWO[0], models=("weak", "strong"), repeats=2)
    weak, strong = summary.strategies
    assert (weak.label, strong.label) == (f"{TWO[0]} @ weak", f"{TWO[0]} @ strong")
    assert weak.accuracy_ci[0] <= 0.3 <= weak.accuracy_ci[1]
    assert strong.accuracy_ci[0] <= 0.8 <= strong.accuracy_ci[1]
    (pair,) = summary.pairs
    assert (pair.a, pair.distinguishable) == (strong.label, True)
    assert pair.accuracy_diff_ci[0] <= 0.5 <= pair.accuracy_diff_ci[1]


async def test_strategies_that_differ_by_n_make_a_curve(benched, models, tmp_path):
    models()
    summary = await benched(data(tmp_path / "d.jsonl"), *TWO, models=("fake",))
    assert [point[0] for point in summary.curves["self-consistency"]] == [1, 5]


async def test_cut_anywhere_and_gone_on_with_nothing_finished_is_bought_again(benched, models, tmp_path):
    source = data(tmp_path / "d.jsonl", 6)
    whole_model = models()
    await benched(source, *TWO, models=("fake",), repeats=2, out="whole")
    whole = {path.name: path.read_bytes() for path in (tmp_path / "whole").iterdir()}
    lines = whole["runs.jsonl"].splitlines(keepends=True)
    for kept in (0, 1, 7, 23, 24):
        out = tmp_path / f"cut{kept}"
        out.mkdir()
        half = lines[kept][:50] if kept < len(lines) else b""
        (out / "plan.json").write_bytes(whole["plan.json"])
        (out / "runs.jsonl").write_bytes(b"".join(lines[:kept]) + half)
        model = models()
        await benched(source, *TWO, models=("fake",), repeats=2, out=out.name)
        for name in ("questions.jsonl", "plan.json"):
            assert (out / name).read_bytes() == whole[name]
        assert list(map(still, read(out / "rows.jsonl"))) == [
            still(json.loads(line)) for line in whole["rows.jsonl"].splitlines()
        ]
        done = sum(json.loads(line)["row"]["calls"] for line in lines[:kept])
        assert model.books.calls == whole_model.books.calls - done


async def test_a_run_that_failed_is_a_row_counts_as_wrong_and_is_tried_again(benched, models, tmp_path):
    source = data(tmp_path / "d.jsonl", 4)
    models(fault=lambda number, ask: ServerFault("down", 500) if "3 cats" in str(ask.messages[-1]) else None)
    summary = await benched(source, TWO[0], models=("fake",))
    rows = read(tmp_path / "out" / "rows.jsonl")
    assert [row["error"] for row in rows] == [None, None, None, "ServerFault: down"]
    assert (rows[3]["correct"], rows[3]["calls"], summary.strategies[0].errors) == (0.0, 6, 1)
    assert "Runs that came to nothing count as wrong" in summary.notes[-1]
    healthy = models()
    summary = await benched(source, TWO[0], models=("fake",))
    assert (summary.strategies[0].errors, healthy.books.calls) == (0, 1)


async def test_a_budget_that_leaves_nothing_is_a_row_and_not_tried_again(benched, models, tmp_path):
    models()
    asked = {"models": ("fake",), "budget": Budget(tokens=20)}
    summary = await benched(data(tmp_path / "d.jsonl", 3), TWO[1], **asked)
    assert (summary.strategies[0].errors, summary.strategies[0].accuracy) == (3, 0.0)
    again = models()
    await benched(data(tmp_path / "d.jsonl", 3), TWO[1], **asked)
    assert again.books.calls == 0


async def test_a_server_that_refuses_everything_ends_the_bench(benched, models, tmp_path):
    models(fault=lambda number, ask: Refused("no key", 401))
    with pytest.raises(Refused):
        await benched(data(tmp_path / "d.jsonl"), *TWO, models=("fake",))


def mixed(path):
    data(path, 2)
    with path.open("a") as file:
        file.write(json.dumps({"id": "c", "question": "Is it?", "answer": "yes", "grader": "boolean"}) + "\n")


def double(path):
    text = data(path, 2)
    path.write_text(path.read_text() + path.read_text().splitlines()[0] + "\n")
    return text


def unnamed(path):
    data(path, 2)
    path.write_text(path.read_text() + json.dumps({"question": "How many?", "answer": "3", "grader": "number"}) + "\n")


def goldless(path):
    data(path, 2)
    path.write_text(path.read_text() + json.dumps({"id": "x", "question": "How many?", "grader": "number"}) + "\n")


def half(path):
    data(path, 3)
    path.write_text(path.read_text()[:-20])


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (mixed, r"row 3 \(c\) asks for a boolean"),
        (double, "line 3: id 'q0' was used by line 1"),
        (unnamed, "line 3 has no id though others have"),
        (goldless, 'line 3 has no "answer"'),
        (half, "line 3 is not JSON"),
    ],
)
async def test_bad_rows_are_told_by_their_line_before_anything_is_bought(benched, models, tmp_path, spoil, said):
    model = models()
    spoil(tmp_path / "d.jsonl")
    with pytest.raises(InputError, match=said):
        await benched(str(tmp_path / "d.jsonl"), TWO[0], models=("fake",))
    assert model.books.calls == 0
    assert not (tmp_path / "out").exists()


async def test_a_full_disk_loses_nothing_that_was_written(benched, models, tmp_path, monkeypatch):
    source, write, lines = data(tmp_path / "d.jsonl", 6), os.write, []
    model = models()

    def filling(file, text):
        if bytes(text[:7]) == b'{"row":':
            if len(lines) == 3:
                raise OSError(28, "No space left on device")
            lines.append(bytes(text))
        return write(file, text)

    monkeypatch.setattr("outthink.batch.files.os.write", filling)
    with pytest.raises(InputError, match=r"No space left .* 3 lines written by this run are kept"):
        await benched(source, TWO[0], models=("fake",), concurrency=1)
    monkeypatch.undo()
    assert (tmp_path / "out" / "runs.jsonl").read_bytes() == b"".join(lines)
    assert model.books.calls >= 3
