"""Answering files of rows: one output row for each, in order where asked, inside one budget, and resumable."""

import json
import os
import signal
import subprocess
import sys
import time

import anyio
import pytest

from outthink import Budget, Engine
from outthink.batch import map as batch_map
from outthink.batch.map import Plan, map_file
from outthink.core.errors import InputError, Refused, ServerFault, Unreachable
from outthink.core.wire import Price
from outthink.engine.ledger import Ledger
from outthink.models.fake import FakeModel
from outthink.models.fake_server import FakeServer
from outthink.models.script import Script

pytestmark = pytest.mark.anyio
SCRIPT = Script(accuracy=0.6, words=10)


def question(number: int) -> dict:
    return {"id": f"q{number}", "question": f"How many legs have {number} cats and 3 birds?"}


def write(path, rows):
    path.write_text("".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows))
    return str(path)


def rows_of(path):
    return [json.loads(line) for line in path.read_bytes().splitlines()]


def shape(row: dict) -> dict:
    """A row without what says when and how it was paid for."""

    def bare(value):
        if isinstance(value, dict):
            gone = ("run_id", "seconds", "billed", "cached")
            return {name: bare(inner) for name, inner in value.items() if name not in gone}
        return [bare(inner) for inner in value] if isinstance(value, list) else value

    return bare(row)


async def run(tmp_path, rows, model=None, plan=Plan(), name="out.jsonl", report=batch_map.silent):
    source = write(tmp_path / "in.jsonl", rows)
    model = model or FakeModel(SCRIPT, latency=0.1)
    async with Engine(model) as engine:
        progress = await map_file(engine, source, str(tmp_path / name), plan, report)
    return progress, rows_of(tmp_path / name)


class Shuffled(FakeModel):
    """Later questions are often answered before earlier ones."""

    async def complete(self, ask):
        await anyio.sleep(self.script._draw(str(ask.messages), "pace") % 50 / 10)
        return await super().complete(ask)


@pytest.mark.parametrize("concurrency", [1, 5, 64])
async def test_every_row_is_answered_once_and_in_order_where_asked(tmp_path, concurrency):
    asked = [question(i) for i in range(40)]
    wanted = [row["id"] for row in asked]
    for ordered in (False, True):
        plan = Plan(concurrency=concurrency, ordered=ordered)
        model = Shuffled(SCRIPT)
        progress, rows = await run(tmp_path, asked, model, plan, f"{ordered}.jsonl")
        assert sorted(row["id"] for row in rows) == sorted(wanted)
        assert ([row["id"] for row in rows] == wanted) == (ordered or concurrency == 1)
        assert (progress.rows, progress.errors, progress.left) == (40, 0, 0.0)
        assert progress.usage.tokens == sum(row["usage"]["total_tokens"] for row in rows)
        assert model.books.most_in_flight <= concurrency


async def test_a_row_is_the_object_of_solve_with_its_id(tmp_path):
    _, (row,) = await run(tmp_path, [question(1)], plan=Plan(strategy="self-consistency(n=3)", seed=5))
    async with Engine(FakeModel(SCRIPT)) as engine:
        alone = await engine.solve(question(1)["question"], strategy="self-consistency(n=3)", seed=5)
    assert row["id"] == "q1"
    assert shape(row) == {"id": "q1"} | shape(json.loads(json.dumps(alone.to_dict())))


async def test_bad_rows_are_error_rows_that_name_their_line_and_cost_nothing(tmp_path):
    asked = [question(1), "half {", question(1), {"id": "e", "question": ""}, "", {"question": "How many are 2 + 2?"}]
    progress, rows = await run(tmp_path, asked, plan=Plan(ordered=True))
    assert [row["id"] for row in rows] == ["q1", "2", "q1", "e", "6"]
    told = [row.get("error", {}).get("message", "") for row in rows]
    assert [text.split(":")[0] for text in told] == ["", "line 2", "line 3", "line 4", ""]
    assert "is that of line 1" in told[2]
    assert (progress.rows, progress.errors) == (5, 3)
    assert {row["error"]["type"] for row in rows if "error" in row} == {"BadProblem"}


