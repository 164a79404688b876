"""What a rated table says of its stimuli: groups that can be chosen within, data sets, flags."""

import numpy as np
import pandas as pd
import pytest

from abr_alloc.errors import FeatureTableError
from abr_alloc.learning.panel import panel_of, without_flagged


def table(**changes) -> pd.DataFrame:
    """Two sizes of one content in two codecs."""
    columns = {
        "content": ["a"] * 4,
        "codec": ["h264", "h264", "hevc", "hevc"],
        "height": [360, 720, 360, 720],
        "bitrate_kbps": [500.0, 900.0, 400.0, 800.0],
        "mos": [2.0, 3.0, 2.1, 3.1],
    }
    return pd.DataFrame({**columns, **changes})


def test_renditions_of_one_content_and_codec_are_a_group() -> None:
    panel = panel_of(table())
    assert panel.group.tolist() == [0, 0, 1, 1]
    assert panel.bitrate_kbps.tolist() == [500, 900, 400, 800]
    assert panel.has_choices
    assert panel.datasets == ()


@pytest.mark.parametrize("column", ["test", "dataset"])
def test_one_content_rated_twice_is_two_groups(column: str) -> None:
    twice = pd.concat([table(**{column: "1"}), table(**{column: "2"})], ignore_index=True)
    assert len(set(panel_of(twice).group.tolist())) == 4


def test_names_are_kept_apart_though_they_join_to_the_same_text() -> None:
    panel = panel_of(table(test=["1", "1", "1 a", "1 a"], content=["a b", "a b", "b", "b"], codec="h264"))
    assert len(set(panel.group.tolist())) == 2


def test_other_names_of_the_columns_are_known() -> None:
    renamed = table().rename(columns={"codec": "video_codec", "height": "height_px", "bitrate_kbps": "video_kbps"})
    assert panel_of(renamed).has_choices


def test_the_audios_rate_is_never_taken_for_the_videos() -> None:
    audiovisual = table(audio_kbps=[32.0, 32.0, 64.0, 64.0])
    assert not panel_of(audiovisual).has_choices
    both = audiovisual.assign(video_kbps=audiovisual["bitrate_kbps"])
    assert panel_of(both).group.tolist() == [0, 0, 1, 1]


def test_unlike_audio_is_no_choice_of_video() -> None:
    panel = panel_of(table(codec="h264", video_kbps=100.0, audio_kbps=[32.0, 64.0, 32.0, 64.0]))
    assert panel.group.tolist() == [0, 1, 0, 1]
    assert not panel.has_choices


@pytest.mark.parametrize("column", ["codec", "height", "bitrate_kbps"])
def test_without_one_of_the_columns_there_is_no_choice(column: str) -> None:
    assert not panel_of(table().drop(columns=column)).has_choices


def test_rows_that_are_not_known_whole_are_in_no_group() -> None:
    panel = panel_of(table(height=[360, np.nan, 360, 720], bitrate_kbps=[500.0, 900.0, 0.0, 800.0]))
    assert panel.group.tolist()[1:3] == [-1, -1]
    assert not panel.has_choices


def test_data_sets_are_named_where_there_are_several() -> None:
    assert panel_of(table(dataset=["x", "x", "y", "y"])).datasets == ("x", "y")
    assert panel_of(table(dataset="x")).datasets == ()


def test_some_stimuli_keep_what_is_known_of_them() -> None:
    part = panel_of(table(dataset=["x", "x", "y", "y"])).take(np.array([2, 3]))
    assert part.dataset.tolist() == ["y", "y"]
    assert part.height_px.tolist() == [360, 720]


def test_flagged_rows_are_left_out_and_counted_once() -> None:
    kept, counts = without_flagged(table(broken=[1, 0, 1, 0], lowfps=[1, 1, 0, 0]))
    assert kept["bitrate_kbps"].tolist() == [800]
    assert kept.index.tolist() == [0]
    assert counts == {"broken": 2, "lowfps": 1}


def test_a_table_without_flags_stays_as_it_is() -> None:
    frame = table(broken=[0, 0, np.nan, 0])
    assert without_flagged(frame) == (frame, {})


def test_a_table_of_flagged_rows_only_is_refused() -> None:
    with pytest.raises(FeatureTableError, match="broken"):
        without_flagged(table(broken=1))
