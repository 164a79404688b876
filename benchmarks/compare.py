"""Two runs of the benchmarks side by side: what became of every ratio.

    python benchmarks/compare.py OLD NEW

OLD and NEW are JSON files that benchmarks wrote with `--json`, or folders of them (`make bench` writes build/bench).
Only ratios are compared: both sides of each were taken in one run, so that they hold from machine to machine as far as
anything does; seconds do not. A ratio that became larger by more than `--noise` is marked. Noise must not fail a build:
the exit code is 0 however ratios changed, unless `--strict` asks for 1 where something is marked. What is not noise
fails: a result that cannot be read, a ratio that is no positive number, and one of OLD's that NEW does not have.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from pathlib import Path


def read_ratios(place: Path) -> dict[tuple[str, str], float]:
    """Every ratio by benchmark and name."""
    files = sorted(place.glob("*.json")) if place.is_dir() else [place]
    if not files:
        raise ValueError(f"{place} holds no JSON")
    found: dict[tuple[str, str], float] = {}
    for file in files:
        try:
            one = json.loads(file.read_text(encoding="utf-8"))
            for benchmark in one if isinstance(one, list) else [one]:
                found |= {(benchmark["name"], name): float(value) for name, value in benchmark["ratios"].items()}
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"{file} holds no results ({error!r})") from error
    for (benchmark, name), value in found.items():
        if not (math.isfinite(value) and value > 0):
            raise ValueError(f"{place}: {benchmark}: {name} is {value:g}, which is no ratio")
    return found


def compare(
    old: dict[tuple[str, str], float], new: dict[tuple[str, str], float], noise: float
) -> tuple[list[str], bool]:
    """Lines of the table, and whether anything is marked."""
    width = max((len(f"{benchmark}: {name}") for benchmark, name in old | new), default=0)
    lines, marked = [f"{'':{width}}  {'old':>8} {'new':>8} {'new/old':>8}"], False
    for key in sorted(old | new):
        before, after = old.get(key), new.get(key)
        label = f"{': '.join(key):{width}}"
        shown = " ".join(f"{'-' if value is None else f'{value:.3g}':>8}" for value in (before, after))
        if before is None or after is None:
            lines.append(f"{label}  {shown} {'-':>8}")
            continue
        change = after / before
        # Some ratios are better when large; they say so in their names, as speed-ups do.
        worse = 1.0 / change if "speed-up" in key[1] or "faster" in key[1] else change
        mark = "  slower?" if worse > 1.0 + noise else ""
        marked |= bool(mark)
        lines.append(f"{label}  {shown} {change:8.2f}{mark}")
    return lines, marked


def main() -> None:
    parser = argparse.ArgumentParser(description="Compare the ratios of two runs of the benchmarks.")
    parser.add_argument("old", type=Path)
    parser.add_argument("new", type=Path)
    parser.add_argument("--noise", type=float, default=0.25, help="share by which a ratio may grow unmarked")
    parser.add_argument("--strict", action="store_true", help="exit code 1 where something is marked")
    args = parser.parse_args()
    try:
        old, new = read_ratios(args.old), read_ratios(args.new)
    except (OSError, ValueError) as error:
        sys.exit(f"cannot read the results: {error}; give JSON files of the benchmarks, or folders of them")
    lines, marked = compare(old, new, args.noise)
    print("\n".join(lines))
    if gone := sorted(old.keys() - new.keys()):
        sys.exit(f"not in {args.new} any more: {'; '.join(': '.join(key) for key in gone)}")
    sys.exit(1 if marked and args.strict else 0)


if __name__ == "__main__":
    main()
