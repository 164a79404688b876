"""Write the columns of the feature table into docs/formats.md, as they are declared; `--check` fails when it is old."""

from __future__ import annotations

import math
import re
import sys
from pathlib import Path

from abr_alloc.table.schema import AUDIO_DIM, SCHEMA, Column

PAGE = Path(__file__).with_name("formats.md")
BLOCK = re.compile(r"(<!-- columns -->\n).*?(<!-- end -->)", flags=re.DOTALL)


def table() -> str:
    """A line per column."""
    lines = ["| column | type | video | audio | range | meaning |", "|---|---|---|---|---|---|"]
    for column in SCHEMA:
        filled = ["x" if kind in column.kinds else "" for kind in ("video", "audio")]
        kind = {"vector": f"fixed-size list of {AUDIO_DIM} float", "list": "list of float"}.get(
            column.type, column.type
        )
        since = f" (since version {column.since})" if column.since > 1 else ""
        optional = "optional: " if column.optional else ""
        cells = [f"`{column.name}`", kind, *filled, range_text(column), f"{optional}{column.meaning}{since}"]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def range_text(column: Column) -> str:
    """Least and largest number with the unit; the least alone where there is no largest."""
    low, high = column.range
    if low == -math.inf:
        return ""
    limits = f"from {low:g}" if high == math.inf else f"{low:g} to {high:g}"
    limits = limits.replace("e-0", "e-").replace("e+0", "e")
    return f"{limits} {column.unit}".rstrip()


def main() -> None:
    text = PAGE.read_text(encoding="utf-8")
    page = BLOCK.sub(lambda match: match[1] + table() + match[2], text)
    if "--check" in sys.argv[1:]:
        if page != text:
            sys.exit("docs/formats.md is out of date; run `make docs`")
    else:
        PAGE.write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main()
