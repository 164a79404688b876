"""Rows of a feature table as plain arrays: what planning a catalogue reads.

A frame holds every string and every audio vector as a Python object of its own; a catalogue has millions. Here strings
are numbers into a list of words, and all audio vectors are one matrix. The law stays in `schema.check_frame`: arrays
that are `plausible` break none of it, and those that are not are put before it as a frame.

Axes: n rows, of which n_v are video and n_a audio; S scenes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from abr_alloc.table.schema import (
    AUDIO_DIM,
    AUDIO_FEATURES,
    CODECS,
    NUMBERS,
    OPTIONAL,
    columns_of,
    range_of,
    require_columns,
)

__all__ = ["RowColumns", "Words", "plausible"]

_KINDS = ("audio", "video")


@dataclass(frozen=True, slots=True)
class Words:
    """A column of strings."""

    code: npt.NDArray[np.int32]
    """Place of every row's word in `words`, (n,); -1 where there is none."""
    words: npt.NDArray[np.object_]
    """The words, in alphabetical order, each once."""

    @classmethod
    def of(cls, column: pa.ChunkedArray) -> Self:
        encoded = column.combine_chunks().dictionary_encode()
        if isinstance(encoded, pa.ChunkedArray):
            encoded = encoded.unify_dictionaries().combine_chunks()
        found = np.array(encoded.dictionary.to_pylist(), dtype=object)
        words, place = np.unique(found.astype(str), return_inverse=True) if len(found) else (found, found.astype(int))
        code = encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False)
        if not len(words):
            return cls(np.full(len(code), -1, dtype=np.int32), words)
        return cls(np.where(code < 0, -1, place[code]).astype(np.int32), words.astype(object))

    def take(self, rows: npt.NDArray[np.integer]) -> npt.NDArray[np.object_]:
        """The words of some rows."""
        return np.asarray(self.words[self.code[rows]], dtype=object)


@dataclass(frozen=True, slots=True, kw_only=True)
class RowColumns:
    """Rows sorted by title, scene and kind."""

    title: Words
    """Title of every row."""
    codec: Words
    """Codec of every row."""
    target: Words
    """Target of every row."""
    is_video: npt.NDArray[np.bool_]
    """Whether a row is video, else audio, (n,)."""
    known_kinds: bool
    """Whether every row's kind is one of the two."""
    numbers: dict[str, npt.NDArray[np.float64]]
    """The other columns by name, (n,); NaN where there is nothing."""
    audio_features: npt.NDArray[np.float32]
    """Audio vectors of the audio rows, (n_a, 512), in their order; of another length where some are missing."""

    @classmethod
    def of(cls, table: pa.Table) -> Self:
        """Columns of rows in any order."""
        title, kind = Words.of(table["title"]), Words.of(table["kind"])
        scene = _number(table["scene"])
        kind_rank = np.array([_KINDS.index(word) if word in _KINDS else 2 for word in kind.words] or [2])[kind.code]
        order = np.lexsort((kind.code, scene, title.code))
        audio, has_vector = _vectors(table["audio_features"])
        is_sorted = bool((order[1:] > order[:-1]).all())
        if not is_sorted and len(audio) == has_vector.sum():
            audio, has_vector = audio[(np.cumsum(has_vector) - 1)[order[has_vector[order]]]], has_vector[order]

        def put(values: npt.NDArray) -> npt.NDArray:  # type: ignore[type-arg]
            return values if is_sorted else values[order]

        codec, target = Words.of(table["codec"]), Words.of(table["target"])
        is_video = put(kind_rank) == 1
        return cls(
            title=Words(put(title.code), title.words),
            codec=Words(put(codec.code), codec.words),
            target=Words(put(target.code), target.words),
            is_video=is_video,
            known_kinds=bool((kind_rank < 2).all() and (has_vector != is_video).all()),
            numbers={
                name: put(_number(table[name]))
                for name in NUMBERS
                if name not in OPTIONAL or name in table.column_names
            },
            audio_features=audio,
        )

    def __len__(self) -> int:
        return len(self.is_video)

    def scene_starts(self) -> npt.NDArray[np.intp]:
        """First row of every scene, (S,)."""
        title, scene = self.title.code, self.numbers["scene"]
        new = np.ones(len(self), dtype=bool)
        new[1:] = (title[1:] != title[:-1]) | (scene[1:] != scene[:-1])
        return np.flatnonzero(new)

    def matrix(self, kind: str, names: Sequence[str]) -> npt.NDArray[np.float32]:
        """Columns of the rows of a kind by name, (n_v or n_a, len(names)); audio vectors are `AUDIO_FEATURES`.

        Raises:
            FeatureTableError: the table does not have one of them.
        """
        if tuple(names) == AUDIO_FEATURES:
            return self.audio_features
        places = {name: i for i, name in enumerate(AUDIO_FEATURES)}
        require_columns([name for name in names if name not in places], self.numbers)
        rows = self.is_video if kind == "video" else ~self.is_video
        columns = [self.audio_features[:, places[n]] if n in places else self.numbers[n][rows] for n in names]
        if not columns:
            return np.empty((int(rows.sum()), 0), dtype=np.float32)
        return np.column_stack(columns).astype(np.float32)


