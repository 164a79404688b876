"""Feature tables that are read as one."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from abr_alloc.errors import FeatureTableError
from abr_alloc.table import catalogue as module
from abr_alloc.table.catalogue import find_tables, open_catalogue, read_table
from abr_alloc.table.table import FeatureTable, join_tables, read_features, write_features


@pytest.fixture(scope="module")
def table(example: Path) -> FeatureTable:
    return read_features(example)


def part(table: FeatureTable, *titles: str, **metadata: str) -> FeatureTable:
    rows = table.frame[table.frame["title"].isin(titles)].reset_index(drop=True)
    return FeatureTable(rows, dataclasses.replace(table.metadata, **metadata))


def titles_of(table: FeatureTable) -> list[str]:
    return list(table.frame["title"].unique())


def titles_of_chunks(source: Path, monkeypatch: pytest.MonkeyPatch, rows: int) -> list[list[str]]:
    monkeypatch.setattr(module, "CHUNK_ROWS", rows)
    return [list(read_table(chunk).frame["title"].unique()) for chunk in open_catalogue(source).chunks]


@pytest.mark.parametrize("group_rows", [1, 7, 30, 1000])
@pytest.mark.parametrize("chunk_rows", [1, 60, 10_000])
def test_wherever_row_groups_end_every_title_is_whole_and_comes_once(
    table, example, tmp_path, monkeypatch, group_rows, chunk_rows
) -> None:
    rows = pq.read_table(example)
    rows = rows.filter(pc.equal(rows["scene"], 0))  # a row group of each of all rows takes its time
    pq.write_table(rows, tmp_path / "t.parquet", row_group_size=group_rows)
    monkeypatch.setattr(module, "CHUNK_ROWS", chunk_rows)
    frames = [read_table(chunk).frame for chunk in open_catalogue(tmp_path / "t.parquet").chunks]
    assert [title for frame in frames for title in frame["title"].unique()] == titles_of(table)
    assert sum(map(len, frames)) == len(rows) > 60
    for frame in frames:
        for title in frame["title"].unique():
            assert (frame["title"] == title).sum() == rows["title"].to_pylist().count(title)


def test_titles_of_whole_row_groups_are_read_apart(table, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr("abr_alloc.table.table.ROW_GROUP_ROWS", 1)
    write_features(table, tmp_path / "t.parquet")
    assert pq.read_metadata(tmp_path / "t.parquet").num_row_groups == len(titles_of(table))
    assert titles_of_chunks(tmp_path / "t.parquet", monkeypatch, 1) == [[title] for title in titles_of(table)]


def test_a_file_that_is_not_sorted_is_one_chunk_and_is_sorted(table, example, tmp_path, monkeypatch) -> None:
    rows = pq.read_table(example)
    shuffled = rows.take(pa.array(np.random.default_rng(0).permutation(len(rows))))
    pq.write_table(shuffled, tmp_path / "t.parquet", row_group_size=40)
    assert titles_of_chunks(tmp_path / "t.parquet", monkeypatch, 1) == [titles_of(table)]


def test_a_folder_is_searched_through_but_not_what_is_hidden(table, tmp_path) -> None:
    first, second, *_ = titles_of(table)
    for folder in ("title=a", "_old", ".tmp"):
        (tmp_path / folder).mkdir()
        write_features(part(table, first), tmp_path / folder / "part-0.parquet")
    write_features(part(table, second), tmp_path / "b.parquet")
    (tmp_path / "notes.txt").write_text("no table")
    assert find_tables(tmp_path) == [str(tmp_path / "b.parquet"), str(tmp_path / "title=a" / "part-0.parquet")]
    assert find_tables(f"{tmp_path}/*.parquet") == [str(tmp_path / "b.parquet")]


@pytest.mark.parametrize("name", ["none", "none/*.parquet", "empty"])
def test_where_nothing_is_the_name_is_told(tmp_path, name) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(FeatureTableError, match=name.partition("/")[0]):
        open_catalogue(tmp_path / name)


def test_a_title_in_two_files_is_refused_with_both(table, tmp_path) -> None:
    first, second, third, *_ = titles_of(table)
    write_features(part(table, first, third), tmp_path / "a.parquet")
    write_features(part(table, second), tmp_path / "b.parquet")
    assert len(open_catalogue(tmp_path).chunks) == 2
    write_features(part(table, second, third), tmp_path / "b.parquet")
    with pytest.raises(FeatureTableError, match=r"b\.parquet") as caught:
        open_catalogue(tmp_path)
    assert "a.parquet" in str(caught.value)
    assert repr(third) in str(caught.value)


def test_files_with_other_features_are_refused_by_name(table, tmp_path) -> None:
    first, second, *_ = titles_of(table)
    write_features(part(table, first), tmp_path / "a.parquet")
    write_features(part(table, second, video_feature_version="other/2"), tmp_path / "b.parquet")
    with pytest.raises(FeatureTableError, match=r"b\.parquet holds video feature version 'other/2'.*a\.parquet"):
        open_catalogue(tmp_path)


def test_tables_of_two_families_of_audio_features_are_no_catalogue(table, as_listened, tmp_path) -> None:
    first, second, *_ = titles_of(table)
    write_features(part(table, first), tmp_path / "a.parquet")
    write_features(as_listened(part(table, second)), tmp_path / "b.parquet")
    with pytest.raises(FeatureTableError, match=r"b\.parquet holds audio feature version 'listener/1', .*a\.parquet"):
        open_catalogue(tmp_path)


def test_origins_are_joined_and_words_that_differ_are_left_empty(table, tmp_path) -> None:
    first, second, *_ = titles_of(table)
    write_features(part(table, first, source_hashes={first: "1"}), tmp_path / "a.parquet")
    write_features(part(table, second, source_hashes={second: "2"}, grid="other"), tmp_path / "b.parquet")
    about = open_catalogue(tmp_path).metadata
    assert (about.source_hashes, about.grid) == ({first: "1", second: "2"}, "")
    assert about.ffmpeg_version == table.metadata.ffmpeg_version


BAD = {
    "bitrate_kbps": lambda column: column.fillna(0) * 0.0,
    "vmaf": lambda column: column + 200.0,
    "codec": lambda column: column.where(column != "aac", "mp3"),
    "target": lambda column: column.where(column != "b=64k", "b=32k"),
    "audio_features": lambda column: column.map(lambda v: None if v is None else np.full(512, np.nan, np.float32)),
    "kind": lambda column: column.where(column != "audio", "sound"),
    "end_s": lambda column: column + np.arange(len(column)),
    "width_px": lambda column: column.fillna(640),
}


@pytest.mark.parametrize("column", BAD)
def test_what_a_table_is_refused_for_a_chunk_is_too_with_file_column_and_row(column, table, example, tmp_path) -> None:
    rows = pq.read_table(example)
    frame = rows.to_pandas()
    frame[column] = BAD[column](frame[column])
    broken = pa.Table.from_pandas(frame, schema=rows.schema, preserve_index=False)
    pq.write_table(broken, tmp_path / "bad.parquet")
    with pytest.raises(FeatureTableError) as whole:
        read_features(tmp_path / "bad.parquet")
    (chunk,) = open_catalogue(tmp_path / "bad.parquet").chunks
    with pytest.raises(FeatureTableError) as streamed:
        read_table(chunk)
    assert str(streamed.value) == str(whole.value)
    assert "bad.parquet" in str(whole.value)


def test_the_row_of_a_later_chunk_is_the_files(table, example, tmp_path, monkeypatch) -> None:
    rows = pq.read_table(example)
    frame = rows.to_pandas()
    frame.loc[200, "bitrate_kbps"] = -1.0
    broken = pa.Table.from_pandas(frame, schema=rows.schema, preserve_index=False)
    pq.write_table(broken, tmp_path / "bad.parquet", row_group_size=30)
    monkeypatch.setattr(module, "CHUNK_ROWS", 1)
    with pytest.raises(FeatureTableError) as whole:
        read_features(tmp_path / "bad.parquet")
    with pytest.raises(FeatureTableError) as streamed:
        [read_table(chunk) for chunk in open_catalogue(tmp_path / "bad.parquet").chunks]
    assert whole.value.row == 200
    assert 0 <= 200 - streamed.value.row < 30  # rows of the chunk before are not counted where a title goes on


def test_of_many_row_groups_no_more_than_two_chunks_are_alive(table, example, tmp_path, monkeypatch) -> None:
    rows = pq.read_table(example)
    copies = [
        rows.set_column(0, "title", pa.array([f"t{i:03d}-{t}" for t in rows["title"].to_pylist()])) for i in range(20)
    ]
    pq.write_table(pa.concat_tables(copies), tmp_path / "t.parquet", row_group_size=len(rows))
    monkeypatch.setattr(module, "CHUNK_ROWS", len(rows))
    most = 0
    catalogue = open_catalogue(tmp_path / "t.parquet")
    assert len(catalogue.chunks) == 20
    before = pa.total_allocated_bytes()
    for chunk in catalogue.chunks:
        read = read_table(chunk)
        most = max(most, pa.total_allocated_bytes() - before)
        del read
    assert most < 3 * rows.nbytes


def test_what_stands_for_more_of_a_title_does_so_in_company_too(example: Path, tmp_path: Path) -> None:
    table = read_features(example)
    titles = sorted(table.frame["title"].unique())[:2]
    for title in titles:
        rows = table.frame[table.frame["title"] == title].reset_index(drop=True)
        weights = {title: {str(scene): 9.0 for scene in rows["scene"].unique()}}
        about = dataclasses.replace(table.metadata, weights_s=weights, probes="auto" if title == titles[1] else "all")
        write_features(FeatureTable(rows, about), tmp_path / f"{title}.parquet")
    catalogue = open_catalogue(tmp_path)
    together = join_tables([read_features(path) for path in catalogue.paths])
    for metadata in (catalogue.metadata, together.metadata):
        assert set(metadata.weights_s) == set(titles)
        assert metadata.probes == "auto"


def test_tables_with_and_without_an_optional_column_are_one_catalogue(table, tmp_path) -> None:
    first, second = titles_of(table)[:2]
    old, new = part(table, first), part(table, second)
    old = FeatureTable(old.frame.assign(frame_diff=old.frame["vmaf"] / 10), old.metadata)
    new = FeatureTable(new.frame.drop(columns="frame_diff", errors="ignore"), new.metadata)
    for name, one in (("1", old), ("2", new)):
        write_features(one, tmp_path / f"{name}.parquet")
    catalogue = open_catalogue(tmp_path)
    assert ["frame_diff" in read_table(chunk).frame for chunk in catalogue.chunks] == [True, False]