async def test_a_row_that_the_server_fails_is_an_error_row_and_the_others_are_answered(tmp_path):
    def fault(_, ask):
        return ServerFault("the server broke", 500) if "birds 7" in ask.messages[-1]["content"] else None

    asked = [question(1), {"id": "bad", "question": "birds 7"}, question(3)]
    _, rows = await run(tmp_path, asked, FakeModel(SCRIPT, fault=fault), Plan(ordered=True))
    assert [row.get("error") for row in rows] == [
        None,
        {"type": "ServerFault", "message": "the server broke", "line": 2},
        None,
    ]


@pytest.mark.parametrize("error", [Unreachable("no server"), Refused("set OUTTHINK_API_KEY", 401)])
async def test_a_server_that_never_worked_ends_the_job_at_once(tmp_path, error):
    with pytest.raises(type(error)):
        await run(tmp_path, [question(i) for i in range(99)], FakeModel(SCRIPT, fault=lambda *_: error))
    assert (tmp_path / "out.jsonl").read_bytes() == b""


@pytest.mark.parametrize("plan", [Plan(strategy="nonsense"), Plan(total=Budget(usd=1.0)), Plan(budget=Budget(usd=1.0))])
async def test_what_is_wrong_for_every_row_is_told_before_anything_is_written(tmp_path, plan):
    with pytest.raises(InputError):
        await run(tmp_path, [question(1)], plan=plan)
    assert not (tmp_path / "out.jsonl").exists()


@pytest.mark.parametrize("strategy", ["direct", "self-consistency(n=4)", "best-of-n(n=4, width=2)"])
@pytest.mark.parametrize(
    "total", [Budget(tokens=1000), Budget(calls=7), Budget(completion_tokens=350), Budget(usd=0.01)]
)
async def test_the_whole_jobs_budget_is_kept_at_every_move_whatever_runs_in_parallel(
    tmp_path, monkeypatch, strategy, total
):
    class Watched(Ledger):
        def _move(self, *args, **options):
            super()._move(*args, **options)
            books.append(self.charged + self.held)

    books = []
    monkeypatch.setattr(batch_map, "Ledger", Watched)
    model = Shuffled(SCRIPT, price=Price(1.0, 40.0))
    progress, rows = await run(tmp_path, [question(i) for i in range(60)], model, Plan(strategy=strategy, total=total))
    assert books
    for cost in books:
        assert total.tokens is None or cost.prompt_tokens + cost.completion_tokens <= total.tokens
        assert total.completion_tokens is None or cost.completion_tokens <= total.completion_tokens
        assert total.calls is None or cost.calls <= total.calls
        assert total.usd is None or cost.usd <= total.usd + 1e-9
    assert len(rows) == 60
    ended = [row for row in rows if "error" in row]
    assert 0 < len(ended) < 60
    assert {row["error"]["type"] for row in ended} == {"BudgetExhausted"}
    assert all(str(total) in row["error"]["message"] for row in ended)
    assert progress.usage.calls == model.books.calls
    assert progress.usage.tokens == model.books.prompt_tokens + model.books.completion_tokens


@pytest.mark.parametrize("each", [None, Budget(tokens=90)])
async def test_a_whole_jobs_budget_does_not_make_rows_wait_for_each_other_while_it_lasts(tmp_path, each):
    model = FakeModel(SCRIPT, latency=1.0)
    plan = Plan(strategy="direct", total=Budget(tokens=100_000), budget=each, concurrency=20)
    _, rows = await run(tmp_path, [question(i) for i in range(60)], model, plan)
    assert not any("error" in row for row in rows)
    assert model.books.most_in_flight == 20


async def test_a_row_that_does_not_fit_its_own_budget_says_so_whatever_else_runs(tmp_path):
    plan = Plan(strategy="direct", total=Budget(tokens=5000), budget=Budget(tokens=20))
    _, rows = await run(tmp_path, [question(i) for i in range(9)], plan=plan)
    assert {row["error"]["type"] for row in rows} == {"BudgetTooSmall"}
    assert all("tokens=20" in row["error"]["message"] for row in rows)


