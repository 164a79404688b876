"""An HLS package from disk: a master playlist with all that it leads to, or one media playlist.

Playlists are read by the linter's strict reader (`linting.playlist`), and what it calls a flaw is forgiven here, unless
it leaves open which bytes are meant.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from abr_alloc.codecs import AUDIO_CODECS
from abr_alloc.errors import PackageError
from abr_alloc.linting.playlist import MAX_SEGMENTS, read_playlist
from abr_alloc.linting.tags import ByteRange, Playlist, Rendition, SegmentTag, VariantTag
from abr_alloc.linting.values import decimal_float, decimal_integer, resolution
from abr_alloc.packages.extents import Segment
from abr_alloc.packages.local_files import LocalFiles, shortened
from abr_alloc.packages.package import Package, PackagedStream, PackagedVariant
from abr_alloc.packages.stream_facts import Declared, make_stream, unique_label

__all__ = ["read_hls"]

_RANGE_RULES = ("HLS 4.4.4.2", "HLS 4.4.4.5")  # of EXT-X-BYTERANGE and EXT-X-MAP: which bytes are meant
# Tags that make a media playlist another thing than a list of whole segments, and what to say of each.
_NOT_SEGMENTS = {
    "EXT-X-I-FRAMES-ONLY": "holds key frames alone; give the playlist of the whole stream",
    "EXT-X-GAP": "has gaps (EXT-X-GAP); give a package without",
    "EXT-X-SKIP": "is an update of another playlist (EXT-X-SKIP); give that one",
}
_AUDIO_ENTRIES = (*(codec.sample_entry for codec in AUDIO_CODECS.values()), "flac", "alac", "dts", "mlpa", "iamf")
_SAY_NOTHING = ("index", "main", "media", "playlist", "prog_index", "stream")
# Attributes of which redundant variants may differ (RFC 8216bis, 4.4.6.2 and 7.1).
_OF_A_COPY = frozenset({"PATHWAY-ID", "STABLE-VARIANT-ID", "SCORE"})


@dataclass(slots=True)
class _Reader:
    files: LocalFiles
    master: Path
    notes: dict[str, None] = field(default_factory=dict)  # in order, each once
    declared: dict[Path, Declared] = field(default_factory=dict)
    streams: dict[Path, PackagedStream] = field(default_factory=dict)

    def where(self, path: Path, line: int = 0) -> str:
        return f"{path}:{line}" if line else str(path)

    def media_playlist(self, path: Path, named_at: str) -> Playlist:
        """A media playlist of whole, readable segments.

        Raises:
            PackageError: it is none.
        """
        playlist = _parsed(self.files.text(path, named_at), path)
        reason = next((then for tag, then in _NOT_SEGMENTS.items() if tag in playlist.tags), "")
        line = 0
        if playlist.is_master:
            reason = "is a master playlist that another one names as a stream; name media playlists"
        elif any(segment.encrypted for segment in playlist.segments):
            line = next(segment.line for segment in playlist.segments if segment.encrypted)
            reason = "segments are encrypted (EXT-X-KEY); give the package as it was before encryption"
        elif not playlist.ended:
            reason = "has no EXT-X-ENDLIST, as of a live stream; give a finished one"
        elif playlist.truncated:
            reason = f"has more than {MAX_SEGMENTS} segments; give a shorter title"
        elif not playlist.segments:
            reason = "names no segment; is it whole?"
        flaw = next((flaw for flaw in playlist.flaws if flaw.rule in _RANGE_RULES), None)
        untimed = next((segment for segment in playlist.segments if segment.duration_s is None), None)
        if not reason and flaw:
            line, reason = flaw.line, f"{flaw.message}; {flaw.next}"
        elif not reason and untimed and untimed.duration_s is None:
            line, reason = untimed.line, f"{shortened(untimed.uri)} has no EXTINF that can be read; give its length"
        if reason:
            raise PackageError(f"{self.where(path, line)}: {reason}", path=str(path))
        return playlist

    def segment(self, path: Path, tag: SegmentTag, is_first: bool) -> Segment:
        where = self.where(path, tag.line)
        media = self.files.resolve(tag.uri, path.parent, where)
        init = None
        if tag.map is not None:
            at = self.where(path, tag.map.line)
            init = self.files.extent(self.files.resolve(tag.map.uri, path.parent, at), at, _part(tag.map.byte_range))
        return Segment(
            media=self.files.extent(media, where, _part(tag.byte_range)),
            init=init,
            duration_s=tag.duration_s or 0.0,
            begins_part=tag.discontinuity and not is_first,
        )

    def stream(self, path: Path, named_at: str, declared: Declared) -> PackagedStream:
        if path not in self.streams:
            playlist = self.media_playlist(path, named_at)
            segments: list[Segment] = []
            for tag in playlist.segments:
                segment = self.segment(path, tag, not segments)
                changed = segments and segment.init != segments[-1].init and not segment.begins_part
                if changed and not _same_bytes(segment, segments[-1]):
                    where = self.where(path, tag.line)
                    raise PackageError(
                        f"{where}: another EXT-X-MAP applies without EXT-X-DISCONTINUITY; add one where it changes",
                        path=str(path),
                    )
                segments.append(segment)
            self.streams[path] = make_stream(declared, segments)
        return self.streams[path]


def _part(byte_range: ByteRange | None) -> tuple[int, int] | None:
    return (byte_range.offset, byte_range.length) if byte_range else None


def _same_bytes(segment: Segment, other: Segment) -> bool:
    return segment.init is not None and other.init is not None and segment.init.read() == other.init.read()


def _parsed(data: bytes, path: Path) -> Playlist:
    playlist = read_playlist(data)
    if not data.removeprefix(b"\xef\xbb\xbf").startswith(b"#EXTM3U"):
        raise PackageError(f"{path} does not begin with #EXTM3U; give an HLS playlist", path=str(path))
    if "EXT-X-DEFINE" in playlist.tags:
        raise PackageError(f"{path} has variables (EXT-X-DEFINE); write them out", path=str(path))
    return playlist


def read_hls(path: Path, files: LocalFiles) -> Package:
    """Read a package by its master or media playlist.

    Raises:
        PackageError: it cannot be read, or not exactly; the message says where and why.
    """
    reader = _Reader(files=files, master=path)
    root = _parsed(files.text(path, str(path)), path)
    if not root.is_master:
        declared = Declared(label=unique_label(_plain_name(path), set()), where=str(path))
        stream = reader.stream(path, str(path), declared)
        return Package(path=path, kind="hls", streams=(stream,), variants=(), notes=())
    return _read_master(reader, root)


def _read_master(reader: _Reader, root: Playlist) -> Package:
    path = reader.master
    if "EXT-X-SESSION-KEY" in root.tags:
        raise PackageError(
            f"{path}: is encrypted (EXT-X-SESSION-KEY); give the package as it was before encryption", path=str(path)
        )
    if root.i_frame_streams:
        reader.notes["I-frame playlists are left out"] = None
    spoken: list[tuple[Rendition, Path | None]] = []
    for rendition in root.renditions:
        kind, uri = rendition.attributes.get("TYPE", "?"), rendition.attributes.get("URI")
        if kind == "AUDIO":
            at = reader.where(path, rendition.line)
            spoken.append((rendition, None if uri is None else reader.files.resolve(uri, path.parent, at)))
        else:
            reader.notes[f"renditions of type {kind} are left out"] = None
    pictures = [
        (tag, reader.files.resolve(tag.uri, path.parent, reader.where(path, tag.line)))
        for tag in root.variants
        if tag.uri
    ]
    if not pictures:
        raise PackageError(f"{path}: names no variant; is it whole?", path=str(path))
    named = [file for _, file in pictures] + [file for _, file in spoken if file]
    labels = _labels(list(dict.fromkeys(named)), path.parent)
    for rendition, file in spoken:
        if file is not None:
            language = rendition.attributes.get("LANGUAGE", "")
            declared = Declared(label=labels[file], where=str(file), language=language)
            reader.stream(file, reader.where(path, rendition.line), declared)
    variants = []
    seen: dict[tuple[object, ...], str] = {}
    for tag, file in pictures:
        fps = decimal_float(tag.attributes.get("FRAME-RATE", "")) or None
        declared = Declared(label=labels[file], where=str(file), fps=fps)
        stream = reader.stream(file, reader.where(path, tag.line), declared)
        key = (*_told_apart(tag), *(segment.media.size_bytes for segment in stream.segments))
        if seen.setdefault(key, stream.label) != stream.label:
            reader.notes[f"{stream.label} is left out: a redundant variant of {seen[key]}"] = None
            del reader.streams[file]
        elif stream.kind == "audio":
            reader.notes[f"{stream.label} is a variant of audio alone, and no rung"] = None
        else:
            variants.append(_variant(reader, tag, stream, spoken))
    found = sorted(reader.streams.values(), key=lambda stream: stream.kind == "audio")
    return Package(path=path, kind="hls", streams=tuple(found), variants=tuple(variants), notes=tuple(reader.notes))


def _told_apart(tag: VariantTag) -> tuple[object, ...]:
    return tuple(sorted(item for item in tag.attributes.items() if item[0] not in _OF_A_COPY))


def _variant(
    reader: _Reader, tag: VariantTag, stream: PackagedStream, spoken: Sequence[tuple[Rendition, Path | None]]
) -> PackagedVariant:
    has = tag.attributes
    group = [(r.attributes, file) for r, file in spoken if r.attributes.get("GROUP-ID") == has.get("AUDIO", "")]
    where = reader.where(reader.master, tag.line)
    if has.get("AUDIO") and not group:
        raise PackageError(f"{where}: no EXT-X-MEDIA has the GROUP-ID {shortened(has['AUDIO'])}; add it", path=where)
    chosen = min(group, key=lambda item: _rank(item[0]), default=None)
    audio = None if chosen is None or chosen[1] is None else reader.streams[chosen[1]]
    if audio is not None and stream.kind == "muxed":
        reader.notes[f"the audio inside {stream.label} is not what plays beside it"] = None
    width_px, height_px = resolution(has.get("RESOLUTION", "")) or (stream.width_px, stream.height_px)
    return PackagedVariant(
        name=where,
        video=stream.label,
        audio=audio.label if audio else None,
        declared_peak_kbps=_kbps(has, "BANDWIDTH"),
        declared_average_kbps=_kbps(has, "AVERAGE-BANDWIDTH"),
        average_kbps=stream.average_kbps + (audio.average_kbps if audio else 0.0),
        peak_kbps=stream.peak_kbps + (audio.peak_kbps if audio else 0.0),
        width_px=width_px,
        height_px=height_px,
        fps=decimal_float(has.get("FRAME-RATE", "")) or stream.fps,
    )


def _rank(attributes: Mapping[str, str]) -> int:
    """Which rendition of a group plays where nobody chooses: the least."""
    return 0 if attributes.get("DEFAULT") == "YES" else 1 if attributes.get("AUTOSELECT") == "YES" else 2


def _kbps(attributes: Mapping[str, str], name: str) -> float | None:
    bits_per_s = decimal_integer(attributes.get(name, ""))
    return bits_per_s / 1000.0 if bits_per_s else None


def _labels(playlists: Sequence[Path], folder: Path) -> dict[Path, str]:
    """Labels by what tells the playlists' paths from each other: `video/h264_360p/index.m3u8` -> `video_h264_360p`."""
    words = [list(Path(os.path.relpath(file.with_suffix(""), folder)).parts) for file in playlists]
    for end in (-1, 0):  # a name that all have, and a folder that all are in
        while len({found[end] for found in words}) == 1 and min(map(len, words)) > 1:
            for found in words:
                del found[end]
    if len(words) == 1:
        words = [[_plain_name(playlists[0])]]
    taken: set[str] = set()
    return {file: unique_label("_".join(found), taken) for file, found in zip(playlists, words, strict=True)}


def _plain_name(path: Path) -> str:
    """The name of a playlist, or of its folder where its own says nothing."""
    return path.resolve().parent.name if path.stem.lower() in _SAY_NOTHING else path.stem
