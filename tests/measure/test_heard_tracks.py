"""Several audio tracks of one source, measured: each row is of the track that it names."""

from __future__ import annotations

from pathlib import Path

import pytest

from abr_alloc.errors import UnsupportedMediaError
from abr_alloc.measure.heard_tracks import heard_tracks
from abr_alloc.media.probe import probe
from abr_alloc.table.table import read_features


@pytest.fixture(scope="module")
def two(make_media) -> Path:
    """2 s: a tone in English, noise in German."""
    return make_media(
        "two.mkv",
        *("lavfi:testsrc2=size=96x64:rate=12:duration=2", "lavfi:sine=frequency=440:sample_rate=48000:duration=2"),
        *("lavfi:anoisesrc=r=48000:d=2:a=0.4:seed=7", "-map", "0", "-map", "1", "-map", "2", "-c:v", "libx264"),
        *("-preset", "ultrafast", "-pix_fmt", "yuv420p", "-ac", "2", "-c:a", "flac"),
        *("-metadata:s:a:0", "language=eng", "-metadata:s:a:1", "language=ger"),
    )


def test_rows_say_which_track_they_are_of(two, tiny_grid, run_command, in_threads, tmp_path):
    words = ("--grid", tiny_grid, "--jobs", "1", "--cache", tmp_path / "cache")
    assert run_command("extract", two, "-o", tmp_path / "a.parquet", *words).code == 0
    outcome = run_command("extract", two, "-o", tmp_path / "b.parquet", *words, "--audio-track", 1, "--audio-track", 2)
    assert outcome.code == 0, outcome.stderr
    alone, both = (
        read_features(tmp_path / name).of_kind("audio").sort_values("bitrate_kbps")
        for name in ("a.parquet", "b.parquet")
    )
    both = both.sort_values("audio_track")
    assert "audio_track" not in alone
    assert both[["audio_track", "language"]].to_numpy().tolist() == [[1, "en"], [2, "de"]]
    assert both["audio_mos"].iloc[0] == alone["audio_mos"].iloc[0]
    assert both["audio_mos"].iloc[1] < both["audio_mos"].iloc[0] - 1  # noise is dear


def test_a_track_that_is_not_there_is_refused(two, ffmpeg):
    info = probe(two, ffmpeg)
    assert heard_tracks(info, ()) == {info: {}}
    with pytest.raises(UnsupportedMediaError, match="has 2 audio tracks, and no number 3"):
        heard_tracks(info, (2, 3))
