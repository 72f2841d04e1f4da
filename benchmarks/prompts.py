"""Which built-in prompt makes a small model answer well and briefly: samples recorded once, scored ever after.

    python benchmarks/prompts.py record DATA.jsonl POOL.jsonl [--prompts short,sentences] [--first 0] [--count 30]
    python benchmarks/prompts.py score POOL.jsonl…

Recording adds what is not there yet, one question at a time, so it may be stopped and started again. The score of a
prompt is the mean accuracy of one sample, of a vote over all, the tokens of a sample and how many gave no answer.
"""

from __future__ import annotations

import argparse
import asyncio
import json
from collections import Counter
from pathlib import Path

from outthink.answers import canonical, extract
from outthink.core.problem import Message, Problem
from outthink.core.wire import Ask
from outthink.models.embedded import open_embedded
from outthink.strategies import prompts

SAMPLES, TEMPERATURE, MAX_TOKENS = 8, 0.7, 400
_SENTENCES = (
    (
        "A baker makes 4 trays of 6 rolls and sells 15. How many rolls are left?",
        "There are 4 trays with 6 rolls on each, so the baker makes 4 * 6 = 24 rolls. "
        "15 of them are sold, so 24 - 15 = 9 rolls are left.\nThe answer is 9.",
    ),
    (
        "Tickets cost $5 for adults and half as much for children. What do 2 adults and 4 children pay, in dollars?",
        "A child's ticket costs half of $5, which is 5 / 2 = 2.5 dollars. The 2 adults pay 2 * 5 = 10 dollars. "
        "The 4 children pay 4 * 2.5 = 10 dollars. Together they pay 10 + 10 = 20 dollars.\nThe answer is 20.",
    ),
    (
        "A car uses 8 liters per 100 km. How many liters does it use for 350 km?",
        "First find how many times 100 km fits into 350 km: 350 / 100 = 3.5. "
        "Each 100 km takes 8 liters, so the car uses 3.5 * 8 = 28 liters.\nThe answer is 28.",
    ),
    (
        "Ana had 37 stamps, gave 9 to Ben and then bought twice as many as she gave away. How many does she have now?",
        "After giving 9 away, Ana has 37 - 9 = 28 stamps. She buys twice 9, which is 2 * 9 = 18 stamps. "
        "Now she has 28 + 18 = 46 stamps.\nThe answer is 46.",
    ),
)


def _sentences(problem: Problem) -> tuple[Message, ...]:
    turns: list[Message] = [
        {"role": "system", "content": "Solve the problem step by step. End with: The answer is <number>."}
    ]
    for question, answer in _SENTENCES:
        turns += [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]
    return (*turns, *problem.messages)


def _one_message(problem: Problem) -> tuple[Message, ...]:
    """The worked examples in the same turn as the question."""
    shown = "\n\n".join(f"Problem: {question}\nSolution: {answer}" for question, answer in _SENTENCES)
    content = f"{shown}\n\nProblem: {problem.question}\nSolution:"
    return ({"role": "user", "content": content},)


PROMPTS = {
    "plain": lambda problem: problem.messages,
    "zero": prompts.zero_shot,
    "short": lambda problem: prompts.few_shot(problem, 4),
    "sentences": _sentences,
    "one-message": _one_message,
}


async def record(data: Path, pool: Path, names: list[str], first: int, count: int, name: str) -> None:
    rows = [json.loads(line) for line in data.read_text().splitlines()][first : first + count]
    done = (
        {(row["prompt"], row["id"]) for row in map(json.loads, pool.read_text().splitlines())}
        if pool.exists()
        else set()
    )
    model = await open_embedded(name)
    try:
        for row in rows:
            for prompt in names:
                if (prompt, row["id"]) in done:
                    continue
                problem = Problem.of(row["question"], "number")
                ask = Ask(
                    messages=tuple(PROMPTS[prompt](problem)), n=SAMPLES, max_tokens=MAX_TOKENS, seed=0,
                    params={"temperature": TEMPERATURE},
                )  # fmt: skip
                reply = await model.complete(ask)
                samples = [{"text": c.text, "tokens": c.tokens, "finish": c.finish} for c in reply.choices]
                kept = {"prompt": prompt, "id": row["id"], "answer": row["answer"], "samples": samples}
                with pool.open("a") as file:
                    file.write(json.dumps(kept) + "\n")
    finally:
        await model.aclose()


def score(pools: list[Path]) -> None:
    rows = [json.loads(line) for pool in pools for line in pool.read_text().splitlines()]
    print(f"{'prompt':<12} questions  one sample  vote of {SAMPLES}  tokens  no answer")
    for prompt in PROMPTS:
        own = [row for row in rows if row["prompt"] == prompt]
        if not own:
            continue
        single = vote = tokens = silent = 0.0
        for row in own:
            gold = canonical(row["answer"], "number")
            found = [extract(s["text"], "number", marked=s["finish"] != "stop") for s in row["samples"]]
            single += sum(answer == gold for answer in found) / len(found)
            counts = Counter(answer for answer in found if answer is not None)
            vote += bool(counts) and counts.most_common(1)[0][0] == gold
            tokens += sum(s["tokens"] for s in row["samples"]) / len(found)
            silent += found.count(None) / len(found)
        k = len(own)
        print(f"{prompt:<12} {k:>9}  {single / k:>10.3f}  {vote / k:>9.3f}  {tokens / k:>6.1f}  {silent / k:>9.3f}")


def main() -> None:
    parser = argparse.ArgumentParser(description="Record and score prompts.")
    commands = parser.add_subparsers(dest="command", required=True)
    recording = commands.add_parser("record")
    recording.add_argument("data", type=Path)
    recording.add_argument("pool", type=Path)
    recording.add_argument("--prompts", default=",".join(PROMPTS))
    recording.add_argument("--first", type=int, default=0)
    recording.add_argument("--count", type=int, default=30)
    recording.add_argument("--model", default="qwen2.5-coder-0.5b")
    scoring = commands.add_parser("score")
    scoring.add_argument("pools", type=Path, nargs="+")
    options = parser.parse_args()
    if options.command == "score":
        score(options.pools)
        return
    names = options.prompts.split(",")
    asyncio.run(record(options.data, options.pool, names, options.first, options.count, options.model))


if __name__ == "__main__":
    main()
