"""A shot by itself: the frames of the title, from wherever it is read, at the rate that was probed."""

from __future__ import annotations

import dataclasses

import av
import numpy as np
import pytest

from abr_alloc.encoder_settings import video_encoder_of
from abr_alloc.encoders import default_encoder
from abr_alloc.errors import MediaError
from abr_alloc.media.encoder_arguments import Ask
from abr_alloc.media.encoding import encode_video
from abr_alloc.media.grid import VideoTarget
from abr_alloc.media.movie_fragments import read_track
from abr_alloc.media.normalise import source_input, video_chain
from abr_alloc.media.packets import read_packets
from abr_alloc.media.part import Part
from abr_alloc.media.probe import probe
from abr_alloc.media.scenes import scan_source
from abr_alloc.media.seek import prove_seek, read_key_times
from abr_alloc.media.shot_encoding import encode_shot

LOSSLESS = ("-c:v", "libx264", "-preset", "ultrafast", "-qp", "0", "-pix_fmt", "yuv420p")
WIDTH, HEIGHT = 96, 64


def target_of(encoder, target: str = "crf=24") -> VideoTarget:
    return VideoTarget(codec=encoder.codec, width_px=WIDTH, height_px=HEIGHT, target=target, encoder=encoder)


@pytest.fixture(scope="module")
def two_scenes(make_media, ffmpeg):
    """Two scenes of 2.5 s at 24 frames/s, the second another picture; key frames 2 s apart."""
    chain = f"[0]trim=end_frame=60[a];[1]trim=end_frame=60[b];[a][b]concat,noise=alls=6:allf=t,scale={WIDTH}:{HEIGHT}"
    first, second = (f"lavfi:{name}=size={WIDTH}x{HEIGHT}:rate=24" for name in ("testsrc2", "mandelbrot"))
    source = make_media("two.mkv", first, second, "-filter_complex", chain, *LOSSLESS, "-g", "48")
    return probe(source, ffmpeg)


@pytest.mark.parametrize("codec", ["h264", "hevc"])
def test_a_shot_comes_to_what_it_was_within_its_title(ffmpeg, two_scenes, tmp_path, codec):
    """Its first key frame above all, whose quantiser depends on the frames before it."""
    encoder = default_encoder(codec, "veryfast")
    encode_video(ffmpeg, two_scenes, target_of(encoder), tmp_path / "probe.mp4")
    within = np.array(read_packets(tmp_path / "probe.mp4").size_bytes[60:])
    part = Part(first_frame=60, num_frames=60, is_whole=False)
    encode_shot(ffmpeg, two_scenes, target_of(encoder), Ask(mode="crf", number=24), part, tmp_path / "shot.mp4")
    alone = np.array(read_packets(tmp_path / "shot.mp4").size_bytes)
    assert alone[0] == pytest.approx(within[0], rel=0.03)
    assert alone.sum() == pytest.approx(within.sum(), rel=0.02)
    assert [path.name for path in tmp_path.iterdir() if path.name != "probe.mp4"] == ["shot.mp4"]
    assert b"options:" not in (tmp_path / "shot.mp4").read_bytes()  # what the encoder says of itself


def test_a_shot_is_the_same_wherever_it_is_read_from(ffmpeg, make_media, tmp_path):
    source = make_media(
        *("long.mkv", f"lavfi:testsrc2=size={WIDTH}x{HEIGHT}:rate=12", "-frames:v", "130"),
        *("-c:v", "libx264", "-preset", "ultrafast", "-bf", "3", "-g", "30", "-qp", "4", "-pix_fmt", "yuv420p"),
    )
    info, encoder = probe(source, ffmpeg), default_encoder("h264", "ultrafast")
    part = Part(first_frame=97, num_frames=14, is_whole=False)
    seek_s = prove_seek(ffmpeg, info, part, read_key_times(info), scan_source(ffmpeg, info, tmp_path).fingerprints)
    assert seek_s is not None and seek_s > 2.0
    for name, of in (("a", part), ("b", dataclasses.replace(part, seek_s=seek_s))):
        encode_shot(ffmpeg, info, target_of(encoder), Ask(mode="crf", number=8), of, tmp_path / f"{name}.mp4")
    assert (tmp_path / "a.mp4").read_bytes() == (tmp_path / "b.mp4").read_bytes()
    raw = ffmpeg.run([*source_input(info), "-vf", f"{video_chain(info)},format=gray", "-f", "rawvideo", "-"])
    wanted = np.frombuffer(raw, np.uint8).reshape(-1, HEIGHT, WIDTH).astype(int)
    with av.open(str(tmp_path / "a.mp4")) as container:
        shown = [frame.to_ndarray(format="gray").astype(int) for frame in container.decode(video=0)]
    nearest = [np.square(wanted - frame).mean((1, 2)).argmin() for frame in shown]
    assert nearest == list(range(97, 111))


def test_a_rate_is_held_in_two_passes_whose_progress_is_told(ffmpeg, two_scenes, tmp_path):
    encoder = default_encoder("h264", "veryfast")
    part, told = Part(first_frame=60, num_frames=60, is_whole=False), [tmp_path / "first", tmp_path / "second"]
    encode_shot(
        *(ffmpeg, two_scenes, target_of(encoder), Ask(mode="vbr-2pass", number=150.0), part, tmp_path / "shot.mp4"),
        progress=told,
    )
    bits = 8 * sum(read_packets(tmp_path / "shot.mp4").size_bytes)
    assert bits / 2.5 == pytest.approx(150e3, rel=0.1)
    assert all("frame=60" in path.read_text() for path in told)
    assert [gop.num_frames for gop in read_track(tmp_path / "shot.mp4", two_scenes.fps).gops] == [48, 12]


def test_key_frames_elsewhere_are_refused_by_their_encoder(ffmpeg, two_scenes, tmp_path):
    program = tmp_path / "myenc"
    program.write_text(f'#!/bin/sh\nexec "{ffmpeg.path}" -v error -nostdin -i "$1" -c:v libx264 -g 20 -f mp4 "$2"\n')
    program.chmod(0o755)
    encoder = video_encoder_of("mine", {"codec": "h264", "command": [str(program), "{y4m}", "{out}", "{value}"]})
    part, where = Part(first_frame=60, num_frames=60, is_whole=False), tmp_path / "shot.mp4"
    said = (
        r"the shot of 60 frames from frame 60 on has no IDR picture every 48 frames, or others beside; let the encoder"
    )
    with pytest.raises(MediaError, match=said):
        encode_shot(ffmpeg, two_scenes, target_of(encoder), Ask(mode="value", number=3.0), part, where)
    assert [path.name for path in tmp_path.iterdir()] == ["myenc"]
