"""Renditions for delivery: the same frames begin segments in all of them, whatever the rate, size or codec."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from abr_alloc.encoders import AudioEncoder, default_encoder
from abr_alloc.media.audio_encoding import encode_audio, read_pcm_bytes
from abr_alloc.media.cmaf import encode_rendition, package, read_segments
from abr_alloc.media.coding import gop_frames, segment_duration_s
from abr_alloc.media.encoder_arguments import Ask
from abr_alloc.media.grid import AudioTarget, VideoTarget
from abr_alloc.media.probe import probe
from abr_alloc.media.programs import find_program
from abr_alloc.media.segments import INIT_NAME, join_segments, segment_paths
from abr_alloc.media.sound import decode_audio

AUDIO_ENCODERS = {
    "aac-fdk": AudioEncoder(name="fdk", codec="aac", encoder="libfdk_aac"),
    "opus-60": AudioEncoder(name="long", codec="opus", encoder="libopus", args=("-frame_duration", "60")),
}
LOSSLESS = ("-c:v", "libx264", "-preset", "ultrafast", "-qp", "0", "-pix_fmt", "yuv420p")


def picture(rate: str, seconds: float, size: str = "64x48") -> str:
    return f"lavfi:testsrc2=size={size}:rate={rate}:duration={seconds}"


@pytest.fixture
def deliver(ffmpeg, tmp_path):
    """Encode and cut one rendition: `deliver(source, "h264 64x48 100")`, `deliver(source, "aac 64")`; kbps."""

    def run(source: Path, rendition: str, duration_s: Fraction | None = None) -> Path:
        info = probe(source, ffmpeg)
        codec, *size, kbps = rendition.split()
        folder = tmp_path / rendition.replace(" ", "-")
        work = tmp_path / f"work-{folder.name}"
        folder.mkdir()
        work.mkdir()
        encode = work / "encode.mp4"
        if size:
            width, height = map(int, size[0].split("x"))
            preset = "12" if codec == "av1" else "ultrafast"
            target = VideoTarget(
                codec=codec, width_px=width, height_px=height, target="", encoder=default_encoder(codec, preset)
            )
            encode_rendition(ffmpeg, info, target, Ask(mode=target.encoder.delivery_mode, number=float(kbps)), encode)
        else:
            pcm = work / "audio.f32"
            decode_audio(info, info.duration_s, pcm)
            encoder = AUDIO_ENCODERS.get(codec)
            target = "lossless" if codec == "flac" else f"b={kbps}k"
            wanted = AudioTarget(codec=codec.partition("-")[0], channels=2, target=target, encoder=encoder)
            encode_audio(ffmpeg, pcm, wanted, encode)
        package(ffmpeg, encode, duration_s or segment_duration_s(info.fps, 6.0), folder)
        return folder

    return run


def frames_of(data: bytes, tmp_path: Path) -> list[tuple[float, bytes]]:
    """Time and hash of every picture, as a decoder shows them."""
    path = tmp_path / "decoded.mp4"
    path.write_bytes(data)
    with av.open(str(path)) as container:
        return [(float(frame.time), frame.to_ndarray().tobytes()) for frame in container.decode(video=0)]


def starts_and_ends_s(folder: Path) -> list[tuple[Fraction, Fraction]]:
    """Presentation time of every segment."""
    return [(Fraction(f.start, f.timescale), Fraction(f.end, f.timescale)) for f in read_segments(folder)]


# Arithmetic.


@pytest.mark.parametrize(
    ("fps", "frames", "seconds"),
    [
        ("24", 48, 6),
        ("25", 50, 6),
        ("24000/1001", 48, Fraction(6006, 1000)),
        ("30000/1001", 60, Fraction(6006, 1000)),
        ("60", 120, 6),
        ("25/2", 25, 6),
        ("7/3", 5, Fraction(45, 7)),
        ("1/4", 1, 8),
    ],
)
def test_a_gop_is_two_seconds_and_a_segment_whole_gops(fps, frames, seconds):
    assert gop_frames(Fraction(fps)) == frames
    assert segment_duration_s(Fraction(fps), 6.0) == seconds


# Video.


@pytest.mark.parametrize("rate", ["24", "25", "24000/1001", "30000/1001", "60", "25/2"])
def test_renditions_of_any_frame_rate_are_cut_at_the_same_idr_pictures(ffmpeg, rate, deliver, make_media):
    """Sizes, rates and codecs beside each other; a picture that cuts hard at 1 s, which must not bring a key frame."""
    fps = Fraction(rate)
    source = make_media(
        f"cut-{rate.replace('/', '-')}.mkv",
        picture(rate, 7),
        *("-vf", "negate=enable='gte(t,1)'", *LOSSLESS),
    )
    info = probe(source, ffmpeg)
    assert info.fps == fps
    with av.open(str(source)) as container:
        num_frames = sum(1 for _ in container.decode(video=0))
    cuts = []
    for rendition in ("h264 64x48 60", "h264 32x24 20", "hevc 64x48 60", "av1 96x72 60"):
        segments = read_segments(deliver(source, rendition))
        assert sum(segment.num_frames for segment in segments) == num_frames
        assert all(segment.starts_with_idr for segment in segments)
        assert segments[0].start == 0
        assert Fraction(segments[-1].end, segments[-1].timescale) == num_frames / fps
        idr = [Fraction(tick, segment.timescale) for segment in segments for tick in segment.idr]
        assert idr == [n / fps for n in range(0, num_frames, round(2 * fps))]
        cuts.append([Fraction(segment.start, segment.timescale) for segment in segments])
        assert cuts[-1] == [n / fps for n in range(0, num_frames, 3 * round(2 * fps))]
    assert cuts[1:] == cuts[:-1]


@pytest.mark.parametrize("codec", ["h264", "hevc", "av1"])
def test_every_segment_decodes_by_itself_to_what_it_is_in_the_whole(codec, deliver, make_media, tmp_path):
    """Groups of pictures are closed, and nothing is decoded before time 0."""
    source = make_media("seven.mkv", picture("24000/1001", 7, "96x64"), *LOSSLESS)
    folder = deliver(source, f"{codec} 96x64 80", segment_duration_s(Fraction(24000, 1001), 2.0))
    init = (folder / INIT_NAME).read_bytes()
    paths = segment_paths(folder)
    assert len(paths) == 4
    whole = frames_of(b"".join([init, *(path.read_bytes() for path in paths)]), tmp_path)
    assert [time for time, _ in whole] == pytest.approx([n * 1001 / 24000 for n in range(168)], abs=1e-6)
    alone = [frame for path in paths for frame in frames_of(init + path.read_bytes(), tmp_path)]
    assert [picture for _, picture in alone] == [picture for _, picture in whole]


@pytest.mark.parametrize("codec", ["h264", "hevc", "av1"])
def test_pixels_stay_square_where_even_sides_change_the_shape(codec, deliver, make_media, tmp_path):
    """260x144 at 108 lines is 195 pixels wide: players must show the 194 that the manifest tells."""
    folder = deliver(make_media("wide.mkv", picture("12", 2, "260x144"), *LOSSLESS), f"{codec} 194x108 90")
    join_segments(folder, tmp_path / "joined.mp4")
    with av.open(str(tmp_path / "joined.mp4")) as container:
        stream = container.streams.video[0]
        assert (stream.width, stream.height) == (194, 108)
        assert stream.sample_aspect_ratio in (None, 0, 1)


@pytest.mark.parametrize("codec", ["h264", "hevc", "av1"])
def test_every_key_frame_decodes_from_its_own_bytes_alone(codec, deliver, make_media, tmp_path):
    folder = deliver(make_media("five.mkv", picture("12", 5, "96x64"), *LOSSLESS), f"{codec} 96x64 60", Fraction(4))
    init = (folder / INIT_NAME).read_bytes()
    whole = dict(frames_of(init + b"".join(path.read_bytes() for path in segment_paths(folder)), tmp_path))
    found = []
    for path, segment in zip(segment_paths(folder), read_segments(folder), strict=True):
        for ticks, (offset, size) in zip(segment.idr, segment.idr_ranges, strict=True):
            alone = init + path.read_bytes()[offset : offset + size]
            time, picture_hash = frames_of(alone, tmp_path)[0]
            assert time == pytest.approx(ticks / segment.timescale, abs=1e-3)
            assert picture_hash == whole[time]
            found.append(time)
    assert found == pytest.approx([0, 2, 4], abs=1e-3)


def test_two_passes_land_near_the_rate_and_keep_the_buffer(deliver, make_media, tmp_path):
    """Six seconds of heavy noise between light noise: they may not take it all."""
    source = make_media(
        "burst.mkv",
        picture("25", 20),
        *("-vf", "noise=alls=15:allf=t,noise=alls=60:allf=t:enable='between(t,8,14)'", *LOSSLESS),
    )
    kbps = 150.0
    folder = deliver(source, f"h264 64x48 {kbps:g}")
    joined = tmp_path / "joined.mp4"
    join_segments(folder, joined)
    with av.open(str(joined)) as container:
        bits = [8 * p.size for p in container.demux(video=0) if p.size]  # decoding order, which is how a buffer drains
    assert 25 * sum(bits) / len(bits) / 1000 == pytest.approx(kbps, rel=0.05)
    # A buffer of 2 s that fills at 1.5 times the rate from x264's own start (0.9 full) is never asked for more.
    capacity, level = 2000 * kbps, 0.9 * 2000 * kbps
    for size in bits:
        level -= size
        assert level > -0.01 * capacity
        level = min(capacity, level + 1.5 * 1000 * kbps / 25)


def test_a_film_shorter_than_a_segment_is_one_segment(deliver, make_media):
    source = make_media("short.mkv", picture("25", 1.2), *LOSSLESS)
    assert starts_and_ends_s(deliver(source, "h264 64x48 60")) == [(0, Fraction(6, 5))]


def test_nothing_but_segments_is_left(deliver, make_media):
    source = make_media("short.mkv", picture("25", 1.2), *LOSSLESS)
    folder = deliver(source, "h264 64x48 60")
    assert sorted(path.name for path in folder.iterdir()) == ["00001.m4s", "init.mp4"]


def test_a_segment_says_what_it_is(deliver, make_media):
    """A CMAF segment (ISO/IEC 23000-19: cmfs), and no indexed one (msix), for it has no index."""
    folder = deliver(make_media("short.mkv", picture("25", 1.2), *LOSSLESS), "h264 64x48 60")
    head = (folder / "00001.m4s").read_bytes()[:32]
    assert (head[4:8], head[16:24], head[28:32]) == (b"styp", b"msdhcmfs", b"moof")


# Audio beside video.


def test_audio_is_cut_beside_video_and_does_not_drift(deliver, make_media):
    """Every boundary of a minute is within a coder's frame of the video's."""
    source = make_media(
        "minute.mkv",
        picture("24000/1001", 61, "32x32"),
        "lavfi:sine=f=500:r=48000:d=61",
        *LOSSLESS,
        "-c:a",
        "pcm_s16le",
    )
    video = starts_and_ends_s(deliver(source, "h264 32x32 30"))
    audio = starts_and_ends_s(deliver(source, "aac 64"))
    assert len(video) == len(audio) == 11
    for n, ((start, _), (sounds, _)) in enumerate(zip(video, audio, strict=True)):
        assert start == n * Fraction(6006, 1000)
        assert abs(sounds - start) <= Fraction(1024, 48000)
    for pieces in (video, audio):
        assert [end for _, end in pieces[:-1]] == [start for start, _ in pieces[1:]]


def levels_of(frame: av.AudioFrame) -> np.ndarray:
    """How loud each sample is, of the louder channel; those of FLAC are interleaved."""
    samples = np.abs(frame.to_ndarray())
    return samples.max(axis=0) if frame.format.is_planar else samples.reshape(-1, frame.layout.nb_channels).max(axis=1)


def _require_fdk(codec: str, ffmpeg) -> None:
    if (
        (codec.startswith("he") or "fdk" in codec)
        and "libfdk_aac" not in ffmpeg.encoders
        and not find_program("fdkaac")
    ):
        pytest.skip("Fraunhofer's encoder needs the fdkaac program")


@pytest.mark.parametrize("codec", ["aac", "opus", "ac3", "flac", "heaac", "heaacv2"])
def test_every_audio_coders_lead_in_stands_before_time_0(codec, deliver, make_media, tmp_path, ffmpeg):
    """A click at 1.5 s is heard at 1.5 s, and the first sample that is heard has time 0."""
    _require_fdk(codec, ffmpeg)
    source = make_media(
        "click.mkv",
        picture("25", 3),
        "lavfi:aevalsrc='if(between(t,1.5,1.501),0.9*sin(2*PI*1000*t),0)':s=48000:d=3",
        *(*LOSSLESS, "-c:a", "pcm_s16le"),
    )
    folder = deliver(source, f"{codec} 64")
    joined = tmp_path / "joined.mp4"
    join_segments(folder, joined)
    with av.open(str(joined)) as container:
        frames = [(f.time, f.sample_rate, levels_of(f)) for f in container.decode(audio=0)]
    lead_in_s = 256 / 48_000 if codec == "ac3" else 0.0  # which libav does not leave out of AC-3
    assert frames[0][0] == pytest.approx(-lead_in_s, abs=1e-4)
    loudest = max(frames, key=lambda frame: frame[2].max())
    assert loudest[0] + loudest[2].argmax() / loudest[1] == pytest.approx(1.5005, abs=0.002)


@pytest.mark.parametrize("codec", ["aac", "opus", "opus-60", "ac3", "eac3", "flac", "aac-fdk", "heaac"])
def test_segments_joined_again_sound_at_the_sources_time(codec, deliver, make_media, tmp_path, ffmpeg):
    """To the sample (HE-AAC to one), from the beginning and across a cut; and the segments follow each other."""
    _require_fdk(codec, ffmpeg)
    noise = "lavfi:anoisesrc=c=pink:r=48000:d=3:seed={}:a=0.3"
    source = make_media("two-sides.wav", noise.format(1), noise.format(2), "-filter_complex", "amerge")
    folder = deliver(source, f"{codec} {64 if codec == 'heaac' else 192}", Fraction(2))
    pieces = starts_and_ends_s(folder)
    assert [end for _, end in pieces[:-1]] == [start for start, _ in pieces[1:]]
    assert pieces[-1][1] >= 3 - Fraction(256, 48_000)  # what ffmpeg's encoder of AC-3 keeps to itself at the end
    joined, pcm = tmp_path / "joined.mp4", tmp_path / "audio.f32"
    join_segments(folder, joined)
    decode_audio(probe(source, ffmpeg), 3.0, pcm)
    samples = np.frombuffer(pcm.read_bytes(), "<f4").reshape(-1, 2)
    for start_s, end_s in ((0.0, 1.0), (1.37, 2.5)):
        found = np.frombuffer(read_pcm_bytes(ffmpeg, joined, 2, start_s, end_s), "<f4").reshape(-1, 2)
        wanted = samples[round(start_s * 48_000) : round(end_s * 48_000)]
        alike = np.fft.irfft(np.fft.rfft(found[:, 0], 1 << 17) * np.conj(np.fft.rfft(wanted[:, 0], 1 << 17)))
        lag = int(alike.argmax())
        assert min(lag, (1 << 17) - lag) <= (codec == "heaac"), f"{codec}: {lag} samples late from {start_s} s on"
