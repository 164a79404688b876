"""The script runs in a POSIX shell with the real ffmpeg, whatever files are called, and makes what the ladder says."""

from __future__ import annotations

import itertools
import os
import shutil
import subprocess
from fractions import Fraction
from pathlib import Path

import av
import m3u8
import pytest

from abr_alloc.errors import ExportError, LadderFormatError
from abr_alloc.exporting.ffmpeg_script import ffmpeg_script
from abr_alloc.exporting.planned import planned_variants, printable
from abr_alloc.media.bitstream import read_fragment

FPS = Fraction(24000, 1001)
EVIL = "a 'film' \"x\" $(touch pwned) `touch pwned` %03d %v\n; & #.mp4"
"""A file's name as bad as a file system takes it."""


@pytest.fixture(scope="module")
def film(make_media) -> Path:
    """Nine seconds at 24000/1001 frames per second, two segments, with cuts where no group of pictures ends."""
    return make_media(
        "film.mp4",
        "lavfi:testsrc2=size=192x108:rate=24000/1001:duration=9",
        "lavfi:aevalsrc=0.3*sin(2*PI*440*t)|0.2*sin(2*PI*660*t):s=44100:d=9",
        *("-vf", "negate=enable='between(t,1.3,3.3)+gt(t,5.2)',noise=alls=10:allf=t"),
        *("-c:v", "libx264", "-preset", "ultrafast", "-crf", "12", "-pix_fmt", "yuv420p", "-c:a", "aac"),
    )


@pytest.fixture(scope="module")
def short_film(make_media, film) -> Path:
    """Its first second, for what is no matter of segments."""
    return make_media("short_film.mp4", "-i", film, "-t", "1", "-c", "copy")


@pytest.fixture(scope="module")
def run_script(ffmpeg, tmp_path_factory):
    """Run a script in a folder of its own: `run_script(text, source, name_of_folder)`."""

    def run(text: str, *words: str | Path, program: str = ffmpeg.path, cwd: Path | None = None):
        place = cwd or tmp_path_factory.mktemp("script")
        (place / "encode.sh").write_text(text)
        command = ["sh", "encode.sh", *map(str, words)]
        ended = subprocess.run(command, cwd=place, env=os.environ | {"FFMPEG": program}, capture_output=True, text=True)
        return place, ended

    return run


@pytest.fixture(scope="module", params=[("h264", "aac"), ("hevc", "opus"), ("av1", "eac3")], ids="-".join)
def delivered(request, small_plan, run_script, film):
    """A plan, and the folder that its script filled, by codecs."""
    wanted = small_plan(*request.param, fps=FPS)
    place, ended = run_script(ffmpeg_script(wanted), film, "out")
    assert ended.returncode == 0, ended.stderr
    return wanted, place / "out"


def streams(folder: Path) -> dict[str, m3u8.M3U8]:
    """The media playlists, by folder."""
    return {str(p.parent.relative_to(folder)): m3u8.loads(p.read_text()) for p in folder.rglob("index.m3u8")}


def fragments(folder: Path, name: str) -> list:
    """The segments of a stream, read."""
    playlist = m3u8.loads((folder / name / "index.m3u8").read_text())
    init = (folder / name / playlist.segment_map[0].uri).read_bytes()
    return [read_fragment((folder / name / s.uri).read_bytes(), init, name=name) for s in playlist.segments]


def test_the_master_playlist_holds_the_ladders_pairs_and_no_others(delivered):
    wanted, folder = delivered
    master = m3u8.loads((folder / "master.m3u8").read_text())
    group = {media.group_id: media.uri for media in master.media}
    found = [(p.uri, group[p.stream_info.audio]) for p in master.playlists]
    expected = [
        (f"{v.video.name}/index.m3u8", f"{v.audio.name}/index.m3u8") for v in planned_variants(wanted)
    ]  # fmt: skip
    assert sorted(found) == sorted(expected)
    assert len(group) == 2


def test_every_rendition_is_encoded_once_and_lies_where_the_playlist_says(delivered):
    wanted, folder = delivered
    names = {stream.name for v in planned_variants(wanted) for stream in (v.video, v.audio)}
    assert set(streams(folder)) == names


def test_every_rendition_decodes_to_the_length_of_the_film(delivered):
    _, folder = delivered
    for name in streams(folder):
        with av.open(str(folder / name / "index.m3u8")) as container:
            (stream,) = container.streams
            seconds = [float(frame.time) for frame in container.decode(stream)]
        assert seconds[-1] - seconds[0] == pytest.approx(9.0, abs=0.1), name


def test_streams_are_what_the_playlist_promises(delivered):
    wanted, folder = delivered
    for variant in planned_variants(wanted):
        video, audio = (fragments(folder, stream.name)[0] for stream in (variant.video, variant.audio))
        assert (video.codecs, audio.codecs) == (variant.video.codecs, variant.audio.codecs)
        assert (video.width_px, video.height_px) == (variant.video.width_px, variant.video.height_px)
        assert (audio.channels, audio.sample_rate_hz) == (2, 48000)


def test_groups_of_pictures_are_fixed_and_segments_begin_together(delivered):
    wanted, folder = delivered
    starts = set()
    for name in (v.video.name for v in planned_variants(wanted)):
        found = fragments(folder, name)
        assert all(fragment.starts_with_idr for fragment in found)
        times = [Fraction(t, f.timescale) for f in found for t in f.idr]
        gaps = {b - a for a, b in itertools.pairwise(times)}
        assert gaps == {wanted.gop_frames / FPS}, name
        starts.add(tuple(Fraction(f.start, f.timescale) for f in found))
    ((first, second),) = starts
    assert second - first == wanted.segment_s


