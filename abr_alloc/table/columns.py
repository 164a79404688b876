"""Rows of a feature table as one NumPy array per column: what is checked, chosen from and planned, without pandas.

Text is a number per row and the words that the numbers stand for, in alphabetical order, so that rows are compared and
sorted as numbers. Numbers are doubles, NaN where a row holds none: every whole number of a table is one exactly.

Axes: n rows.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Column", "Columns", "Lists", "Words", "join_columns"]

Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]
Rows = npt.NDArray[np.bool_] | npt.NDArray[np.intp] | slice


@dataclass(frozen=True, slots=True, eq=False)
class Words:
    """A column of text."""

    codes: npt.NDArray[np.intp]
    """Which of the words every row holds, (n,); -1 for none."""
    words: tuple[str, ...]
    """The words, each once, in alphabetical order; some may be held by no row."""

    @classmethod
    def of(cls, codes: npt.NDArray[np.intp], words: Sequence[str]) -> Words:
        """A column of words in any order, perhaps some twice; -1 for none."""
        ordered = sorted(set(words))
        if ordered == list(words):
            return cls(codes, tuple(ordered))
        place = {word: i for i, word in enumerate(ordered)}
        places = np.array([*(place[word] for word in words), -1], dtype=np.intp)  # the last for -1
        return cls(places[codes], tuple(ordered))

    @classmethod
    def of_values(cls, values: Sequence[object]) -> Words:
        """A column of text and of what stands for none."""
        place: dict[str, int] = {}
        codes = [place.setdefault(v, len(place)) if isinstance(v, str) else -1 for v in map(_text, values)]
        return cls.of(np.array(codes, dtype=np.intp), list(place))

    def isin(self, words: Collection[str]) -> Mask:
        """Which rows hold one of some words, (n,)."""
        return np.array([*(word in words for word in self.words), False], dtype=bool)[self.codes]

    def values(self) -> npt.NDArray[np.object_]:
        """The words row by row, (n,); None for none."""
        return np.array([*self.words, None], dtype=object)[self.codes]

    def present(self) -> list[str]:
        """The words that some row holds."""
        held = np.unique(self.codes)
        return [self.words[code] for code in held.tolist() if code >= 0]


@dataclass(frozen=True, slots=True, eq=False)
class Lists:
    """A column of lists of numbers."""

    numbers: npt.NDArray[np.floating]
    """The numbers of all lists, and perhaps of rows that were left out."""
    starts: npt.NDArray[np.intp]
    """First number of every row's list, (n,)."""
    lengths: npt.NDArray[np.intp]
    """How many it has, (n,); -1 where a row has no list."""

    @classmethod
    def of_lengths(cls, numbers: npt.NDArray[np.floating], lengths: npt.NDArray[np.intp]) -> Lists:
        """Lists that stand one after the other."""
        held = np.maximum(lengths, 0)
        return cls(numbers, np.cumsum(held) - held, lengths)

    @classmethod
    def of_values(cls, values: Sequence[Any]) -> Lists:
        """Lists, and what stands for none."""
        lists = [np.asarray(value) if np.ndim(value) == 1 else None for value in values]
        lengths = np.array([-1 if found is None else len(found) for found in lists], dtype=np.intp)
        held = [found.astype(np.float64, copy=False) for found in lists if found is not None]
        return cls.of_lengths(np.concatenate(held) if held else np.empty(0), lengths)

    def of_row(self, row: int) -> npt.NDArray[np.floating] | None:
        """The list of one row."""
        start, length = int(self.starts[row]), int(self.lengths[row])
        return None if length < 0 else self.numbers[start : start + length]

    def values(self) -> npt.NDArray[np.object_]:
        """The lists row by row, (n,); None for none."""
        found = np.empty(len(self.starts), dtype=object)
        for row in range(len(found)):
            found[row] = self.of_row(row)
        return found

    def stacked(self, length: int) -> npt.NDArray[np.float32]:
        """Lists of one length, (n, length)."""
        n = len(self.starts)
        first = int(self.starts[0]) if n else 0
        if np.array_equal(self.starts, first + length * np.arange(n)):
            rows = self.numbers[first : first + n * length].reshape(n, length)
        else:
            rows = self.numbers[self.starts[:, None] + np.arange(length)]
        return rows.astype(np.float32, copy=False)


Column = Words | Lists | Floats


