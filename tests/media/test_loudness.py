"""Loudness: the test signals of EBU Tech 3341, whose answers are known, and silence."""

from __future__ import annotations

import numpy as np
import pytest

from abr_alloc.media.coding import SAMPLE_RATE_HZ
from abr_alloc.media.loudness import Loudness, differing, pcm_loudness, track_loudness
from abr_alloc.media.probe import probe


def sine(peaks_db: list[float | None], seconds: float = 5.0) -> np.ndarray:
    t = np.arange(round(seconds * SAMPLE_RATE_HZ)) / SAMPLE_RATE_HZ
    wave = np.sin(2 * np.pi * 1000 * t)
    return np.stack([(0.0 if db is None else 10 ** (db / 20)) * wave for db in peaks_db], axis=1).astype("<f4")


@pytest.mark.parametrize(
    ("peaks_db", "lufs"),
    [
        ([-23.0, -23.0], -23.0),  # test signal 1
        ([-33.0, -33.0], -33.0),  # 2
        ([-28.0, -28.0, -24.0, None, -30.0, -30.0], -23.0),  # 6
        ([None, None, None, -10.0, None, None], None),  # low-frequency effects do not count
    ],
)
def test_the_signals_of_ebu_tech_3341_are_as_loud_as_it_says(ffmpeg, tmp_path, peaks_db, lufs) -> None:
    sine(peaks_db).tofile(tmp_path / "pcm.f32")
    found = pcm_loudness(ffmpeg, tmp_path / "pcm.f32", len(peaks_db))
    assert found.lufs == (None if lufs is None else pytest.approx(lufs, abs=0.1))
    assert found.true_peak_db == pytest.approx(max(db for db in peaks_db if db is not None), abs=0.2)


def test_every_track_is_measured_in_its_own_layout_and_silence_has_no_number(ffmpeg, make_media) -> None:
    source = make_media(
        "loud.mkv", "lavfi:aevalsrc=0.1*sin(6283*t)|0.1*sin(6283*t)|0|0|0|0:s=48000:d=3:c=5.1",
        "lavfi:anullsrc=cl=stereo:d=3", "-map", "0:a", "-map", "1:a", "-t", "3", "-c:a", "flac",
    )  # fmt: skip
    found = track_loudness(ffmpeg, probe(source, ffmpeg))
    assert list(found) == ["1", "1 in stereo", "2"]
    assert found["1"].lufs == found["1 in stereo"].lufs == pytest.approx(-20.0, abs=0.1)
    assert found["2"] == Loudness(lufs=None, true_peak_db=None)


def test_a_difference_of_more_than_1_lu_is_told() -> None:
    def loud(*lufs: float | None) -> dict[str, Loudness]:
        return {str(n): Loudness(lufs=value, true_peak_db=0.0) for n, value in enumerate(lufs, 1)}

    assert differing(loud(-23.0, -22.0)) == differing(loud(-23.0, None)) == differing(loud(None)) == ""
    assert "differ in loudness by 1.1 LU (1 -23.0 LUFS, 2 -21.9 LUFS)" in differing(loud(-23.0, -21.9))
