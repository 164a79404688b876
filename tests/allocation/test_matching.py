"""Rungs as they were given, on a title's surface: by name, else between the probes, and never beyond them."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from abr_alloc.allocation.given_ladder import GivenAudio, GivenLadder, GivenRung, GivenVideo
from abr_alloc.allocation.matching import match_ladder


@pytest.fixture
def title(make_surface):
    """240p at 100 and 400 kbps, 480p at 300 to 1200 and, with a name, at 800; beside 32, 64 and 128 kbps of audio."""
    video, kbps = np.array([2.0, 3.0, 2.5, 3.5, 4.5, 4.4]), [100, 400, 300, 600, 1200, 800]
    made = make_surface(np.add.outer(video, [0.0, 0.1, 0.2]), kbps, [32, 64, 128], [240] * 2 + [480] * 4)
    named = (*made.video[:5], dataclasses.replace(made.video[5], target="top"))
    audio = tuple(dataclasses.replace(a, target=f"b={a.bitrate_kbps:g}k") for a in made.audio)
    return dataclasses.replace(made, video=named, audio=audio)


def ladder(**rung) -> GivenLadder:
    video = {name: rung.pop(name) for name in list(rung) if not name.startswith("audio")}
    sound = {name.removeprefix("audio_"): value for name, value in rung.items()}
    given = GivenRung(place="line 2", video=GivenVideo(**video), audio=GivenAudio(**sound) if sound else None)
    return GivenLadder(name="l", rungs=(given,))


SIZE = {"codec": "h264", "width_px": 960, "height_px": 480}
AAC = {"audio_codec": "aac", "audio_kbps": 64.0}


def test_a_label_is_the_measured_rendition_itself(title) -> None:
    (rung,), left = match_ladder(title, ladder(label="top", **SIZE, kbps=5000.0, **AAC))
    assert (rung.how, rung.video, left) == ("measured", title.video[5], ())
    assert rung.avq_mos == pytest.approx(4.5)


def test_a_label_of_another_codec_or_size_is_another_rendition(title) -> None:
    for other in ({"codec": "hevc"}, {"height_px": 540}):
        (rung, *_), _ = match_ladder(title, ladder(label="top", **SIZE, kbps=600.0, **AAC))
        assert rung.how == "measured"
        matched, left = match_ladder(title, ladder(label="top", **(SIZE | other), kbps=600.0, **AAC))
        assert not [r for r in matched if r.how == "measured"]
        assert left or matched[0].how == "interpolated"


def test_a_rate_of_a_probe_gives_the_probes_avq_and_one_between_lies_between(title) -> None:
    (at,), _ = match_ladder(title, ladder(**SIZE, kbps=600.0, **AAC))
    (between,), _ = match_ladder(title, ladder(**SIZE, kbps=900.0, **AAC))
    assert (at.how, between.how) == ("interpolated", "interpolated")
    assert at.avq_mos == pytest.approx(3.6) and 3.6 < between.avq_mos < 4.6
    assert between.video.bitrate_kbps == 900.0 and len(between.video.nearest_probes) == 2
    assert 3.0 < between.x_v[0] < 4.0, "features lie between too"


@pytest.mark.parametrize(
    ("rung", "reason"),
    [
        ({**SIZE, "kbps": 1300.0, **AAC}, r"1300k is above the dearest probe, 1200k at 480p"),
        ({**SIZE, "kbps": 250.0, **AAC}, r"250k is below the cheapest probe, 300k at 480p"),
        (
            {**SIZE, "height_px": 1080, "width_px": 1920, "kbps": 600.0, **AAC},
            r"1080p is larger than the source \(480p\)",
        ),
        ({**SIZE, "codec": "av1", "kbps": 600.0, **AAC}, r"no av1 video \(it has h264\)"),
        ({**SIZE, "kbps": 600.0, "audio_codec": "opus", "audio_kbps": 64.0}, r"no opus audio \(it has aac\)"),
        (
            {**SIZE, "kbps": 600.0, "audio_codec": "aac", "audio_kbps": 192.0},
            r"no aac audio .* near 192k \(it has 32k to",
        ),
        ({**SIZE, "kbps": 600.0, **AAC, "audio_channels": 6}, r"no aac audio of 6 channels \(it has 2\)"),
        ({**SIZE, "kbps": 600.0}, "no audio"),
        ({"label": "lost", **AAC}, "'lost' is no rendition of the table"),
        ({"label": "top", "audio_label": "lost"}, "'lost' is no rendition of the table"),
    ],
)
def test_what_was_not_measured_has_no_avq_and_says_why(title, rung, reason) -> None:
    matched, (left,) = match_ladder(title, ladder(**rung))
    assert matched == ()
    with pytest.raises(AssertionError, match=reason):
        raise AssertionError(left.reason)


def test_audio_is_the_one_that_was_asked_for_the_rate_else_the_nearest_which_is_said(title) -> None:
    """The encoder spends 70 kbps where 64 are asked for; a rung of 70 kbps is not that of 64."""
    audio = (title.audio[0], dataclasses.replace(title.audio[1], bitrate_kbps=70.0), title.audio[2])
    spent = dataclasses.replace(title, audio=audio)
    (asked,), _ = match_ladder(spent, ladder(**SIZE, kbps=600.0, **AAC))
    assert (asked.audio_index, asked.audio_how, asked.audio_note) == (1, "measured", "")
    (near,), _ = match_ladder(spent, ladder(**SIZE, kbps=600.0, audio_codec="aac", audio_kbps=62.0))
    assert (near.audio_index, near.audio_how, near.audio_note) == (1, "nearest", "aac 70k stands for its audio")


def test_rungs_come_by_total_rate(title) -> None:
    rungs = [ladder(**SIZE, kbps=kbps, **AAC).rungs[0] for kbps in (900.0, 400.0, 600.0)]
    matched, _ = match_ladder(title, GivenLadder(name="l", rungs=tuple(rungs)))
    assert [r.video.bitrate_kbps for r in matched] == [400.0, 600.0, 900.0]
