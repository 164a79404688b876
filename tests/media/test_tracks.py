"""Which streams are the title: the film and not its cover, the programme and not its commentary."""

from __future__ import annotations

import pytest

from abr_alloc.errors import UnsupportedMediaError
from abr_alloc.media.probe import probe
from abr_alloc.media.scenes import scan_source

X264 = ("-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p")
FILM = "lavfi:testsrc2=size=96x64:rate=25:duration=2"
COVER = "lavfi:color=red:size=200x200:rate=1:duration=1"


def tone(hz: int) -> str:
    return f"lavfi:sine=f={hz}:r=48000:d=2"


def maps(*numbers: int) -> list[str]:
    return [word for n in numbers for word in ("-map", str(n))]


@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
@pytest.mark.parametrize("marked", [True, False])
@pytest.mark.parametrize("cover_codec", ["png", "mjpeg"])
def test_a_cover_before_the_film_is_not_the_film(ffmpeg, make_media, tmp_path, suffix, marked, cover_codec) -> None:
    codecs = ("-frames:v:0", "1", "-c:v:0", cover_codec, "-c:v:1", *X264[1:3], *X264[3:], "-c:a", "aac")
    mark = ("-disposition:v:0", "attached_pic") if marked else ()
    path = make_media(f"cover-{cover_codec}.{suffix}", COVER, FILM, tone(440), *maps(0, 1, 2), *codecs, *mark)
    info = probe(path, ffmpeg)
    assert (info.width_px, info.height_px, info.fps) == (96, 64, 25)
    assert scan_source(ffmpeg, info, tmp_path).num_frames == round(info.duration_s * 25) >= 25


def two_tracks(make_media, name: str, *options: str):
    return make_media(name, FILM, tone(440), tone(880), *maps(0, 1, 2), *X264, "-c:a", "aac", "-ac", "2", *options)


@pytest.mark.parametrize(
    ("name", "options", "chosen"),
    [
        ("plain", (), 1),
        ("second-default", ("-disposition:a:0", "0", "-disposition:a:1", "default"), 2),
        ("commentary-first", ("-disposition:a:0", "comment", "-disposition:a:1", "default"), 2),
        ("commentary-default", ("-disposition:a:0", "default+comment", "-disposition:a:1", "0"), 2),
        ("description-first", ("-disposition:a:0", "visual_impaired+descriptions", "-disposition:a:1", "0"), 2),
        ("only-commentary", ("-disposition:a:0", "comment", "-disposition:a:1", "comment"), 1),
    ],
)
def test_the_programme_is_chosen_by_what_the_file_says_and_told(ffmpeg, make_media, name, options, chosen) -> None:
    info = probe(two_tracks(make_media, f"{name}.mkv", *options), ffmpeg)
    assert info.audio_indices == (chosen,)
    assert any(f"audio track {chosen} of 2 is measured" in note and "`audio_track`" in note for note in info.notes)


def test_a_track_that_is_asked_for_is_taken_without_a_word(ffmpeg, make_media) -> None:
    path = two_tracks(make_media, "asked.mkv", "-metadata:s:a:1", "language=ger")
    info = probe(path, ffmpeg, audio_track=2)
    assert (info.audio_indices, info.language, info.notes) == ((2,), "ger", ())
    with pytest.raises(UnsupportedMediaError, match="has 2 audio tracks, and no number 3; give one of 1 to 2"):
        probe(path, ffmpeg, audio_track=3)


def mono_tracks(make_media, name: str, *options: str, num: int = 2):
    tracks = [tone(220 * (n + 1)) for n in range(num)]
    codec = ("-c:v", "mpeg2video") if name.endswith("mxf") else X264
    return make_media(name, FILM, *tracks, *maps(*range(num + 1)), *codec, "-c:a", "pcm_s16le", *options)


@pytest.mark.parametrize("suffix", ["mov", "mxf", "mkv"])
@pytest.mark.parametrize("num", [2, 4])
def test_mono_tracks_side_by_side_are_left_and_right(ffmpeg, make_media, suffix, num) -> None:
    info = probe(mono_tracks(make_media, f"sides{num}.{suffix}", num=num), ffmpeg)
    assert (info.audio_indices, info.channels) == ((1, 2), 2)
    (note,) = info.notes
    assert "mono tracks 1 and 2 are taken as left and right" in note
    assert ("2 more are left out" in note) == (num == 4)
    assert probe(info.path, ffmpeg, audio_track=2).audio_indices == (2,)


def test_mono_tracks_of_two_languages_are_two_programmes(ffmpeg, make_media) -> None:
    languages = ("-metadata:s:a:0", "language=eng", "-metadata:s:a:1", "language=fra")
    info = probe(mono_tracks(make_media, "tongues.mov", *languages), ffmpeg)
    assert (info.audio_indices, info.channels) == ((1,), 1)
