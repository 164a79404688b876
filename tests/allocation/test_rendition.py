"""Renditions: which are the same."""

from dataclasses import replace

import pytest

from abr_alloc.allocation.rendition import AudioRendition, VideoRendition

VIDEO = VideoRendition(codec="h264", width_px=640, height_px=360, target="crf=28", bitrate_kbps=500.0, vmaf=80.0)
AUDIO = AudioRendition(codec="aac", channels=2, target="b=64k", bitrate_kbps=64.0, quality_mos=4.0)


@pytest.mark.parametrize("other", [{"codec": "av1"}, {"width_px": 642}, {"height_px": 362}, {"target": "crf=29"}])
def test_a_video_rendition_is_another_one_by(other: dict[str, object]) -> None:
    assert replace(VIDEO, **other).identity != VIDEO.identity


@pytest.mark.parametrize("other", [{"codec": "opus"}, {"channels": 1}, {"target": "b=96k"}])
def test_an_audio_rendition_is_another_one_by(other: dict[str, object]) -> None:
    assert replace(AUDIO, **other).identity != AUDIO.identity


def test_rate_and_quality_are_the_scenes_own() -> None:
    assert replace(VIDEO, bitrate_kbps=400.0, vmaf=None).identity == VIDEO.identity
    assert replace(AUDIO, bitrate_kbps=60.0, quality_mos=None).identity == AUDIO.identity
