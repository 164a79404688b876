"""Start-up: whole commands beside the imports that they cannot do without, in turn, in one run.

python benchmarks/startup.py [RUNS]
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from pathlib import Path

EXAMPLE = Path(__file__).parents[1] / "examples" / "clip_features.parquet"
ABR_ALLOC = Path(sys.executable).with_name("abr-alloc")
FLOOR = [sys.executable, "-c", "import numpy, pandas, pyarrow.parquet"]
COMMANDS = {
    "plan (example, 2000k)": [str(ABR_ALLOC), "plan", str(EXAMPLE), "--budget", "2000k"],
    "plan --json": [str(ABR_ALLOC), "plan", str(EXAMPLE), "--budget", "2000k", "--json"],
    "relevance (text)": [str(ABR_ALLOC), "relevance", str(EXAMPLE)],
    "--help": [str(ABR_ALLOC), "--help"],
}


def seconds(command: list[str]) -> float:
    started = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - started


def main() -> None:
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 9
    for command in (FLOOR, *COMMANDS.values()):
        seconds(command)  # warm the file cache
    print(f"floor: {' '.join(FLOOR[1:])}; median of {runs} runs, each command run right after the floor")
    for name, command in COMMANDS.items():
        pairs = [(seconds(FLOOR), seconds(command)) for _ in range(runs)]
        ratio = statistics.median(own / floor for floor, own in pairs)
        floor, own = (statistics.median(column) for column in zip(*pairs, strict=True))
        print(f"{name:24} {own:6.3f} s   floor {floor:6.3f} s   ratio {ratio:5.2f}")


if __name__ == "__main__":
    main()
