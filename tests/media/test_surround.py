"""Which track has surround, and what its encoders are asked for."""

from __future__ import annotations

from dataclasses import replace

import pytest

from abr_alloc.codecs import AUDIO_CODECS
from abr_alloc.errors import GridError
from abr_alloc.media.grid import AudioTarget, load_grid
from abr_alloc.media.probe import MediaInfo, probe
from abr_alloc.media.surround import SURROUND_KBPS, surround_track
from abr_alloc.media.tracks import AudioTrack
from abr_alloc.targets import Target

GRID = '[video]\nsizes = []\n[video.crf]\nh264 = [30]\n[audio]\naac = ["64k"]\n'


@pytest.fixture(scope="module")
def info(clip, ffmpeg) -> MediaInfo:
    return probe(clip, ffmpeg)


def track(number: int, layout: str, channels: int, language: str = "", role: str = "main") -> AudioTrack:
    return AudioTrack(
        number=number, index=number, codec="aac", channels=channels, layout=layout, sample_rate_hz=48000,
        language=language, title="", role=role, is_default=number == 1,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("tracks", "found"),
    [
        ([track(1, "stereo", 2)], None),
        ([track(1, "5.1(side)", 6)], 1),
        ([track(1, "7.1", 8)], 1),
        ([track(1, "stereo", 2), track(2, "5.1", 6)], 2),
        ([track(1, "5.1", 6), track(2, "7.1", 8)], 1),
        ([track(1, "stereo", 2, "eng"), track(2, "5.1", 6, "ger"), track(3, "5.1", 6, "eng")], 3),
        ([track(1, "stereo", 2), track(2, "5.1", 6, role="commentary")], None),
        ([track(1, "3.0", 3)], None),
        ([track(1, "4.0", 4)], None),
        ([track(1, "10 channels", 10)], None),
        ([track(1, "6.0", 6)], None),
        ([track(1, "", 6)], 1),
    ],
)
def test_surround_is_the_track_itself_or_another_of_its_language_and_role(info, tracks, found) -> None:
    heard = replace(info, audio_tracks=tuple(tracks), audio_indices=(1,), channels=tracks[0].channels)
    chosen = surround_track(heard)
    assert (chosen and chosen.number) == found


def test_mono_tracks_side_by_side_have_none(info) -> None:
    assert surround_track(replace(info, audio_indices=(1, 2))) is None


def test_a_grid_that_says_nothing_is_asked_for_the_usual_rates(tmp_path) -> None:
    (tmp_path / "g.toml").write_text(GRID)
    grid = load_grid(str(tmp_path / "g.toml"))
    assert grid.surround(["ac3", "ac3"]) == [
        AudioTarget(codec="ac3", channels=6, target=f"b={kbps}k") for kbps in SURROUND_KBPS["ac3"]
    ]
    for codec, rates in SURROUND_KBPS.items():
        low, high = AUDIO_CODECS[codec].rate_range_kbps
        assert all(low <= kbps <= high and kbps in (AUDIO_CODECS[codec].rates_kbps or (kbps,)) for kbps in rates)


def test_a_grid_names_rates_and_encoders_of_its_own(tmp_path) -> None:
    fdk = '[encoders.mine]\ncodec = "aac"\nencoder = "libfdk_aac"\nrates = ["96k"]\n'
    (tmp_path / "g.toml").write_text(f'{GRID}[audio.surround]\neac3 = ["384k"]\nmine = ["256k", "320k"]\n{fdk}')
    grid = load_grid(str(tmp_path / "g.toml"))
    assert [t.target for t in grid.surround(["eac3"])] == ["b=384k"]
    found = grid.surround(["mine"])
    assert [(t.codec, t.channels, t.target) for t in found] == [("aac", 6, f"b={k}k@mine") for k in (256, 320)]
    assert {t.encoder.encoder for t in found} == {"libfdk_aac"} and {Target(t.target).encoder for t in found} == {
        "mine"
    }


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('flac = ["lossless"]', "5.1 is encoded in aac, ac3, eac3, opus"),
        ('ac3 = ["385k"]', "ac3 has no 385 kbps, the nearest is 384"),
        ('ac3 = "384k"', "is '384k', not a list of rates"),
        ("ac3 = []", "not a list of rates"),
        ('strange = ["384k"]', "has 'strange'"),
    ],
)
def test_what_cannot_be_asked_for_is_refused_by_name(tmp_path, text, said) -> None:
    (tmp_path / "g.toml").write_text(f"{GRID}[audio.surround]\n{text}\n")
    with pytest.raises(GridError) as refused:
        load_grid(str(tmp_path / "g.toml"))
    assert said in str(refused.value)


def test_a_codec_without_5_1_is_refused_with_those_that_have_it(tmp_path) -> None:
    (tmp_path / "g.toml").write_text(GRID)
    with pytest.raises(GridError, match=r"no 5\.1 targets for 'heaac'; choose another `surround_codecs`, aac"):
        load_grid(str(tmp_path / "g.toml")).surround(["heaac"])
