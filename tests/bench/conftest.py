"""The bench, run in this process."""

import pytest

from outthink.bench.plan import Asked
from outthink.bench.run import bench


@pytest.fixture
def benched(tmp_path):
    """``await benched(source, *strategies, …)``: the summary, its files in ``tmp_path / "out"``."""

    async def run(source, *strategies, out="out", **asked):
        return await bench(source, tmp_path / out, Asked(strategies=strategies, **asked))

    return run
