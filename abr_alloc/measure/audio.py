"""Audio renditions of one scene held against the source: the source's side is prepared once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from abr_alloc.measure.audio_judges import AudioJudge, audio_judge
from abr_alloc.measure.cache import Cache
from abr_alloc.media.audio_encoding import read_pcm_bytes
from abr_alloc.media.coding import SAMPLE_RATE_HZ
from abr_alloc.media.ffmpeg import FFmpeg
from abr_alloc.media.mix import STEREO_OF_SURROUND

__all__ = ["EncodedAudio", "compare_scene"]


@dataclass(frozen=True, slots=True, kw_only=True)
class EncodedAudio:
    """An encoded audio rendition of a title, wherever it comes from."""

    key: str
    """Where its comparison goes in the cache."""
    path: Path
    """The file."""
    channels: int
    """1 or 2; 6 for 5.1, which is compared as it is mixed to stereo."""


def compare_scene(
    ffmpeg: FFmpeg,
    cache: Cache,
    pcm: Path,
    renditions: Sequence[EncodedAudio],
    *,
    span_s: tuple[float, float],
    family: str,
    channels: int = 2,
) -> None:
    """Compare renditions over a span with the source and store every comparison that is not in the cache.

    Args:
        ffmpeg: the program.
        cache: where comparisons go.
        pcm: the source's audio, as `media.sound.decode_audio` writes it.
        renditions: encodes of that very audio.
        span_s: first instant and first instant after it, seconds, on the clock of both.
        family: of audio features, by name.
        channels: of the PCM, 2 or 6.

    Raises:
        ToolFailedError: a rendition cannot be decoded.
    """
    judge: AudioJudge | None = None
    for rendition in renditions:
        if cache.has(rendition.key):
            continue
        if judge is None:
            judge = audio_judge(family, _source_samples(pcm, channels, *span_s))
        raw = read_pcm_bytes(ffmpeg, rendition.path, rendition.channels, *span_s)
        cache.put(rendition.key, judge(np.frombuffer(raw, dtype="<f4").reshape(-1, 2)))


def _source_samples(pcm: Path, channels: int, start_s: float, end_s: float) -> npt.NDArray[np.float64]:
    """A span of the source in stereo, shape (T, 2), full scale 1."""
    first, last = round(start_s * SAMPLE_RATE_HZ), round(end_s * SAMPLE_RATE_HZ)
    samples = np.memmap(pcm, dtype="<f4", mode="r").reshape(-1, channels)[first:last]
    return (samples if channels == 2 else samples @ STEREO_OF_SURROUND.T).astype(np.float64)
