"""Encodes of one sound: encoders at their rates, and worse than encoders; samples of each where the source's are.

A condition is `ENCODER RATE`, the same in every sound. Within an encoder the rates rise.
"""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from abr_alloc.visqol.gammatone import SAMPLE_RATE_HZ

__all__ = ["ENCODERS", "OLD_AAC", "Encoder", "Heard", "encode_all", "spoil"]

Samples = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True)
class Encoder:
    """An encoder and what it is asked for."""

    name: str
    """As tables name it."""
    codec: str
    """Whose curve is known of it, `aac heaac heaacv2 ac3 mp2 opus`; empty for none."""
    words: tuple[str, ...]
    """ffmpeg's words, or those of fdkaac."""
    asked: tuple[float, ...]
    """Rates, kbps, or Vorbis' qualities, rising."""
    suffix: str = ".mp4"


_AAC = (16, 24, 32, 48, 64, 80, 96, 128, 192, 256)
_AC3 = (32, 40, 48, 56, 64, 80, 96, 112, 128, 192)
ENCODERS = (
    Encoder(name="aac", codec="aac", words=("-c:a", "aac"), asked=_AAC),
    Encoder(name="aac-fast", codec="aac", words=("-c:a", "aac", "-aac_coder", "fast"), asked=(8, *_AAC[:9])),
    Encoder(name="fdk-lc", codec="aac", words=("fdkaac", "-p", "2"), asked=(16, 24, 32, 40, 48, 64, 80, 96, 128, 192)),
    Encoder(name="fdk-he", codec="heaac", words=("fdkaac", "-p", "5"), asked=(16, 20, 24, 28, 32, 40, 48, 64, 80, 96)),
    Encoder(
        name="fdk-hev2", codec="heaacv2", words=("fdkaac", "-p", "29"), asked=(12, 16, 18, 20, 24, 28, 32, 40, 48, 56)
    ),
    Encoder(
        name="opus", codec="opus", words=("-c:a", "libopus"), asked=(6, 8, 12, 16, 24, 32, 48, 64, 96, 128),
        suffix=".ogg",
    ),
    Encoder(
        name="opus-voip", codec="", words=("-c:a", "libopus", "-application", "voip"), asked=(6, 9, 12, 16, 20, 24, 32),
        suffix=".ogg",
    ),
    Encoder(name="ac3", codec="ac3", words=("-c:a", "ac3"), asked=_AC3, suffix=".ac3"),
    Encoder(name="eac3", codec="ac3", words=("-c:a", "eac3"), asked=_AC3, suffix=".eac3"),
    Encoder(
        name="mp3", codec="", words=("-c:a", "libmp3lame"), asked=(32, 40, 48, 56, 64, 80, 96, 128, 160, 256),
        suffix=".mp3",
    ),
    Encoder(
        name="vorbis", codec="", words=("-c:a", "libvorbis"), asked=(0, 1, 2, 3, 4, 5, 6, 7, 8, 10), suffix=".ogg"
    ),
    Encoder(name="mp2", codec="mp2", words=("-c:a", "mp2"), asked=(48, 64, 96, 128, 192, 256), suffix=".mp2"),
)  # fmt: skip
OLD_AAC = Encoder(
    name="aac-4.1", codec="aac", words=("-c:a", "aac", "-strict", "-2"), asked=(8, 16, 24, 32, 48, 64, 96, 128)
)
"""ffmpeg 4.1's AAC, which LIVE-SJTU's panel heard: never trained on, only judged."""

_LOW_PASS_KHZ = (2.0, 3.5, 5.0, 7.0, 10.0, 13.0, 16.0)
_NOISE_DB = (0.0, 6.0, 12.0, 18.0, 24.0, 30.0)
_MNRU_DB = (5.0, 10.0, 15.0, 20.0, 25.0, 30.0, 35.0)
_CLIP = (0.05, 0.1, 0.2, 0.4)
_BITS = (4, 5, 6, 8, 10)


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """One encode, decoded."""

    encoder: str
    codec: str
    asked: float
    kbps: float
    """Delivered, of the file; NaN for what was not encoded."""
    pcm: Samples


def _run(words: list[str]) -> bool:
    return subprocess.run(words, capture_output=True, stdin=subprocess.DEVNULL).returncode == 0


def _encode(start: list[str], outputs: list[tuple[str, list[str]]]) -> None:
    """Write outputs, each given by its encoder and ffmpeg's words, and none that is not whole."""
    if not outputs or _run([*start, *(word for _, words in outputs for word in words)]):
        return
    encoders = list(dict.fromkeys(name for name, _ in outputs))
    if len(encoders) > 1:
        for encoder in encoders:
            _encode(start, [output for output in outputs if output[0] == encoder])
    elif len(outputs) > 1:
        for output in outputs:
            _encode(start, [output])
    else:
        Path(outputs[0][1][-1]).unlink(missing_ok=True)


def _stream_bytes(path: Path) -> int:
    """Bytes of the stream: of MP4, where tables take a third of a short file, those of its `mdat` boxes."""
    if path.suffix not in (".mp4", ".m4a"):
        return path.stat().st_size
    data, at, found = path.read_bytes(), 0, 0
    while at + 8 <= len(data):
        size = int.from_bytes(data[at : at + 4], "big")
        found += size - 8 if data[at + 4 : at + 8] == b"mdat" else 0
        at += max(size, 8)
    return found


