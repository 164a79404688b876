"""Results as notebooks show them."""

from __future__ import annotations

import html

import pandas as pd

__all__ = ["table_html"]


def table_html(frame: pd.DataFrame, caption: str, columns: dict[str, str]) -> str:
    """Some columns of a frame as an HTML table; text is escaped.

    Args:
        frame: rows.
        caption: what they are.
        columns: which, with the format of each number, like `.2f`; empty for text and counts.
    """
    shown = frame[[name for name in columns if name in frame]].copy()
    for name, form in columns.items():
        if form and name in shown:
            shown[name] = ["" if pd.isna(value) else format(value, form) for value in shown[name]]
    table: str = shown.to_html(index=False, border=0, na_rep="")
    return f"<p>{html.escape(caption)}</p>\n{table}"
