"""Join shots that were encoded by themselves into one stream, without a decoder noticing.

Movie fragments are written anew on one timeline; coded pictures stay as they are. Where parameter sets of shots differ,
they go in-band, before the first picture of every GOP, and the sample entry says so (avc3, hev1).
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import BinaryIO

from abr_alloc.errors import MediaError
from abr_alloc.media.boxes import Box
from abr_alloc.media.movie_fragments import FragmentedTrack, Gop, fragment_bytes, head_bytes, read_gop, read_track
from abr_alloc.media.sample_entries import (
    entry_of,
    in_band_entry,
    level_of,
    plain_entry,
    same_samples,
    with_parameter_sets,
)
from abr_alloc.media.segments import SEGMENT_PATTERN, init_name

__all__ = ["JoinedStream", "join_shots"]

_SIZE = slice(24, 28)  # width and height in a visual sample entry
_STYP = b"\0\0\0\x18stypmsdh\0\0\0\0msdhcmfs"


@dataclass(frozen=True, slots=True, kw_only=True)
class JoinedStream:
    """A stream of shots in its folder."""

    inits: tuple[str, ...]
    """Initialisation segments: `init.mp4`, then one for every other size, `init-2.mp4` and so on, in the order in which
    sizes come."""
    segment_inits: tuple[int, ...]
    """For every media segment, which of `inits` it plays with, from 0."""
    in_band: bool
    """Whether parameter sets stand before the first picture of every GOP too; codecs without them (AV1, VP9) carry
    their sequence headers there always."""


def join_shots(
    shots: Sequence[Path],
    segments: Sequence[Sequence[int]],
    folder: Path,
    fps: Fraction,
    *,
    discontinuous: bool = False,
) -> JoinedStream:
    """Write shots as one stream into an existing empty folder: `init.mp4`, `00001.m4s` and so on.

    All initialisation segments have one timescale and track, so that times run on over them. What decoding is ahead of
    showing stands in an edit list, as in any other rendition; but a stream of several sizes, and what is played beside
    one, has composition offsets below 0 instead: at a discontinuity players add an edit list's shift once more.

    Args:
        shots: files of `encode_shot`, in order.
        segments: per shot the frames of its segments, from `segment_plan.shot_segments`.
        folder: where to write.
        fps: frames per second.
        discontinuous: whether playlists break at shots, though this stream may have one size.

    Raises:
        MediaError: a file is no shot; shots differ in codec, samples or timescale; or a segment would not begin with a
            GOP. Names the shot.
    """
    tracks = [_read(path, fps) for path in shots]
    entries = [plain_entry(entry_of(track.moov)) for track in tracks]
    for number, (track, entry) in enumerate(zip(tracks, entries, strict=True), start=1):
        if track.timescale != tracks[0].timescale or not same_samples(entry, entries[0]):
            raise MediaError(
                f"{track.path}: shot {number} has another codec, other samples, colours or another clock than the "
                "first; let its encoder write the same for every shot",
                path=str(track.path),
            )
    by_size: dict[bytes, list[Box]] = {}
    for entry in entries:
        by_size.setdefault(entry.data[_SIZE], []).append(entry)
    discontinuous |= len(by_size) > 1
    # Players switch between streams of one sample entry, so what is played beside one of several sizes has its entry.
    in_band = discontinuous or any(entry != entries[0] for entry in entries)
    delay_frames = max(track.delay_frames for track in tracks)
    no_edits = discontinuous and delay_frames > 0
    delay_frames = 0 if no_edits else delay_frames
    names = [init_name(number) for number in range(1, len(by_size) + 1)]
    for name, group in zip(names, by_size.values(), strict=True):
        entry = max(group, key=level_of)
        moov = tracks[entries.index(entry)].moov
        if in_band:
            entry = _in_band(entry, group, tracks[0])
        (folder / name).write_bytes(head_bytes(moov, entry, None if no_edits else delay_frames * tracks[0].frame_ticks))
    timeline = _Timeline(folder=folder, delay_frames=delay_frames)
    for track, entry, lengths in zip(tracks, entries, segments, strict=True):
        timeline.add(track, lengths, entry if in_band else None)
    places = list(by_size)
    return JoinedStream(
        inits=tuple(names),
        segment_inits=tuple(
            places.index(entry.data[_SIZE]) for entry, lengths in zip(entries, segments, strict=True) for _ in lengths
        ),
        in_band=in_band,
    )


def _read(path: Path, fps: Fraction) -> FragmentedTrack:
    try:
        return read_track(path, fps)
    except (ValueError, struct.error, IndexError) as error:
        raise MediaError(f"{path} is no shot that can be joined: {error}; encode it again", path=str(path)) from error


def _in_band(entry: Box, group: Sequence[Box], track: FragmentedTrack) -> Box:
    try:
        return in_band_entry(entry, serves_all=all(other == entry for other in group))
    except ValueError as error:
        raise MediaError(
            f"{track.path}: parameter sets of its shots differ, and {error}; give all shots one size, or choose "
            "another codec",
            path=str(track.path),
        ) from error


@dataclass(slots=True, kw_only=True)
class _Timeline:
    """The segments of a stream, written one behind the other."""

    folder: Path
    delay_frames: int
    num_segments: int = 0
    num_fragments: int = 0
    num_frames: int = 0

    def add(self, track: FragmentedTrack, lengths: Sequence[int], entry: Box | None) -> None:
        """Write a shot's segments; with the sample entry whose parameter sets go in-band, if any do."""
        gops = iter(track.gops)
        with track.path.open("rb") as shot:
            for length in lengths:
                self.num_segments += 1
                path, end = self.folder / SEGMENT_PATTERN.format(self.num_segments), self.num_frames + length
                with path.open("wb") as segment:
                    segment.write(_STYP)
                    while self.num_frames < end and (gop := next(gops, None)) is not None:
                        segment.write(self._fragment(shot, gop, track, entry))
                if self.num_frames != end:
                    raise _unlike(track, lengths)
        if next(gops, None) is not None:
            raise _unlike(track, lengths)

    def _fragment(self, shot: BinaryIO, gop: Gop, track: FragmentedTrack, entry: Box | None) -> bytes:
        frames = read_gop(shot, gop)
        if entry is not None:
            frames[0] = with_parameter_sets(frames[0], entry)
        self.num_fragments += 1
        first_frame, self.num_frames = self.num_frames, self.num_frames + gop.num_frames
        return fragment_bytes(
            frames,
            gop.shown,
            number=self.num_fragments,
            first_frame=first_frame,
            frame_ticks=track.frame_ticks,
            delay_frames=self.delay_frames,
        )


def _unlike(track: FragmentedTrack, lengths: Sequence[int]) -> MediaError:
    gops = " ".join(str(gop.num_frames) for gop in track.gops)
    return MediaError(
        f"{track.path}: GOPs of {gops} frames make no segments of {' '.join(map(str, lengths))}; encode it again",
        path=str(track.path),
    )