def _vectors(column: pa.ChunkedArray) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.bool_]]:
    """The audio vectors, (n_a, 512), and which rows have one, (n,). Arrow keeps room for the other rows too."""
    found, valid = [], column.is_valid().to_numpy()
    for part in column.chunks:
        has_vector = part.is_valid().to_numpy(zero_copy_only=False)
        numbers = part.values.slice(part.offset * AUDIO_DIM, len(part) * AUDIO_DIM)
        if numbers.null_count and part.drop_null().flatten().null_count:
            return np.full((1, AUDIO_DIM), np.nan, dtype=np.float32), valid  # refused, row by row, elsewhere
        buffer = np.frombuffer(numbers.buffers()[1], dtype=np.float32, count=len(numbers), offset=4 * numbers.offset)
        found.append(buffer.reshape(-1, AUDIO_DIM)[has_vector])
    return np.concatenate(found), valid


def _number(column: pa.ChunkedArray) -> npt.NDArray[np.float64]:
    values = pc.cast(column, pa.float64()).combine_chunks()
    return np.asarray(values.to_numpy(zero_copy_only=False), dtype=np.float64)


def plausible(rows: RowColumns) -> bool:
    """Whether rows keep the whole schema, as far as arrays can tell: False where `check_frame` must look."""
    if not len(rows) or not rows.known_kinds:
        return False
    for column in (rows.title, rows.codec, rows.target):
        if (column.code < 0).any() or any(not word or "\0" in word for word in column.words):
            return False
    video, numbers = rows.is_video, rows.numbers
    for kind, mask in (("video", video), ("audio", ~video)):
        if not np.isin(rows.codec.words[np.unique(rows.codec.code[mask])], CODECS[kind]).all():
            return False
    filled = {kind: columns_of(kind) for kind in _KINDS}
    for name, values in numbers.items():
        low, high = range_of(name)
        inside = (values >= low) & (values <= high) & np.isfinite(values)
        for kind, mask in (("video", video), ("audio", ~video)):
            if not (inside[mask].all() if name in filled[kind] else np.isnan(values[mask]).all()):
                return False
    if (numbers["end_s"] <= numbers["start_s"]).any():
        return False
    if len(rows.audio_features) != int((~video).sum()) or not np.isfinite(rows.audio_features).all():
        return False
    starts = rows.scene_starts()
    first = np.repeat(starts, np.diff(np.append(starts, len(rows))))
    if any((numbers[name] != numbers[name][first]).any() for name in ("start_s", "end_s")):
        return False
    return not _repeats(rows)


def _repeats(rows: RowColumns) -> bool:
    """Whether some row seems to have the key (`schema.KEY`) of another: by a hash, so never False where one has."""
    new = np.ones(len(rows), dtype=bool)
    new[1:] = (np.diff(rows.title.code) != 0) | (np.diff(rows.numbers["scene"]) != 0) | np.diff(rows.is_video)
    key = np.cumsum(new).astype(np.uint64)
    size = np.nan_to_num(rows.numbers["width_px"]) * 65537.0 + np.nan_to_num(rows.numbers["height_px"])
    for part in (rows.codec.code, rows.target.code, size):
        key = key * np.uint64(0x9E3779B97F4A7C15) + part.astype(np.uint64)
    key.sort()
    return bool((key[1:] == key[:-1]).any())
