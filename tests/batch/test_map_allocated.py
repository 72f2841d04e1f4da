"""A total budget goes where it gains most: to medium questions, in budget at every move, whatever fails meanwhile."""

import json
from contextlib import asynccontextmanager
from functools import partial
from importlib.metadata import EntryPoint

import anyio
import pytest
from waves import Mixed

from outthink import Budget, Engine, plugins
from outthink.batch import map as batch_map
from outthink.batch.allocate import Allocator
from outthink.batch.map import Plan, map_file
from outthink.core.errors import ServerFault
from outthink.core.wire import Price
from outthink.engine.cache import SampleCache
from outthink.engine.ledger import Ledger
from outthink.models.fake import FakeModel

pytestmark = pytest.mark.anyio
SCRIPT = Mixed(accuracy=0.4, words=24)
KINDS = ("easy", "medium", "hopeless")
ASKED = [{"id": f"{KINDS[i % 3]} {i}", "question": f"{KINDS[i % 3]}: how many are {i} + 2?"} for i in range(60)]
PLAN = Plan(strategy="waves", total=Budget(tokens=9_500), answer="number")
ONE = 160
"""Tokens that a row's first wave takes at most: its prompt, and three chains."""


@pytest.fixture(autouse=True)
def _waves(monkeypatch):
    known = {"waves": [EntryPoint("waves", "waves:Waves", "outthink.strategies")]}
    found = plugins._entries
    monkeypatch.setattr(plugins, "_entries", lambda group: found(group) | (known if "strategies" in group else {}))
    yield
    plugins.strategy.cache_clear()
    plugins.strategy_text.cache_clear()


class Paced(FakeModel):
    """Some questions take longer than others, so that rows come back out of order."""

    @asynccontextmanager
    async def _arrived(self, ask):
        async with super()._arrived(ask) as said:
            await anyio.sleep(1 + self.script._draw(str(ask.messages), ask.seed, "pace") % 50 / 10)
            yield said


async def run(tmp_path, model=None, plan=PLAN, asked=ASKED, name="out.jsonl"):
    (tmp_path / "in.jsonl").write_text("".join(json.dumps(row) + "\n" for row in asked))
    async with Engine(model or Paced(SCRIPT)) as engine:
        with anyio.fail_after(100_000):
            progress = await map_file(engine, str(tmp_path / "in.jsonl"), str(tmp_path / name), plan)
    return progress, [json.loads(line) for line in (tmp_path / name).read_bytes().splitlines()]


def samples(rows, kind):
    found = [len(row["candidates"]) for row in rows if row["id"].startswith(kind)]
    return sum(found) / len(found)


@pytest.mark.parametrize("concurrency", [1, 8, None])
async def test_tokens_go_to_the_questions_that_more_samples_help(tmp_path, concurrency):
    model = Paced(SCRIPT)
    plan = Plan(strategy="waves", total=PLAN.total, concurrency=concurrency)
    progress, rows = await run(tmp_path, model, plan)
    assert model.books.most_in_flight <= (concurrency or 64)
    assert len(rows) == 60
    assert not any("error" in row for row in rows)
    assert samples(rows, "medium") > 2 * samples(rows, "easy")
    assert samples(rows, "medium") > 2 * samples(rows, "hopeless")
    told = progress.allocation
    assert told.rows == 60
    assert told.expected_gain > 0.01
    assert told.samples == (sum(samples(rows, kind) for kind in KINDS) / 3, 3, max(len(r["candidates"]) for r in rows))
    assert told.tokens[0] * 60 == pytest.approx(progress.usage.tokens)
    assert {row["stop_reason"] for row in rows} <= {"exhausted", "diminishing", "budget"}
    assert progress.usage.tokens > 0.9 * 9_500


