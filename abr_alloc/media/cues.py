"""Read subtitles that are text, whatever they are written in, as cues on the title's clock.

ffmpeg decodes them and writes WebVTT, in which bold, italic and underlined text is all that is left of styles. What it
does not do is done here: characters that WebVTT reserves are escaped, blank lines within a cue and drawings go.
"""

from __future__ import annotations

import itertools
import re
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

from abr_alloc.errors import ToolFailedError, UnsupportedMediaError
from abr_alloc.media.ffmpeg import INPUT_GUARD, FFmpeg
from abr_alloc.media.webvtt import Cue, read_times

__all__ = ["PlacedCues", "place_cues", "read_cue_file", "read_cues"]

_TEXT_GUARD = ("-protocol_whitelist", "file,pipe", "-format_whitelist", "srt,webvtt,ass")

_KEPT_TAG = re.compile(r"(</?[biu]>)")
# A drawing of Advanced SubStation Alpha, which decoders give as if it were text: m 0 0 l 100 0 100 20.
_DRAWING = re.compile(r"m(?: -?[\d.]+){2}(?: [mnlbspc]| -?[\d.]+)*", flags=re.ASCII)
_UNTIMED_MS = 4000
"""How long a cue is shown at most of which the file does not say how long."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlacedCues:
    """A title's cues, and what became of those that do not lie within it."""

    cues: tuple[Cue, ...]
    """By their begin; times are the title's."""
    num_cut: int
    """Cues that lasted beyond an end of the title, or lay beyond it."""


def read_cues(ffmpeg: FFmpeg, path: Path, streams: Sequence[int]) -> Mapping[int, list[Cue] | str]:
    """The cues of some of a file's streams, on the file's own clock; for one that cannot be read, why.

    The file is read once; where that fails, once for every stream, so that a damaged one does not take others with it.
    """
    try:
        return dict(zip(streams, _converted(ffmpeg, path, streams), strict=True)) if streams else {}
    except ToolFailedError as error:
        if len(streams) == 1:
            return {streams[0]: str(error).partition("\n")[0]}
    return {stream: cues for one in streams for stream, cues in read_cues(ffmpeg, path, [one]).items()}


def read_cue_file(ffmpeg: FFmpeg, path: Path) -> list[Cue]:
    """The cues of a file of SRT, WebVTT or ASS.

    Raises:
        UnsupportedMediaError: it is not there, or none of these in UTF-8.
    """
    try:
        path.read_bytes().decode("utf-8")  # ffmpeg would leave out what it cannot read
    except FileNotFoundError:
        raise UnsupportedMediaError(f"{path} does not exist; check the path", path=str(path)) from None
    except OSError as error:
        raise UnsupportedMediaError(f"{path} cannot be read: {error.strerror}", path=str(path)) from error
    except UnicodeDecodeError:
        raise UnsupportedMediaError(f"{path} is no text in UTF-8; convert it", path=str(path)) from None
    try:
        (found,) = _converted(ffmpeg, path, [0], guard=_TEXT_GUARD)
    except ToolFailedError as error:
        raise UnsupportedMediaError(
            f"{path} cannot be read as subtitles; give SRT, WebVTT or ASS", path=str(path)
        ) from error
    return found


def _converted(
    ffmpeg: FFmpeg, path: Path, streams: Sequence[int], *, guard: Sequence[str | Path] = INPUT_GUARD
) -> list[list[Cue]]:
    with tempfile.TemporaryDirectory() as folder:
        files = [Path(folder) / f"{stream}.vtt" for stream in streams]
        outputs: list[list[str | Path]] = [
            ["-map", f"0:{stream}", "-c:s", "webvtt", "-f", "webvtt", file]
            for stream, file in zip(streams, files, strict=True)
        ]
        ffmpeg.run([*guard, "-copyts", "-i", path.resolve(), *itertools.chain.from_iterable(outputs)])
        return [list(_clean(file.read_text("utf-8"))) if file.is_file() else [] for file in files]


def _clean(text: str) -> Iterator[Cue]:
    """Cues of what ffmpeg wrote."""
    blocks: list[tuple[int, int, list[str]]] = []
    for line in text.split("\n"):
        times = read_times(line)
        if times is not None:
            blocks.append((*times, []))
        elif blocks and line.strip() and not _DRAWING.fullmatch(line.strip()):
            blocks[-1][2].append(_escaped(line.strip()))
    starts_ms = [start_ms for start_ms, _, _ in blocks]
    for start_ms, end_ms, lines in blocks:
        if end_ms <= start_ms:
            after = min((other for other in starts_ms if other > start_ms), default=start_ms + _UNTIMED_MS)
            end_ms = min(after, start_ms + _UNTIMED_MS)
        if lines:
            yield Cue(start_ms=start_ms, end_ms=end_ms, text="\n".join(lines))


def _escaped(line: str) -> str:
    """A line as WebVTT writes it; tags that ffmpeg puts there are kept."""
    parts = _KEPT_TAG.split(line)
    parts[::2] = [part.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;") for part in parts[::2]]
    return "".join(parts)


def place_cues(cues: Sequence[Cue], zero_s: Fraction, duration_s: Fraction) -> PlacedCues:
    """Cues on the title's clock, within its length.

    Args:
        cues: on the file's clock.
        zero_s: the title's first instant on it, seconds.
        duration_s: the title's length, seconds.
    """
    zero_ms, end_ms, found, num_cut = round(1000 * zero_s), int(1000 * duration_s), [], 0
    for cue in sorted(cues, key=lambda cue: (cue.start_ms, cue.end_ms)):
        moved = replace(cue, start_ms=cue.start_ms - zero_ms, end_ms=cue.end_ms - zero_ms)
        inside = replace(moved, start_ms=max(0, moved.start_ms), end_ms=min(end_ms, moved.end_ms))
        num_cut += inside != moved
        found += [inside] if inside.start_ms < inside.end_ms else []
    return PlacedCues(cues=tuple(found), num_cut=num_cut)