def encode_all(
    ffmpeg: str, source: Samples, work: Path, encoders: tuple[Encoder, ...], *, wave_of: Path | None = None
) -> list[Heard]:
    """Every encoder at every rate, decoded to as many samples as the source has; what an encoder refuses is left out.

    One process encodes all that ffmpeg encodes, one decodes it: starting programs would take longer than their work.
    Where an encoder fails, as E-AC-3 does at low rates on some sounds, all that its process makes ends there; then each
    encoder has a process of its own, and one that fails a process for each of its rates.
    """
    work.mkdir(parents=True, exist_ok=True)
    wave, raw = work / "source.wav", work / "source.f32"
    source.astype("<f4").tofile(raw)
    start = [ffmpeg, "-v", "error", "-nostdin", "-y"]
    pcm_in = ["-f", "f32le", "-ar", str(SAMPLE_RATE_HZ), "-ac", "2", "-i", str(raw)]
    _run([*start, *pcm_in, "-c:a", "pcm_s16le", str(wave)])
    made: list[tuple[Encoder, float, Path]] = []
    outputs: list[tuple[str, list[str]]] = []
    for encoder in encoders:
        for asked in encoder.asked:
            path = work / f"{encoder.name}-{asked:g}{'.m4a' if encoder.words[0] == 'fdkaac' else encoder.suffix}"
            made.append((encoder, asked, path))
            if encoder.words[0] == "fdkaac":
                lead_in = ["-G", "2", "--include-sbr-delay", "-S"]
                rate = str(round(asked * 1000))
                _run([*encoder.words, "-b", rate, *lead_in, "-o", str(path), str(wave)])
            else:
                rate = ["-q:a", f"{asked:g}"] if encoder.name == "vorbis" else ["-b:a", f"{asked:g}k"]
                outputs.append((encoder.name, ["-map", "0:a", *encoder.words, *rate, "-threads", "1", str(path)]))
    _encode([*start, *pcm_in], outputs)
    made = [one for one in made if one[2].is_file() and one[2].stat().st_size > 200]
    decode = list(start)
    for _, _, path in made:
        decode += ["-i", str(path)]
    for i in range(len(made)):
        decode += ["-map", f"{i}:a", "-af", f"aresample={SAMPLE_RATE_HZ}", "-ac", "2", "-f", "f32le"]
        decode += [str(work / f"{i}.pcm")]
    _run(decode)
    found = []
    for i, (encoder, asked, path) in enumerate(made):
        decoded = work / f"{i}.pcm"
        if not decoded.is_file():
            continue
        pcm = np.fromfile(decoded, dtype="<f4").reshape(-1, 2)
        kbps = _stream_bytes(path) * 8 / 1000 / (len(source) / SAMPLE_RATE_HZ)
        heard = np.zeros_like(source)
        heard[: len(pcm)] = pcm[: len(source)]
        found.append(Heard(encoder=encoder.name, codec=encoder.codec, asked=asked, kbps=kbps, pcm=heard))
    for path in work.iterdir():
        path.unlink()
    return found


def spoil(source: Samples, other: Samples, rng: np.random.Generator) -> list[Heard]:
    """The source itself, and what no encoder does to it; within each kind, the better the later.

    `mnru` is noise modulated by the sound (ITU-T P.810).
    """

    def heard(kind: str, amount: float, pcm: npt.NDArray[np.floating]) -> Heard:
        return Heard(encoder=kind, codec="", asked=amount, kbps=float("nan"), pcm=pcm.astype(np.float32))

    x = source.astype(np.float64)
    rms, half = np.sqrt(np.mean(x**2)), np.fft.rfft(x, axis=0)
    hz = np.fft.rfftfreq(len(x), 1 / SAMPLE_RATE_HZ)[:, None]
    found = [heard("source", 0.0, source)]
    for khz in _LOW_PASS_KHZ:
        gain = np.clip((1000 * khz * 1.06 - hz) / (120 * khz), 0, 1)
        found.append(heard("lowpass", khz, np.fft.irfft(half * gain, len(x), axis=0)))
    found += [heard("noise", db, x + rng.normal(size=x.shape) * rms * 10 ** (-db / 20)) for db in _NOISE_DB]
    found += [heard("mnru", db, x * (1 + rng.normal(size=(len(x), 1)) * 10 ** (-db / 20))) for db in _MNRU_DB]
    peak = np.abs(x).max()
    found += [heard("clipped", share, np.clip(x, -share * peak, share * peak)) for share in _CLIP]
    found += [heard("crushed", bits, np.round(x * 2 ** (bits - 1) / peak) * peak / 2 ** (bits - 1)) for bits in _BITS]
    if not np.array_equal(source[:, 0], source[:, 1]):
        found.append(heard("mono", 0.0, np.repeat(x.mean(axis=1, keepdims=True), 2, axis=1)))
    found.append(heard("other", 0.0, np.resize(other, source.shape)))
    return found
