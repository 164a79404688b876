"""A stream's record: what its package declares, and what its first bytes show where nothing is declared."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from abr_alloc.errors import MediaError, PackageError
from abr_alloc.media.remux import look_at_beginning
from abr_alloc.packages.extents import Extent, Segment
from abr_alloc.packages.package import PackagedStream, StreamKind

__all__ = ["Declared", "make_stream", "unique_label"]

_HEAD_BYTES = 4 << 20  # of a stream's media, which name its codecs
_MOST_LABEL = 80
_ENCRYPTED = (b"encv", b"enca")  # sample entries of ISO/IEC 23001-7


@dataclass(frozen=True, slots=True, kw_only=True)
class Declared:
    """What a package says of a stream."""

    label: str
    """Unique in its package."""
    where: str
    """How messages name it."""
    codecs: str = ""
    """As RFC 6381 writes them."""
    language: str = ""
    """As written."""
    fps: float | None = None
    """Frames per second."""
    kbps: float | None = None
    """Its rate alone, kbps."""


def make_stream(declared: Declared, segments: Sequence[Segment], whole: Extent | None = None) -> PackagedStream:
    """The record of a stream whose files are there.

    Raises:
        PackageError: it is encrypted, has no length, or its beginning cannot be read as video or audio.
    """
    where = declared.where
    if not segments:
        raise PackageError(f"{where}: names no segment; is it whole?", path=where)
    if sum(segment.duration_s for segment in segments) <= 0:
        raise PackageError(f"{where}: its segments have no length; is it whole?", path=where)
    first = segments[0]
    init = b"" if first.init is None or whole else first.init.read(_HEAD_BYTES)
    media = (whole or first.media).read(_HEAD_BYTES)
    container = _container(init or media)
    if container == "mp4" and any(entry in (init or media[: 1 << 16]) for entry in _ENCRYPTED):
        raise PackageError(f"{where}: is encrypted; give the package as it was before encryption", path=where)
    if container == "mp4" and first.init is None and whole is None:
        raise PackageError(
            f"{where}: its segments are MP4 and it names no initialisation segment; add EXT-X-MAP", path=where
        )
    try:
        # A file as a whole may tell what it holds at its end.
        begins = look_at_beginning(whole.path if whole else init + media, f"{where}: its first segment")
    except MediaError as error:
        raise PackageError(f"{error}; is the package whole, and of video or audio?", path=where) from error
    if begins.num_streams > bool(begins.video_codec) + bool(begins.audio_codec):
        raise PackageError(f"{where}: has {begins.num_streams} streams in one file; package each by itself", path=where)
    kind: StreamKind = "audio" if not begins.video_codec else "muxed" if begins.audio_codec else "video"
    return PackagedStream(
        kind=kind,
        label=declared.label,
        where=where,
        container=container,
        video_codec=begins.video_codec,
        audio_codec=begins.audio_codec,
        codecs=declared.codecs or begins.codecs,
        language=declared.language,
        width_px=begins.width_px,
        height_px=begins.height_px,
        fps=(declared.fps or begins.fps) if begins.video_codec else None,
        channels=begins.channels,
        sample_rate_hz=begins.sample_rate_hz,
        declared_kbps=declared.kbps,
        segments=tuple(segments),
        whole=whole,
    )


def _container(head: bytes) -> str:
    if head[4:8] in (b"ftyp", b"styp", b"moov", b"moof", b"sidx", b"emsg", b"free"):
        return "mp4"
    if head[:4] == b"\x1a\x45\xdf\xa3":  # EBML
        return "webm"
    if head[:1] == b"\x47" and head[188:189] in (b"\x47", b""):
        return "mpegts"
    return "packed"


def unique_label(text: str, taken: set[str]) -> str:
    """A label of a stream from what its package calls it, which is then taken; `/`, `=` and `@` become `_`."""
    made = "".join(c if c.isalnum() or c in ".-_" else "_" for c in text).strip("._")[:_MOST_LABEL] or "stream"
    label, number = made, 2
    while label in taken:
        label, number = f"{made}_{number}", number + 1
    taken.add(label)
    return label
