"""One layout of text for a terminal, a pipe, a log and the docs: 80 columns, no colour, numbers never cut.

A table has no lines and no title column: rows stand below a heading. Columns are two spaces apart, or one where that
would be wider than 80; what does not fit even so is wider rather than cut.
"""

from __future__ import annotations

import io
import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

from rich.cells import cell_len
from rich.console import Console, RenderableType
from rich.table import Table

from abr_alloc.cli.printing import printable

__all__ = ["WIDTH", "new_table", "render_table", "short_title", "wrap"]

WIDTH = 80
"""Columns that a table and the text below it take, where their content allows it."""

_TITLE_WIDTH = 60


class _Table(Table):
    """Cells are text, whatever was put into them, and on one line."""

    def add_row(self, *cells: RenderableType | None, **settings: Any) -> None:
        safe = [printable(cell).replace("\t", "\\t") if isinstance(cell, str) else cell for cell in cells]
        super().add_row(*safe, **settings)


def new_table(*names: str, left: Sequence[str] = (), wrapped: Mapping[str, int] | None = None) -> Table:
    """An empty table; numbers to the right.

    Args:
        names: heads of the columns; a line break in a head is one.
        left: heads of columns of text.
        wrapped: heads of columns whose text may take more than one line, with their largest width.
    """
    table = _Table(box=None, pad_edge=False, padding=(0, 1, 0, 0))
    num_lines = max(name.count("\n") for name in names)
    for name in names:
        most = (wrapped or {}).get(name)
        table.add_column(
            "\n" * (num_lines - name.count("\n")) + name,  # heads end on one line
            justify="left" if name in left else "right",
            no_wrap=most is None,
            max_width=most,
        )
    return table


def render_table(table: Table, headings: Mapping[int, str] | None = None) -> str:
    """A table as text, with heading lines before the rows that they belong to (their index in the table)."""
    widths = [_natural_width(table, i) for i in range(len(table.columns))]
    num_gaps = len(widths) - 1
    spare = WIDTH - sum(widths) - num_gaps
    if spare >= num_gaps:
        table.padding = (0, 2, 0, 0)
    else:  # second spaces go to the right end first, where numbers stand side by side
        right = [pair for pair in zip(table.columns[1:], widths[1:], strict=True) if pair[0].justify == "right"]
        for column, width in right[::-1][: max(0, spare)]:
            column.min_width = width + 1
    console = Console(file=io.StringIO(), width=1000, color_system=None, highlight=False, emoji=False, markup=False)
    with console.capture() as capture:
        console.print(table)
    lines = [line.rstrip() for line in capture.get().splitlines()]
    first = len(lines) - table.row_count
    for row, heading in sorted((headings or {}).items(), reverse=True):
        lines.insert(first + row, heading)
    return "\n".join(lines)


def _natural_width(table: Table, index: int) -> int:
    column = table.columns[index]
    texts = [str(column.header), *map(str, column.cells)]
    width = max(cell_len(line) for text in texts for line in text.splitlines() or [""])
    return width if column.max_width is None else min(width, column.max_width)


def wrap(text: str, indent: str = "  ") -> str:
    """Text in lines of at most 80 columns; the second line on is indented.

    A number keeps its percent sign, and what a no-break space ties stays together, with a plain one.
    """
    tied = text.replace(" %", "\N{NO-BREAK SPACE}%")
    lines = textwrap.wrap(tied, WIDTH, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)
    return "\n".join(lines).replace("\N{NO-BREAK SPACE}", " ")


def short_title(title: str, width: int = _TITLE_WIDTH) -> str:
    """A title on one line, cut where it is too long for that; what a terminal would obey is escaped."""
    title = printable(title).replace("\n", "\\n").replace("\t", "\\t")
    return title if len(title) <= width else title[: width - 1] + "…"