def test_audio_begins_with_the_video_but_for_its_encoders_lead_in(delivered):
    """Frames that are reordered put the video's first picture later; the audio must be as late."""
    wanted, folder = delivered
    variant = planned_variants(wanted)[0]
    video, audio = (fragments(folder, stream.name)[0] for stream in (variant.video, variant.audio))
    late_s = video.start / video.timescale - audio.start / audio.timescale
    assert 0.0 <= late_s <= 1025 / 48000  # one frame of AAC, 312 samples of Opus


def test_scores_are_the_ladders(delivered):
    wanted, folder = delivered
    text = (folder / "master.m3u8").read_text()
    assert [f"SCORE={rung.avq_mos:.3f}" in text for rung in wanted.rungs] == [True] * 3


def test_no_name_of_a_file_is_read_as_anything_else(small_plan, run_script, short_film, tmp_path):
    shutil.copy(short_film, tmp_path / EVIL)
    folder = f"-{EVIL}"
    _, ended = run_script(ffmpeg_script(small_plan(fps=FPS)), EVIL, folder, cwd=tmp_path)
    assert ended.returncode == 0, ended.stderr
    assert (tmp_path / folder / "master.m3u8").is_file()
    assert len(streams(tmp_path / folder)) == 4
    assert {path.name for path in tmp_path.iterdir()} == {"encode.sh", EVIL, folder}


@pytest.mark.parametrize("name", ["-film.mp4", "concat:film.mp4", "*.mp4"])
def test_no_source_is_read_as_an_option_a_protocol_or_a_pattern(name, small_plan, run_script, short_film, tmp_path):
    shutil.copy(short_film, tmp_path / name)
    _, ended = run_script(ffmpeg_script(small_plan(fps=FPS)), name, "out", cwd=tmp_path)
    assert ended.returncode == 0, ended.stderr


@pytest.mark.parametrize("title", ["x\ntouch pwned\n", "END_OF_PLAYLIST\ntouch pwned", "x\r\n#EXTM3U", "{planned} %s"])
def test_a_title_stays_in_its_comment(title, small_plan, run_script, short_film):
    text = ffmpeg_script(small_plan(fps=FPS, title=printable(title)))
    assert f"# {printable(title)}" in text.splitlines()
    place, ended = run_script(text, short_film, "out")
    assert ended.returncode == 0, ended.stderr
    assert not list(place.rglob("pwned"))
    m3u8.loads((place / "out" / "master.m3u8").read_text())


def test_a_program_beside_the_script_is_found(small_plan, run_script, short_film, ffmpeg, tmp_path):
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "my ffmpeg").symlink_to(ffmpeg.path)
    script = ffmpeg_script(small_plan(fps=FPS))
    _, ended = run_script(script, short_film, "out", program="bin/my ffmpeg", cwd=tmp_path)
    assert ended.returncode == 0, ended.stderr


def test_a_source_that_cannot_be_read_leaves_no_master_playlist(small_plan, run_script):
    place, ended = run_script(ffmpeg_script(small_plan()), "missing.mp4", "out")
    assert ended.returncode != 0
    assert not (place / "out" / "master.m3u8").exists()


@pytest.mark.parametrize("words", [[], ["film.mp4"], ["film.mp4", "out", "more"]])
def test_other_words_are_a_usage_error(words, small_plan, run_script):
    _, ended = run_script(ffmpeg_script(small_plan()), *words)
    assert ended.returncode == 2
    assert ended.stderr == "usage: sh encode.sh SOURCE DIR\n"


def test_segments_of_a_long_film_do_not_drift_from_its_key_frames(small_plan):
    """ffmpeg counts segments by multiples of -hls_time: 6 s would leave 6.006 s behind after half an hour."""
    assert "-hls_time 6.006 " in ffmpeg_script(small_plan(fps=FPS))
    assert "-hls_time 6 " in ffmpeg_script(small_plan(fps=Fraction(25)))


def test_a_measured_rung_is_encoded_by_its_crf_within_its_largest_rate(rung, plan):
    text = ffmpeg_script(plan(rung(video={"target": "crf=26", "bitrate_kbps": 800.0})))
    assert "-crf:v:0 26 -maxrate:v:0 1200k -bufsize:v:0 1600k" in text


@pytest.mark.parametrize("target", ["crf=26;rm -rf .", "crf=99", "crf=nan", "q=3", "b=900k$(x)", ""])
def test_a_target_that_is_no_number_never_gets_into_the_script(target, rung, plan):
    with pytest.raises(LadderFormatError):
        ffmpeg_script(plan(rung(video={"target": target})))


def test_a_lossless_codec_is_asked_for_no_rate(rung, plan):
    words = ffmpeg_script(plan(rung(audio={"codec": "flac", "target": "lossless", "bitrate_kbps": 900.0})))
    assert "-c:a:0 flac -ac:a:0 2" in words and "-b:a" not in words and "audio/flac" in words


@pytest.mark.parametrize(("kind", "codec"), [("audio", "heaac"), ("audio", "heaacv2")])
def test_a_codec_that_it_does_not_encode_is_refused_by_name(kind, codec, rung, plan):
    with pytest.raises(ExportError, match=f"not {codec}"):
        ffmpeg_script(plan(rung(**{kind: {"codec": codec}})))