class Columns:
    """Rows of a feature table, or some of its columns."""

    def __init__(self, arrays: dict[str, Column]) -> None:
        """Take columns of one length, by name, in order."""
        self._arrays = arrays

    def __len__(self) -> int:
        first = next(iter(self._arrays.values()), np.empty(0))
        return len(first.codes if isinstance(first, Words) else first.starts if isinstance(first, Lists) else first)

    def __contains__(self, name: object) -> bool:
        return name in self._arrays

    def __iter__(self) -> Iterator[str]:
        return iter(self._arrays)

    def __getitem__(self, name: str) -> Column:
        return self._arrays[name]

    def words(self, name: str) -> Words:
        """A column of text."""
        found = self._arrays[name]
        assert isinstance(found, Words), name
        return found

    def lists(self, name: str) -> Lists:
        """A column of lists."""
        found = self._arrays[name]
        assert isinstance(found, Lists), name
        return found

    def numbers(self, name: str) -> Floats:
        """A column of numbers, (n,), NaN for none."""
        found = self._arrays[name]
        assert isinstance(found, np.ndarray), name
        return found

    def whole(self, name: str) -> npt.NDArray[np.int64]:
        """A column of whole numbers that every row fills, (n,)."""
        return self.numbers(name).astype(np.int64)

    def is_kind(self, kind: str) -> Mask:
        """Which rows are of a kind, `video` or `audio`, (n,)."""
        return self.words("kind").isin([kind])

    def of_kind(self, kind: str) -> Columns:
        """The rows of a kind."""
        return self.take(self.is_kind(kind))

    def is_first(self, names: Sequence[str]) -> Mask:
        """Which rows are the first with what they hold in some columns of text and numbers, (n,)."""
        found = np.zeros(len(self), dtype=bool)
        found[np.unique(self._key(names), return_index=True)[1]] = True
        return found

    def _key(self, names: Sequence[str]) -> npt.NDArray[np.int64]:
        """A number per row, equal where some columns are, (n,)."""
        key = np.zeros(len(self), dtype=np.int64)
        for name in names:
            column = self._arrays[name]
            if isinstance(column, Words):
                codes = column.codes + 1
            else:
                codes = np.unique(self.numbers(name), return_inverse=True)[1]
            size = int(codes.max(initial=0)) + 1
            if key.max(initial=0) >= np.iinfo(np.int64).max // size:  # many columns of many values: begin at 0 again
                key = np.unique(key, return_inverse=True)[1]
            key = key * size + codes
        return key

    def scene_starts(self) -> npt.NDArray[np.intp]:
        """The first row of every run of one title and scene, (scenes,)."""
        if not len(self):
            return np.empty(0, dtype=np.intp)
        title, scene = self.words("title").codes, self.numbers("scene")
        return np.flatnonzero(np.concatenate([[True], (title[1:] != title[:-1]) | (scene[1:] != scene[:-1])]))

    def take(self, rows: Rows) -> Columns:
        """Some rows: a mask (n,), places, or a stretch."""
        found: dict[str, Column] = {}
        for name, column in self._arrays.items():
            if isinstance(column, Words):
                found[name] = Words(column.codes[rows], column.words)
            elif isinstance(column, Lists):
                found[name] = Lists(column.numbers, column.starts[rows], column.lengths[rows])
            else:
                found[name] = column[rows]
        return Columns(found)

    def assign(self, **columns: Column) -> Columns:
        """The rows with columns more, or others in their places."""
        return Columns(self._arrays | columns)

    def sorted(self) -> Columns:
        """The rows by title, scene and kind; rows alike in these keep their order."""
        keys = [_rank(self._arrays[name]) for name in ("kind", "scene", "title")]
        order = np.lexsort(keys)
        return self if (order == np.arange(len(order))).all() else self.take(order)

    @classmethod
    def of_frame(cls, frame: pd.DataFrame, types: dict[str, str]) -> Columns:
        """Columns of a frame.

        Args:
            frame: the rows.
            types: type of every column that is taken, by name (`schema.Column.type`).
        """
        found: dict[str, Column] = {}
        for name, kind in types.items():
            if kind in ("int32", "double"):
                found[name] = frame[name].to_numpy(dtype=np.float64, na_value=np.nan)
            else:
                found[name] = (Words if kind == "string" else Lists).of_values(frame[name].to_list())
        return cls(found)

    def to_frame(self, types: dict[str, str]) -> pd.DataFrame:
        """The rows as pandas has them: nullable integers, text and lists as objects.

        Args:
            types: type of every column, by name (`schema.Column.type`).
        """
        import pandas as pd

        found: dict[str, Any] = {}
        text = pd.Series(["text"]).dtype  # object before pandas 3
        for name, column in self._arrays.items():
            if isinstance(column, Words | Lists):
                found[name] = pd.Series(column.values(), dtype=text if isinstance(column, Words) else object)
            elif types.get(name) == "int32":
                missing = np.isnan(column)
                whole = np.where(missing, 0.0, column).astype(np.int32)
                found[name] = pd.Series(pd.arrays.IntegerArray(whole, missing))
            else:
                found[name] = column
        return pd.DataFrame(found)


def join_columns(parts: Sequence[Columns], names: Sequence[str]) -> Columns:
    """Rows of several tables below each other.

    Args:
        parts: the rows of each.
        names: columns to keep; a part that lacks one holds none there.
    """
    found: dict[str, Column] = {}
    for name in names:
        first = next(part[name] for part in parts if name in part)
        if isinstance(first, Words):
            words: list[str] = []
            codes = []
            for part in parts:
                own = part.words(name) if name in part else Words(np.full(len(part), -1, dtype=np.intp), ())
                codes.append(np.where(own.codes < 0, -1, own.codes + len(words)))
                words += own.words
            found[name] = Words.of(np.concatenate(codes), words)
        elif isinstance(first, Lists):
            lists = [part.lists(name) if name in part else _no_lists(len(part)) for part in parts]
            before = np.cumsum([0, *(len(own.numbers) for own in lists[:-1])])
            found[name] = Lists(
                np.concatenate([own.numbers for own in lists]),
                np.concatenate([own.starts + start for own, start in zip(lists, before.tolist(), strict=True)]),
                np.concatenate([own.lengths for own in lists]),
            )
        else:
            found[name] = np.concatenate(
                [part.numbers(name) if name in part else np.full(len(part), np.nan) for part in parts]
            )
    return Columns(found)


def _no_lists(n: int) -> Lists:
    return Lists(np.empty(0, dtype=np.float32), np.zeros(n, dtype=np.intp), np.full(n, -1, dtype=np.intp))


def _rank(column: Column) -> npt.NDArray[Any]:
    """What a column is sorted by, (n,): nothing comes last."""
    if isinstance(column, Words):
        return np.where(column.codes < 0, len(column.words), column.codes)
    assert isinstance(column, np.ndarray)
    return column


def _text(value: object) -> object:
    """Text as it is; other things that are none as text, as they would be shown."""
    if isinstance(value, str) or value is None:
        return value
    return None if type(value).__name__ in ("NAType", "NaTType") or value != value else str(value)
