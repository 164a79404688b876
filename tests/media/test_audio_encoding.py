"""Audio renditions: at the rate that was asked for, the same every time, and heard when the source is."""

from __future__ import annotations

import shutil
from dataclasses import replace

import av
import numpy as np
import pytest

from abr_alloc.encoders import AudioEncoder
from abr_alloc.errors import GridError, MediaError, ToolFailedError, ToolMissingError
from abr_alloc.media.audio_encoding import SAMPLE_RATE_HZ, check_audio_encoders, encode_audio, read_pcm_bytes
from abr_alloc.media.grid import AudioTarget
from abr_alloc.media.packets import read_packets
from abr_alloc.media.probe import content_hash, probe
from abr_alloc.media.sound import decode_audio

NEEDS_FDKAAC = pytest.mark.skipif(shutil.which("fdkaac") is None, reason="the fdkaac program is not installed")
FDK = AudioEncoder(name="fdk", codec="aac", encoder="libfdk_aac")


def audio_target(
    codec: str = "aac", target: str = "b=64k", channels: int = 2, encoder: AudioEncoder | None = None
) -> AudioTarget:
    return AudioTarget(codec=codec, channels=channels, target=target, encoder=encoder)


def of_opus(*args: str) -> AudioEncoder:
    return AudioEncoder(name="mine", codec="opus", encoder="libopus", args=args)


def describe(path) -> tuple:
    with av.open(str(path)) as container:
        (stream,) = container.streams
        context = stream.codec_context
        return context.name, context.channels, context.sample_rate


