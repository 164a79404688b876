"""5.1 through every encoder: each channel where it was and as loud as it was, told by two decoders."""

from __future__ import annotations

import shutil

import av
import numpy as np
import pytest

from abr_alloc.encoders import AudioEncoder
from abr_alloc.media.audio_encoding import encode_audio, read_pcm_bytes
from abr_alloc.media.coding import SAMPLE_RATE_HZ
from abr_alloc.media.grid import AudioTarget
from abr_alloc.media.mix import STEREO_OF_SURROUND

TONES_HZ = (300, 500, 800, 60, 1300, 2100)
"""Of FL FR FC LFE SL SR: low-frequency effects below where coders cut them off."""
LEVEL = 0.2
ORDERS = (["FL", "FR", "FC", "LFE", "BL", "BR"], ["FL", "FR", "FC", "LFE", "SL", "SR"])
FDK = AudioEncoder(name="fdk", codec="aac", encoder="libfdk_aac")
NEEDS_FDKAAC = pytest.mark.skipif(shutil.which("fdkaac") is None, reason="the fdkaac program is not installed")


def tones(seconds: float = 1.5) -> np.ndarray:
    t = np.arange(round(seconds * SAMPLE_RATE_HZ)) / SAMPLE_RATE_HZ
    return np.stack([LEVEL * np.sin(2 * np.pi * hz * t) for hz in TONES_HZ], axis=1).astype("<f4")


def levels(samples: np.ndarray) -> np.ndarray:
    """Amplitude of every tone (row) in every channel, of what was played, over a second in the middle."""
    part = samples[SAMPLE_RATE_HZ // 4 :][:SAMPLE_RATE_HZ].astype(np.float64)
    t = np.arange(len(part)) / SAMPLE_RATE_HZ
    return (
        np.array([np.abs(2 * (part * np.exp(-2j * np.pi * hz * t)[:, None]).mean(axis=0)) for hz in TONES_HZ]) / LEVEL
    )


def by_pyav(path) -> tuple[list[str], np.ndarray]:
    with av.open(str(path)) as container:
        frames = list(container.decode(audio=0))
        names = [channel.name for channel in frames[0].layout.channels]
        resampler = av.AudioResampler(format="flt", layout=frames[0].layout, rate=SAMPLE_RATE_HZ)
        parts = [part.to_ndarray().reshape(-1) for frame in frames for part in resampler.resample(frame)]
    return names, np.concatenate(parts).reshape(-1, len(names))


@pytest.fixture(scope="module")
def pcm(tmp_path_factory):
    path = tmp_path_factory.mktemp("sweep") / "tones.f32"
    tones().tofile(path)
    return path


@pytest.mark.parametrize(
    ("codec", "kbps", "encoder"),
    [
        ("aac", 320, None), pytest.param("aac", 256, FDK, marks=NEEDS_FDKAAC), ("ac3", 384, None), ("eac3", 192, None),
        ("opus", 192, None),
    ],
)  # fmt: skip
def test_every_channel_stays_itself_and_as_loud(ffmpeg, pcm, tmp_path, codec, kbps, encoder) -> None:
    path, target = tmp_path / "a.mp4", AudioTarget(codec=codec, channels=6, target=f"b={kbps}k", encoder=encoder)
    encode_audio(ffmpeg, pcm, target, path)
    names, samples = by_pyav(path)
    assert names in ORDERS
    raw = np.frombuffer(ffmpeg.run(["-i", path, "-f", "f32le", "-"]), "<f4").reshape(-1, 6)
    for decoded in (samples, raw):
        assert levels(decoded) == pytest.approx(np.eye(6), abs=0.04)  # 0.3 dB
    stereo = np.frombuffer(read_pcm_bytes(ffmpeg, path, 6, 0.0, 1.5), "<f4").reshape(-1, 2)
    assert levels(stereo) == pytest.approx(STEREO_OF_SURROUND.T, abs=0.04)


def dialnorm(path) -> int:
    """What the first syncframe of AC-3 says (ETSI TS 102 366, 4.3.1 and 4.3.2)."""
    data = path.read_bytes()
    bits = "".join(f"{byte:08b}" for byte in data[data.index(b"\x0b\x77") :][:16])
    at = 16 + 16 + 8 + 5 + 3  # syncword, crc1, fscod and frmsizecod, bsid, bsmod
    acmod = int(bits[at : at + 3], 2)
    at += 3 + 2 * (acmod & 1 and acmod != 1) + 2 * bool(acmod & 4) + 2 * (acmod == 2) + 1
    return -int(bits[at : at + 5], 2)


@pytest.mark.parametrize(("lufs", "told"), [(None, -31), (-23.4, -23), (-60.0, -31), (0.5, -1)])
def test_ac3_says_how_loud_it_is(ffmpeg, pcm, tmp_path, lufs, told) -> None:
    target = AudioTarget(codec="ac3", channels=6, target="b=384k")
    encode_audio(ffmpeg, pcm, target, tmp_path / "a.mp4", loudness_lufs=lufs)
    assert dialnorm(tmp_path / "a.mp4") == told
