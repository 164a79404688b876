"""The script of a ladder per shot runs with the real ffmpeg: all frames, in order, each scene as it is asked for."""

from __future__ import annotations

import itertools
import os
import subprocess
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import m3u8
import numpy as np
import pytest

from abr_alloc.allocation.rendition import Shot
from abr_alloc.errors import ExportError, LadderFormatError
from abr_alloc.exporting.planned import planned_variants
from abr_alloc.exporting.shot_script import shot_script
from abr_alloc.media.bitstream import read_fragment

FPS = Fraction(24000, 1001)
BOUNDS = (0, 26, 31, 72)
"""Frames at which scenes begin, and the end: one of five frames, none a whole number of GOPs."""


def shots(values, size=(128, 72), kind="crf"):
    spans = itertools.pairwise(float(frame / FPS) for frame in BOUNDS)
    return tuple(
        Shot(
            start_s=start, end_s=end, width_px=size[0], height_px=size[1], target=f"{kind}={value:g}", bitrate_kbps=60.0
        )
        for (start, end), value in zip(spans, values, strict=True)
    )


@pytest.fixture(scope="module")
def shot_plan(rung, plan):
    """A maker of ladders of two videos over three scenes, by codec."""

    def make(codec: str = "h264", low=(40.0, 30.0, 34.25), size=(128, 72), kind="crf"):
        def rate(**words):
            return {"codec": codec, "target": "b=60k", "bitrate_kbps": 60.0, "width_px": 128, "height_px": 72, **words}

        thin = {"target": "b=64k", "bitrate_kbps": 64.2}
        return plan(
            rung(video=rate(shots=shots(low, size, kind)), audio=thin, avq_mos=2.5),
            rung(
                video=rate(
                    **{"width_px": 192, "height_px": 108, "target": "b=200k", "bitrate_kbps": 200.0},
                    shots=shots((22.0, 30.0, 18.0), (192, 108), kind),
                ),
                audio=thin,
            ),
            fps=FPS,
        )

    return make


@pytest.fixture(scope="module")
def film(make_media) -> Path:
    """72 frames, frame n as bright as 60 + 2 n, in a file whose first frame does not come at 0."""
    return make_media(
        "film.mkv",
        "lavfi:color=black:size=192x108:rate=24000/1001:duration=3.003",
        "lavfi:sine=frequency=440:sample_rate=48000:duration=3.003",
        *("-vf", "geq=lum='60+2*N':cb=128:cr=128", "-frames:v", "72"),
        *("-c:v", "libx264", "-qp", "0", "-g", "20", "-pix_fmt", "yuv420p", "-c:a", "flac"),
        *("-output_ts_offset", "1.2"),
    )


def run(text: str, film: Path, place: Path, ffmpeg) -> subprocess.CompletedProcess[str]:
    (place / "encode.sh").write_text(text)
    words = ["sh", "encode.sh", str(film), "out dir"]
    return subprocess.run(words, cwd=place, env=os.environ | {"FFMPEG": ffmpeg.path}, capture_output=True, text=True)


@pytest.mark.parametrize("codec", ["h264", "hevc"])
def test_every_frame_is_there_once_and_in_order(codec, shot_plan, film, tmp_path, ffmpeg):
    wanted = shot_plan(codec)
    ended = run(shot_script(wanted), film, tmp_path, ffmpeg)
    assert ended.returncode == 0, ended.stderr
    for variant in planned_variants(wanted):
        folder = tmp_path / "out dir" / variant.video.name
        with av.open(str(folder / "index.m3u8")) as container:
            frames = list(container.decode(video=0))
        assert [round(frame.to_ndarray()[:64].mean()) for frame in frames] == pytest.approx(
            [60 + 2 * n for n in range(BOUNDS[-1])], abs=3
        )
        times = np.array([float(frame.time) for frame in frames])
        assert times - times[0] == pytest.approx(np.arange(BOUNDS[-1]) / float(FPS), abs=1e-4)
        playlist = m3u8.loads((folder / "index.m3u8").read_text())
        init = (folder / playlist.segment_map[0].uri).read_bytes()
        found = [read_fragment((folder / s.uri).read_bytes(), init, name="video") for s in playlist.segments]
        idr = sorted(round(Fraction(t, f.timescale) * FPS) for f in found for t in f.idr)
        assert [place - idr[0] for place in idr] == [0, 26, 31], "a key frame where a scene begins, and none beside"
        assert found[0].codecs.split(".")[0] == variant.video.codecs.split(".")[0]
    assert not (tmp_path / "out dir" / "scenes").exists()
    master = m3u8.loads((tmp_path / "out dir" / "master.m3u8").read_text())
    assert sorted(p.uri for p in master.playlists) == sorted(
        f"{v.video.name}/index.m3u8" for v in planned_variants(wanted)
    )


def test_a_source_of_another_length_is_told(shot_plan, film, make_media, tmp_path, ffmpeg):
    short = make_media("short.mkv", "-i", film, "-t", "2.5", "-c", "copy")
    ended = run(shot_script(shot_plan()), short, tmp_path, ffmpeg)
    assert ended.returncode == 1
    assert "not 72: give the source that the ladder was designed from" in ended.stderr


def test_scenes_of_unlike_size_and_rates_are_refused(shot_plan):
    wanted = shot_plan()
    (first, *others) = wanted.rungs[0].video.shots
    mixed = replace(wanted.rungs[0].video, shots=(replace(first, width_px=64, height_px=36), *others))
    with pytest.raises(ExportError, match=r"scenes of unlike size.*abr-alloc encode"):
        shot_script(replace(wanted, rungs=(replace(wanted.rungs[0], video=mixed), wanted.rungs[1])))
    with pytest.raises(ExportError, match=r"CRF or QP.*b=40"):
        shot_script(shot_plan(kind="b"))


def test_scenes_that_are_not_all_frames_are_refused(shot_plan):
    wanted = shot_plan()
    video = wanted.rungs[1].video
    cut = replace(wanted.rungs[1], video=replace(video, shots=video.shots[1:]))
    with pytest.raises(LadderFormatError, match="not all frames at 24000/1001 frames per second"):
        shot_script(replace(wanted, rungs=(wanted.rungs[0], cut)))
