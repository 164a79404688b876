"""Names of renditions and planned rates."""

import dataclasses

import pytest

from abr_alloc.allocation.rung import Rung
from abr_alloc.allocation.surface import AudioRendition, VideoRendition
from abr_alloc.errors import LadderFormatError
from abr_alloc.export.planned import rendition_names

VIDEO = VideoRendition(codec="h264", width_px=640, height_px=360, target="b=900k", bitrate_kbps=900.0)
AUDIO = AudioRendition(codec="aac", channels=2, target="b=96k", bitrate_kbps=97.35)
RUNG = Rung(
    video=VIDEO, audio=AUDIO, total_kbps=1017.3, avq_mos=3.5, interval_mos=(3.2, 3.8), played_share=1.0
)  # fmt: skip


def rung(*, video=None, audio=None):
    """The rung above with other fields of its renditions."""
    return dataclasses.replace(
        RUNG, video=dataclasses.replace(VIDEO, **video or {}), audio=dataclasses.replace(AUDIO, **audio or {})
    )


@pytest.mark.parametrize(
    ("changed", "name"),
    [
        ({}, "video/640x360-900k"),
        ({"codec": "hevc"}, "video/hevc-640x360-900k"),
        ({"target": "crf=26", "bitrate_kbps": 712.6}, "video/640x360-713k"),
    ],
)
def test_a_video_rendition_is_named_by_size_and_rate(changed, name):
    only = rung(video=changed)
    assert rendition_names([only])[only.video] == name


@pytest.mark.parametrize(
    ("changed", "name"),
    [
        ({}, "audio/aac-96k"),
        ({"channels": 1, "target": "b=64k"}, "audio/aac-64k-mono"),
        ({"codec": "eac3", "channels": 6, "target": "b=384000"}, "audio/eac3-384k-6ch"),
        ({"target": "q=2"}, "audio/aac-97k"),
    ],
)
def test_an_audio_rendition_is_named_by_what_its_encoder_is_asked_for(changed, name):
    only = rung(audio=changed)
    assert rendition_names([only])[only.audio] == name


def test_distinct_renditions_never_share_a_folder():
    rungs = [rung(), rung(video={"bitrate_kbps": 900.2}, audio={"bitrate_kbps": 96.1}), rung(video={"codec": "av1"})]
    names = rendition_names(rungs)
    assert len(names) == 5  # three videos, two audios
    assert len(set(names.values())) == 5
    assert names[rungs[1].audio] == "audio/aac-96k-2"


@pytest.mark.parametrize(
    "changed",
    [
        {"video": {"codec": "../h264"}},
        {"audio": {"codec": "aac\n"}},
        {"audio": {"target": "b=96k;rm"}},
        {"audio": {"channels": 0}},
    ],
)
def test_nothing_unknown_gets_into_a_path(changed):
    with pytest.raises(LadderFormatError):
        rendition_names([rung(**changed)])
