"""Half seconds of a scene hold all of its bits, once; rows that say otherwise are refused."""

from __future__ import annotations

import itertools
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from abr_alloc.errors import FeatureTableError
from abr_alloc.table.half_seconds import half_second_edges, half_second_kbit, num_half_seconds
from abr_alloc.table.table import FeatureTable, join_tables, read_features, write_features
from tests.table.test_table import METADATA, audio_row, bare_table, frame_of, video_row

RATES = [
    Fraction(24000, 1001),
    Fraction(24),
    Fraction(25),
    Fraction(30000, 1001),
    Fraction(60),
    Fraction(12),
    Fraction(1),
]


def half_seconds(*numbers: float) -> np.ndarray:
    return np.array(numbers, dtype=np.float32)


def test_half_seconds_at_25_frames_have_twelve_and_thirteen_frames_in_turn():
    assert half_second_edges(60, 25.0).tolist() == [0, 12, 25, 38, 50, 60]
    assert half_second_kbit(np.full(60, 125.0), 25.0).tolist() == [12.0, 13.0, 13.0, 12.0, 10.0]


@given(num_frames=st.integers(1, 400), fps=st.sampled_from(RATES), seed=st.integers(0, 99))
def test_half_seconds_hold_every_frame_once_where_its_exact_rate_puts_it(num_frames, fps, seed):
    edges = [0]
    while edges[-1] < num_frames:
        edges.append(min(num_frames, round(len(edges) * fps / 2)))
    assert half_second_edges(num_frames, float(fps)).tolist() == edges
    assert num_half_seconds(np.array([num_frames]), np.array([float(fps)])) == len(edges) - 1
    size_bytes = np.random.default_rng(seed).integers(20, 200_000, num_frames).astype(float)
    expected = [size_bytes[a:b].sum() * 8 / 1000 for a, b in itertools.pairwise(edges)]
    assert half_second_kbit(size_bytes, float(fps)).tolist() == pytest.approx(expected, rel=1e-6)


def test_they_come_back_as_they_were_written_and_a_row_may_be_without(tmp_path):
    rows = frame_of(audio_row(), video_row(half_second_kbit=half_seconds(1, 0, 2.5, 3)), video_row(target="crf=40"))
    write_features(FeatureTable(rows, METADATA), tmp_path / "t.parquet")
    back = read_features(tmp_path / "t.parquet").of_kind("video")["half_second_kbit"]
    assert back.iloc[0].tolist() == [1, 0, 2.5, 3] and back.iloc[0].dtype == np.float32
    assert back.iloc[1] is None


def test_a_table_of_before_joins_one_that_has_them_and_takes_nothing_from_it(tmp_path):
    new = FeatureTable(
        frame_of(audio_row(title="b"), video_row(title="b", half_second_kbit=half_seconds(1, 1, 1, 1))), METADATA
    )
    both = join_tables([bare_table("a"), new])
    write_features(both, tmp_path / "both.parquet")
    back = read_features(tmp_path / "both.parquet")
    assert [v is None for v in back.frame["half_second_kbit"]] == [True, True, True, False]
    assert "half_second_kbit" not in join_tables([bare_table("a"), bare_table("b")]).frame


@pytest.mark.parametrize(
    ("row", "what"),
    [
        (
            video_row(half_second_kbit=half_seconds(1, 1, 1)),
            "holds 3 numbers, but 2 s at 12 frames/s are 4 half seconds",
        ),
        (video_row(half_second_kbit=half_seconds()), "holds 0 numbers"),
        (video_row(half_second_kbit=half_seconds(1, 1, -1, 1)), "holds negative numbers"),
        (video_row(half_second_kbit=half_seconds(1, 1, np.nan, 1)), "holds NaN or infinite numbers"),
        (video_row(half_second_kbit=half_seconds(1, np.inf, 1, 1)), "holds NaN or infinite numbers"),
        (audio_row(target="b=96k", half_second_kbit=half_seconds(1, 1, 1, 1)), "must be null for this kind of row"),
    ],
)
def test_half_seconds_that_are_not_the_scene_s_are_refused_by_row(row, what):
    sound = video_row(target="crf=20", half_second_kbit=half_seconds(1, 1, 1, 1))
    with pytest.raises(FeatureTableError, match=what) as refused:
        FeatureTable(frame_of(audio_row(), sound, row), METADATA)
    assert (refused.value.column, refused.value.row) == ("half_second_kbit", 2)
