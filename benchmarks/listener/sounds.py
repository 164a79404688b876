"""Sounds that the listener is trained on: pieces of real recordings, and synthesised ones.

Axes: T samples at 48 kHz; every sound is stereo, (T, 2), full scale 1.

Synthesised sounds are the same in every run: their random numbers are seeded by their names. Speech comes from
espeak-ng (Debian: apt-get install espeak-ng).
"""

from __future__ import annotations

import shutil
import subprocess
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from abr_alloc.listener.spectrograms import PIECE_FRAMES
from abr_alloc.visqol.gammatone import FRAME_SAMPLES, HOP_SAMPLES, SAMPLE_RATE_HZ

__all__ = ["MEDIA_SUFFIXES", "PIECE_SAMPLES", "Sound", "real_sounds", "synthesised_sounds"]

Array = npt.NDArray[np.float64]

PIECE_SAMPLES = (PIECE_FRAMES - 1) * HOP_SAMPLES + FRAME_SAMPLES
"""Samples of one piece, 4.54 s."""
MEDIA_SUFFIXES = (".mp4", ".mov", ".webm", ".mkv", ".wav", ".ogg", ".flac", ".mp3", ".m4a")
_MOST_PIECES = 2
_SILENT = 1e-4

SENTENCES = {
    "en-us": "The boat sailed slowly past the quiet harbour, and nobody on the pier waved back at them.",
    "en-gb": "She sells sea shells on the shore; six thick thistle sticks stood still in the frost.",
    "en-gb-scotland": "A large size in stockings is hard to sell, but the price has fallen since Tuesday.",
    "de": "Der Zug fährt heute zwanzig Minuten später ab, weil Schnee auf den Schienen liegt.",
    "fr-fr": "Les chaussures rouges sont sous la chaise, et le chat dort près de la fenêtre ouverte.",
    "es": "Cinco cazadores cruzaron despacio la sierra mientras el sol salía sobre los pinos.",
    "it": "Questa sera ascoltiamo la radio, poi scendiamo in piazza a cercare gli amici di Giulia.",
    "pt-br": "As crianças saíram cedo da escola e jogaram bola na praia até o fim da tarde.",
    "pl": "W Szczebrzeszynie chrząszcz brzmi w trzcinie, a deszcz pada na szare dachy domów.",
    "ru": "Сегодня вечером поезд опоздает, потому что снег засыпал пути возле станции.",
    "sv": "Sju sjösjuka sjömän sköttes av sju sköna sjuksköterskor på skeppet Shanghai.",
    "tr": "Şu köşe yaz köşesi, şu köşe kış köşesi, ortadaki soğuk su şişesi bizim mutfakta.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Sound:
    """One source to encode."""

    name: str
    """Its name, a file's stem."""
    content: str
    """What it is a piece of: sounds of one content are never on both sides of a split."""
    pcm: npt.NDArray[np.float32]
    """Samples, (T, 2), T a whole number of pieces."""
    is_real: bool
    """Whether it was recorded."""


def _generator(name: str) -> np.random.Generator:
    return np.random.default_rng(zlib.crc32(name.encode()))


def _cut(pcm: Array) -> npt.NDArray[np.float32] | None:
    """The first pieces with sound in them, or a short one filled up by itself."""
    if len(pcm) < PIECE_SAMPLES // 2 or np.abs(pcm).max() < _SILENT:
        return None
    if len(pcm) < PIECE_SAMPLES:
        pcm = np.concatenate([pcm, pcm])
    count = min(len(pcm) // PIECE_SAMPLES, _MOST_PIECES)
    first = (len(pcm) - count * PIECE_SAMPLES) // 2
    return pcm[first : first + count * PIECE_SAMPLES].astype(np.float32)


def real_sounds(ffmpeg: str, folder: Path, contents: dict[str, str]) -> Iterator[Sound]:
    """Of every medium of a folder and its folders: up to nine seconds from its middle."""
    for path in sorted(folder.rglob("*")):
        if path.suffix.lower() not in MEDIA_SUFFIXES:
            continue
        words = [ffmpeg, "-v", "error", "-nostdin", "-protocol_whitelist", "file,pipe", "-i", str(path)]
        words += ["-vn", "-f", "f32le", "-ac", "2", "-ar", str(SAMPLE_RATE_HZ), "-"]
        found = subprocess.run(words, capture_output=True)
        pcm = _cut(np.frombuffer(found.stdout, dtype="<f4").reshape(-1, 2).astype(np.float64))
        if pcm is not None:
            yield Sound(name=path.stem, content=contents.get(path.stem, path.stem), pcm=pcm, is_real=True)


def _band(x: Array, low_hz: float, high_hz: float) -> Array:
    """What lies between two frequencies, by the spectrum of the whole; edges a twelfth of an octave wide."""
    hz = np.fft.rfftfreq(len(x), 1 / SAMPLE_RATE_HZ)
    with np.errstate(divide="ignore"):
        octaves = np.log2(np.maximum(hz, 1e-3))
    gain = np.clip((octaves - np.log2(max(low_hz, 1e-2))) * 12 + 0.5, 0, 1)
    gain *= np.clip((np.log2(high_hz) - octaves) * 12 + 0.5, 0, 1)
    return np.asarray(np.fft.irfft(np.fft.rfft(x, axis=0) * (gain if x.ndim == 1 else gain[:, None]), len(x), axis=0))


def _level(x: Array, rms: float) -> Array:
    x = x * (rms / max(np.sqrt(np.mean(x**2)), 1e-9))
    return np.asarray(x / max(1.0, np.abs(x).max() / 0.99))


def _pan(x: Array, place: float) -> Array:
    """A mono sound between left, -1, and right, 1."""
    angle = (place + 1) * np.pi / 4
    return np.stack([x * np.cos(angle), x * np.sin(angle)], axis=1)


def _speech(voice: str, rng: np.random.Generator) -> Array:
    if shutil.which("espeak-ng") is None:
        raise SystemExit("espeak-ng, which speaks, is not installed; Debian: apt-get install espeak-ng")
    words = ["espeak-ng", "-v", f"{voice}+{'f' if rng.random() < 0.5 else 'm'}{rng.integers(1, 5)}"]
    words += ["-s", str(rng.integers(130, 190)), "-p", str(rng.integers(30, 70)), "--stdout", SENTENCES[voice]]
    wave = np.frombuffer(subprocess.run(words, capture_output=True, check=True).stdout[44:], dtype="<i2") / 32768.0
    size = round(len(wave) * SAMPLE_RATE_HZ / 22050)
    half = np.fft.rfft(wave)
    wide = np.zeros(size // 2 + 1, dtype=complex)
    wide[: len(half)] = half
    speech = np.fft.irfft(wide, size) * (size / len(wave))
    # espeak-ng ends at 11 kHz; hiss that follows its consonants gives the top octave something to do.
    bright = np.abs(_band(speech, 5000, 10500))
    hiss = _band(rng.normal(size=size), 10000, 16000 + 6000 * rng.random())
    return np.resize(speech + rng.choice([0.0, 0.5]) * bright * hiss, PIECE_SAMPLES)


def _tones(rng: np.random.Generator) -> Array:
    t = np.arange(PIECE_SAMPLES) / SAMPLE_RATE_HZ
    x = np.zeros((PIECE_SAMPLES, 2))
    for note in range(int(rng.integers(3, 9))):
        hz, begin = 55 * 2 ** (rng.integers(0, 60) / 12), rng.random() * 3
        decay = np.where(t > begin, np.exp(-(t - begin) * rng.uniform(0.3, 4)), 0)
        brightness = rng.uniform(0.4, 0.95)
        partials = range(1, 1 + int(min(24, 20000 // hz)))
        wave = sum(brightness**k * np.sin(2 * np.pi * hz * k * t + rng.uniform(0, 6)) for k in partials)
        x += _pan(wave * decay, rng.uniform(-0.8, 0.8)) / (1 + 0.2 * note)
    return x


def _plucked(rng: np.random.Generator) -> Array:
    """Karplus and Strong's strings: a delay line of noise, averaged as it goes round, as one long recursive filter."""
    x = np.zeros((PIECE_SAMPLES, 2))
    for _ in range(int(rng.integers(6, 16))):
        period, begin = int(rng.integers(60, 500)), int(rng.integers(0, PIECE_SAMPLES - 30000))
        line, string = rng.normal(size=period), []
        while len(string) * period < PIECE_SAMPLES - begin:
            string.append(line)
            line = 0.498 * (line + np.roll(line, 1))
        x[begin:] += _pan(np.concatenate(string)[: PIECE_SAMPLES - begin], rng.uniform(-0.9, 0.9))
    return x


def _noise(rng: np.random.Generator) -> Array:
    slope, t = rng.uniform(0, 1), np.arange(PIECE_SAMPLES) / SAMPLE_RATE_HZ
    sides = []
    for _ in range(2):
        half = np.fft.rfft(rng.normal(size=PIECE_SAMPLES))
        sides.append(np.fft.irfft(half / np.maximum(np.arange(len(half)), 20) ** slope, PIECE_SAMPLES))
    x, width = np.stack(sides, axis=1), rng.choice([0.0, 0.5, 1.0])
    x = width * x + (1 - width) * x[:, :1]
    return x * (1 + rng.choice([0.0, 0.9]) * np.sin(2 * np.pi * rng.uniform(0.5, 8) * t))[:, None]


def _beats(rng: np.random.Generator) -> Array:
    x, step = np.zeros((PIECE_SAMPLES, 2)), int(rng.integers(4000, 15000))
    for begin in range(step // 3, PIECE_SAMPLES - 4000, step):
        length = min(int(rng.integers(800, 16000)), PIECE_SAMPLES - begin)
        envelope = np.exp(-np.arange(length) / rng.uniform(60, 3000))
        wave = _band(rng.normal(size=length), *rng.choice([(40, 400), (200, 4000), (3000, 20000)]))
        x[begin : begin + length] += _pan(wave * envelope, rng.uniform(-0.7, 0.7)) * rng.uniform(0.3, 1)
    return x


_KINDS: dict[str, Callable[[np.random.Generator], Array]] = {
    "tones": _tones, "plucked": _plucked, "noise": _noise, "beats": _beats,
}  # fmt: skip


def _stereo(x: Array, rng: np.random.Generator) -> Array:
    return x if x.ndim == 2 else _pan(x, rng.choice([0.0, 0.0, 0.4, -0.4]))


def synthesised_sounds(real: list[Sound]) -> Iterator[Sound]:
    """Speech, tones, strings, noise, beats and mixes of them; and of real sounds mono, narrower bands and other gains.

    What comes of a real sound is of its content; a mix is of speech's, which is the only one of its voice.
    """

    def sound(name: str, content: str, pcm: Array) -> Sound:
        return Sound(name=name, content=content, pcm=pcm.astype(np.float32), is_real=False)

    speech = {}
    for voice in SENTENCES:
        rng = _generator(voice)
        speech[voice] = _stereo(_speech(voice, rng), rng)
        yield sound(f"speech-{voice}", f"espeak-{voice}", _level(speech[voice], rng.uniform(0.03, 0.12)))
    voices = list(SENTENCES)
    for kind, make in _KINDS.items():
        for i in range(5):
            rng = _generator(f"{kind}-{i}")
            x = _level(make(rng), 10 ** rng.uniform(-2.2, -0.7))
            yield sound(f"{kind}-{i}", f"{kind}-{i}", x)
            if i < 2:
                voice = voices[(2 * list(_KINDS).index(kind) + i) % len(voices)]
                mix = _level(speech[voice], 0.08) + _level(x, 0.08 * 10 ** rng.uniform(-1.2, 0))
                yield sound(f"mix-{kind}-{i}", f"espeak-{voice}", _level(mix, 0.1))
    for i, one in enumerate(real[::2]):
        rng, piece = _generator(one.name), one.pcm[:PIECE_SAMPLES].astype(np.float64)
        change = ("mono", "4 kHz", "8 kHz", "quiet", "16 kHz", "loud", "left")[i % 7]
        if change.endswith("kHz"):
            piece = _band(piece, 0.0, 1000 * float(change.split()[0]))
        elif change == "mono":
            piece = np.repeat(piece.mean(axis=1, keepdims=True), 2, axis=1)
        elif change == "left":
            piece = piece * np.array([1.0, 0.05])
        else:
            piece = _level(piece, 10 ** (-1.8 - rng.random()) if change == "quiet" else 0.25)
        if np.abs(piece).max() > _SILENT:
            yield sound(f"{one.name}-{change.replace(' ', '')}", one.content, piece)
