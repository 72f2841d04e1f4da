"""Which instruction makes a small model write right programs in few tokens: MBPP rows, recorded and graded.

    python benchmarks/code_prompts.py MBPP.jsonl OUT.jsonl [--first 200] [--count 50] [--samples 4]

Rows outside the 200 that results are reported on. One line a question and prompt is added to OUT; run again, it goes
on where it was, and prints the table.
"""

from __future__ import annotations

import argparse
import asyncio
import json
from collections import defaultdict
from pathlib import Path

from outthink.answers import program_in
from outthink.bench.data import load
from outthink.bench.rows import Row
from outthink.core.problem import Message
from outthink.core.wire import Ask
from outthink.models.embedded import open_embedded
from outthink.sandbox import Sandbox
from outthink.strategies.prompts import instructed

PROMPTS: dict[str, str | None] = {
    "as it came": None,
    "only code": "Reply with only the code, in one Python block, without comments or explanation.",
    "shortest": "Reply with only the shortest correct code, in one Python block.",
}
EXAMPLE: tuple[Message, ...] = (
    {
        "role": "user",
        "content": "Write a function to count the vowels in a string. Name it vowels. Answer with Python code.\n"
        "It must pass this test:\nassert vowels('tree') == 2",
    },
    {"role": "assistant", "content": "```python\ndef vowels(text):\n    return sum(c in 'aeiou' for c in text)\n```"},
)


def messages(row: Row, name: str) -> tuple[Message, ...]:
    """The conversation of one prompt."""
    if name == "one example":
        return (*EXAMPLE, *row.problem.messages)
    instruction = PROMPTS[name]
    return (row.problem if instruction is None else instructed(row.problem, instruction)).messages


async def main(data: str, out: Path, first: int, count: int, samples: int) -> None:
    rows = load(data).rows[first : first + count]
    done = [json.loads(line) for line in out.read_text().splitlines()] if out.exists() else []
    known = {(line["id"], line["prompt"]) for line in done}
    model = await open_embedded("qwen2.5-coder-0.5b")
    try:
        async with Sandbox() as sandbox:
            for row in rows:
                for name in (*PROMPTS, "one example"):
                    if (row.id, name) in known:
                        continue
                    ask = Ask(
                        messages=messages(row, name), params={"temperature": 0.7}, n=samples, max_tokens=400, seed=1
                    )
                    reply = await model.complete(ask)
                    right = 0
                    for choice in reply.choices:
                        right += (await sandbox.check(program_in(choice.text) or choice.text, row.tests)).passed
                    tokens = [choice.tokens or 0 for choice in reply.choices]
                    done.append({"id": row.id, "prompt": name, "right": right, "tokens": tokens})
                    with out.open("a") as file:
                        file.write(json.dumps(done[-1]) + "\n")
    finally:
        await model.aclose()
    groups = defaultdict(list)
    for line in done:
        groups[line["prompt"]].append(line)
    print("| prompt | one sample right | new tokens a sample | right samples per 1,000 new tokens | questions |")
    print("|---|---|---|---|---|")
    for name, lines in groups.items():
        tokens = sum(sum(line["tokens"]) for line in lines)
        n = sum(len(line["tokens"]) for line in lines)
        right = sum(line["right"] for line in lines)
        print(f"| {name} | {right / n:.3f} | {tokens / n:.0f} | {1000 * right / tokens:.1f} | {len(lines)} |")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data")
    parser.add_argument("out", type=Path)
    parser.add_argument("--first", type=int, default=200)
    parser.add_argument("--count", type=int, default=50)
    parser.add_argument("--samples", type=int, default=4)
    given = parser.parse_args()
    asyncio.run(main(given.data, given.out, given.first, given.count, given.samples))
