"""Between Arrow's columns, as Parquet files hold them, and NumPy or lists, by way of their buffers.

Arrow's own ways, `Array.to_numpy` and `pyarrow.array`, import pandas, which takes longer than a plan.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from abr_alloc.table.columns import Column, Columns, Lists, Words

__all__ = ["arrow_of_cells", "columns_of_arrow"]

_FEW_ROWS = 4096
"""Up to here text is told apart, and lists are left where nothing is, in less time than it takes to import Arrow's
functions."""


def columns_of_arrow(table: pa.Table) -> Columns:
    """Columns of text, numbers and lists of numbers, in their order."""
    return Columns({name: _column(table.column(name)) for name in table.column_names})


def arrow_of_cells(cells: Sequence[Any], kind: pa.DataType) -> pa.Array:
    """Cells of text, doubles, whole numbers of 64 bits or truths as an array; nothing for None and NaN."""
    missing = np.array([cell is None or cell != cell for cell in cells], dtype=bool)
    some = bool(missing.any())
    validity = pa.py_buffer(np.packbits(~missing, bitorder="little")) if some else None
    buffers = [validity]
    if pa.types.is_string(kind):
        texts = [b"" if bad else cell.encode() for cell, bad in zip(cells, missing.tolist(), strict=True)]
        ends = np.cumsum([0, *map(len, texts)], dtype=np.int32)
        buffers += [pa.py_buffer(ends), pa.py_buffer(b"".join(texts))]
    else:
        values = [0 if bad else cell for cell, bad in zip(cells, missing.tolist(), strict=True)] if some else cells
        numbers = np.array(values, dtype=kind.to_pandas_dtype())
        buffers.append(pa.py_buffer(np.packbits(numbers, bitorder="little") if pa.types.is_boolean(kind) else numbers))
    return pa.Array.from_buffers(kind, len(cells), buffers, null_count=int(missing.sum()))


def _column(chunked: pa.ChunkedArray) -> Column:
    array = chunked.chunk(0) if chunked.num_chunks == 1 else chunked.combine_chunks()
    if pa.types.is_string(array.type):
        if len(array) <= _FEW_ROWS:
            return Words.of_values(array.to_pylist())
        array = array.dictionary_encode()
    if pa.types.is_dictionary(array.type):
        codes = np.where(_is_valid(array), _numbers(array.indices), -1).astype(np.intp)
        return Words.of(codes, array.dictionary.to_pylist())
    if pa.types.is_fixed_size_list(array.type):
        size = array.type.list_size
        lengths = np.where(_is_valid(array), size, -1)
        if len(array) <= _FEW_ROWS:
            return Lists(_filled(array.values), size * (array.offset + np.arange(len(array))), lengths)
        return Lists.of_lengths(_filled(array.flatten()), lengths)
    if pa.types.is_list(array.type):
        offsets = _numbers(array.offsets).astype(np.intp)
        lengths = np.where(_is_valid(array), np.diff(offsets), -1)
        if len(array) <= _FEW_ROWS:
            return Lists(_filled(array.values), offsets[:-1], lengths)
        return Lists.of_lengths(_filled(array.flatten()), lengths)
    return _filled(array).astype(np.float64, copy=False)


def _filled(array: pa.Array) -> npt.NDArray[np.floating]:
    """Numbers, NaN for none."""
    numbers, valid = _numbers(array), _is_valid(array)
    if valid.all():
        return np.asarray(numbers)
    return np.asarray(np.where(valid, numbers, np.nan), dtype=np.result_type(numbers, np.float32))


def _numbers(array: pa.Array) -> npt.NDArray[np.number]:
    """Numbers as the array's buffer has them, anything where it holds none: Arrow's own way to NumPy imports pandas."""
    dtype = np.dtype(array.type.to_pandas_dtype())
    data = array.buffers()[1]
    if data is None or not len(array):
        return np.zeros(len(array), dtype)
    return np.frombuffer(data, dtype, count=len(array), offset=array.offset * dtype.itemsize)


def _is_valid(array: pa.Array) -> npt.NDArray[np.bool_]:
    """Which rows hold something, (n,): by the bitmap, least bit first."""
    bitmap = array.buffers()[0]
    if bitmap is None:
        return np.ones(len(array), dtype=bool)
    bits = np.unpackbits(np.frombuffer(bitmap, dtype=np.uint8), bitorder="little")
    return bits[array.offset : array.offset + len(array)].astype(bool)
