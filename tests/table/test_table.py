"""The feature table: what breaks the schema never gets in, what is written comes back."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from abr_alloc.errors import FeatureTableError, OutputError
from abr_alloc.table.table import (
    AUDIO_DIM,
    COLUMNS,
    OPTIONAL,
    VIDEO_FEATURES,
    FeatureTable,
    TableMetadata,
    feature_columns,
    join_tables,
    read_features,
    stack_audio,
    write_features,
)

METADATA = TableMetadata(
    video_feature_version="v/1",
    audio_feature_version="a/1",
    libvmaf_version="3.0.0",
    visqol_version="3.7.0",
    ffmpeg_version="8.0",
    grid="tiny",
    grid_hash="00",
    source_hashes={"clip": "11"},
    credits={"clip": "Jane Doe, CC BY 4.0"},
)


def video_row(**changes):
    return {
        **{"title": "clip", "scene": 0, "start_s": 0.0, "end_s": 2.0, "kind": "video", "codec": "h264"},
        **{"width_px": 96, "height_px": 64, "fps": 12.0, "target": "crf=28", "bitrate_kbps": 100.0},
        **dict.fromkeys(VIDEO_FEATURES, 0.5),
        **{"frame_diff": 3.0, "vmaf": 80.0},
        **changes,
    }


def audio_row(**changes):
    return {
        **{"title": "clip", "scene": 0, "start_s": 0.0, "end_s": 2.0, "kind": "audio", "codec": "aac"},
        **{"channels": 2, "target": "b=64k", "bitrate_kbps": 64.0, "visqol_mos": 4.0, "audio_mos": 4.1},
        "audio_features": np.linspace(0, 1, AUDIO_DIM, dtype=np.float32),
        **changes,
    }


def frame_of(*rows) -> pd.DataFrame:
    frame = pd.DataFrame(list(rows), columns=list(COLUMNS))
    for column in ("scene", "width_px", "height_px", "channels"):
        frame[column] = frame[column].astype("Int32")
    for column in ("audio_features", "half_second_kbit"):
        frame[column] = frame[column].astype(object).where(frame[column].notna(), None)
    return frame


def sound_table() -> FeatureTable:
    return FeatureTable(frame_of(audio_row(), video_row(), video_row(target="crf=40", bitrate_kbps=40.0)), METADATA)


@pytest.fixture(scope="module")
def sound_file(tmp_path_factory):
    path = tmp_path_factory.mktemp("table") / "table.parquet"
    write_features(sound_table(), path)
    return path


# What is written comes back.


def test_a_table_comes_back_as_it_was_written(sound_file):
    table = read_features(sound_file)
    pd.testing.assert_frame_equal(table.frame, sound_table().frame, check_dtype=False)
    assert table.metadata == METADATA
    assert all(np.array_equal(row, audio_row()["audio_features"]) for row in stack_audio(table.of_kind("audio")))


def test_equal_tables_are_equal_bytes(sound_file, tmp_path):
    write_features(sound_table(), tmp_path / "first.parquet")
    write_features(read_features(sound_file), tmp_path / "second.parquet")
    assert (tmp_path / "first.parquet").read_bytes() == (tmp_path / "second.parquet").read_bytes()
    assert (tmp_path / "first.parquet").read_bytes() == sound_file.read_bytes()


@given(
    rates=st.lists(st.floats(0.001, 1e6), min_size=1, max_size=5),
    seed=st.integers(0, 2**32 - 1),
    title=st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=20),
)
@settings(max_examples=15, deadline=None)
def test_every_number_and_name_survives_a_round_trip(tmp_path_factory, rates, seed, title):
    vector = np.random.default_rng(seed).normal(size=AUDIO_DIM).astype(np.float32)
    rows = [video_row(title=title, target=f"crf={i}", bitrate_kbps=rate) for i, rate in enumerate(rates)]
    table = FeatureTable(frame_of(audio_row(title=title, audio_features=vector), *rows), METADATA)
    path = tmp_path_factory.mktemp("trip") / "table.parquet"
    write_features(table, path)
    back = read_features(path)
    assert back.of_kind("video")["bitrate_kbps"].tolist() == rates
    assert set(back.frame["title"]) == {title}
    assert np.array_equal(stack_audio(back.of_kind("audio")), vector[None])


def test_rows_are_sorted_when_read(tmp_path):
    rows = [video_row(title="b"), audio_row(title="b"), video_row(title="a", scene=1, end_s=2.0), audio_row(title="a")]
    write_features(FeatureTable(frame_of(*rows), METADATA), tmp_path / "table.parquet")
    frame = read_features(tmp_path / "table.parquet").frame
    assert frame[["title", "scene", "kind"]].values.tolist() == [
        ["a", 0, "audio"],
        ["a", 1, "video"],
        ["b", 0, "audio"],
        ["b", 0, "video"],
    ]


def test_columns_in_any_order_are_read(sound_file, tmp_path):
    table = pq.read_table(sound_file)
    pq.write_table(table.select(list(reversed(COLUMNS))), tmp_path / "table.parquet")
    assert list(read_features(tmp_path / "table.parquet").frame.columns) == list(COLUMNS)


def test_unknown_metadata_is_left_aside(sound_file, tmp_path):
    table = pq.read_table(sound_file)
    content = json.dumps({"schema_version": 1, "grid": "tiny", "weather": "fair"})
    pq.write_table(table.replace_schema_metadata({"abr_alloc": content}), tmp_path / "table.parquet")
    assert read_features(tmp_path / "table.parquet").metadata == TableMetadata(grid="tiny")


def test_the_weights_of_a_digest_come_back_and_must_be_times(tmp_path):
    digest = replace(METADATA, weights_s={"clip": {"0": 12.5}})
    write_features(FeatureTable(sound_table().frame, digest), tmp_path / "digest.parquet")
    assert read_features(tmp_path / "digest.parquet").metadata == digest
    for weights in ({"0": 0.0}, {"0": -1.0}, {"0": float("inf")}, {"first": 1.0}, {"0": "long"}, [1.0]):
        bad = replace(METADATA, weights_s={"clip": weights})
        with pytest.raises(FeatureTableError):
            write_features(FeatureTable(sound_table().frame, bad), tmp_path / "bad.parquet")
            read_features(tmp_path / "bad.parquet")


def test_matrices_hold_the_features_in_order():
    row = video_row(**{name: i / 10 for i, name in enumerate(VIDEO_FEATURES)})
    table = FeatureTable(frame_of(audio_row(), row), METADATA)
    assert VIDEO_FEATURES == ("vif_scale0", "vif_scale1", "vif_scale2", "vif_scale3", "motion2", "adm2")
    x_v, x_a = feature_columns(table.of_kind("video"), VIDEO_FEATURES), stack_audio(table.of_kind("audio"))
    assert x_v == pytest.approx(np.array([[0, 0.1, 0.2, 0.3, 0.4, 0.5]]))
    assert x_v.dtype == x_a.dtype == np.float32
    assert stack_audio(FeatureTable(frame_of(video_row()), METADATA).of_kind("audio")).shape == (0, AUDIO_DIM)


# An optional column is there for all video rows, or not at all.


def bare_table(title: str = "clip") -> FeatureTable:
    """A table as it is extracted: no `frame_diff`."""
    rows = frame_of(audio_row(title=title), video_row(title=title))
    return FeatureTable(rows.drop(columns=sorted(OPTIONAL - {"visqol_mos"})), METADATA)


def test_a_table_without_an_optional_column_comes_back_without_it(tmp_path):
    write_features(bare_table(), tmp_path / "t.parquet")
    assert "frame_diff" not in pq.read_schema(tmp_path / "t.parquet").names
    optional = OPTIONAL - {"visqol_mos"}  # the listener's tables alone are without it
    assert list(read_features(tmp_path / "t.parquet").frame) == [name for name in COLUMNS if name not in optional]


def test_an_optional_column_is_kept_where_all_joined_tables_have_it():
    other = FeatureTable(frame_of(audio_row(title="b"), video_row(title="b")), METADATA)
    assert "frame_diff" in join_tables([sound_table(), other]).frame
    mixed = join_tables([sound_table(), bare_table("b")]).frame
    assert "frame_diff" not in mixed and len(mixed) == 5


def test_an_optional_column_that_is_there_is_filled():
    with pytest.raises(FeatureTableError, match="column frame_diff: is missing"):
        FeatureTable(frame_of(audio_row(), video_row(frame_diff=None)), METADATA)


def test_a_column_that_is_read_and_not_there_is_named():
    assert feature_columns(sound_table().of_kind("video"), ["frame_diff"]).tolist() == [[3.0], [3.0]]
    with pytest.raises(FeatureTableError, match="no column 'frame_diff'") as refused:
        feature_columns(bare_table().of_kind("video"), ["adm2", "frame_diff"])
    assert refused.value.column == "frame_diff"


# What breaks the schema is refused, by column and row.


def vector_with(value: float) -> np.ndarray:
    vector = np.zeros(AUDIO_DIM, dtype=np.float32)
    vector[7] = value
    return vector


REFUSED = [
    ({"title": ""}, "title", "is empty"),
    ({"title": None}, "title", "is empty"),
    ({"target": ""}, "target", "is empty"),
    ({"codec": "mpeg2"}, "codec", "no video codec"),
    ({"codec": "aac"}, "codec", "no video codec"),
    ({"kind": "subtitle"}, "kind", "neither video nor audio"),
    ({"scene": -1}, "scene", "outside"),
    ({"start_s": -0.1}, "start_s", "outside"),
    ({"start_s": 2.0}, "end_s", "not after"),
    ({"end_s": float("inf")}, "end_s", "infinite"),
    ({"bitrate_kbps": 0.0}, "bitrate_kbps", "outside"),
    ({"bitrate_kbps": -5.0}, "bitrate_kbps", "outside"),
    ({"bitrate_kbps": 2e7}, "bitrate_kbps", "outside"),
    ({"bitrate_kbps": float("nan")}, "bitrate_kbps", "NaN"),
    ({"width_px": 1}, "width_px", "outside"),
    ({"width_px": None}, "width_px", "missing"),
    ({"fps": 0.0}, "fps", "outside"),
    ({"vmaf": 100.5}, "vmaf", "outside"),
    ({"vmaf": float("nan")}, "vmaf", "NaN"),
    ({"adm2": float("-inf")}, "adm2", "infinite"),
    ({"vif_scale0": 2.5}, "vif_scale0", "outside"),
    ({"motion2": -1.0}, "motion2", "outside"),
    ({"frame_diff": 256.0}, "frame_diff", "outside"),
    ({"channels": 2}, "channels", "must be null"),
    ({"visqol_mos": 4.0}, "visqol_mos", "must be null"),
    ({"audio_features": vector_with(0)}, "audio_features", "must be null"),
]
REFUSED_AUDIO = [
    ({"codec": "mp3"}, "codec", "no audio codec"),
    ({"channels": 0}, "channels", "outside"),
    ({"visqol_mos": 0.9}, "visqol_mos", "outside"),
    ({"audio_mos": 5.1}, "audio_mos", "outside"),
    ({"audio_mos": None}, "audio_mos", "missing"),
    ({"height_px": 64}, "height_px", "must be null"),
    ({"vmaf": 80.0}, "vmaf", "must be null"),
    ({"audio_features": None}, "audio_features", "512"),
    ({"audio_features": np.zeros(511, np.float32)}, "audio_features", "512"),
    ({"audio_features": vector_with(float("nan"))}, "audio_features", "NaN"),
    ({"audio_features": vector_with(float("inf"))}, "audio_features", "infinite"),
]


@pytest.mark.parametrize(
    ("rows", "column", "what"),
    [([audio_row(), video_row(**changes)], column, what) for changes, column, what in REFUSED]
    + [([video_row(), audio_row(**changes)], column, what) for changes, column, what in REFUSED_AUDIO],
)
def test_a_value_that_breaks_the_schema_is_refused_by_column_and_row(rows, column, what):
    with pytest.raises(FeatureTableError, match=what) as refused:
        FeatureTable(frame_of(*rows), METADATA)
    assert (refused.value.column, refused.value.row) == (column, 1)
    assert "row 1" in str(refused.value) and f"column {column}" in str(refused.value)


def test_closed_ranges_hold_their_ends():
    FeatureTable(frame_of(audio_row(visqol_mos=1.0, audio_mos=5.0), video_row(vmaf=100.0, motion2=0.0)), METADATA)


def test_no_rows_are_refused():
    with pytest.raises(FeatureTableError, match="no rows"):
        FeatureTable(frame_of(), METADATA)


def test_a_repeated_row_is_refused():
    with pytest.raises(FeatureTableError, match="repeats an earlier row") as refused:
        FeatureTable(frame_of(video_row(), audio_row(), video_row(bitrate_kbps=7.0)), METADATA)
    assert refused.value.row == 2


def test_rows_of_one_scene_have_one_time():
    with pytest.raises(FeatureTableError, match="different times"):
        FeatureTable(frame_of(video_row(), audio_row(end_s=2.5)), METADATA)


@pytest.mark.parametrize(("kept", "missing"), [(video_row, "audio"), (audio_row, "video")])
def test_a_scene_of_one_kind_has_no_pairs(kept, missing):
    rows = [video_row(), audio_row(), kept(scene=1, start_s=2.0, end_s=4.0)]
    table = FeatureTable(frame_of(*rows), METADATA)
    with pytest.raises(FeatureTableError, match=f"title 'clip' scene 1 has no {missing} rows"):
        table.require_pairs()


# Files that are no feature tables.


@pytest.mark.parametrize("content", [b"", b"PAR1", b"PAR1PAR1", b"title,scene\n", bytes(1000)])
def test_a_file_that_is_no_parquet_is_refused(content, tmp_path):
    path = tmp_path / "table.parquet"
    path.write_bytes(content)
    with pytest.raises(FeatureTableError, match="not a readable Parquet file") as refused:
        read_features(path)
    assert refused.value.path == str(path)


def test_a_file_cut_anywhere_is_refused(sound_file, tmp_path):
    whole = sound_file.read_bytes()
    path = tmp_path / "table.parquet"
    for length in range(0, len(whole), 97):
        path.write_bytes(whole[:length])
        with pytest.raises(FeatureTableError, match="not a readable Parquet file"):
            read_features(path)


def test_damaged_data_is_refused_or_harmless(sound_file, tmp_path):
    """A flipped byte must never become another number."""
    whole = sound_file.read_bytes()
    sound = pq.read_table(sound_file)
    group = pq.ParquetFile(sound_file).metadata.row_group(0)
    last = group.column(group.num_columns - 1)
    path = tmp_path / "table.parquet"
    refused = 0
    end = (last.dictionary_page_offset or last.data_page_offset) + last.total_compressed_size
    for position in range(4, end, 13):
        damaged = bytearray(whole)
        damaged[position] ^= 0x55
        path.write_bytes(damaged)
        try:
            read_features(path)
        except FeatureTableError:
            refused += 1
        else:
            assert pq.read_table(path).equals(sound), position
    assert refused


def test_a_file_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(FeatureTableError, match="does not exist"):
        read_features(tmp_path / "none.parquet")


def test_a_folder_is_refused(tmp_path):
    with pytest.raises(FeatureTableError):
        read_features(tmp_path)


@pytest.mark.parametrize("column", [name for name in COLUMNS if name not in OPTIONAL])
def test_a_missing_column_is_refused_by_name(column, sound_file, tmp_path):
    path = tmp_path / "table.parquet"
    pq.write_table(pq.read_table(sound_file).drop_columns([column]), path)
    with pytest.raises(FeatureTableError, match=f"{path}: column {column} is missing") as refused:
        read_features(path)
    assert (refused.value.path, refused.value.column) == (str(path), column)


def test_an_extra_column_is_refused_by_name(sound_file, tmp_path):
    table = pq.read_table(sound_file)
    pq.write_table(table.append_column("note", pa.array(["x"] * table.num_rows)), tmp_path / "table.parquet")
    with pytest.raises(FeatureTableError, match="column note is not part"):
        read_features(tmp_path / "table.parquet")


def test_a_column_that_is_there_twice_is_refused(sound_file, tmp_path):
    table = pq.read_table(sound_file)
    pq.write_table(table.append_column("vmaf", table.column("vmaf")), tmp_path / "table.parquet")
    with pytest.raises(FeatureTableError):
        read_features(tmp_path / "table.parquet")


@pytest.mark.parametrize(
    ("column", "kind"),
    [
        ("scene", pa.int64()),
        ("scene", pa.string()),
        ("bitrate_kbps", pa.float32()),
        ("bitrate_kbps", pa.string()),
        ("title", pa.large_string()),
        ("audio_features", pa.list_(pa.float32())),
        ("audio_features", pa.list_(pa.float64(), AUDIO_DIM)),
    ],
)
def test_a_mistyped_column_is_refused_by_name(column, kind, sound_file, tmp_path):
    table = pq.read_table(sound_file)
    values = table.column(column).to_pylist()
    if kind == pa.string():
        values = [str(value) for value in values]
    index = table.schema.get_field_index(column)
    pq.write_table(table.set_column(index, pa.field(column, kind), pa.array(values, kind)), tmp_path / "t.parquet")
    with pytest.raises(FeatureTableError, match=f"column {column} has type") as refused:
        read_features(tmp_path / "t.parquet")
    assert refused.value.column == column


@pytest.mark.parametrize(
    "metadata", [None, {"other": "{}"}, {"abr_alloc": "not JSON"}, {"abr_alloc": "[1]"}, {"abr_alloc": b"\xff"}]
)
def test_a_table_without_its_metadata_is_refused(metadata, sound_file, tmp_path):
    pq.write_table(pq.read_table(sound_file).replace_schema_metadata(metadata), tmp_path / "t.parquet")
    with pytest.raises(FeatureTableError, match="no abr_alloc metadata"):
        read_features(tmp_path / "t.parquet")


@pytest.mark.parametrize("version", [0, 2, "1", None])
def test_another_schema_version_is_refused(version, sound_file, tmp_path):
    metadata = {"abr_alloc": json.dumps({"schema_version": version})}
    pq.write_table(pq.read_table(sound_file).replace_schema_metadata(metadata), tmp_path / "t.parquet")
    with pytest.raises(FeatureTableError, match="schema version"):
        read_features(tmp_path / "t.parquet")


# Writing.


def test_a_place_that_cannot_be_written_is_named_and_stays_as_it_was(tmp_path, monkeypatch):
    with pytest.raises(OutputError, match="cannot be written"):
        write_features(sound_table(), tmp_path / "none" / "table.parquet")
    folder = tmp_path / "folder.parquet"
    folder.mkdir()
    with pytest.raises(OutputError, match="cannot be written"):
        write_features(sound_table(), folder)
    assert [path.name for path in tmp_path.iterdir()] == ["folder.parquet"]


def test_a_write_that_fails_leaves_the_old_table(sound_file, tmp_path, monkeypatch):
    path = tmp_path / "table.parquet"
    path.write_bytes(sound_file.read_bytes())

    def fail(self, target):
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(type(path), "replace", fail)
    with pytest.raises(OutputError, match="Input/output error"):
        write_features(sound_table(), path)
    assert [entry.name for entry in tmp_path.iterdir()] == ["table.parquet"]
    assert path.read_bytes() == sound_file.read_bytes()


def test_metadata_is_part_of_what_is_written(sound_file, tmp_path):
    table = FeatureTable(sound_table().frame, replace(METADATA, grid="other"))
    write_features(table, tmp_path / "table.parquet")
    assert read_features(tmp_path / "table.parquet").metadata.grid == "other"


def test_two_tables_that_mean_different_encoders_by_one_name_are_not_joined() -> None:
    one = TableMetadata(encoders={"film": {"codec": "h264", "preset": "slow"}, "h264": {"codec": "h264"}})
    other = TableMetadata(encoders={"film": {"codec": "h264", "preset": "fast"}})
    with pytest.raises(FeatureTableError, match="different encoders by 'film' \\(preset 'slow' and 'fast'\\); rename"):
        one.joined(other)
    assert one.joined(TableMetadata(encoders={"grain": {"codec": "av1"}})).encoders.keys() == {"film", "h264", "grain"}


# Families of audio features.

LISTENED = replace(METADATA, audio_feature_version="listener/1", visqol_version="")


def heard_row(**changes):
    return audio_row(**{"audio_spread_mos": 0.3, **changes})


def test_a_listeners_table_has_spreads_and_no_visqol_and_comes_back(tmp_path):
    frame = frame_of(heard_row(), video_row()).drop(columns="visqol_mos")
    write_features(FeatureTable(frame, LISTENED), tmp_path / "f.parquet")
    found = read_features(tmp_path / "f.parquet")
    assert "visqol_mos" not in found.frame and found.metadata.audio_feature_version == "listener/1"
    assert found.of_kind("audio")["audio_spread_mos"].tolist() == [0.3]
    assert found.of_kind("video")["audio_spread_mos"].isna().all()


@pytest.mark.parametrize(
    ("row", "metadata", "what"),
    [
        (audio_row(), LISTENED, "missing in a table of listener/1"),
        (heard_row(), METADATA, "the table is not of the listener's features"),
        (heard_row(audio_spread_mos=-0.1), LISTENED, "outside"),
    ],
)
def test_rows_of_one_family_never_stand_in_a_table_of_another(row, metadata, what, tmp_path):
    with pytest.raises(FeatureTableError, match=what) as refused:
        FeatureTable(frame_of(video_row(), row), metadata)
    assert (refused.value.column, refused.value.row) == ("audio_spread_mos", 1)
    write_features(FeatureTable.checked(frame_of(video_row(), row), metadata), tmp_path / "f.parquet")
    with pytest.raises(FeatureTableError, match=what):
        read_features(tmp_path / "f.parquet")


def test_a_newer_listeners_table_opens_and_its_version_is_named(tmp_path):
    newer = replace(LISTENED, audio_feature_version="listener/2")
    frame = frame_of(heard_row(), video_row()).drop(columns="visqol_mos")
    write_features(FeatureTable(frame, newer), tmp_path / "f.parquet")
    assert read_features(tmp_path / "f.parquet").metadata.audio_feature_version == "listener/2"
    with pytest.raises(FeatureTableError, match="missing in a table of listener/2"):
        FeatureTable(frame_of(audio_row(), video_row()), newer)


def test_what_visqol_heard_has_its_mos(tmp_path):
    frame = frame_of(audio_row(), video_row()).drop(columns="visqol_mos")
    with pytest.raises(FeatureTableError, match="no column visqol_mos, and its audio features are ViSQOL's") as refused:
        FeatureTable(frame, METADATA)
    assert refused.value.column == "visqol_mos" and "\n" not in str(refused.value)
    write_features(FeatureTable.checked(frame, METADATA), tmp_path / "f.parquet")
    with pytest.raises(FeatureTableError, match=r"f\.parquet: the feature table has no column visqol_mos"):
        read_features(tmp_path / "f.parquet")


def test_tables_of_two_families_are_not_joined():
    heard = FeatureTable(frame_of(heard_row(title="a"), video_row(title="a")).drop(columns="visqol_mos"), LISTENED)
    seen = FeatureTable(frame_of(audio_row(), video_row()), METADATA)
    for tables in ([heard, seen], [seen, heard]):
        with pytest.raises(
            FeatureTableError, match=r"hold different audio features, 'a/1' and 'listener/1', .*; extract"
        ):
            join_tables(tables)


def test_joined_with_a_table_of_video_alone_the_spreads_stay():
    heard = FeatureTable(frame_of(heard_row(), video_row()).drop(columns="visqol_mos"), LISTENED)
    seen = FeatureTable(frame_of(video_row(title="other")).drop(columns="audio_spread_mos"), LISTENED)
    both = join_tables([heard, seen])
    assert both.of_kind("audio")["audio_spread_mos"].tolist() == [0.3]
    FeatureTable(both.frame, both.metadata)
