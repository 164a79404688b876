"""Rows as CSV, which people open in spreadsheets: text from outside must not become a formula there."""

from __future__ import annotations

import pandas as pd

__all__ = ["csv_text"]

_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


def csv_text(rows: pd.DataFrame, *, header: bool = True) -> str:
    """Rows as CSV, six digits each; text that a spreadsheet would take for a formula begins with an apostrophe.

    The rule is OWASP's ("CSV Injection"): such text begins with `=`, `+`, `-`, `@`, a tab or a carriage return.
    Numbers stay numbers. Parquet and JSON are exact.
    """
    safe = rows.rename(columns=_no_formula)
    for name in safe.columns[[kind.kind not in "biufc" for kind in safe.dtypes]]:
        safe[name] = safe[name].map(_no_formula)
    return str(safe.to_csv(index=False, header=header, float_format="%.6g", lineterminator="\n"))


def _no_formula(value: object) -> object:
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA_STARTS) else value
