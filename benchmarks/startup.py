"""What starting costs: importing the library with its engine, and ``outthink --help`` against importing typer alone.

    python benchmarks/startup.py [--rounds 11]

Whole processes in turn, medians; ratios are within the run.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time
from pathlib import Path

PYTHON = sys.executable
COMMANDS = {
    "python": [PYTHON, "-c", "pass"],
    "import typer": [PYTHON, "-c", "import typer"],
    "import outthink": [PYTHON, "-c", "import outthink"],
    "from outthink import solve": [PYTHON, "-c", "from outthink import solve"],
    "outthink --help": [str(Path(PYTHON).with_name("outthink")), "--help"],
}


def milliseconds(command: list[str]) -> float:
    began = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return (time.perf_counter() - began) * 1e3


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=11)
    rounds = parser.parse_args().rounds
    for command in COMMANDS.values():
        milliseconds(command)
    rows = [{name: milliseconds(command) for name, command in COMMANDS.items()} for _ in range(rounds)]
    middle = {name: statistics.median(row[name] for row in rows) for name in COMMANDS}
    for name, value in middle.items():
        print(f"{name:<26} {value:6.1f} ms")
    whole = middle["from outthink import solve"] - middle["python"]
    print(f"import outthink with its engine: {whole:.1f} ms (aim: under 150)")
    ratio = statistics.median(row["outthink --help"] / row["import typer"] for row in rows)
    print(f"outthink --help / import typer: {ratio:.2f} (aim: under 1.5)")


if __name__ == "__main__":
    main()
