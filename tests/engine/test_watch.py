"""What runs note of a policy is kept by their engine, and by it alone."""

from dataclasses import dataclass

import pytest

from outthink import Engine
from outthink.core.usage import Budget
from outthink.models.fake import FakeModel
from outthink.models.script import Script
from outthink.strategies.results import single

pytestmark = pytest.mark.anyio


@dataclass(frozen=True, slots=True)
class Noting:
    """Notes that two samples disagreed, so often; answers whether it found drift at its start."""

    policy: str
    times: int = 0

    async def solve(self, problem, run):
        found = run.watch(self.policy).drifted
        async with run.child(Budget()) as inner:
            for _ in range(self.times):
                inner.watch(self.policy).add(0.9, False)
            candidate = await inner.sample(problem)
        DRIFTED.append(found)
        return single(candidate, run)


DRIFTED: list[bool] = []


async def test_later_runs_of_an_engine_see_what_earlier_ones_noted_of_the_same_policy():
    DRIFTED.clear()
    async with Engine(FakeModel(Script(words=3))) as engine:
        for technique in (Noting("a", 59), Noting("a", 1), Noting("a"), Noting("b")):
            await engine.solve("How many?", strategy=technique)
    async with Engine(FakeModel(Script(words=3))) as engine:
        await engine.solve("How many?", strategy=Noting("a"))
    assert DRIFTED == [False, False, True, False, False]
