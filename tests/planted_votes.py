"""Pools of questions with a known chance each, to calibrate on: votes with log probabilities, and programs."""

import random

from outthink.models.pool import Fingerprint, PoolRow, PoolSample

MARK = Fingerprint(model="planted", prompt="abc", temperature=0.7)


def votes(questions=120, n=16, seed=0, *, told=0.0, logprobs=True, mark=MARK, answers=True, easy=0.5):
    """``easy`` of the questions are nearly always answered right, the others with p ~ Beta(1.2, 1.2).

    ``told``: how much higher the log probabilities of a right sample are, in standard deviations.
    """
    draw, found = random.Random(seed), []
    for place in range(questions):
        chance = 0.98 if draw.random() < easy else draw.betavariate(1.2, 1.2)
        gold = draw.randint(10, 99)
        samples = []
        for _ in range(n):
            right = draw.random() < chance
            said = gold if right else gold + draw.choice([100, 100, 200, 300])
            mean = -0.5 + 0.1 * told * right + draw.gauss(0, 0.1)
            known = {"logprob_mean": mean, "logprob_low": mean - draw.random(), "logprob_tail": draw.gauss(-0.4, 0.1)}
            text = "I cannot say." if draw.random() < 0.03 else f"The answer is {said}."
            samples.append(PoolSample(text=text, tokens=draw.randint(20, 60), **(known if logprobs else {})))
        found.append(
            PoolRow(
                id=f"q{place}",
                question=f"What is number {place}?",
                answer=str(gold) if answers else None,
                kind="number",
                samples=tuple(samples),
                fingerprint=mark,
                extra={} if answers else {"grader": "none"},
            )
        )
    return found


RIGHT = "```python\ndef f(x):\n    return x + {k}\n```"
SLY = "```python\ndef f(x):\n    return 1 + {k}\n```"
WRONG = "```python\ndef f(x):\n    return 0\n```"


def programs(questions=24, n=4, seed=0):
    """The test shown passes right programs and sly ones, which are wrong; a third of each."""
    draw, found = random.Random(seed), []
    for k in range(1, questions + 1):
        said = [draw.choice([RIGHT, SLY, WRONG]).format(k=k) for _ in range(n)]
        found.append(
            PoolRow(
                id=f"p{k}",
                question=f"Write f that adds {k}. It must pass this test:\nassert f(1) == {1 + k}",
                kind="code",
                samples=tuple(PoolSample(text=text, tokens=20) for text in said),
                fingerprint=MARK,
                extra={"grader": "tests", "tests": [f"assert f( 1 )=={1 + k}", f"assert ({2 + k} == f(2))"]},
            )
        )
    return found
