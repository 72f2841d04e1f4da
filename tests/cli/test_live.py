"""The live view: what it shows of the events, in terminals of any size."""

import io
import re

import anyio
import pytest
from rich.console import Console

from outthink import Engine
from outthink.cli.live import View
from outthink.core.errors import Overloaded
from outthink.models.fake import FakeModel
from outthink.models.script import Script

pytestmark = pytest.mark.anyio
SCRIPT = Script(accuracy=0.5, answers={"7 weeks": "49"}, words=30)


async def events(strategy="self-consistency(n=16, width=4)", budget="tokens=6000,seconds=500,calls=90", **options):
    logs = []
    async with Engine(FakeModel(SCRIPT, latency=1.0, **options)) as engine:
        await engine.solve("How many days are there in 7 weeks?", strategy=strategy, budget=budget, watch=logs.append)
    return logs[0].events


def lines(view, width=100, height=24, **options):
    file = io.StringIO()
    Console(file=file, width=width, height=height, force_terminal=True, color_system=None, **options).print(view)
    return file.getvalue().splitlines()


def every_state(found, width=100, height=24):
    view = View()
    for event in found:
        view.take(event)
        yield view, lines(view, width, height)


@pytest.mark.parametrize("width", [20, 40, 63, 64, 80, 200])
@pytest.mark.parametrize("height", [12, 24, 60])
async def test_it_fits_a_terminal_of_any_size_at_every_event(width, height):
    def fault(number, ask):
        return Overloaded("the server answered 429: " + "wait " * 50, 429) if number in (1, 2) else None

    for _, shown in every_state(await events(lacks=("n",), fault=fault), width, height):
        assert all(len(line.rstrip()) <= width for line in shown)
        assert len(shown) <= (20 if height >= 24 else 14)


@pytest.mark.parametrize("height", [12, 24])
async def test_the_last_decision_of_an_adaptive_strategy_is_shown(height):
    states = [shown for _, shown in every_state(await events("auto"), height=height)]
    assert all(len(shown) <= (20 if height >= 24 else 14) for shown in states)
    assert any(line.startswith("sample 3: nothing is known yet") for shown in states for line in shown)
    assert any(line.startswith("stopped after ") for line in states[-1])


async def test_votes_are_bars_with_the_leader_first_and_samples_in_order():
    *_, (view, shown) = every_state(await events())
    bars = [line for line in shown if re.match(r"\d+ +█", line)]
    lengths = [line.count("█") for line in bars]
    assert lengths == sorted(lengths, reverse=True)
    assert bars[0].split()[0] == next(iter(view.votes))
    assert f"{max(view.votes.values())} of 16" in bars[0]
    indexes = [int(line.split()[0][1:]) for line in shown if line.strip().startswith("#")]
    assert indexes == sorted(indexes)


async def test_what_is_left_of_the_budget_is_what_is_not_charged():
    for view, shown in every_state(await events()):
        left = 6000 - view.charged.prompt_tokens - view.charged.completion_tokens
        for line in shown:
            if line.startswith("tokens"):
                assert f"{left:,} of 6,000 left" in line


async def test_what_failed_and_was_tried_again_is_told():
    def fault(number, ask):
        return Overloaded("the server answered 429: slow down", 429) if number < 2 else None

    *_, (_, shown) = every_state(await events("direct", fault=fault))
    assert any(re.search(r"! the server answered 429: slow down; trying again in \d", line) for line in shown)
    assert "2 retried" in shown[-1]


async def test_scores_stand_with_their_samples():
    *_, (view, shown) = every_state(await events("best-of-n(n=4)", budget="calls=9"))
    assert len(view.scores) == 4
    assert sum(bool(re.search(r"tokens, 0\.\d\d", line)) for line in shown) == 4


async def test_nothing_is_thinking_once_all_is_settled():
    found = await events(lacks=("n",))
    thinking = [int(m[1]) if (m := re.search(r"(\d+) thinking", shown[-1])) else 0 for _, shown in every_state(found)]
    assert max(thinking) == 4
    assert thinking[-1] == 0


async def test_a_terminal_without_unicode_gets_plain_bars():
    file = io.TextIOWrapper(io.BytesIO(), encoding="ascii", errors="backslashreplace")
    view = View()
    for event in await events():
        view.take(event)
    Console(file=file, width=80, force_terminal=True, color_system=None).print(view)
    file.seek(0)
    shown = file.read()
    assert "####" in shown
    assert "u2588" not in shown


async def test_time_goes_on_between_events():
    began = anyio.current_time()
    view = View(lambda: anyio.current_time() - began)
    before = lines(view)[-1]
    await anyio.sleep(2.5)
    assert before.startswith("0.0 s")
    assert lines(view)[-1].startswith("2.5 s")
