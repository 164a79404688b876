"""What a benchmark found, as JSON: ratios to be compared (compare.py), seconds and other figures for reading."""

from __future__ import annotations

import datetime
import json
import os
import platform
import sys
from collections.abc import Mapping
from pathlib import Path


def write_results(
    path: Path | None,
    name: str,
    ratios: Mapping[str, float],
    seconds: Mapping[str, float] | None = None,
    figures: Mapping[str, float] | None = None,
) -> None:
    """Write one benchmark's results, with the machine, the command and the date; nothing without a path.

    Args:
        path: the file.
        name: the benchmark.
        ratios: both sides measured in this run; smaller is better but where the name says "faster" or "speed-up".
        seconds: what the ratios are made of.
        figures: anything else, by a name that says its unit.
    """
    if path is None:
        return
    found = {
        "name": name,
        "ratios": {key: float(f"{value:.4g}") for key, value in ratios.items()},
        "seconds": {key: float(f"{value:.4g}") for key, value in (seconds or {}).items()},
        "figures": {key: float(f"{value:.6g}") for key, value in (figures or {}).items()},
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}",
        "command": " ".join([Path(sys.argv[0]).name, *sys.argv[1:]]),
        "date": datetime.date.today().isoformat(),
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
