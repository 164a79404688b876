"""Run what the pages show and write what comes out into them; `--check` fails when a page is out of date.

A shown output is a ```text block after a command or after Python, in one of these forms:

    `abr-alloc plan examples/clip_features.parquet --budget 300k`:
    `abr-alloc plan examples/clip_features.parquet --budget 120k` (exit code 3):
    ```python ... ``` and then the word "prints"

Everything runs in the repository's root, as a pipe sees it: stdout, then stderr.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
_COMMAND = r"`abr-alloc (?P<words>[^`]+)`(?: \(exit code (?P<code>\d)\))?:\n\n"
_PYTHON = r"^```python\n(?P<python>[^`]*)^```\n\nprints\n\n"
_SHOWN = re.compile(rf"(?P<head>{_COMMAND}|{_PYTHON})```text\n(?P<output>.*?)```", flags=re.DOTALL | re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """An output that a page shows."""

    words: tuple[str, ...]
    """What follows `abr-alloc`; empty for Python."""
    python: str
    """The Python code; empty for a command."""
    code: int
    """The exit code that the page states, 0 where it states none."""
    output: str
    """What the page says comes out."""

    def run(self) -> str:
        """What does come out.

        Raises:
            SystemExit: it ends with another exit code than the page says.
        """
        code = self.python or "from abr_alloc.cli.main import main; main()"
        # A narrow or a wide terminal must not change what the pages show.
        surroundings = {key: value for key, value in os.environ.items() if key not in ("COLUMNS", "FORCE_COLOR")}
        surroundings["PYTHONPATH"] = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
        ended = subprocess.run(
            [sys.executable, "-c", code, *self.words],
            cwd=ROOT, env=surroundings, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
        )  # fmt: skip
        if ended.returncode != self.code:
            what = shlex.join(("abr-alloc", *self.words)) if self.words else self.python
            sys.exit(f"{what}\nexit code {ended.returncode}, the page says {self.code}\n{ended.stderr}")
        return ended.stdout + ended.stderr


def _parse(found: re.Match[str]) -> Shown:
    return Shown(
        words=tuple((found["words"] or "").split()),
        python=found["python"] or "",
        code=int(found["code"] or 0),
        output=found["output"],
    )


def shown_outputs(text: str) -> Iterator[Shown]:
    """Every output that a page shows."""
    return map(_parse, _SHOWN.finditer(text))


def refreshed(text: str) -> str:
    """A page with what comes out now."""
    return _SHOWN.sub(lambda found: found["head"] + "```text\n" + _parse(found).run() + "```", text)


def main() -> None:
    old = []
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        new = refreshed(text)
        if new != text:
            old.append(str(page.relative_to(ROOT)))
            if "--check" not in sys.argv[1:]:
                page.write_text(new, encoding="utf-8")
    if old and "--check" in sys.argv[1:]:
        sys.exit(f"shown outputs are out of date in {', '.join(old)}; run `make docs`")


if __name__ == "__main__":
    main()
