"""What a report costs: to make, beside designing its ladders; to open, beside a page with its library alone.

    python benchmarks/report.py [FEATURES] [--copies N]

With --copies every title stands N times in the table, under other names, for the cost of a catalogue.
Each pair is timed in turns in one run, and the median of the ratios is told. Opening needs a Chromium (`chromium` on
PATH, or ABR_ALLOC_CHROMIUM).
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from results import write_results

EXAMPLE = Path(__file__).parents[1] / "examples" / "clip_features.parquet"
ROUNDS = 5
DRAWN = "#chart-fronts svg"


def seconds(*words: str | Path) -> float:
    """Wall clock of one command."""
    start = time.perf_counter()
    code = "from abr_alloc.cli import main; main()"
    subprocess.run([sys.executable, "-c", code, *map(str, words)], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start


def copy_titles(features: Path, copies: int, folder: Path) -> Path:
    """A table in which every title stands `copies` times."""
    import pandas as pd

    from abr_alloc.table.table import FeatureTable, read_features, write_features

    table = read_features(features)
    rows = pd.concat([table.frame.assign(title=table.frame["title"] + f" {i:03d}") for i in range(copies)])
    rows = rows.sort_values(["title", "scene", "kind"], kind="stable").reset_index(drop=True)
    write_features(FeatureTable(rows, table.metadata), folder / "copies.parquet")
    return folder / "copies.parquet"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("features", nargs="?", type=Path, default=EXAMPLE)
    parser.add_argument("--copies", type=int, default=1)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        page = Path(folder) / "report.html"
        features = copy_titles(given.features, given.copies, Path(folder)) if given.copies > 1 else given.features
        made = [
            (seconds("report", features, "-q", "-o", page), seconds("ladder", features, "--compare", "apple-hls-avc"))
            for _ in range(ROUNDS if given.copies == 1 else 1)
        ]
        ratio = statistics.median(report / ladder for report, ladder in made)
        spent = statistics.median(report for report, _ in made)
        print(f"make: {ratio:.2f} of `ladder --compare` on the same table; {spent:.1f} s")
        size = page.stat().st_size
        seconds("report", features, "-q", "--measured-only", "-o", Path(folder) / "measured.html")
        measured = (Path(folder) / "measured.html").stat().st_size
        print(f"size: {size / 1e6:.2f} MB; with --measured-only {measured / 1e6:.2f} MB")
        opened = opening(page, Path(folder))
        write_results(given.json, "report", {"make / ladder --compare": ratio, **opened}, {"make": spent})


def opening(page: Path, folder: Path) -> dict[str, float]:
    program = os.environ.get("ABR_ALLOC_CHROMIUM") or shutil.which("chromium")
    if program is None:
        print("open: not measured, no chromium on PATH")
        return {}
    from playwright.sync_api import sync_playwright

    bare = folder / "bare.html"
    text = page.read_text(encoding="utf-8")
    library = max(text.split("<script>")[1:], key=len).partition("</script>")[0]
    bare.write_text(f"<!doctype html><script>{library}</script><p id=done>", encoding="utf-8")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox", "--disable-gpu"])

        def open_seconds(path: Path, wait_for: str, fragment: str = "") -> float:
            tab = browser.new_page()
            start = time.perf_counter()
            tab.goto(path.as_uri() + fragment)
            tab.wait_for_selector(wait_for, state="attached")
            spent = time.perf_counter() - start
            tab.close()
            return spent

        opened = [(open_seconds(page, DRAWN, "#t0"), open_seconds(bare, "#done")) for _ in range(ROUNDS)]
        spent = statistics.median(report for report, _ in opened)
        ratio = statistics.median(report / empty for report, empty in opened)
        print(f"open: {ratio:.2f} of a page with the library alone; {spent:.2f} s until the last chart is drawn")
        tab = browser.new_page()
        tab.goto(page.as_uri() + "#t0")
        tab.wait_for_selector(DRAWN)
        moved = tab.evaluate(
            """async () => {
                const slider = document.getElementById("budget"), start = performance.now(), moves = 40;
                for (let i = 0; i < moves; i++) {
                    slider.value = 20 + i;
                    slider.dispatchEvent(new Event("input"));
                    await new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
                }
                return (performance.now() - start) / moves;
            }"""
        )
        print(f"slider: {moved:.0f} ms a stop, all charts and numbers")
        browser.close()
    return {"open / page with the library alone": ratio}


if __name__ == "__main__":
    main()
