"""Subtitles of a delivery: one WebVTT file of each, and from it the segments and their playlist.

The file is written first and moved into place whole, as streams are. Segments are cut from it where the video is cut,
so they are written when the playlists are.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from fractions import Fraction
from pathlib import Path

from abr_alloc.delivery.folder import DeliveryFolder
from abr_alloc.disk import disk_errors
from abr_alloc.errors import UnsupportedMediaError
from abr_alloc.exporting.presentation import PLAYLIST_NAME, VideoStream
from abr_alloc.exporting.text_stream import TextStream, text_playlist, text_segments
from abr_alloc.formats.delivery_record import Delivery, SubtitleOrder
from abr_alloc.media.segments import TEXT_NAME, TEXT_PATTERN
from abr_alloc.media.webvtt import WebVttError, read_webvtt
from abr_alloc.writing import replace_file

__all__ = ["damaged_subtitles", "publish_subtitles", "read_subtitles", "text_hash", "write_subtitles"]


def text_hash(text: bytes) -> str:
    """What a file of subtitles is known by."""
    return hashlib.sha256(text).hexdigest()


def write_subtitles(delivery: Delivery, texts: Mapping[str, bytes], folder: DeliveryFolder) -> None:
    """Put the files of subtitles that are missing in their place; the folder is held.

    Raises:
        OutputError: the disk takes no more.
    """
    for order in delivery.subtitles:
        if folder.has(order.name):
            continue
        with disk_errors(folder.root), folder.work_dir() as work:
            finished = work / "subtitles"
            finished.mkdir()
            (finished / TEXT_NAME).write_bytes(texts[order.name])
            folder.accept(finished, order.name)


def damaged_subtitles(delivery: Delivery, folder: DeliveryFolder) -> dict[str, str]:
    """Subtitles that are there and not whole, with what is wrong."""
    found = {}
    for order in delivery.subtitles:
        place = folder.root / order.name
        fault = _fault(order, place) if folder.has(order.name) else ""
        if fault:
            found[order.name] = fault
    return found


def _fault(order: SubtitleOrder, place: Path) -> str:
    """What is wrong with the files of some subtitles; empty where nothing is. Segments are there once all is."""
    whole, playlist = place / TEXT_NAME, place / PLAYLIST_NAME
    if not whole.is_file() or text_hash(whole.read_bytes()) != order.text_hash:
        return f"{whole} is not what was written" if whole.is_file() else f"{whole} is missing"
    cues = set(read_webvtt(whole.read_bytes())[1])
    lines = playlist.read_text(errors="replace").splitlines() if playlist.is_file() else []
    for path in (place / line for line in lines if line and not line.startswith("#")):
        try:
            if not cues.issuperset(read_webvtt(path.read_bytes())[1]):
                return f"{path} is not what was written"
        except OSError:
            return f"{path} is missing"
        except WebVttError as error:
            return f"{path} {error}"
    return ""


def read_subtitles(delivery: Delivery, root: Path) -> list[TextStream]:
    """The subtitles of a delivery as they lie in its folder.

    Raises:
        UnsupportedMediaError: a file is missing.
    """
    duration_s = float(delivery.num_frames / Fraction(delivery.fps))
    return [_stream(order, root / order.name / TEXT_NAME, duration_s) for order in delivery.subtitles]


def _stream(order: SubtitleOrder, path: Path, duration_s: float) -> TextStream:
    if not path.is_file():
        raise UnsupportedMediaError(f"{path} is missing; encode the ladder again", path=str(path))
    return TextStream(
        name=order.name,
        language=order.language,
        label=order.label,
        average_bits_per_s=8.0 * path.stat().st_size / duration_s,
        is_forced=order.is_forced,
        is_captions=order.is_captions,
    )


def publish_subtitles(subtitles: Sequence[TextStream], video: VideoStream, root: Path) -> None:
    """Cut subtitles where a video is cut, and write their playlists.

    Raises:
        OutputError: the folder cannot be written.
    """
    assert video.timeline is not None  # read from its segments
    for text in subtitles:
        place = root / text.name
        _, cues = read_webvtt((place / TEXT_NAME).read_bytes())
        for number, segment in enumerate(text_segments(cues, video.timeline), start=1):
            replace_file(place / TEXT_PATTERN.format(number), segment)
        replace_file(place / PLAYLIST_NAME, text_playlist(video.timeline).encode())
