"""CSV as cells: what spreadsheets write, and what is refused."""

from __future__ import annotations

import os

import pytest

from abr_alloc.delimited import read_cells


@pytest.mark.parametrize("text", ["a,b\n1,2\n", "\ufeffa,b\r\n 1 , 2\r\n\r\n", "a;b\n1;2\n", '"a";"b"\n1;"2"\n,\n'])
def test_cells_are_the_same_however_they_were_saved(text, tmp_path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(text.encode())
    assert [cells for _, cells in read_cells(path)][:2] == [["a", "b"], ["1", "2"]]


def test_what_is_no_csv_is_refused(tmp_path) -> None:
    path = tmp_path / "a.csv"
    for content in (b"a,b\n1,\xff\n", b"a,b\n1,\0\n", b"a\n" + b"x" * 200_000, "a\n".encode("utf-16")):
        path.write_bytes(content)
        with pytest.raises(ValueError):
            read_cells(path)
    os.mkfifo(tmp_path / "pipe")
    for name in ("pipe", "none", "x" * 300, "."):
        with pytest.raises(OSError):
            read_cells(tmp_path / name)
