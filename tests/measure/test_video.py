"""Video features against published values, and against sequences whose answer is known beforehand."""

from __future__ import annotations

import json
import os
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from abr_alloc.encoders import default_encoder
from abr_alloc.errors import MediaError, ToolFailedError
from abr_alloc.measure import video
from abr_alloc.measure.video import (
    FRAME_METRICS,
    frame_kbps,
    measure_together,
    measure_video,
    pool_scene,
    score_frames,
)
from abr_alloc.media.encoding import encode_video
from abr_alloc.media.ffmpeg import FFmpeg
from abr_alloc.media.grid import VideoTarget
from abr_alloc.media.packets import read_packets
from abr_alloc.media.part import Part
from abr_alloc.media.probe import probe
from abr_alloc.media.scenes import scan_source, split_scenes

COLUMN = {name: i for i, name in enumerate(FRAME_METRICS)}
CONFORMANCE = os.environ.get("ABR_ALLOC_CONFORMANCE")


# Published values.


@pytest.mark.conformance
@pytest.mark.skipif(not CONFORMANCE, reason="ABR_ALLOC_CONFORMANCE names no folder with vmaf/ and visqol/")
def test_libvmaf_gives_the_published_values(ffmpeg, tmp_path):
    """Netflix's own test pair, 10 bit, 3 frames; means over all frames, frame 0 included."""
    raw = ("-f", "rawvideo", "-pixel_format", "yuv420p10le", "-video_size", "576x324", "-framerate", "25")
    folder = Path(CONFORMANCE).resolve() / "vmaf"
    inputs = [[*raw, "-i", folder / f"src01_{name}_576x324.yuv420p10le.yuv"] for name in ("hrc01", "hrc00")]
    scores = score_frames(ffmpeg, inputs, "null", "null", tmp_path)
    assert scores.values.shape == (3, 7)
    means = dict(zip(FRAME_METRICS, scores.values.mean(axis=0), strict=True))
    published = {"adm2": 0.951770, "motion2": 2.809551, "vmaf": 82.564227}
    published |= {f"vif_scale{i}": v for i, v in enumerate((0.433089, 0.830613, 0.907212, 0.945896))}
    assert {name: means[name] for name in published} == pytest.approx(published, abs=1e-4)


# Sequences whose answer is known.


