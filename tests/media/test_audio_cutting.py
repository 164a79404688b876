"""Audio cut where segments of video begin: each segment with the first frame from its time on, and nothing is lost."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest

from abr_alloc.media.audio_cutting import cut_audio
from abr_alloc.media.bitstream import Fragment
from abr_alloc.media.cmaf import package, read_segments
from abr_alloc.media.segments import join_segments

SOUND = ("lavfi:aevalsrc=0.3*sin(2*PI*440*t)+0.05*random(0):s=48000:d=3", "-ac", "2")
CODECS = {"aac": ("-c:a", "aac"), "opus": ("-c:a", "libopus"), "ac3": ("-c:a", "ac3"), "flac": ("-c:a", "flac")}


@pytest.fixture(params=CODECS)
def encode(request, make_media) -> Path:
    return make_media(f"{request.param}.mp4", *SOUND, *CODECS[request.param], "-b:a", "96k")


def times_s(fragments: list[Fragment]) -> list[Fraction]:
    return [Fraction(fragment.start, fragment.timescale) for fragment in fragments]


def test_segments_begin_with_the_first_frame_from_their_times_on(ffmpeg, encode, tmp_path):
    package(ffmpeg, encode, Fraction(10), tmp_path)
    (whole,) = read_segments(tmp_path)
    frames_s = [Fraction(ticks, whole.timescale) for ticks in whole.idr]
    wanted = [Fraction(0), Fraction(16, 25), Fraction(31, 24), Fraction(32, 24), Fraction(5, 2)]
    folder = tmp_path / "cut"
    folder.mkdir()
    cut_audio(ffmpeg, encode, wanted, folder)
    found = read_segments(folder)
    assert times_s(found)[1:] == [min(at for at in frames_s if at >= start) for start in wanted[1:]]
    assert [ticks for fragment in found for ticks in fragment.idr] == list(whole.idr)
    assert (found[0].start, found[-1].end) == (whole.start, whole.end), "a decoder's lead-in is of the first segment"
    assert (folder / "init.mp4").read_bytes() == (tmp_path / "init.mp4").read_bytes()


def test_what_is_joined_again_is_the_same_sound(ffmpeg, encode, tmp_path):
    samples = []
    for name in ("cut", "whole"):
        (tmp_path / name).mkdir()
        if name == "cut":
            cut_audio(ffmpeg, encode, [Fraction(n, 7) for n in range(21)], tmp_path / name)
        else:
            package(ffmpeg, encode, Fraction(10), tmp_path / name)
        join_segments(tmp_path / name, tmp_path / f"{name}.mp4")
        samples.append(ffmpeg.run(["-i", tmp_path / f"{name}.mp4", "-f", "s16le", "-"]))
    assert samples[0] == samples[1]


@pytest.mark.parametrize("starts_s", [[], [Fraction(0)], [Fraction(0), Fraction(60)]])
def test_times_at_which_no_segment_can_begin_begin_none(ffmpeg, make_media, starts_s, tmp_path):
    cut_audio(ffmpeg, make_media("aac.mp4", *SOUND, *CODECS["aac"], "-b:a", "96k"), starts_s, tmp_path)
    assert len(read_segments(tmp_path)) == 1


def test_times_within_one_frame_begin_one_segment(ffmpeg, make_media, tmp_path):
    starts_s = [Fraction(0), Fraction(1), Fraction(1001, 1000), Fraction(1002, 1000), Fraction(2)]
    cut_audio(ffmpeg, make_media("aac.mp4", *SOUND, *CODECS["aac"], "-b:a", "96k"), starts_s, tmp_path)
    assert len(read_segments(tmp_path)) == 3
