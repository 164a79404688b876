"""Draw the pictures of the README and the pages: `make pictures`.

Those of `abr-alloc` come from the commands below. The picture of the report is taken by a headless Chromium
(`chromium` on PATH, or ABR_ALLOC_CHROMIUM) and is left as it is where there is none.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
IMAGES = Path("docs/images")
EXAMPLE = "examples/clip_features.parquet"
BATTLE, DOCUMENTARY = "tos-battle-action-332p", "documentary-nasa-jwst-270p"

FIGURES = {
    "relevance.png": ["figure", "relevance", EXAMPLE, "--budget", "300k"],
    "surface.png": [
        *[
            "figure",
            "surface",
            EXAMPLE,
            "--budget",
            "300k",
        ],
        *["--title", DOCUMENTARY, "--title", BATTLE],
    ],
    "ladder.png": ["figure", "ladder", EXAMPLE, "--title", BATTLE],
    "split.png": ["figure", "split", EXAMPLE, "--title", BATTLE],
}
"""Picture -> the words of its command, but for -o."""

REPORT = "report.png"


def run(words: list[str]) -> None:
    subprocess.run([sys.executable, "-c", "from abr_alloc.cli import main; main()", *words], check=True, cwd=ROOT)


def take_report() -> None:
    """The report of one title at 1280 x 1010 pixels."""
    program = os.environ.get("ABR_ALLOC_CHROMIUM") or shutil.which("chromium")
    if program is None:
        sys.stderr.write(f"{REPORT} is left as it is: no chromium on PATH\n")
        return
    from playwright.sync_api import sync_playwright

    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        page_file = Path(folder) / "report.html"
        run(["report", EXAMPLE, "--budget", "300k", "--title", BATTLE, "-o", str(page_file)])
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page(viewport={"width": 1280, "height": 1010}, color_scheme="light")
        page.goto(page_file.as_uri())
        page.wait_for_selector("#chart-fronts svg")
        page.screenshot(path=ROOT / IMAGES / REPORT)
        browser.close()


def main() -> None:
    for name, words in FIGURES.items():
        run([*words, "-o", str(IMAGES / name)])
    take_report()


if __name__ == "__main__":
    main()