@pytest.fixture
def score_gray(ffmpeg, tmp_path):
    """Scores of a sequence of flat gray frames against itself."""

    def score(levels, bit_depth=8, size=(64, 48)):
        width, height = size
        pixel_format, dtype = ("yuv420p", "u1") if bit_depth == 8 else ("yuv420p10le", "<u2")
        chroma = np.full(width * height // 2, 2 ** (bit_depth - 1))
        frames = [np.concatenate([np.full(width * height, level), chroma]) for level in levels]
        path = tmp_path / "gray.yuv"
        path.write_bytes(np.array(frames).astype(dtype).tobytes())
        read = ["-f", "rawvideo", "-pixel_format", pixel_format, "-video_size", f"{width}x{height}"]
        read += ["-framerate", "10", "-i", path]
        log_dir = tmp_path / "log"
        log_dir.mkdir()
        return score_frames(ffmpeg, [read, read], "null", "null", log_dir).values

    return score


@pytest.mark.parametrize("level", [16, 128, 235])
def test_flat_still_frames_give_finite_features_and_no_motion(score_gray, level):
    values = score_gray([level] * 4)
    assert np.isfinite(values).all()
    assert (values[:, COLUMN["motion2"]] == 0).all()
    assert values[:, COLUMN["adm2"]] == pytest.approx(1, abs=1e-3)


def test_video_against_itself_is_perfect(ffmpeg, make_media, tmp_path):
    path = make_media("itself.mkv", "lavfi:testsrc2=size=128x96:rate=10:duration=1", "-c:v", "ffv1")
    read = ["-i", path]
    values = score_frames(ffmpeg, [read, read], "format=yuv420p", "format=yuv420p", tmp_path).values
    for name in ("vif_scale0", "vif_scale1", "vif_scale2", "vif_scale3", "adm2"):
        assert values[:, COLUMN[name]] == pytest.approx(1, abs=1e-3)
    assert values[0, COLUMN["motion2"]] == 0
    assert (values[1:, COLUMN["vmaf"]] > 95).all()


@pytest.fixture
def blurred(make_media):
    """Inputs of ten frames, the distorted ones blurred."""
    frames = "lavfi:testsrc2=size=96x64:rate=10:duration=1"
    sharp = make_media("sharp.mkv", frames, "-c:v", "ffv1")
    return [["-i", make_media("blurred.mkv", frames, "-vf", "boxblur=2", "-c:v", "ffv1")], ["-i", sharp]]


def test_metrics_are_those_of_libvmafs_json_log(ffmpeg, blurred, tmp_path):
    scores = score_frames(ffmpeg, blurred, "format=yuv420p", "format=yuv420p", tmp_path)
    graph = "[0:v]format=yuv420p[a];[1:v]format=yuv420p[b];[a][b]libvmaf=log_fmt=json:log_path=full.json"
    ffmpeg.run([*blurred[0], *blurred[1], "-lavfi", graph, "-f", "null", "-"], cwd=tmp_path)
    log = json.loads((tmp_path / "full.json").read_text())
    for name in FRAME_METRICS:
        key = name if name == "vmaf" else f"integer_{name}"
        assert scores.values[:, COLUMN[name]].tolist() == [frame["metrics"][key] for frame in log["frames"]]
    assert scores.libvmaf_version == log["version"]


def test_libvmaf_is_asked_for_its_version_once_per_process(ffmpeg, blurred, tmp_path, monkeypatch):
    formats = []
    run = video._run_libvmaf
    monkeypatch.setattr(video, "_run_libvmaf", lambda *args: (formats.append(args[-2]), run(*args))[1])
    video._libvmaf.cache_clear()
    for _ in range(2):
        score_frames(ffmpeg, blurred, "format=yuv420p", "format=yuv420p", tmp_path)
    assert sorted(formats) == ["csv", "csv", "json"]


def test_a_frame_without_a_number_is_named(ffmpeg, blurred, tmp_path, monkeypatch):
    def run(*args):
        num_frames = real(*args)
        log = tmp_path / "vmaf.csv"
        lines = log.read_text().splitlines(keepends=True)
        column = lines[0].split(",").index("integer_motion2")
        cells = lines[4].split(",")
        lines[4] = ",".join([*cells[:column], "", *cells[column + 1 :]])
        log.write_text("".join(lines))
        return num_frames

    real = video._run_libvmaf
    video.libvmaf_version(ffmpeg)
    monkeypatch.setattr(video, "_run_libvmaf", run)
    with pytest.raises(MediaError, match="no number for motion2 of frame 3"):
        score_frames(ffmpeg, blurred, "format=yuv420p", "format=yuv420p", tmp_path)


def test_scoring_runs_nothing_but_what_is_kept(ffmpeg, blurred, tmp_path):
    """signalstats took a quarter of the time, for a column that no plan reads."""
    score_frames(ffmpeg, blurred, "format=yuv420p", "format=yuv420p", tmp_path)
    assert [path.name for path in tmp_path.iterdir() if path.suffix in (".csv", ".txt")] == ["vmaf.csv"]


def test_motion_is_the_references_own(ffmpeg, make_media, tmp_path):
    moving = make_media("moving.mkv", "lavfi:testsrc2=size=96x64:rate=10:duration=1", "-c:v", "ffv1")
    still = make_media("stopped.mkv", "lavfi:color=gray:size=96x64:rate=10:duration=1", "-c:v", "ffv1")
    inputs = [["-i", still], ["-i", moving]]
    values = score_frames(ffmpeg, inputs, "format=yuv420p", "format=yuv420p", tmp_path).values
    assert (values[1:, COLUMN["motion2"]] > 0).all()


def test_a_missing_input_is_a_failed_tool(ffmpeg, tmp_path):
    read = ["-i", tmp_path / "none.mkv"]
    with pytest.raises(ToolFailedError):
        score_frames(ffmpeg, [read, read], "null", "null", tmp_path)


# A rendition against its source.


@pytest.fixture(scope="session")
def measured(ffmpeg, make_media, tmp_path_factory):
    """A source of three scenes, its encode, and the encode's scores."""
    folder = tmp_path_factory.mktemp("measured")
    path = make_media(
        *("scenes.mkv", "lavfi:testsrc2=size=96x64:rate=10:duration=4"),
        *("-vf", "negate=enable='between(t,1.45,2.85)'", "-c:v", "ffv1", "-pix_fmt", "yuv420p"),
    )
    info = probe(path, ffmpeg)
    scan = scan_source(ffmpeg, info, folder)
    num_frames, cuts = scan.num_frames, scan.cuts
    encode = folder / "encode.mp4"
    target = VideoTarget(codec="h264", width_px=48, height_px=32, target="crf=30", encoder=default_encoder("h264"))
    encode_video(ffmpeg, info, target, encode)
    log_dir = folder / "log"
    log_dir.mkdir()
    return info, num_frames, cuts, encode, measure_video(ffmpeg, info, encode, Part.whole(num_frames), log_dir).values


def test_a_rendition_has_scores_for_every_frame_of_its_source(measured):
    _, num_frames, cuts, _, values = measured
    assert (num_frames, cuts) == (40, (15, 29))
    assert values.shape == (40, 7)
    assert np.isfinite(values).all()


def test_bits_of_scenes_add_up_to_the_stream(measured):
    info, num_frames, cuts, encode, _ = measured
    packets = read_packets(encode)
    scenes = split_scenes("scenes", num_frames, cuts, info.fps)
    assert len(scenes) == 3
    bits = sum(
        frame_kbps(packets.size_bytes, scene.frames(info.fps), info.fps) * 1000 * scene.duration_s for scene in scenes
    )
    assert bits == pytest.approx(packets.size_bytes.sum() * 8, rel=1e-9)


def test_another_number_of_frames_is_refused(ffmpeg, measured, tmp_path):
    info, num_frames, _, encode, _ = measured
    with pytest.raises(MediaError, match="40 frames but the source 41"):
        measure_video(ffmpeg, info, encode, Part.whole(num_frames + 1), tmp_path)
    with pytest.raises(MediaError, match="40 frames but the source 39"):
        measure_video(ffmpeg, info, encode, Part.whole(num_frames - 1), tmp_path)


def test_renditions_scored_together_have_the_very_numbers_of_those_scored_alone(ffmpeg, measured, tmp_path):
    info, num_frames, _, encode, values = measured
    finer = tmp_path / "finer.mp4"
    target = VideoTarget(codec="h264", width_px=96, height_px=64, target="crf=18", encoder=default_encoder("h264"))
    encode_video(ffmpeg, info, target, finer)
    part = Part.whole(num_frames)
    first, second = measure_together(ffmpeg, info, [encode, finer], part, tmp_path)
    assert (first.values == values).all()
    (tmp_path / "alone").mkdir()
    alone = measure_video(ffmpeg, info, finer, part, tmp_path / "alone")
    assert (second.values == alone.values).all() and second.libvmaf_version == alone.libvmaf_version


def test_a_rendition_of_another_number_of_frames_is_left_out_of_those_scored_together(ffmpeg, measured, tmp_path):
    info, num_frames, _, encode, values = measured
    short = tmp_path / "short.mp4"
    ffmpeg.run(["-i", encode, "-c", "copy", "-frames:v", "30", short])
    found = measure_together(ffmpeg, info, [short, encode], Part.whole(num_frames), tmp_path)
    assert found[0] is None and (found[1].values == values).all()
    found = measure_together(ffmpeg, info, [encode, encode], Part.whole(num_frames - 1), tmp_path)
    assert found == [None, None]


def test_a_log_that_was_cut_off_is_not_taken(ffmpeg, measured, tmp_path, monkeypatch):
    """Within a line, and at the end of one."""
    info, num_frames, _, encode, _ = measured
    whole, lines = FFmpeg.run, []

    def run(self, args, **kwargs):
        said = whole(self, args, **kwargs)
        for i, drop in enumerate((1, None)):
            log = tmp_path / f"vmaf{i}.csv"
            lines[:] = log.read_text().splitlines(keepends=True)
            log.write_text("".join(lines[:-1]) if drop else "".join(lines)[:-9])
        return said

    video.libvmaf_version(ffmpeg)
    monkeypatch.setattr(FFmpeg, "run", run)
    assert measure_together(ffmpeg, info, [encode, encode], Part.whole(num_frames), tmp_path) == [None, None]


def test_a_libvmaf_that_does_not_know_aim_is_asked_for_the_model_alone(ffmpeg, monkeypatch):
    models = []
    run = video._run_libvmaf

    def refuse(*args):
        models.append(args[-3])
        if "adm_skip_aim" in args[-3]:
            raise ToolFailedError(("ffmpeg",), 1, "no such option")
        return run(*args)

    monkeypatch.setattr(video, "_run_libvmaf", refuse)
    video._libvmaf.cache_clear()
    assert video._libvmaf(ffmpeg).model == "version=vmaf_v0.6.1" == models[-1] and len(models) == 2
    video._libvmaf.cache_clear()


# Pooling.

frame_values = st.lists(
    st.lists(st.floats(0, 100, allow_subnormal=False), min_size=7, max_size=7), min_size=1, max_size=12
).map(np.array)


@given(frame_values, st.floats(0, 100, allow_subnormal=False))
def test_a_constant_is_its_own_mean(values, level):
    constant = np.full_like(values, level)
    assert list(pool_scene(constant, slice(0, len(values))).values()) == pytest.approx([level] * 7)


@given(frame_values)
def test_all_but_motion_is_the_plain_mean(values):
    pooled = pool_scene(values, slice(0, len(values)))
    for name in FRAME_METRICS:
        if name != "motion2":
            assert pooled[name] == pytest.approx(values[:, COLUMN[name]].mean())


@given(frame_values)
def test_frames_outside_the_scene_do_not_matter(values):
    padded = np.vstack([np.full((3, 7), 1e6), values, np.full((2, 7), 1e6)])
    shifted = pool_scene(padded, slice(3, 3 + len(values)))
    alone = pool_scene(values, slice(0, len(values)))
    assert {k: v for k, v in shifted.items() if k != "motion2"} == pytest.approx(
        {k: v for k, v in alone.items() if k != "motion2"}
    )


def test_the_first_frame_of_a_title_has_no_motion_and_is_left_out():
    values = np.zeros((4, 7))
    values[:, COLUMN["motion2"]] = [0, 3, 4, 5]
    assert pool_scene(values, slice(0, 4))["motion2"] == 4
    assert pool_scene(values, slice(1, 3))["motion2"] == 3.5


def test_a_scene_of_one_frame_has_that_frames_values():
    values = np.arange(14.0).reshape(2, 7)
    assert list(pool_scene(values, slice(1, 2)).values()) == values[1].tolist()


def test_frame_kbps_counts_bits_per_second():
    sizes = np.array([1000.0, 500.0, 500.0, 2000.0])
    assert frame_kbps(sizes, slice(0, 4), Fraction(4)) == 32.0
    assert frame_kbps(sizes, slice(1, 3), Fraction(30000, 1001)) == pytest.approx(500 * 8 * 29.97002997 / 1000)
