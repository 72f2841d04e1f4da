"""Pools with a known truth: sums that a made-up model gets right with a known chance, and scores of known worth."""

import random

import msgspec

from outthink.models.pool import Fingerprint, PoolRow, PoolSample

MARK = Fingerprint(model="planted", prompt="abc", temperature=0.7)


def rows(questions=30, n=8, seed=0, shift=1.0, mark=MARK):
    """``rm`` is normal, its mean higher by ``shift`` for a right sample; ``noise`` tells nothing.

    Most wrong samples state a false sum; the others add a number that nobody asked for.
    """
    draw = random.Random(seed)
    found = []
    for place in range(questions):
        a, b, chance = draw.randint(10, 99), draw.randint(10, 99), draw.uniform(0.2, 0.8)
        samples = []
        for _ in range(n):
            right = draw.random() < chance
            more = draw.randint(1, 9)
            said = a + b if right else a + b + more
            sum_ = f"{a} + {b} = {said}" if right or draw.random() < 0.7 else f"{a} + {b} + {more} = {said}"
            mean = -0.3 + 0.05 * draw.gauss(0, 1)
            scores = {"rm": draw.gauss(shift * right, 1), "noise": draw.gauss(0, 1)}
            samples.append(
                PoolSample(
                    text=f"First we add.\n{sum_}.\nThe answer is {said}.",
                    tokens=20,
                    logprob_mean=mean,
                    logprob_low=mean - 0.2,
                    logprob_tail=mean,
                    scores=scores,
                )
            )
        found.append(
            PoolRow(
                id=f"sum-{place}",
                question=f"What is {a} plus {b}?",
                answer=str(a + b),
                kind="number",
                samples=tuple(samples),
                prompt_tokens=9,
                fingerprint=mark,
            )
        )
    return found


def write(path, found):
    path.write_bytes(b"".join(msgspec.json.encode(row) + b"\n" for row in found))
    return str(path)
