"""What an audio rendition is against its source: its codec and how much later it comes, to the sample."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from abr_alloc.documents import json_text, parse_json
from abr_alloc.errors import UnsupportedMediaError
from abr_alloc.measure.sound_offset import UnlikeSound, find_sound_offset
from abr_alloc.measure.video_finding import MOST_LACKING_S
from abr_alloc.media.coding import SAMPLE_RATE_HZ
from abr_alloc.media.ffmpeg import FFmpeg
from abr_alloc.media.packets import Packets
from abr_alloc.media.probe import MediaInfo, probe
from abr_alloc.media.sound import decode_audio
from abr_alloc.media.streams import EncodedStream, read_stream_packets, read_streams

__all__ = ["AudioFinding", "find_audio", "open_pcm"]

_CODER_S = 0.025
"""Lags up to this are a coder's own, seconds: encodes of `extract` have them too, and ViSQOL aligns them."""
_MOST_EXTRA_S = 10.0
_SHORT_S = 0.25  # that may be missing at the end without a word, as of own encodes


@dataclass(frozen=True, slots=True, kw_only=True)
class AudioFinding:
    """An audio rendition that can be compared with its source."""

    codec: str
    channels: int
    index: int
    """Number of the stream in the file."""
    lag_samples: int
    """By how much it comes later than the source's sound, samples at 48 kHz."""
    shift_samples: int
    """By how much scenes are moved for it: its lag, or 0 where that is a coder's own."""
    zero_s: float
    """Its first instant on the file's clock, seconds."""
    first_s: float
    """First instant of the source that it has, seconds."""
    last_s: float
    """First instant after those, seconds."""
    is_plain: bool
    """Whether it is decoded as encodes of `extract` are."""
    likeness: float
    """Correlation with the source's sound."""
    notes: tuple[str, ...]
    """What was found and done, a phrase each."""

    def to_json(self) -> str:
        return json_text(asdict(self), indent=None)

    @classmethod
    def from_json(cls, text: str) -> Self:
        about: dict[str, Any] = parse_json(text.encode())
        return cls(**about | {"notes": tuple(about["notes"])})


def open_pcm(path: Path) -> npt.NDArray[np.float32]:
    """Samples (T, 2) that `media.sound.decode_audio` wrote."""
    if not path.stat().st_size:
        return np.zeros((0, 2), dtype=np.float32)
    return np.memmap(path, dtype="<f4", mode="r").reshape(-1, 2)


def find_audio(
    ffmpeg: FFmpeg, source: MediaInfo, source_pcm: Path, duration_s: float, path: Path, own_pcm: Path
) -> tuple[AudioFinding, Packets]:
    """Find out what a rendition is.

    Args:
        ffmpeg: the program.
        source: the source.
        source_pcm: its sound.
        duration_s: length of that, seconds.
        path: the rendition's file.
        own_pcm: where its sound is to be written, all of it.

    Returns:
        What it is, and its packets with times from its first instant on.

    Raises:
        UnsupportedMediaError: it cannot be compared with this source; the message says why.
    """
    streams = read_streams(path)
    stream = next((found for found in streams if found.kind == "audio"), None)
    if stream is None:
        raise UnsupportedMediaError(f"{path} holds no audio, but was given as an audio rendition", path=str(path))
    if stream.channels > max(2, source.channels):
        raise UnsupportedMediaError(
            f"{path} has {stream.channels} channels and its source {source.channels}: how players mix them is not "
            "known; give a rendition with the source's channels, or stereo",
            path=str(path),
        )
    info = probe(path, ffmpeg, with_picture=any(found.kind == "video" for found in streams))
    info = replace(info, audio_indices=(stream.index,))
    packets = read_stream_packets(path, stream.index)
    zero_s = float(info.zero_s)
    packets = replace(packets, start_s=packets.start_s - zero_s)
    end_s = float((packets.start_s + packets.duration_s).max())
    if end_s > duration_s + _MOST_EXTRA_S or end_s < duration_s - 2 * MOST_LACKING_S - 0.002 * duration_s:
        longer = "longer" if end_s > duration_s else "shorter"
        raise UnsupportedMediaError(
            f"{path} has {end_s:.2f} s of sound and its source {duration_s:.2f} s: it is {longer} by "
            f"{abs(end_s - duration_s):.2f} s; give the rendition of this very source",
            path=str(path),
        )
    facts = decode_audio(info, max(end_s, 0.1), own_pcm)
    if facts.num_errors:
        raise UnsupportedMediaError(
            f"{path} is damaged: {facts.num_errors} packets of its sound cannot be decoded; give an intact copy",
            path=str(path),
        )
    try:
        found = find_sound_offset(open_pcm(source_pcm), open_pcm(own_pcm))
    except UnlikeSound as error:
        raise UnsupportedMediaError(f"{path}: {error}", path=str(path)) from error
    own = abs(found.samples) <= _CODER_S * SAMPLE_RATE_HZ
    shift = 0 if own else found.samples
    lag_s = shift / SAMPLE_RATE_HZ
    first_s, last_s = max(0.0, -lag_s), min(duration_s, end_s - lag_s)
    if duration_s - last_s < _SHORT_S:
        last_s = duration_s
    _check_extent(path, first_s, duration_s - last_s)
    return AudioFinding(
        codec=stream.codec,
        channels=stream.channels,
        index=stream.index,
        lag_samples=found.samples,
        shift_samples=shift,
        zero_s=zero_s,
        first_s=first_s,
        last_s=last_s,
        is_plain=stream.is_alone and not shift and stream.channels <= 2 and _starts_at_zero(path, zero_s),
        likeness=round(found.likeness, 4),
        notes=tuple(_notes(stream, found.samples, own, first_s, duration_s - last_s, found.is_silent)),
    ), packets


def _starts_at_zero(path: Path, zero_s: float) -> bool:
    return zero_s == 0 and path.suffix.lower() in (".mp4", ".m4a", ".mov")


def _check_extent(path: Path, before_s: float, after_s: float) -> None:
    for lacking_s, where in ((before_s, "beginning"), (after_s, "end")):
        if lacking_s > MOST_LACKING_S:
            raise UnsupportedMediaError(
                f"{path} lacks {lacking_s:.2f} s of its source's sound at the {where}; at most {MOST_LACKING_S:g} s "
                "may be missing",
                path=str(path),
            )


def _notes(stream: EncodedStream, lag: int, own: bool, before_s: float, after_s: float, is_silent: bool) -> list[str]:
    notes = []
    lag_ms = 1000 * lag / SAMPLE_RATE_HZ
    if is_silent:
        notes.append("the source is silent, so that nothing tells where it lies; its times are taken")
    elif own and abs(lag_ms) >= 1:
        notes.append(f"it comes {abs(lag_ms):.1f} ms {'late' if lag > 0 else 'early'}, as coders do; nothing is moved")
    elif not own:
        word = "late" if lag > 0 else "early"
        notes.append(f"its sound comes {abs(lag_ms):.1f} ms {word} ({lag:+d} samples); scenes are moved with it")
    if before_s:
        notes.append(f"it lacks the first {before_s:.2f} s of its source")
    if after_s:
        notes.append(f"it lacks the last {after_s:.2f} s of its source")
    if stream.channels > 2:
        notes.append(f"{stream.channels} channels are mixed to stereo as the source's are")
    return notes
