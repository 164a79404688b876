"""Start-up: processor time of whole commands beside that of importing pandas and PyArrow, in turn, in one run.

python benchmarks/startup.py [--runs N] [--json FILE]

Bytecode is kept in a folder of the benchmark's own, for the commands and the floor alike, as an installation keeps it.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from results import write_results

ROOT = Path(__file__).parents[1]
EXAMPLE = str(ROOT / "examples" / "clip_features.parquet")
LADDER = str(ROOT / "ladders" / "titles" / "bbb-rabbit-wakes-720p.json")
FLOOR = [sys.executable, "-c", "import numpy, pandas, pyarrow.parquet"]
COMMANDS = {
    "--help": ["--help"],
    "plan": ["plan", EXAMPLE, "--budget", "2000k"],
    "plan --json": ["plan", EXAMPLE, "--budget", "2000k", "--json"],
    "plan --csv": ["plan", EXAMPLE, "--budget", "2000k", "--csv"],
    "relevance": ["relevance", EXAMPLE],
    "ladder": ["ladder", EXAMPLE],
    "ladder, one title": ["ladder", EXAMPLE, "--title", "handheld-toy-rabbit-480p"],
    "export": ["export", LADDER, "--format", "hls", "-o", "{folder}/master.m3u8"],
    "compare --help": ["compare", "--help"],
    "lint --help": ["lint", "--help"],
    "doctor --help": ["doctor", "--help"],
}


def seconds(command: list[str], environment: dict[str, str]) -> float:
    """Processor seconds of a command: a busy machine stretches them less than the clock's."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=environment)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=9)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    ratios: dict[str, float] = {}
    spent: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as folder:
        environment = os.environ | {"PYTHONPYCACHEPREFIX": folder, "PYTHONPATH": str(ROOT)}
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        own = [sys.executable, "-c", "from abr_alloc.cli import main; main()"]
        commands = {name: own + [word.format(folder=folder) for word in words] for name, words in COMMANDS.items()}
        for command in (FLOOR, *commands.values()):
            seconds(command, environment)  # warm the file cache, and compile
        print(f"floor: {' '.join(FLOOR[1:])}; median of {options.runs} runs, each command run right after the floor")
        for name, command in commands.items():
            pairs = [(seconds(FLOOR, environment), seconds(command, environment)) for _ in range(options.runs)]
            ratios[name] = statistics.median(ours / floor for floor, ours in pairs)
            floor, spent[name] = (statistics.median(column) for column in zip(*pairs, strict=True))
            print(f"{name:16} {spent[name]:6.3f} s   floor {floor:6.3f} s   ratio {ratios[name]:5.2f}")
    write_results(options.json, "startup", {f"{name} / floor": ratio for name, ratio in ratios.items()}, spent)


if __name__ == "__main__":
    main()