async def test_the_whole_jobs_time_ends_it_and_every_row_has_its_row(tmp_path):
    model = FakeModel(SCRIPT, latency=1.0)
    plan = Plan(strategy="direct", total=Budget(seconds=3.5), concurrency=2)
    _, rows = await run(tmp_path, [question(i) for i in range(30)], model, plan)
    assert len(rows) == 30
    assert sum("error" not in row for row in rows) == 6
    assert {row["error"]["type"] for row in rows if "error" in row} == {"BudgetExhausted"}


async def test_resume_answers_what_is_missing_and_nothing_else(tmp_path):
    asked = [question(0), "broken", question(0), *[question(i) for i in range(1, 12)]]
    plan = Plan(strategy="self-consistency(n=8)", ordered=True, resume=True)
    _, whole = await run(tmp_path, asked, plan=plan, name="whole.jsonl")
    lines = (tmp_path / "whole.jsonl").read_bytes().splitlines(keepends=True)
    for kept in range(len(lines) + 1):
        half = lines[kept][: kept * 3] if kept < len(lines) else b""
        (tmp_path / "out.jsonl").write_bytes(b"".join(lines[:kept]) + half)
        model = FakeModel(SCRIPT)
        progress, rows = await run(tmp_path, asked, model, plan)
        for a, b in zip(rows, whole, strict=True):
            assert shape(a) == shape(b)
        assert progress.kept == kept
        assert progress.rows == len(lines) - kept
        assert model.books.calls == sum("error" not in row for row in rows[kept:])
    (tmp_path / "out.jsonl").write_bytes(b"".join(reversed(lines[5:])))  # as finished, not in order
    _, rows = await run(tmp_path, asked, plan=Plan(strategy="self-consistency(n=8)", resume=True))
    assert sorted(json.dumps(shape(row)) for row in rows) == sorted(json.dumps(shape(row)) for row in whole)


async def test_what_was_spent_before_counts_towards_the_whole_jobs_budget(tmp_path):
    asked = [question(i) for i in range(20)]
    plan = Plan(strategy="direct", total=Budget(calls=10), resume=True, concurrency=1, ordered=True)
    await run(tmp_path, asked[:6], plan=plan)
    model = FakeModel(SCRIPT)
    _, rows = await run(tmp_path, asked, model, plan)
    assert model.books.calls == 4
    assert sum("error" in row for row in rows) == 10


async def test_rows_that_a_server_failed_are_tried_again_where_asked_and_bad_ones_are_not(tmp_path):
    def fault(_, ask):
        return ServerFault("broken", 500) if "5 cats" in ask.messages[-1]["content"] else None

    asked = [*[question(i) for i in range(9)], "broken"]
    plan = Plan(strategy="self-consistency(n=8)", resume=True, retry=True)
    _, before = await run(tmp_path, asked, FakeModel(SCRIPT, fault=fault), plan)
    assert sum("error" in row for row in before) == 2
    model = FakeModel(SCRIPT)
    _, after = await run(tmp_path, asked, model, plan)
    assert model.books.calls == 1
    assert [row["id"] for row in after if "error" in row] == ["10"]
    assert [row for row in before if row["id"] != "q5"] == after[:-1]
    assert after[-1]["id"] == "q5"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.jsonl", "out.jsonl"]
    with pytest.raises(InputError, match="out of order"):
        await run(tmp_path, asked, plan=Plan(resume=True, retry=True, ordered=True))


async def test_an_output_that_is_there_or_was_made_otherwise_is_refused(tmp_path):
    await run(tmp_path, [question(1)], plan=Plan(strategy="direct"))
    with pytest.raises(InputError, match="exists already; go on with it by --resume"):
        await run(tmp_path, [question(1)])
    with pytest.raises(InputError, match="line 1 was made with strategy direct, not cot"):
        await run(tmp_path, [question(1)], plan=Plan(strategy="cot", resume=True))
    (tmp_path / "out.jsonl").write_text("not a row\n")
    with pytest.raises(InputError, match=r"out\.jsonl, line 1"):
        await run(tmp_path, [question(1)], plan=Plan(resume=True))


