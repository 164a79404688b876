"""How loud sound is: integrated loudness and true peak by EBU R 128, as ffmpeg's ebur128 measures them.

A track is measured in its own layout (Rec. ITU-R BS.1770 weighs surrounds by 1.41 and leaves low-frequency effects
out), so 5.1 and its stereo mix are two numbers. What is silent throughout has none.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from abr_alloc.errors import MediaError
from abr_alloc.media.coding import SAMPLE_RATE_HZ
from abr_alloc.media.ffmpeg import INPUT_GUARD, FFmpeg
from abr_alloc.media.mix import stereo_matrix
from abr_alloc.media.probe import MediaInfo

__all__ = ["IN_STEREO", "MAX_DIFFERENCE_LU", "Loudness", "differing", "pcm_loudness", "track_loudness"]

IN_STEREO = " in stereo"
"""What stands behind a track's number where its stereo mix is meant."""

MAX_DIFFERENCE_LU = 1.0
"""By how much tracks may differ in loudness before it is told, LU: what EBU R 128 allows a programme that is live."""

_SILENT_LUFS = -70.0  # the absolute gate: nothing below it counts (BS.1770-5, annex 1)
_FILTER = "ebur128=peak=true:framelog=quiet"
_SUMMARY = re.compile(
    r"Parsed_ebur128_(?P<number>\d+) @[^]]*\] Summary:.*?I:\s+(?P<lufs>\S+) LUFS.*?Peak:\s+(?P<peak>\S+) dBFS",
    re.DOTALL,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Loudness:
    """How loud a sound is."""

    lufs: float | None
    """Integrated loudness, LUFS; None for silence."""
    true_peak_db: float | None
    """True peak, dB of full scale; None for digital silence."""


def track_loudness(ffmpeg: FFmpeg, info: MediaInfo) -> dict[str, Loudness]:
    """Loudness of all of a source's audio tracks, by their number as text, in one run.

    Of the track that it is measured by, where that has more than two channels, also that of its stereo mix: `1 in
    stereo`.

    Raises:
        ToolFailedError: ffmpeg cannot decode them.
        MediaError: it did not say how loud one is.
    """
    chains: dict[str, tuple[int, str]] = {}
    for track in info.audio_tracks:
        chains[str(track.number)] = track.index, _FILTER
        matrix = stereo_matrix(track.channel_names)
        if info.audio_indices == (track.index,) and track.channels > 2 and matrix is not None:
            chains[f"{track.number}{IN_STEREO}"] = track.index, f"{_pan(matrix)},{_FILTER}"
    return _measured(ffmpeg, ["-vn", "-sn", "-dn", "-i", info.path], chains)


def pcm_loudness(ffmpeg: FFmpeg, pcm: Path, channels: int) -> Loudness:
    """Loudness of what `sound.decode_audio` wrote in 2 or 6 channels.

    Raises:
        As `track_loudness`.
    """
    layout = "stereo" if channels == 2 else "5.1"
    raw: list[str | Path] = ["-f", "f32le", "-ar", str(SAMPLE_RATE_HZ), "-channel_layout", layout, "-i", pcm]
    return _measured(ffmpeg, raw, {"": (0, _FILTER)})[""]


def differing(found: Mapping[str, Loudness]) -> str:
    """What is to be said where tracks differ by more than `MAX_DIFFERENCE_LU`; empty where they do not."""
    known = {name: loud.lufs for name, loud in found.items() if loud.lufs is not None}
    if not known or max(known.values()) - min(known.values()) <= MAX_DIFFERENCE_LU:
        return ""
    told = ", ".join(f"{name} {lufs:.1f} LUFS" for name, lufs in known.items())
    return (
        f"audio tracks differ in loudness by {max(known.values()) - min(known.values()):.1f} LU ({told}); who switches "
        "hears that: bring them to one loudness before they are encoded"
    )


def _pan(matrix: npt.NDArray[np.float32]) -> str:
    sides = ["+".join(f"{gain:.7f}*c{n}" for n, gain in enumerate(row) if gain) or "0*c0" for row in matrix.tolist()]
    return "pan=stereo|" + "|".join(f"c{to}={side}" for to, side in enumerate(sides))


def _measured(
    ffmpeg: FFmpeg, source: Sequence[str | Path], chains: Mapping[str, tuple[int, str]]
) -> dict[str, Loudness]:
    """Loudness by name, of streams through chains of filters that end in ebur128."""
    graph = ";".join(f"[0:{index}]{chain}[o{n}]" for n, (index, chain) in enumerate(chains.values()))
    outputs = [word for n in range(len(chains)) for word in ("-map", f"[o{n}]", "-f", "null", "-")]
    said = ffmpeg.run_and_hear([*INPUT_GUARD, *source, "-filter_complex", graph, *outputs], level="info")
    # Filters are numbered in the order of the graph, whatever their kind.
    found = sorted(_SUMMARY.finditer(said), key=lambda match: int(match["number"]))
    if len(found) != len(chains):
        raise MediaError(f"ffmpeg measured the loudness of {len(found)} of {len(chains)} audio tracks")
    return {
        name: Loudness(
            lufs=None if float(match["lufs"]) <= _SILENT_LUFS else float(match["lufs"]),
            true_peak_db=None if match["peak"] in ("-inf", "nan") else float(match["peak"]),
        )
        for name, match in zip(chains, found, strict=True)
    }
