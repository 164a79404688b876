"""Read a delivered stream from disk: every playlist, initialisation segment and media segment once.

Nothing is fetched, and nothing outside the folder of the given playlist is opened: a URI with a scheme or a host, an
absolute path and a path that leads out are noted as not checked. So is what cannot be measured here.
"""

from __future__ import annotations

import posixpath
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote, urlsplit

from abr_alloc.codecs import AUDIO_CODECS
from abr_alloc.errors import MediaError
from abr_alloc.linting.playlist import MAX_SEGMENTS, read_playlist
from abr_alloc.linting.stream import MeasuredSegment, Stream, Track, Variant
from abr_alloc.linting.tags import ByteRange, Flaw, Playlist, Rendition, SegmentTag
from abr_alloc.linting.text_reading import TextTrack, read_text_track
from abr_alloc.media.bitstream import Fragment, read_fragment
from abr_alloc.media.sample_entries import told_size

__all__ = ["read_stream"]

_MAX_PLAYLIST_BYTES = 16 << 20
_MAX_SEGMENT_BYTES = 512 << 20
# How audio begins in CODECS, by lower case: what is known here, and what others deliver.
_AUDIO_ENTRIES = (*(codec.sample_entry.lower() for codec in AUDIO_CODECS.values()), "alac")