@pytest.mark.real_time
class TestCommand:
    """The command itself, in a process of its own."""

    @pytest.fixture
    def caching(self, monkeypatch):
        monkeypatch.setenv("OUTTHINK_CACHE", "on")

    async def started(self, tmp_path, server, *options, stop=signal.SIGKILL, after=12, name="out.jsonl"):
        """Start the command, and stop it once so many rows are written; returns how it ended."""
        out = tmp_path / name
        command = [sys.executable, "-m", "outthink", "map", str(tmp_path / "in.jsonl"), str(out), *options]
        command += ["--model", f"fake@{server.base_url}", "--strategy", "cot"]
        child = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        until = time.monotonic() + 30
        while child.poll() is None and time.monotonic() < until:
            if stop and out.exists() and out.read_bytes().count(b"\n") >= after:
                child.send_signal(stop)
                break
            await anyio.sleep(0.005)
        _, said = await anyio.to_thread.run_sync(child.communicate)
        return child.returncode, said

    async def test_killed_and_resumed_it_repeats_nothing_and_ends_as_if_nothing_had_been(self, tmp_path, caching):
        write(tmp_path / "in.jsonl", [*[question(i) for i in range(40)], "broken", question(3)])
        options = ("--ordered", "--concurrency", "4")
        server = FakeServer(SCRIPT, latency=0.02)
        async with server.serve():
            await self.started(tmp_path, server, *options)
            with (tmp_path / "out.jsonl").open("ab") as file:
                file.write(b'{"id": "q')  # killed in the middle of a line
            kept = (tmp_path / "out.jsonl").read_bytes().count(b"\n")
            code, said = await self.started(tmp_path, server, "--resume", *options, stop=None)
            assert (code, f"{kept} kept from before" in said) == (0, True), said
            pairs = zip(server.billed, server.bodies, strict=True)
            bought = [str(body["messages"]) for one, body in pairs if one.ended == "ok"]
            assert 40 <= len(bought) <= 44  # those in flight when it was killed are not known to it
            assert len(set(bought)) == 40
            await self.started(tmp_path, server, "--no-cache", *options, stop=None, name="whole.jsonl")
        rows, whole = rows_of(tmp_path / "out.jsonl"), rows_of(tmp_path / "whole.jsonl")
        for a, b in zip(rows, whole, strict=True):
            assert shape(a) == shape(b)
        assert len(rows) == 42

    async def test_interrupted_it_leaves_with_130_and_keeps_what_is_finished(self, tmp_path):
        write(tmp_path / "in.jsonl", [question(i) for i in range(400)])
        server = FakeServer(SCRIPT, latency=0.02)
        async with server.serve():
            code, said = await self.started(tmp_path, server, "--concurrency", "4", stop=signal.SIGINT)
        assert code == 130
        assert "interrupted" in said
        assert 12 <= len(rows_of(tmp_path / "out.jsonl")) < 400

    def test_it_reads_standard_input_writes_standard_output_and_counts_errors_on_standard_error(self, tmp_path):
        command = [sys.executable, "-m", "outthink", "map", "-", "-", "-m", "fake", "--ordered"]
        said = subprocess.run(
            command, input=json.dumps(question(1)) + "\nbroken", capture_output=True, text=True, check=True
        )
        rows = [json.loads(line) for line in said.stdout.splitlines()]
        assert [row["id"] for row in rows] == ["q1", "2"]
        assert "2 rows · 1 error ·" in said.stderr

    @pytest.mark.parametrize(
        ("arguments", "status", "told"),
        [
            (["none.jsonl", "out"], 2, "cannot be read"),
            (["in", "in"], 2, "--resume"),
            (["in", "/dev/full"], 2, "No space left"),
            (["in", "out", "--retry-errors"], 2, "--resume"),
            (["in", "out", "--answer", "x"], 2, "--answer"),
            (["in", "out", "--total-budget", "x=1"], 2, "not a limit"),
            (["in", "out", "-m", "fake@http://127.0.0.1:9/v1"], 4, "is the server running"),
        ],
    )
    def test_what_is_wrong_is_one_line_and_a_status(self, tmp_path, arguments, status, told):
        write(tmp_path / "in", [question(1)])
        command = [sys.executable, "-m", "outthink", "map", "-m", "fake", *arguments]
        done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env=dict(os.environ), check=False)
        assert done.returncode == status, done.stderr
        assert told in done.stderr
        assert done.stderr.count("\n") == 1
