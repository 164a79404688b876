"""Rows of results with the type of every column, as lists; a pandas frame where one is wanted."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["TypedRows"]

_FRAME_TYPES = {"int": "int64", "float": "float64"}


@dataclass(frozen=True, slots=True)
class TypedRows:
    """Rows, column by column."""

    types: Mapping[str, str]
    """Type of every column, `str`, `int`, `float` or `bool`, in order."""
    columns: Mapping[str, Sequence[Any]]
    """Its cells, (rows,); None where there is none."""

    @classmethod
    def of(cls, records: Iterable[Mapping[str, Any]], types: Mapping[str, str]) -> Self:
        """The columns of records that hold all of them."""
        records = list(records)
        return cls(types, {name: [record[name] for record in records] for name in types})

    @classmethod
    def joined(cls, parts: Sequence[Self]) -> Self:
        """The rows of one or more, which have the same columns, one after the other."""
        names = parts[0].types
        return cls(names, {name: list(itertools.chain(*(part.columns[name] for part in parts))) for name in names})

    def __len__(self) -> int:
        return len(next(iter(self.columns.values()), ()))

    def numbers(self, name: str) -> npt.NDArray[np.float64]:
        """A column of numbers, (rows,); NaN for none."""
        return np.array(self.columns[name], dtype=np.float64)

    def to_frame(self) -> pd.DataFrame:
        """The rows as a frame; every column has one type, whatever numbers it holds."""
        import pandas as pd

        frame = pd.DataFrame(dict(self.columns), columns=list(self.types))
        return frame.astype({name: _FRAME_TYPES[kind] for name, kind in self.types.items() if kind in _FRAME_TYPES})
