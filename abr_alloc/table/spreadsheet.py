"""Rows as CSV, which people open in spreadsheets: text from outside must not become a formula there."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from typing import TYPE_CHECKING

from abr_alloc.table.typed_rows import TypedRows

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["csv_text"]

_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


def csv_text(rows: TypedRows | pd.DataFrame, *, header: bool = True) -> str:
    """Rows as CSV, six digits each; text that a spreadsheet would take for a formula begins with an apostrophe.

    The rule is OWASP's ("CSV Injection"): such text begins with `=`, `+`, `-`, `@`, a tab or a carriage return.
    Numbers stay numbers. Parquet and JSON are exact.
    """
    if isinstance(rows, TypedRows):
        return _text_of(rows, header=header)
    safe = rows.rename(columns=_no_formula)
    for name in safe.columns[[kind.kind not in "biufc" for kind in safe.dtypes]]:
        safe[name] = safe[name].map(_no_formula)
    return str(safe.to_csv(index=False, header=header, float_format="%.6g", lineterminator="\n"))


def _text_of(rows: TypedRows, *, header: bool) -> str:
    """The same without pandas, whose CSV this is to the byte."""
    columns = [_cells(rows.columns[name], kind) for name, kind in rows.types.items()]
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    if header:
        writer.writerow([_no_formula(name) for name in rows.types])
    writer.writerows(zip(*columns, strict=True))
    return out.getvalue()


def _cells(values: Sequence[object], kind: str) -> Sequence[object]:
    if kind == "float":
        return ["" if value is None or value != value else f"{value:.6g}" for value in values]
    return [_no_formula(value) for value in values] if kind == "str" else values


def _no_formula(value: object) -> object:
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA_STARTS) else value