@dataclass(slots=True)
class _Reader:
    folder: Path
    flaws: list[tuple[str, Flaw]] = field(default_factory=list)
    not_checked: dict[str, None] = field(default_factory=dict)  # in order, each once
    tracks: dict[str, Track | None] = field(default_factory=dict)
    fragments: dict[tuple[object, ...], tuple[int, Fragment | None]] = field(default_factory=dict)
    faulty: set[str] = field(default_factory=set)

    def flaw(self, where: str, rule: str, line: int, message: str, then: str) -> None:
        self.flaws.append((where, Flaw(rule=rule, line=line, message=message, next=then)))

    def resolve(self, uri: str, base: str) -> str | None:
        """A URI's path below the folder, with `/` between; None for what is not looked at."""
        try:
            parts = urlsplit(uri)
        except ValueError:
            self.not_checked[f"{_short(uri)}: not a URI that can be read"] = None
            return None
        path = unquote(parts.path)
        if parts.scheme or parts.netloc:
            reason = "remote, and nothing is fetched"
        elif path.startswith("/") or "\\" in path or "\0" in path:
            reason = "not a path below the playlist"
        else:
            joined = posixpath.normpath(posixpath.join(posixpath.dirname(base), path))
            if joined != ".." and not joined.startswith("../") and self.holds(joined):
                return joined
            reason = "leads out of the playlist's folder"
        self.not_checked[f"{_short(uri)}: {reason}"] = None
        return None

    def holds(self, path: str) -> bool:
        """Whether a path stays in the folder when links are followed."""
        try:
            return (self.folder / path).resolve().is_relative_to(self.folder.resolve())
        except (OSError, RuntimeError):  # a link to itself
            return False

    def read(
        self, path: str, part: ByteRange | None = None, limit: int = _MAX_SEGMENT_BYTES
    ) -> tuple[bytes, str | None]:
        """Bytes of a file below the folder, or why there are none."""
        file = self.folder / path
        try:
            if not file.is_file():  # nor a device or a pipe, which might never end
                return b"", "is not a file" if file.exists() else "does not exist"
            size = file.stat().st_size
            if part and part.offset + part.length > size:
                return b"", f"has {size} bytes, and bytes {part.offset} to {part.offset + part.length} are asked for"
            if (part.length if part else size) > limit:
                return b"", f"is larger than {limit >> 20} MiB"
            with file.open("rb") as stream:
                stream.seek(part.offset if part else 0)
                data = stream.read(part.length if part else size)
        except (OSError, ValueError) as error:
            return b"", f"cannot be opened ({getattr(error, 'strerror', None) or error})"
        return data, None if data else "is empty"

    def track(self, uri: str, base: str, line: int) -> Track | None:
        path = self.resolve(uri, base)
        if path is None:
            return None
        if path not in self.tracks:
            self.tracks[path] = None
            playlist = self.playlist(path, uri, base, line)
            if playlist is not None:
                self.tracks[path] = self.measure(path, playlist)
        return self.tracks[path]

    def playlist(self, path: str, uri: str, base: str, line: int) -> Playlist | None:
        """A media playlist that another one refers to."""
        data, fault = self.read(path, limit=_MAX_PLAYLIST_BYTES)
        if fault:
            self.flaw(base, "HLS 4.4.6", line, f"the playlist {_short(uri)} {fault}", "write it, or correct the URI")
            return None
        playlist = read_playlist(data)
        if playlist.is_master:
            self.flaw(base, "HLS 4.4.6", line, f"{_short(uri)} is a master playlist", "name a media playlist")
            return None
        return playlist

    def measure(self, path: str, playlist: Playlist, *, i_frames: bool = False) -> Track:
        self.flaws += [(path, flaw) for flaw in playlist.flaws]
        if playlist.truncated:
            self.not_checked[f"{path}: segments after the first {MAX_SEGMENTS}"] = None
        if "EXT-X-I-FRAMES-ONLY" in playlist.tags and not i_frames:
            self.not_checked[f"{path}: an I-frame playlist"] = None
            return Track(where=path, playlist=playlist, segments=())
        if not playlist.segments:
            self.flaw(path, "HLS 3", 0, "names no segment", "add its segments")
        maps = {tag.map and (tag.map.uri, tag.map.byte_range) for tag in playlist.segments}
        several = len(maps) > 1 and not i_frames
        segments = tuple(self.segment(path, tag, i_frames, several) for tag in playlist.segments)
        return Track(where=path, playlist=playlist, segments=segments)

    def i_frames(self, tags: tuple[Rendition, ...], base: str) -> tuple[Track, ...]:
        """The I-frame playlists of a master playlist, each once."""
        found: dict[str, Track | None] = {}
        for tag in tags:
            uri = tag.attributes.get("URI")
            path = None if uri is None else self.resolve(uri, base)
            if uri is None or path is None or path in found:
                continue
            playlist = self.playlist(path, uri, base, tag.line)
            found[path] = None if playlist is None else self.measure(path, playlist, i_frames=True)
        return tuple(track for track in found.values() if track)

    def segment(self, base: str, tag: SegmentTag, i_frames: bool, several_maps: bool) -> MeasuredSegment:
        path = self.resolve(tag.uri, base)
        init_path = self.resolve(tag.map.uri, base) if tag.map else None
        if path is None or (tag.map and init_path is None):
            return MeasuredSegment(tag=tag, size_bytes=0, fragment=None)
        key = (path, tag.byte_range, init_path, tag.map and tag.map.byte_range, tag.encrypted, i_frames)
        if key not in self.fragments:
            self.fragments[key] = self.fragment(base, tag, path, init_path, i_frames, several_maps)
        size, fragment = self.fragments[key]
        return MeasuredSegment(tag=tag, size_bytes=size, fragment=fragment)

    def fragment(
        self, base: str, tag: SegmentTag, path: str, init_path: str | None, i_frames: bool, several_maps: bool
    ) -> tuple[int, Fragment | None]:
        data, fault = self.read(path, tag.byte_range)
        if fault:
            if i_frames and path in self.faulty:  # told of its media playlist
                return 0, None
            self.faulty.add(path)
            self.flaw(base, "HLS 3", tag.line, f"the segment {_short(tag.uri)} {fault}", "write it, or correct the URI")
            return 0, None
        init = b""
        if tag.map and init_path:
            init, fault = self.read(init_path, tag.map.byte_range)
            if fault:
                name = f"the initialisation segment {_short(tag.map.uri)}"
                self.flaw(base, "HLS 3.1.2", tag.map.line, f"{name} {fault}", "write it, or correct the URI")
                return len(data), None
        if tag.encrypted:
            self.not_checked[f"{base}: encrypted segments"] = None
            return len(data), None
        try:
            name = f"the segment {_short(tag.uri)}"
            fragment = read_fragment(data, init, name=name, first_frame_only=i_frames)
            if several_maps and tag.map and fragment.kind == "video":
                self.compare_size(base, tag, fragment, init)
            return len(data), fragment
        except MediaError as error:
            message = str(error).partition("; ")[0]
            then = "write it again" if tag.map else "add EXT-X-MAP if it is fragmented MP4, or write it again"
            self.flaw(base, "HLS 3", tag.line, message, then)
            return len(data), None

    def compare_size(self, base: str, tag: SegmentTag, fragment: Fragment, init: bytes) -> None:
        """Where initialisation segments change, note one that is not of a segment's pictures, which may tell theirs."""
        try:
            told = told_size(init)
        except ValueError:
            return
        if told != (fragment.width_px, fragment.height_px) and tag.map:
            message = (
                f"the segment {_short(tag.uri)} has pictures of {fragment.width_px}x{fragment.height_px}, and its "
                f"EXT-X-MAP, {_short(tag.map.uri)}, is of {told[0]}x{told[1]}"
            )
            self.flaw(base, "HLS 4.4.4.5", tag.line, message, "name the initialisation segment of its size before it")


