"""Scenes: they part a title, and no scene is too short to be measured."""

from __future__ import annotations

import itertools
import math
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from abr_alloc.errors import UnsupportedMediaError
from abr_alloc.media.probe import probe
from abr_alloc.media.scenes import MIN_SCENE_S, scan_source, split_scenes

RATES = [Fraction(24000, 1001), Fraction(24), Fraction(25), Fraction(30000, 1001), Fraction(12), Fraction(60)]


@st.composite
def titles(draw):
    """Frames, cuts and rate of a title of at least a second."""
    fps = draw(st.sampled_from(RATES))
    num_frames = draw(st.integers(math.ceil(fps), 1500))
    cuts = draw(st.lists(st.integers(1, num_frames - 1), unique=True, max_size=30).map(sorted))
    return num_frames, cuts, fps


def frame_bounds(scenes, fps) -> list[int]:
    return [scene.frames(fps).start for scene in scenes] + [scenes[-1].frames(fps).stop]


@given(titles(), st.none() | st.floats(MIN_SCENE_S, 20))
def test_scenes_part_the_title(title, max_scene_s):
    num_frames, cuts, fps = title
    scenes = split_scenes("clip", num_frames, cuts, fps, max_scene_s=max_scene_s)
    assert [scene.index for scene in scenes] == list(range(len(scenes)))
    assert scenes[0].start_s == 0
    assert scenes[-1].end_s == float(num_frames / fps)
    for before, after in itertools.pairwise(scenes):
        assert before.end_s == after.start_s
        assert before.frames(fps).stop == after.frames(fps).start
    assert frame_bounds(scenes, fps)[-1] == num_frames


@given(titles(), st.none() | st.floats(MIN_SCENE_S, 20))
def test_no_scene_is_too_short_to_be_measured(title, max_scene_s):
    num_frames, cuts, fps = title
    for scene in split_scenes("clip", num_frames, cuts, fps, max_scene_s=max_scene_s):
        span = scene.frames(fps)
        assert (span.stop - span.start) / fps >= MIN_SCENE_S


@given(titles())
def test_every_bound_is_a_cut_and_cuts_far_apart_are_kept(title):
    num_frames, cuts, fps = title
    inner = frame_bounds(split_scenes("clip", num_frames, cuts, fps), fps)[1:-1]
    assert set(inner) <= set(cuts)
    spans = [(b - a) / fps for a, b in itertools.pairwise([0, *cuts, num_frames])]
    if all(span >= MIN_SCENE_S for span in spans):
        assert inner == cuts


@given(titles(), st.floats(2 * MIN_SCENE_S, 20))
def test_no_scene_is_longer_than_asked(title, max_scene_s):
    num_frames, cuts, fps = title
    for scene in split_scenes("clip", num_frames, cuts, fps, max_scene_s=max_scene_s):
        span = scene.frames(fps)
        assert (span.stop - span.start) <= math.ceil(max_scene_s * fps)  # frames are not divided


@given(titles(), st.floats(MIN_SCENE_S, 20))
def test_a_longest_scene_only_adds_bounds(title, max_scene_s):
    num_frames, cuts, fps = title
    plain = split_scenes("clip", num_frames, cuts, fps)
    limited = split_scenes("clip", num_frames, cuts, fps, max_scene_s=max_scene_s)
    assert set(frame_bounds(plain, fps)) <= set(frame_bounds(limited, fps))


def test_a_long_scene_is_cut_evenly():
    scenes = split_scenes("clip", 250, [], Fraction(25), max_scene_s=4.0)
    assert [round(scene.duration_s, 2) for scene in scenes] == [3.32, 3.32, 3.36]


def test_a_short_scene_joins_the_one_before_it():
    bounds = [(scene.start_s, scene.end_s) for scene in split_scenes("clip", 100, [50, 60, 90], Fraction(25))]
    assert bounds == [(0.0, 2.0), (2.0, 4.0)]


def test_a_title_under_a_second_is_one_scene():
    (scene,) = split_scenes("clip", 10, [5], Fraction(25))
    assert (scene.start_s, scene.end_s) == (0.0, 0.4)


# Cuts of real frames.


def test_cuts_are_found_where_the_picture_changes(ffmpeg, make_media, tmp_path):
    path = make_media(
        *("two-cuts.mp4", "lavfi:testsrc2=size=96x64:rate=25:duration=3"),
        *("-vf", "negate=enable='between(n,30,49)'", "-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p"),
    )
    scan = scan_source(ffmpeg, probe(path, ffmpeg), tmp_path)
    assert (scan.num_frames, scan.cuts) == (75, (30, 50))


def test_a_picture_that_moves_has_no_cuts(ffmpeg, make_media, tmp_path):
    path = make_media("moving25.mkv", "lavfi:testsrc2=size=96x64:rate=25:duration=2", "-c:v", "ffv1")
    scan = scan_source(ffmpeg, probe(path, ffmpeg), tmp_path)
    assert (scan.num_frames, scan.cuts) == (50, ())


def test_dropped_frames_are_filled_to_a_constant_rate(ffmpeg, make_media, tmp_path):
    """Half of the title runs at 25, half at 5 frames per second: the count is that of the constant rate."""
    path = make_media(
        *("halting.mkv", "lavfi:testsrc2=size=96x64:rate=25:duration=4", "-vf", "select='lt(t,2)+not(mod(n,5))'"),
        *("-fps_mode", "vfr", "-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p"),
    )
    info = probe(path, ffmpeg)
    num_frames = scan_source(ffmpeg, info, tmp_path).num_frames
    assert num_frames / info.fps == pytest.approx(4, abs=0.25)


def test_less_than_a_second_is_refused(ffmpeg, make_media, tmp_path):
    path = make_media("blink25.mkv", "lavfi:testsrc2=size=96x64:rate=25:duration=0.9", "-c:v", "ffv1")
    with pytest.raises(UnsupportedMediaError, match=r"holds 0\.9\d s of video; at least 1 s"):
        scan_source(ffmpeg, probe(path, ffmpeg), tmp_path)


def test_video_that_ends_long_before_its_file_is_refused(ffmpeg, make_media, tmp_path):
    path = make_media(
        *("short-video.mkv", "lavfi:testsrc2=size=96x64:rate=25:duration=2", "lavfi:sine=d=6"),
        *("-c:v", "ffv1", "-c:a", "pcm_s16le"),
    )
    with pytest.raises(UnsupportedMediaError, match=r"declares 6\.0 s but only 2\.0 s of video"):
        scan_source(ffmpeg, probe(path, ffmpeg), tmp_path)


def test_a_scan_tells_detail_and_motion_frame_by_frame(make_media, ffmpeg, tmp_path):
    """A still grey, then noise that changes with every frame."""
    path = make_media(
        "still_then_noise.mkv",
        "lavfi:color=gray:size=96x64:rate=12:duration=2",
        "lavfi:color=gray:size=96x64:rate=12:duration=2,noise=alls=60:allf=t",
        *("-filter_complex", "[0][1]concat", "-c:v", "ffv1", "-pix_fmt", "yuv420p"),
    )
    info = probe(path, ffmpeg)
    scan = scan_source(ffmpeg, info, tmp_path)
    assert scan.spatial.shape == scan.temporal.shape == (scan.num_frames,) == (48,)
    assert scan.spatial[:24].max() == scan.temporal[:24].max() == 0.0
    assert scan.spatial[24:].min() > 10.0
    assert scan.temporal[25:].min() > 1.0
    assert scan.quick_bytes.shape == (48,)
    assert scan.quick_bytes[1:24].max() < 0.1 * scan.quick_bytes[24:].min()