@pytest.mark.parametrize("concurrency", [1, 5, 64])
@pytest.mark.parametrize("window", [6, 512])
@pytest.mark.parametrize(
    "total", [Budget(tokens=1000), Budget(tokens=9000), Budget(completion_tokens=4000), Budget(usd=0.1, calls=150)]
)
async def test_the_budget_is_kept_at_every_move_and_every_row_ends(tmp_path, monkeypatch, concurrency, window, total):
    class Watched(Ledger):
        def _move(self, *args, **options):
            super()._move(*args, **options)
            books.append((self, self.charged + self.held))

    books = []
    monkeypatch.setattr(batch_map, "Ledger", Watched)
    monkeypatch.setattr(batch_map, "Allocator", partial(Allocator, window=window))

    def fault(number, ask):
        return ServerFault("the server broke", 500) if number % 7 == 3 else None

    model = Paced(SCRIPT, price=Price(1.0, 40.0), fault=fault)
    for ordered in (False, True):
        plan = Plan(strategy="waves", total=total, answer="number", concurrency=concurrency, ordered=ordered)
        progress, rows = await run(tmp_path, model, plan, name=f"{ordered}.jsonl")
        assert len(rows) == 60
        assert ([row["id"] for row in rows] == [row["id"] for row in ASKED]) or not ordered
    assert books
    for _, cost in books:
        assert total.allows(cost), cost
    assert {row["error"]["type"] for row in rows if "error" in row} <= {"BudgetExhausted", "ServerFault"}
    assert progress.usage.calls <= model.books.calls


async def test_every_row_is_answered_where_the_budget_allows_each_one_wave(tmp_path):
    for name, tokens in enumerate((60 * ONE, 60 * ONE + 500, 60 * 2 * ONE)):
        plan = Plan(strategy="waves", total=Budget(tokens=tokens), answer="number", concurrency=4)
        _, rows = await run(tmp_path, plan=plan, name=f"{name}.jsonl")
        assert not any("error" in row for row in rows), tokens


async def test_a_rows_own_time_and_budget_end_it_while_it_waits(tmp_path):
    plan = Plan(
        strategy="waves", total=PLAN.total, budget=Budget(seconds=12, tokens=500), answer="number", concurrency=2
    )
    _, rows = await run(tmp_path, plan=plan)
    assert len(rows) == 60
    assert not any("error" in row for row in rows)
    assert "deadline" in {row["stop_reason"] for row in rows}
    assert all(row["usage"]["total_tokens"] <= 500 for row in rows)


async def test_the_whole_jobs_time_ends_rows_that_wait(tmp_path):
    plan = Plan(strategy="waves", total=Budget(tokens=9_500, seconds=40), answer="number", concurrency=4)
    _, rows = await run(tmp_path, plan=plan)
    assert len(rows) == 60
    assert any("error" in row for row in rows)
    assert any("error" not in row for row in rows)


async def test_stopped_anywhere_and_resumed_it_keeps_the_budget_over_both_runs_and_buys_nothing_twice(
    tmp_path, monkeypatch
):
    class Kept(Paced):
        def __init__(self):
            super().__init__(SCRIPT)
            self.source = "the fake"

    whole = Plan(strategy="waves", total=PLAN.total, answer="number", concurrency=6, resume=True)
    for number, seconds in enumerate((8, 40, 60, 80)):
        cache = SampleCache(tmp_path / f"cache {number}")
        monkeypatch.setattr("outthink.api.SampleCache", lambda path, cache=cache: cache)
        monkeypatch.setenv("OUTTHINK_CACHE", "on")
        monkeypatch.setattr(cache, "close", lambda: None)
        first, second = Kept(), Kept()
        with anyio.move_on_after(seconds) as scope:
            await run(tmp_path, first, whole, name=f"{number}.jsonl")
        assert scope.cancelled_caught
        kept = (tmp_path / f"{number}.jsonl").read_bytes().count(b"\n")
        progress, rows = await run(tmp_path, second, whole, name=f"{number}.jsonl")
        assert progress.kept == kept
        assert len(rows) == 60
        assert not any("error" in row for row in rows)
        bought = [
            (str(ask.messages), (ask.seed or 0) + i) for m in (first, second) for ask in m.asks for i in range(ask.n)
        ]
        cut = first.books.cancelled  # their cost is not known, and they are asked for again
        assert len(bought) - len(set(bought)) <= 8 * cut
        spent = sum(model.books.prompt_tokens + model.books.completion_tokens for model in (first, second))
        assert spent <= 9_500 + 8 * 40 * cut