def read_stream(path: Path) -> Stream:
    """Read a master playlist with all that it leads to, or a media playlist with its segments.

    Raises:
        MediaError: the file itself cannot be read.
    """
    reader = _Reader(folder=path.parent)
    data, fault = reader.read(path.name, limit=_MAX_PLAYLIST_BYTES)
    if fault and fault != "is empty":
        raise MediaError(f"{path} {fault}; give a playlist", path=str(path))
    root = read_playlist(data)
    if not root.is_master:
        track = reader.measure(path.name, root)
        return _stream(reader, path.name, root, (track,), ())
    reader.flaws += [(path.name, flaw) for flaw in root.flaws]
    audio: dict[str, list[Track | None]] = {}
    texts: dict[str, TextTrack | None] = {}
    for rendition in root.renditions:
        kind, uri = rendition.attributes.get("TYPE", "?"), rendition.attributes.get("URI")
        if kind == "SUBTITLES" and uri is not None:
            if uri not in texts:
                texts[uri] = read_text_track(reader, uri, path.name, rendition.line)
        elif kind != "AUDIO":
            reader.not_checked[f"renditions of type {kind}"] = None
        elif uri is not None:
            group = audio.setdefault(rendition.attributes.get("GROUP-ID", ""), [])
            group.append(reader.track(uri, path.name, rendition.line))
    groups = {r.attributes.get("GROUP-ID") for r in root.renditions if r.attributes.get("TYPE") == "AUDIO"}
    variants = []
    for tag in root.variants:
        own = reader.track(tag.uri, path.name, tag.line)
        named = tag.attributes.get("AUDIO")
        group = audio.get(named, [] if named in groups else [None]) if named is not None else []
        heard = any(_is_audio(codec) for codec in tag.attributes.get("CODECS", "").split(","))
        muxed = not group and own is not None and own.kind == "video" and (heard or "CODECS" not in tag.attributes)
        if muxed:
            reader.not_checked["audio inside video segments: its codec, channels and rate"] = None
        variants.append(
            Variant(
                where=f"{path.name}:{tag.line}",
                name=tag.uri,
                attributes=dict(tag.attributes),
                video=own,
                audio=tuple(group),
                muxed=muxed,
            )
        )
    tracks = tuple(track for track in reader.tracks.values() if track)
    read = tuple(text for text in texts.values() if text)
    return _stream(reader, path.name, root, tracks, tuple(variants), read)


def _stream(
    reader: _Reader,
    where: str,
    root: Playlist,
    tracks: tuple[Track, ...],
    variants: tuple[Variant, ...],
    texts: tuple[TextTrack, ...] = (),
) -> Stream:
    i_frames = reader.i_frames(root.i_frame_streams, where)
    return Stream(
        where=where,
        root=root,
        tracks=tracks,
        variants=variants,
        i_frames=i_frames,
        flaws=tuple(reader.flaws),
        not_checked=tuple(reader.not_checked),
        texts=texts,
    )


def _is_audio(codec: str) -> bool:
    return codec.strip().lower().startswith(_AUDIO_ENTRIES)


def _short(uri: str) -> str:
    return uri if len(uri) <= 80 else uri[:79] + "…"
