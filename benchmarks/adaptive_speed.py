"""What one decision costs, at 16 and at 256 candidates, with nothing cached.

    python benchmarks/adaptive_speed.py [--repeats 20]

Prints milliseconds of processor time, median and worst of the repeats, for the posterior (two columns of scores), each
rule, the worth of the next wave, and all that `auto` decides between waves. The votes differ between repeats and the
caches are emptied, so that this is the first look at a state; a later one costs microseconds.
"""

from __future__ import annotations

import argparse
import random
import statistics
import time
from collections import Counter
from collections.abc import Callable

from outthink.adaptive import curtailment, hazard, stopping, value
from outthink.adaptive.control import Control
from outthink.adaptive.curtailment import Curtail, Lossless
from outthink.adaptive.diminishing import Diminishing
from outthink.adaptive.hazard import Hazard
from outthink.adaptive.posterior import Evidence, Weights, posterior, uncalibrated
from outthink.adaptive.state import State
from outthink.adaptive.stopping import BayesFactor, Beta, Closing, Lead, Window
from outthink.adaptive.value import knowledge_gradient

CACHED = (
    curtailment.leads_at_end, stopping.ahead_of_second, stopping.leads_in_truth, stopping.density_of_root,  # pyright: ignore[reportPrivateUsage]
    stopping.distribution_of_root, value.wave_gain, value._draws, hazard._moment,  # pyright: ignore[reportPrivateUsage]
)  # fmt: skip


def drawn(n: int, seed: int) -> list[Evidence]:
    """Candidates of a hard question: half of the votes for one of two answers, the rest scattered over eight."""
    dice = random.Random(seed)
    keys = ["a", "b", *"cdefghij", None]
    chances = [0.3, 0.25, *[0.05] * 8, 0.05]
    said = dice.choices(keys, chances, k=n)
    return [Evidence(key, (dice.gauss(0, 1), dice.gauss(0, 1))) for key in said]


def between_waves(evidence: list[Evidence], state: State) -> None:
    """The posterior, whether to stop, and how many samples to ask for next."""
    control = Control(Curtail(), Weights())
    control.decide(state, posterior(evidence, uncalibrated(2)).confidence)
    control.wave(state)


def timed(work: Callable[[], object]) -> float:
    for cache in CACHED:
        cache.cache_clear()
    began = time.process_time()
    work()
    return 1000 * (time.process_time() - began)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=20)
    repeats = parser.parse_args().repeats
    rules = (Lossless(), Curtail(), Lead(), Closing(), Beta(), Window(), BayesFactor(), Diminishing(), Hazard())
    weights = uncalibrated(2)
    print("| decision | ms at 16 (worst) | ms at 256 (worst) |")
    print("|---|---|---|")
    spent: dict[str, list[list[float]]] = {}
    for n in (16, 256):
        for seed in range(repeats):
            evidence = drawn(n, seed)
            votes = Counter(item.key for item in evidence)
            silent = votes.pop(None, 0)
            state = State(tuple(sorted(votes.values(), reverse=True)), silent, 4 * n, 100.0 * n, 1, 0)
            works: dict[str, Callable[[], object]] = {
                "posterior": lambda evidence=evidence: posterior(evidence, weights),
                "knowledge gradient": lambda state=state: knowledge_gradient(state),
            }
            works["auto between waves"] = lambda evidence=evidence, state=state: between_waves(evidence, state)
            works |= {type(rule).__name__: lambda rule=rule, state=state: rule.stop(state) for rule in rules}
            for name, work in works.items():
                times = spent.setdefault(name, [[], []])
                times[n == 256].append(timed(work))
    for name, (few, many) in spent.items():
        shown = (f"{statistics.median(times):.3f} ({max(times):.3f})" for times in (few, many))
        print(f"| {name} | {' | '.join(shown)} |")


if __name__ == "__main__":
    main()