def test_he_aac_without_an_encoder_is_told_with_the_way_to_get_one(ffmpeg, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    bare = replace(ffmpeg, encoders=ffmpeg.encoders - {"libfdk_aac"})
    for codec in ("heaac", "heaacv2"):
        with pytest.raises(ToolMissingError, match="apt-get install fdkaac") as missing:
            check_audio_encoders(bare, [audio_target(codec)])
        assert missing.value.tool == "fdkaac"


def samples_of(path) -> np.ndarray:
    return np.frombuffer(path.read_bytes(), "<f4").reshape(-1, 2)


def decode(ffmpeg, source, tmp_path, seconds: float = 2.0) -> np.ndarray:
    decode_audio(probe(source, ffmpeg), seconds, tmp_path / "audio.f32")
    assert [path.name for path in tmp_path.iterdir()] == ["audio.f32"]
    return samples_of(tmp_path / "audio.f32")


def test_decoded_audio_is_stereo_at_48_khz_of_the_length_asked_for(ffmpeg, make_media, tmp_path):
    source = make_media("tone441.wav", "lavfi:sine=f=441:r=44100:d=2", "-ac", "2")
    for seconds in (1.0, 1.999, 3.5):
        assert decode(ffmpeg, source, tmp_path, seconds).shape == (round(seconds * SAMPLE_RATE_HZ), 2)


def test_what_is_missing_at_the_end_is_silence(ffmpeg, make_media, tmp_path):
    source = make_media("tone1s.wav", "lavfi:aevalsrc=0.5:s=48000:d=1", "-ac", "2")
    samples = decode(ffmpeg, source, tmp_path)
    assert samples[1000:47000].min() > 0.3
    assert (samples[48_000:] == 0).all()


def test_mono_becomes_two_equal_sides_at_full_level(ffmpeg, make_media, tmp_path):
    samples = decode(ffmpeg, make_media("mono-half.wav", "lavfi:aevalsrc=0.5:s=48000:d=2"), tmp_path)
    assert np.array_equal(samples[:, 0], samples[:, 1])
    assert samples == pytest.approx(0.5, abs=1e-3)


def test_stereo_sides_stay_apart(ffmpeg, make_media, tmp_path):
    samples = decode(ffmpeg, make_media("sides.wav", "lavfi:aevalsrc=0.5|-0.25:s=48000:d=2"), tmp_path)
    assert samples[:, 0] == pytest.approx(0.5, abs=1e-3)
    assert samples[:, 1] == pytest.approx(-0.25, abs=1e-3)


def test_surround_is_mixed_down(ffmpeg, make_media, tmp_path):
    five = "lavfi:aevalsrc=0.2|0.1|0|0|0|0:s=48000:d=2:c=5.1"
    samples = decode(ffmpeg, make_media("front.wav", five, "-c:a", "pcm_s16le"), tmp_path)
    left, right = samples.mean(axis=0)
    assert left > right > 0
    assert left / right == pytest.approx(2, rel=0.01)


def test_audio_that_starts_late_keeps_its_place(ffmpeg, make_media, tmp_path):
    source = make_media(
        *("late-audio.mkv", "lavfi:testsrc2=size=96x64:rate=25:duration=2"),
        *("-itsoffset", "0.5", "-f", "lavfi", "-i", "aevalsrc=0.5|0.5:s=48000:d=1.5"),
        *("-c:v", "ffv1", "-c:a", "pcm_s16le"),
    )
    samples = decode(ffmpeg, source, tmp_path)
    assert (samples[:23_900] == 0).all()
    assert samples[24_100:90_000].min() > 0.3


@pytest.fixture(scope="session")
def pcm(ffmpeg, make_media, tmp_path_factory):
    """Raw audio of 3 s: noise that grows, different on both sides."""
    noise = make_media(
        *("growing.wav", "lavfi:anoisesrc=r=48000:d=3:seed=1:a=0.3", "lavfi:anoisesrc=r=48000:d=3:seed=2:a=0.3"),
        *("-filter_complex", "[0][1]amerge,volume='0.2+t/4':eval=frame"),
    )
    path = tmp_path_factory.mktemp("pcm") / "audio.f32"
    decode_audio(probe(noise, ffmpeg), 3.0, path)
    return path


@pytest.mark.parametrize("codec", ["aac", "opus", "ac3", "eac3"])
@pytest.mark.parametrize("channels", [1, 2])
def test_an_audio_encode_is_what_was_asked_for(ffmpeg, pcm, codec, channels, tmp_path):
    encode_audio(ffmpeg, pcm, audio_target(codec, "b=64k", channels), tmp_path / "encode.mp4")
    name, found, rate = describe(tmp_path / "encode.mp4")
    assert (found, rate) == (channels, 48_000)
    assert codec in name
    packets = read_packets(tmp_path / "encode.mp4")
    assert packets.size_bytes.sum() * 8 / 1000 / 3 == pytest.approx(64, rel=0.25)
    assert packets.duration_s.sum() == pytest.approx(3, abs=0.1)


@pytest.mark.parametrize("codec", ["aac", "opus", "eac3", "flac"])
def test_two_audio_encodes_are_the_same_bytes(ffmpeg, pcm, codec, tmp_path):
    for name in ("a.mp4", "b.mp4"):
        encode_audio(ffmpeg, pcm, audio_target(codec, "lossless" if codec == "flac" else "b=64k"), tmp_path / name)
    assert content_hash(tmp_path / "a.mp4") == content_hash(tmp_path / "b.mp4")


def test_flac_gives_back_every_sample_and_pays_for_16_bits_where_there_are_no_more(ffmpeg, make_media, tmp_path):
    """In 24 bits, of which those that are always 0 are left out; by the encoder itself 16 bits take as much."""
    source = make_media("sixteen.wav", "lavfi:anoisesrc=r=48000:d=1:seed=4:a=0.3", "-ac", "2", "-c:a", "pcm_s16le")
    decode_audio(probe(source, ffmpeg), 1.0, tmp_path / "audio.f32")
    encode_audio(ffmpeg, tmp_path / "audio.f32", audio_target("flac", "lossless"), tmp_path / "encode.mp4")
    raw = read_pcm_bytes(ffmpeg, tmp_path / "encode.mp4", 2, 0.0, 1.0)
    assert raw == (tmp_path / "audio.f32").read_bytes()
    ffmpeg.run(["-i", source, "-c:a", "flac", "-sample_fmt", "s16", tmp_path / "plain.mp4"])
    sizes = [read_packets(tmp_path / name).size_bytes.sum() for name in ("encode.mp4", "plain.mp4")]
    assert sizes[0] == pytest.approx(sizes[1], rel=0.01)


@NEEDS_FDKAAC
@pytest.mark.parametrize(
    ("codec", "target", "encoder", "profile"),
    [("heaac", "b=32k", None, "HE-AAC"), ("heaacv2", "b=32k", None, "HE-AACv2"), ("aac", "b=96k@fdk", FDK, "LC")],
)
def test_fraunhofers_encoder_is_asked_through_its_program(ffmpeg, pcm, codec, target, encoder, profile, tmp_path):
    encode_audio(ffmpeg, pcm, audio_target(codec, target, encoder=encoder), tmp_path / "encode.mp4")
    assert [path.name for path in tmp_path.iterdir()] == ["encode.mp4"]
    with av.open(str(tmp_path / "encode.mp4")) as container:
        assert container.streams.audio[0].codec_context.profile == profile
    packets = read_packets(tmp_path / "encode.mp4")
    assert packets.size_bytes.sum() * 8 / 1000 / 3 == pytest.approx(96 if encoder else 32, rel=0.15)


@NEEDS_FDKAAC
def test_fraunhofers_encoder_is_told_of_its_options_in_the_programs_words(ffmpeg, pcm, tmp_path):
    """A cutoff of 8 kHz is heard."""
    dull = replace(FDK, args=("-cutoff", "8000", "-afterburner", "0"))
    loud = {}
    for name, encoder in (("usual", FDK), ("dull", dull)):
        encode_audio(ffmpeg, pcm, audio_target("aac", "b=128k@fdk", encoder=encoder), tmp_path / f"{name}.mp4")
        raw = read_pcm_bytes(ffmpeg, tmp_path / f"{name}.mp4", 2, 1.0, 2.0)
        spectrum = np.abs(np.fft.rfft(np.frombuffer(raw, "<f4").reshape(-1, 2)[:, 0]))
        loud[name] = spectrum[10_000:14_000].mean()  # Hz, of one second
    assert loud["dull"] < 0.01 * loud["usual"]


MAKERS = {
    "aac": audio_target("aac", "b=256k"),
    "opus": audio_target("opus", "b=256k"),
    "ac3": audio_target("ac3", "b=384k"),
    "eac3": audio_target("eac3", "b=384k"),
    "flac": audio_target("flac", "lossless"),
    "opus of 60 ms": audio_target("opus", "b=256k@mine", encoder=of_opus("-frame_duration", "60", "-vbr", "off")),
    "opus of 2.5 ms": audio_target("opus", "b=256k@mine", encoder=of_opus("-frame_duration", "2.5")),
    "opus of low delay": audio_target("opus", "b=256k@mine", encoder=of_opus("-application", "lowdelay")),
    "aac by fdk": audio_target("aac", "b=256k@fdk", encoder=FDK),
    "heaac": audio_target("heaac", "b=64k"),
    "heaacv2": audio_target("heaacv2", "b=48k"),
    "aac by a command": audio_target(
        "aac",
        "b=256k@own",
        encoder=AudioEncoder(
            name="own", codec="aac", command=("fdkaac", "-S", "-G", "2", "-b", "{kbps}000", "-o", "{out}", "{wav}")
        ),
    ),
}  # fmt: skip


def lag_of(found: np.ndarray, source: np.ndarray) -> int:
    """Samples by which one sound comes later than another."""
    size = 2 * len(source)
    alike = np.fft.irfft(np.fft.rfft(found, size) * np.conj(np.fft.rfft(source, size)))
    lag = int(alike.argmax())
    return lag if lag < size // 2 else lag - size


@pytest.mark.parametrize("maker", MAKERS)
def test_a_span_of_an_encode_is_the_same_span_of_the_source(ffmpeg, pcm, maker, tmp_path):
    """To the sample, from the beginning and after a seek; HE-AAC, which is coded at half the rate, to one."""
    target = MAKERS[maker]
    if "aac" in maker and maker != "aac" and shutil.which("fdkaac") is None:
        pytest.skip("the fdkaac program is not installed")
    encode_audio(ffmpeg, pcm, target, tmp_path / "encode.mp4")
    for start_s, end_s in ((0.0, 1.0), (0.2, 1.3), (1.37, 2.5), (2.0, 3.0)):
        raw = read_pcm_bytes(ffmpeg, tmp_path / "encode.mp4", 2, start_s, end_s)
        found = np.frombuffer(raw, "<f4").reshape(-1, 2)
        source = samples_of(pcm)[round(start_s * SAMPLE_RATE_HZ) : round(end_s * SAMPLE_RATE_HZ)]
        assert found.shape == source.shape
        for side in range(2):
            lag = lag_of(found[:, side], source[:, side])
            assert abs(lag) <= (1 if maker.startswith("heaac") else 0), f"{maker}: {start_s} s, {lag} samples late"


@pytest.mark.parametrize(
    ("encoder", "message"),
    [
        (of_opus("-application", "music"), r"^libopus takes no 'music' for -application; it takes voip, audio, low"),
        (of_opus("-frame_duration", "200"), r"^libopus takes no '200' for -frame_duration; it takes 2.5 to 120$"),
        (replace(FDK, args=("-vbr", "3")), r"fdkaac program has no -vbr, only -afterburner, -cutoff; leave it out"),
        (
            AudioEncoder(name="own", codec="aac", command=("no-such-program", "{wav}", "{out}")),
            r"^the program 'no-such-program' of the encoder 'own' is not there; install it",
        ),
    ],
)  # fmt: skip
def test_what_cannot_be_encoded_is_said_before_any_work(ffmpeg, encoder, message):
    if encoder.encoder == "libfdk_aac" and ("libfdk_aac" in ffmpeg.encoders or shutil.which("fdkaac") is None):
        pytest.skip("the fdkaac program is not what would encode")
    with pytest.raises((GridError, ToolMissingError), match=message):
        check_audio_encoders(ffmpeg, [audio_target(encoder.codec, "b=64k@x", encoder=encoder)])


def _shell(path, body: str) -> str:
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)
    return str(path)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("exit 0", r"'own' \(.*\) ended well and wrote nothing to {out}; run it by hand"),
        ("echo hello > $2", "wrote what is no audio that goes into MP4"),
        ("$FFMPEG -loglevel error -i $1 -c:a ac3 -f mp4 $2", "wrote ac3 of 2 channels at 48000 Hz, not aac of 2 at"),
        ("$FFMPEG -loglevel error -i $1 -c:a aac -ac 1 -f mp4 $2", "wrote aac of 1 channels at 48000 Hz, not aac of 2"),
        ("$FFMPEG -loglevel error -i $1 -c:a aac -ar 44100 -f mp4 $2", "at 44100 Hz, not aac of 2 at 48000"),
        ("$FFMPEG -loglevel error -i $1 -c:a aac -f adts $2", "is heard 21 ms late: its file does not say the"),
    ],
)  # fmt: skip
def test_a_command_is_believed_as_far_as_it_is_looked_at(ffmpeg, pcm, body, message, tmp_path, monkeypatch):
    monkeypatch.setenv("FFMPEG", ffmpeg.path)
    program = _shell(tmp_path / "encoder", body)
    own = AudioEncoder(name="own", codec="aac", command=(program, "{wav}", "{out}", "{kbps}"))
    (tmp_path / "out").mkdir()
    with pytest.raises(MediaError, match=message) as told:
        encode_audio(ffmpeg, pcm, audio_target("aac", "b=64k@own", encoder=own), tmp_path / "out" / "encode.mp4")
    assert list((tmp_path / "out").iterdir()) == [] and "\n" not in str(told.value)


def test_mono_encodes_are_read_as_two_equal_sides_at_full_level(ffmpeg, make_media, tmp_path):
    tone = make_media("tone-mono.wav", "lavfi:sine=f=500:r=48000:d=2")
    decode_audio(probe(tone, ffmpeg), 2.0, tmp_path / "audio.f32")
    encode_audio(ffmpeg, tmp_path / "audio.f32", audio_target("aac", "b=96k", 1), tmp_path / "encode.mp4")
    found = np.frombuffer(read_pcm_bytes(ffmpeg, tmp_path / "encode.mp4", 1, 0.5, 1.5), "<f4").reshape(-1, 2)
    source = samples_of(tmp_path / "audio.f32")[24_000:72_000]
    assert np.array_equal(found[:, 0], found[:, 1])
    assert found.std() == pytest.approx(source.std(), rel=0.02)


def test_a_failed_audio_encode_leaves_nothing(ffmpeg, tmp_path):
    with pytest.raises(ToolFailedError):
        encode_audio(ffmpeg, tmp_path / "none.f32", audio_target(), tmp_path / "encode.mp4")
    assert list(tmp_path.iterdir()) == []
