"""Shots joined into one stream: every frame of the source once, in its place, whatever was cut, by two readers."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from abr_alloc.encoder_settings import video_encoder_of
from abr_alloc.encoders import VideoEncoder, default_encoder
from abr_alloc.errors import MediaError
from abr_alloc.media.bitstream import read_fragment
from abr_alloc.media.cmaf import read_segments
from abr_alloc.media.encoder_arguments import Ask
from abr_alloc.media.grid import VideoTarget
from abr_alloc.media.movie_fragments import read_track
from abr_alloc.media.normalise import source_input, video_chain
from abr_alloc.media.part import Part
from abr_alloc.media.probe import MediaInfo, probe
from abr_alloc.media.segment_plan import shot_segments
from abr_alloc.media.segments import INIT_NAME, join_segments, segment_paths
from abr_alloc.media.shot_encoding import encode_shot
from abr_alloc.media.shot_joining import JoinedStream, join_shots

LOSSLESS = ("-c:v", "libx264", "-preset", "ultrafast", "-qp", "0")
WIDTH, HEIGHT = 96, 64


def picture(rate: str, num_frames: int, *filters: str) -> tuple[str, ...]:
    """A moving picture that turns over every half second."""
    source = f"lavfi:testsrc2=size={WIDTH}x{HEIGHT}:rate={rate}"
    return (source, "-vf", ",".join(["negate=enable='gt(mod(t,1),0.49)'", *filters]), "-frames:v", str(num_frames))


def encoder_of(codec: str) -> VideoEncoder:
    presets = {"h264": "veryfast", "hevc": "superfast", "av1": "12", "vp9": "8"}
    return default_encoder(codec, presets.get(codec))


def encode_shots(
    ffmpeg,
    info: MediaInfo,
    lengths: Sequence[int],
    folder: Path,
    encoder: VideoEncoder,
    *,
    asks: Sequence[Ask] = (Ask(mode="crf", number=6), Ask(mode="crf", number=14)),
    sizes: Sequence[tuple[int, int]] = ((WIDTH, HEIGHT),),
) -> list[Path]:
    """Shots of so many frames each, with qualities and sizes by turns."""
    folder.mkdir(exist_ok=True)
    starts = itertools.accumulate(lengths[:-1], initial=0)
    paths = []
    for index, (first_frame, num_frames) in enumerate(zip(starts, lengths, strict=True)):
        width, height = sizes[index % len(sizes)]
        target = VideoTarget(codec=encoder.codec, width_px=width, height_px=height, target="", encoder=encoder)
        part = Part(first_frame=first_frame, num_frames=num_frames, is_whole=False)
        paths.append(folder / f"{encoder.codec}-{index}.mp4")
        encode_shot(ffmpeg, info, target, asks[index % len(asks)], part, paths[-1])
    return paths


def joined(paths: Sequence[Path], lengths: Sequence[int], info: MediaInfo, folder: Path, **how) -> JoinedStream:
    folder.mkdir()
    plan = shot_segments(lengths, round(2 * info.fps), info.fps, 6.0)
    return join_shots(paths, plan, folder, info.fps, **how)


def source_frames(ffmpeg, info: MediaInfo) -> np.ndarray:
    """Luma of every frame of the normalised source, 8-bit (F, H, W)."""
    raw = ffmpeg.run(
        [
            *source_input(info),
            "-vf",
            f"{video_chain(info)},format=gray",
            "-fps_mode",
            "passthrough",
            "-f",
            "rawvideo",
            "-",
        ]
    )
    return np.frombuffer(raw, np.uint8).reshape(-1, info.height_px, info.width_px).astype(np.int32)


def decoded(path: Path) -> tuple[list[Fraction], np.ndarray]:
    """Times and luma of what libav shows."""
    with av.open(str(path)) as container:
        frames = [
            (f.pts * f.time_base, f.to_ndarray(format="gray").astype(np.int32)) for f in container.decode(video=0)
        ]
    return [at for at, _ in frames], np.stack([luma for _, luma in frames])


def assert_each_in_its_place(shown: np.ndarray, source: np.ndarray) -> None:
    """Every frame is nearer to its own of the source than to those around it."""
    assert len(shown) == len(source)
    for index, frame in enumerate(shown):
        near = range(max(0, index - 3), min(len(source), index + 4))
        assert min(near, key=lambda n: np.square(frame - source[n]).mean()) == index


# Lengths of shots: shorter than every reordering delay, odd, half a second in a row, longer than a GOP.
SHOTS = {"h264": "24000/1001", "hevc": "25", "av1": "30000/1001", "vp9": "60000/1001"}


@pytest.mark.parametrize("codec", SHOTS)
def test_every_frame_is_shown_once_at_its_time_whatever_shots_were_cut(ffmpeg, make_media, tmp_path, codec):
    rate = SHOTS[codec]
    fps = Fraction(rate)
    half, gop = round(fps / 2), round(2 * fps)
    lengths = [5, 1, half, half, 2, 3, gop + 3]
    deep = ("-pix_fmt", "yuv420p10le") if codec == "hevc" else ("-pix_fmt", "yuv420p")
    source = make_media("counted.mkv", *picture(rate, sum(lengths)), *LOSSLESS, *deep)
    info = probe(source, ffmpeg)
    wanted = source_frames(ffmpeg, info)
    assert (len(wanted), info.fps) == (sum(lengths), fps)
    paths = encode_shots(ffmpeg, info, lengths, tmp_path / "shots", encoder_of(codec))
    folder, whole = tmp_path / "stream", tmp_path / "whole.mp4"
    stream = joined(paths, lengths, info, folder)
    assert (stream.inits, stream.in_band) == ((INIT_NAME,), False)  # parameter sets do not depend on the quality
    join_segments(folder, whole)

    times, shown = decoded(whole)
    assert times == [n / fps for n in range(len(wanted))]
    assert_each_in_its_place(shown, wanted)
    raw = ffmpeg.run(["-i", whole, "-vf", "format=gray", "-fps_mode", "passthrough", "-f", "rawvideo", "-"])
    assert_each_in_its_place(np.frombuffer(raw, np.uint8).reshape(shown.shape).astype(np.int32), wanted)

    segments = read_segments(folder)
    starts = [Fraction(segment.start, segment.timescale) * fps for segment in segments]
    assert starts == list(itertools.accumulate(lengths[:-1], initial=0))
    assert [s.end for s in segments[:-1]] == [s.start for s in segments[1:]]
    assert segments[-1].end * fps == len(wanted) * segments[-1].timescale
    assert all(segment.starts_with_idr for segment in segments)
    assert [ticks * fps / segments[-1].timescale for ticks in segments[-1].idr] == [starts[-1], starts[-1] + gop]
    # Closed: a segment alone shows what it shows in the whole.
    init, at = (folder / INIT_NAME).read_bytes(), 0
    for path, length in zip(segment_paths(folder), lengths, strict=True):
        alone = tmp_path / "alone.mp4"
        alone.write_bytes(init + path.read_bytes())
        assert np.array_equal(decoded(alone)[1], shown[at : at + length])
        at += length


def test_sources_of_variable_rate_are_joined_frame_by_frame(ffmpeg, make_media, tmp_path):
    dropped = "select='not(mod(n,5))+not(mod(n,3))+gt(t,1)'"
    args = (*picture("30", 40, dropped), "-fps_mode", "vfr", *LOSSLESS, "-pix_fmt", "yuv420p")
    info = probe(make_media("variable.mkv", *args), ffmpeg)
    wanted = source_frames(ffmpeg, info)
    lengths = [7, 11, 9, len(wanted) - 27]
    paths = encode_shots(ffmpeg, info, lengths, tmp_path / "shots", encoder_of("h264"))
    joined(paths, lengths, info, tmp_path / "stream")
    join_segments(tmp_path / "stream", tmp_path / "whole.mp4")
    times, shown = decoded(tmp_path / "whole.mp4")
    assert times == [n / info.fps for n in range(len(wanted))]
    worst = max(np.square(frame - own).mean() for frame, own in zip(shown, wanted, strict=True))
    others = min(np.square(frame - own).mean() for frame, own in zip(shown[3:], wanted, strict=False))
    assert worst < 100 < others  # repeated frames have no nearest one


@pytest.mark.parametrize("codec", ["h264", "hevc", "av1", "vp9"])
def test_shots_of_other_sizes_bring_their_parameter_sets_with_them(ffmpeg, make_media, tmp_path, codec):
    source = make_media("sized.mkv", *picture("24", 38), *LOSSLESS, "-pix_fmt", "yuv420p")
    info, lengths = probe(source, ffmpeg), [9, 14, 1, 12, 2]
    sizes = [(WIDTH, HEIGHT), (72, 48), (72, 48), (84, 56), (WIDTH, HEIGHT)]
    wanted = source_frames(ffmpeg, info)
    paths = encode_shots(ffmpeg, info, lengths, tmp_path / "shots", encoder_of(codec), sizes=sizes)
    folder = tmp_path / "stream"
    stream = joined(paths, lengths, info, folder)
    assert stream == JoinedStream(
        inits=("init.mp4", "init-2.mp4", "init-3.mp4"), segment_inits=(0, 1, 1, 2, 0), in_band=True
    )
    entries = {"h264": b"avc3", "hevc": b"hev1", "av1": b"av01", "vp9": b"vp09"}
    heads = [(folder / name).read_bytes() for name in stream.inits]
    for head, (width, height) in zip(heads, (sizes[0], sizes[1], sizes[3]), strict=True):
        assert (b"elst" not in head, b"cmf2" in head) == ((True, True) if codec in ("h264", "hevc") else (False, False))
        at = head.index(entries[codec], head.index(b"stsd")) + 4 + 24
        assert head[at : at + 4] == width.to_bytes(2, "big") + height.to_bytes(2, "big")

    # One initialisation segment serves them all, as in DASH: pictures change their size on the way.
    whole = tmp_path / "whole.mp4"
    join_segments(folder, whole)
    with av.open(str(whole)) as container:
        frames = list(container.decode(video=0))
    assert [(f.width, f.height) for f in frames] == [
        size for size, length in zip(sizes, lengths, strict=True) for _ in range(length)
    ]
    shifts = {frame.pts * frame.time_base - n / info.fps for n, frame in enumerate(frames)}
    assert len(shifts) == 1  # libav adds the largest negative offset
    shown = np.stack(
        [f.reformat(width=WIDTH, height=HEIGHT).to_ndarray(format="gray").astype(np.int32) for f in frames]
    )
    assert_each_in_its_place(shown, wanted)
    # As in HLS, every segment behind the one of its size.
    for path, init, length in zip(segment_paths(folder), stream.segment_inits, lengths, strict=True):
        segment = read_fragment(path.read_bytes(), heads[init])
        assert (segment.num_frames, segment.starts_with_idr) == (length, True)
        assert (segment.end - segment.start) * info.fps == length * segment.timescale
    # The first frame that is shown begins when the segment does.
    track = read_track(whole, info.fps)
    assert [gop.num_frames for gop in track.gops] == lengths and track.num_frames == len(wanted)


def test_parameter_sets_that_differ_at_one_size_go_in_band(ffmpeg, make_media, tmp_path):
    """A program that writes other parameter sets for every value."""
    program = tmp_path / "myenc"
    program.write_text(
        f'#!/bin/sh\nexec "{ffmpeg.path}" -v error -nostdin -i "$1" -c:v libx264 -preset ultrafast -crf 16 '
        '-refs "$2" -bf "$2" -g "$4" -keyint_min "$4" -sc_threshold 0 -f mp4 "$3"\n'
    )
    program.chmod(0o755)
    encoder = video_encoder_of(
        "mine", {"codec": "h264", "command": [str(program), "{y4m}", "{value}", "{out}", "{gop}"]}
    )
    source = make_media("sized.mkv", *picture("24", 38), *LOSSLESS, "-pix_fmt", "yuv420p")
    info, lengths = probe(source, ffmpeg), [12, 3, 23]
    asks = [Ask(mode="value", number=number) for number in (1, 3)]
    paths = encode_shots(ffmpeg, info, lengths, tmp_path / "shots", encoder, asks=asks)
    stream = joined(paths, lengths, info, tmp_path / "stream")
    assert (stream.inits, stream.segment_inits, stream.in_band) == ((INIT_NAME,), (0, 0, 0), True)
    segments = read_segments(tmp_path / "stream")
    assert {segment.codecs[:5] for segment in segments} == {"avc3."}
    assert all(segment.starts_with_idr for segment in segments)
    join_segments(tmp_path / "stream", tmp_path / "whole.mp4")
    times, shown = decoded(tmp_path / "whole.mp4")
    assert times == [n / info.fps for n in range(sum(lengths))]
    assert_each_in_its_place(shown, source_frames(ffmpeg, info))


def test_what_cannot_be_one_stream_is_refused_by_its_shot(ffmpeg, make_media, tmp_path):
    source = make_media("sized.mkv", *picture("24", 38), *LOSSLESS, "-pix_fmt", "yuv420p")
    info = probe(source, ffmpeg)
    plain = encode_shots(ffmpeg, info, [4, 4], tmp_path / "shots", encoder_of("hevc"))
    with pytest.raises(MediaError, match=r"hevc-1\.mp4: GOPs of 4 frames make no segments of 5; encode it again"):
        (tmp_path / "a").mkdir()
        join_shots(plain, [(4,), (5,)], tmp_path / "a", info.fps)
    deep = video_encoder_of("deep", {"codec": "hevc", "pixel_format": "yuv420p10le", "preset": "superfast"})
    other = encode_shots(ffmpeg, info, [4], tmp_path / "other", deep)
    with pytest.raises(MediaError, match=r"hevc-0\.mp4: shot 2 has another codec, other samples, colours or another"):
        joined([plain[0], other[0]], [4, 4], info, tmp_path / "b")
    cut = tmp_path / "cut.mp4"
    cut.write_bytes(plain[0].read_bytes()[:-20])
    with pytest.raises(MediaError, match="is no shot that can be joined: it ends within a box mdat; encode it again"):
        joined([cut], [4], info, tmp_path / "c")
