"""A part is cut from a title at its very frames, for an encode and for its reference alike."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from abr_alloc.encoders import default_encoder
from abr_alloc.measure.video import FRAME_METRICS, measure_video
from abr_alloc.media.coding import SAMPLE_RATE_HZ
from abr_alloc.media.container import open_media
from abr_alloc.media.encoding import encode_video
from abr_alloc.media.grid import VideoTarget
from abr_alloc.media.normalise import source_input
from abr_alloc.media.packets import read_packets
from abr_alloc.media.part import Part
from abr_alloc.media.probe import probe
from abr_alloc.media.scenes import Scene
from abr_alloc.media.sound import decode_audio

FPS = Fraction(12)
H264 = ("-c:v", "libx264", "-preset", "ultrafast", "-crf", "12", "-pix_fmt", "yuv420p", "-g", "20")


@pytest.fixture(scope="module", params=["mp4", "mkv"])
def film(request, make_media):
    """Every frame is another shade, so that it tells its number; the sound rises in steps of half a second."""
    shade = "lavfi:color=black:size=64x48:rate=12:duration=6,format=yuv420p,geq=lum='20+3*N':cb=128:cr=128"
    steps = "lavfi:aevalsrc='0.02*(1+floor(2*t))|0.02*(1+floor(2*t))':s=48000:d=6"
    return make_media(
        f"shades.{request.param}", shade, steps, *H264, "-c:a", "pcm_s16le" if request.param == "mkv" else "alac"
    )


def shades(ffmpeg, info, part):
    """Number of each frame, by its shade."""
    source = [*source_input(info, seek_s=part.seek_s), "-map", f"0:{info.video_index}"]
    raw = ffmpeg.run([*source, "-vf", f"{part.chain(info)},extractplanes=y", "-f", "rawvideo", "-"])
    means = np.frombuffer(raw, np.uint8).reshape(-1, 48 * 64).mean(axis=1)
    return np.round((means - 20) / 3).astype(int).tolist()


@pytest.mark.parametrize("first, num", [(0, 12), (1, 5), (24, 30), (37, 11)])
def test_a_part_holds_its_own_frames_wherever_reading_begins(ffmpeg, film, first, num):
    info = probe(film, ffmpeg)
    assert shades(ffmpeg, info, Part.whole(72)) == list(range(72))
    for seek_s in (None, 1.0):
        if seek_s is None or first >= 20:  # a key frame every 20
            part = Part(first_frame=first, num_frames=num, is_whole=False, seek_s=seek_s)
            assert shades(ffmpeg, info, part) == list(range(first, first + num))


@pytest.mark.parametrize(("lead_frames", "tail_frames"), [(0, 0), (0, 18), (6, 18)])
def test_a_parts_encode_pairs_with_the_source_frame_by_frame(ffmpeg, film, tmp_path, lead_frames, tail_frames):
    info = probe(film, ffmpeg)
    part = Part(first_frame=31, num_frames=20, is_whole=False, tail_frames=tail_frames, lead_frames=lead_frames)
    target = VideoTarget(
        codec="h264", width_px=64, height_px=48, target="crf=10", encoder=default_encoder("h264", "ultrafast")
    )
    encode_video(ffmpeg, info, target, tmp_path / "encode.mp4", part)
    assert len(read_packets(tmp_path / "encode.mp4").size_bytes) == lead_frames + 20 + tail_frames == part.num_encoded
    with open_media(tmp_path / "encode.mp4") as container:
        keys = [round(p.pts * p.time_base * FPS) for p in container.demux(container.streams[0]) if p.is_keyframe]
    assert {0, lead_frames} <= set(keys)
    (tmp_path / "logs").mkdir()
    scores = measure_video(ffmpeg, info, tmp_path / "encode.mp4", part, tmp_path / "logs")
    assert len(scores.values) == 20
    assert scores.values[:, FRAME_METRICS.index("vmaf")].min() > 80  # a pair that is one frame off has another shade


def test_a_parts_audio_begins_where_the_part_does(ffmpeg, film, tmp_path):
    decode_audio(probe(film, ffmpeg), 1.0, tmp_path / "audio.f32", start_s=2.5)
    samples = np.fromfile(tmp_path / "audio.f32", dtype="<f4").reshape(-1, 2)
    assert len(samples) == SAMPLE_RATE_HZ
    levels = (samples[:, 0] / 0.02).round().astype(int)
    half, blurred = SAMPLE_RATE_HZ // 2, SAMPLE_RATE_HZ // 50  # Matroska's clock and packets leave some milliseconds
    assert (levels[blurred : half - blurred] == 6).all()
    assert (levels[half + blurred : -blurred] == 7).all()


def test_a_scene_is_a_part_of_its_frames():
    scene = Scene(title="t", index=3, start_s=31 / 12, end_s=51 / 12)
    part = Part.of_scene(scene, FPS, 100)
    assert (part.first_frame, part.num_frames, part.is_whole, part.tail_frames) == (31, 20, False, 18)
    assert (part.lead_frames, part.scored, part.encoded) == (6, slice(6, 26), slice(25, 69))
    assert Part.of_scene(scene, FPS, 53).tail_frames == 2
    assert Part.of_scene(Scene(title="t", index=0, start_s=2 / 12, end_s=2.0), FPS, 100).lead_frames == 2
    assert (part.start_s(FPS), part.duration_s(FPS)) == pytest.approx((31 / 12, 20 / 12))
