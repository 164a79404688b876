"""Results as a prompt of Python and a notebook show them."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["TableView"]


class TableView:
    """A result that shows itself as a table, not as its fields."""

    __slots__ = ()

    def _view(self) -> tuple[pd.DataFrame, str, dict[str, str]]:
        """Rows; what they are; and which columns, with the format of each number (empty for text and counts)."""
        raise NotImplementedError

    def __repr__(self) -> str:
        frame, caption, columns = self._view()
        return f"{caption}\n{_shown(frame, columns).to_string(index=False, max_rows=60)}"

    def _repr_html_(self) -> str:
        frame, caption, columns = self._view()
        table: str = _shown(frame, columns).to_html(index=False, border=0, na_rep="")  # text is escaped
        return f"<p>{html.escape(caption)}</p>\n{table}"


def _shown(frame: pd.DataFrame, columns: dict[str, str]) -> pd.DataFrame:
    import pandas as pd

    shown = frame[[name for name in columns if name in frame]].copy()
    for name, form in columns.items():
        if form and name in shown:
            shown[name] = ["" if pd.isna(value) else format(value, form) for value in shown[name]]
    return shown
