"""Rated tables: what is derived, what is recognised, what is refused."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from abr_alloc.errors import FeatureTableError
from abr_alloc.learning.ratings import from_ratings, read_contents, read_ratings, read_video_ratings


def test_quality_and_rate_are_derived_from_codec_and_rate(make_ratings) -> None:
    data = from_ratings(make_ratings())
    assert data.audio_names == tuple(f"vif1d_scale{i}" for i in range(4))
    assert data.video_names == (*(f"vif_scale{i}" for i in range(4)), "frame_diff")
    assert set(data.audio(["bitrate_kbps"])[:, 0]) == {8, 32, 128}
    assert sorted(set(data.audio(["audio_mos"])[:, 0])) == pytest.approx([1.320, 3.643, 4.554], abs=5e-4)


def test_a_measured_audio_mos_is_kept(make_ratings) -> None:
    data = from_ratings(make_ratings().assign(audio_mos=2.5))
    assert set(data.audio(["audio_mos"])[:, 0]) == {2.5}


def test_scales_of_1_to_5_and_0_to_100_are_recognised(make_ratings) -> None:
    frame = make_ratings()
    hundred = from_ratings(frame)
    five = from_ratings(frame.assign(mos=1 + frame["mos"] / 25))
    assert (hundred.scale, five.scale) == ((0.0, 100.0), (1.0, 5.0))
    assert hundred.mos == pytest.approx(five.mos)


def test_a_slip_of_the_pen_is_no_other_scale(make_ratings) -> None:
    frame = make_ratings()
    frame["mos"] = 1 + frame["mos"] / 25
    frame.loc[7, "mos"] = 44.0
    with pytest.raises(FeatureTableError, match=r"row 7 .*column mos: 44"):
        from_ratings(frame)


def test_conditions_are_the_same_word_in_every_content(make_ratings) -> None:
    data = from_ratings(make_ratings())
    assert set(data.condition_v) == {"QP0", "QP1", "QP2"}
    assert set(data.condition_a) == {"aac 8", "aac 32", "aac 128"}


def test_a_table_without_audio_has_no_audio_columns(make_ratings) -> None:
    frame = make_ratings().drop(columns=["audio_codec", "audio_kbps", *(f"vif1d_scale{i}" for i in range(4))])
    data = from_ratings(frame.assign(bitrate_kbps=900.0))
    assert data.audio_columns == ()
    assert data.x_a.shape == (len(frame), 0)


BAD = {
    "a missing content": (lambda f: f.drop(columns="content"), "content"),
    "a missing mos": (lambda f: f.drop(columns="mos"), "mos"),
    "no video features": (lambda f: f.drop(columns=["vif_scale0", "frame_diff"]), "video_columns"),
    "text in a feature": (
        lambda f: f.assign(vif_scale1=["sharp", *f["vif_scale1"][1:]]),
        r"row 0 .*column vif_scale1: 'sh",
    ),
    "text in the ratings": (lambda f: f.assign(mos=[*f["mos"][:-1], "good"]), r"column mos: 'good'"),
    "text in the audio rate": (lambda f: f.assign(audio_kbps=["32k", *f["audio_kbps"][1:]]), "audio_kbps"),
    "an empty cell": (lambda f: f.assign(frame_diff=[np.nan, *f["frame_diff"][1:]]), "frame_diff"),
    "an empty content": (lambda f: f.assign(content=[None, *f["content"][1:]]), "content"),
    "ratings outside 0-100": (lambda f: f.assign(mos=f["mos"] * 10), "mos_range"),
    "ratings of 0-1": (lambda f: f.assign(mos=f["mos"] / 100), "neither on 1-5 nor on 0-100"),
    "VIF beyond its range": (lambda f: f.assign(vif_scale0=9.0), r"vif_scale0: 9 is outside"),
    "a rate below nothing": (lambda f: f.assign(audio_kbps=-5), "audio_kbps: -5 is outside"),
    "audio better than perfect": (lambda f: f.assign(audio_mos=9.0), "audio_mos: 9 is outside"),
    "one unknown codec": (lambda f: f.assign(audio_codec=["mp7", *f["audio_codec"][1:]]), r"row 0 .*'mp7'"),
    "negative ratings": (lambda f: f.assign(mos=-f["mos"]), "mos_range"),
    "a stimulus that is there twice": (lambda f: pd.concat([f, f.iloc[[3]]]), r"row 36 .* repeats row 3"),
}


@pytest.mark.parametrize("fault", BAD)
def test_a_table_is_refused_with(fault: str, make_ratings) -> None:
    spoil, word = BAD[fault]
    with pytest.raises(FeatureTableError, match=word) as caught:
        from_ratings(spoil(make_ratings()))
    assert "\n" not in str(caught.value)


def test_one_stimulus_rated_in_two_tests_may_stay(make_ratings) -> None:
    frame = make_ratings()
    again = frame.iloc[[3]].assign(mos=frame["mos"][3] + 2.0)
    assert len(from_ratings(pd.concat([frame, again])).pairs) == len(frame) + 1


def test_the_label_is_no_feature(make_ratings) -> None:
    with pytest.raises(FeatureTableError, match="'mos' is the label"):
        from_ratings(make_ratings(), [], ["vif_scale?", "mos"])


def test_codecs_without_a_curve_leave_audio_quality_out(make_ratings) -> None:
    data = from_ratings(make_ratings().assign(audio_codec="opus"))
    assert "audio_mos" not in data.audio_columns
    assert "bitrate_kbps" in data.audio_columns


@pytest.mark.parametrize(
    ("text", "word"), [("", "header row"), ("content;mos\na;3\n", "semicolons"), ("content,mos\n", "no rows")]
)
def test_a_file_that_is_no_table_says_why(tmp_path: Path, text: str, word: str) -> None:
    (tmp_path / "r.csv").write_text(text)
    with pytest.raises(FeatureTableError, match=word):
        read_ratings(tmp_path / "r.csv")


def test_video_ratings_need_their_columns(tmp_path: Path, make_ratings) -> None:
    frame = make_ratings().assign(motion2=3.0, adm2=0.9)
    frame = frame.assign(mos=1 + frame["mos"] / 25)
    frame.to_csv(tmp_path / "v.csv", index=False)
    assert len(read_video_ratings(tmp_path / "v.csv")) == len(frame)
    for spoilt, word in ((frame.drop(columns="mos"), "'mos'"), (frame.assign(mos=50.0), "outside 1..5")):
        spoilt.to_csv(tmp_path / "v.csv", index=False)
        with pytest.raises(FeatureTableError, match=word):
            read_video_ratings(tmp_path / "v.csv")


def test_named_columns_are_taken_and_missing_ones_name_the_parameter(make_ratings) -> None:
    frame = make_ratings()
    data = from_ratings(frame, ["vif1d_scale0"], ["vif_scale?"])
    assert (data.audio_names, len(data.video_names)) == (("vif1d_scale0",), 4)
    with pytest.raises(FeatureTableError, match="audio_columns"):
        from_ratings(frame, ["nothing_*"], [])
    with pytest.raises(FeatureTableError, match="as audio and as video"):
        from_ratings(frame, ["frame_diff"], [])


def test_csv_and_parquet_say_the_same(tmp_path: Path, make_ratings) -> None:
    frame = make_ratings()
    frame.to_csv(tmp_path / "r.csv", index=False)
    frame.to_parquet(tmp_path / "r.parquet")
    one, other = (from_ratings(read_ratings(tmp_path / name)) for name in ("r.csv", "r.parquet"))
    assert one.mos == pytest.approx(other.mos)
    assert one.x_v == pytest.approx(other.x_v)


@pytest.mark.parametrize("name", ["r.csv", "r.parquet"])
def test_a_damaged_file_is_refused_by_name(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"\x00\xff\xfe")
    with pytest.raises(FeatureTableError, match=name):
        read_ratings(tmp_path / name)


def test_contents_need_both_columns(tmp_path: Path) -> None:
    path = tmp_path / "contents.csv"
    path.write_text("title,content\na,x\nb,x\n")
    assert read_contents(path) == {"a": "x", "b": "x"}
    path.write_text("title\na\n")
    with pytest.raises(FeatureTableError, match="content"):
        read_contents(path)


def test_a_frame_rate_that_only_some_rows_have_is_read_where_it_is(make_ratings) -> None:
    frame = make_ratings(2)
    half = frame.assign(fps=[50.0, 60.0, *[np.nan] * (len(frame) - 2)])
    assert from_ratings(half).validity["fps"] == [49.0, 61.0]
    assert "fps" not in from_ratings(frame.assign(fps=np.nan)).validity
    with pytest.raises(FeatureTableError, match=r"row 1 .*fps"):
        from_ratings(frame.assign(fps=[50.0, "fast", *[np.nan] * (len(frame) - 2)]))


def test_left_out_stimuli_take_their_size_and_rate_along(make_ratings) -> None:
    frame = make_ratings(2).assign(codec="h264", height=720)
    frame["video_kbps"] = 100.0 * (1 + np.arange(len(frame)))
    loud = from_ratings(frame).without_audio_below(30)
    assert loud.panel is not None
    assert loud.panel.bitrate_kbps.tolist() == frame.loc[frame["audio_kbps"] > 30, "video_kbps"].tolist()
