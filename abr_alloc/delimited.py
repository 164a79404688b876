"""CSV that somebody wrote by hand or saved from a spreadsheet, as cells.

With commas, or with semicolons as spreadsheets write it where a comma stands in numbers.
"""

from __future__ import annotations

import csv
from pathlib import Path

from abr_alloc.location import require_no_pipe

__all__ = ["read_cells"]

_MOST_ROWS = 100_000


def read_cells(path: Path) -> list[tuple[int, list[str]]]:
    """Rows that hold something, each with its line and its cells without spaces around them.

    Raises:
        OSError: it cannot be read, or is a named pipe.
        ValueError: it is no CSV in UTF-8, or has more than 100,000 rows.
    """
    require_no_pipe(path)
    found: list[tuple[int, list[str]]] = []
    with path.open(newline="", encoding="utf-8-sig") as file:
        head = file.readline(10_000)
        file.seek(0)
        reader = csv.reader(file, delimiter=";" if ";" in head and "," not in head else ",")
        try:
            for row in reader:
                cells = [cell.strip() for cell in row]
                if any("\0" in cell for cell in cells):
                    raise ValueError(f"line {reader.line_num} holds a NUL character")
                if any(cells):
                    found.append((reader.line_num, cells))
                if len(found) > _MOST_ROWS + 1:
                    raise ValueError(f"it has more than {_MOST_ROWS} rows")
        except csv.Error as error:
            raise ValueError(str(error)) from error
    return found
