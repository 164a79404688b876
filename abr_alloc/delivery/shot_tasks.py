"""The units of work of renditions whose shots are encoded each by itself: a shot, and joining those of a rendition.

A shot is encoded by one thread: its bytes depend on what its name says (source, place, size, encoder and target) and on
nothing else, however many workers there are. So a shot that two renditions have in common is encoded once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import numpy.typing as npt

from abr_alloc.delivery.folder import DeliveryFolder
from abr_alloc.delivery.rendition_tasks import frames_told
from abr_alloc.delivery.shot_orders import shot_ask
from abr_alloc.disk import disk_errors
from abr_alloc.encoder_settings import settings_of
from abr_alloc.encoders import VideoEncoder
from abr_alloc.errors import MediaError
from abr_alloc.exporting.presentation import SEGMENT_S
from abr_alloc.formats.delivery_record import Delivery, ShotOrder, VideoOrder
from abr_alloc.measure.cache import cache_key
from abr_alloc.measure.looks import NORMALISATION
from abr_alloc.media.cmaf import read_segments
from abr_alloc.media.coding import gop_frames
from abr_alloc.media.encoder_arguments import num_passes
from abr_alloc.media.ffmpeg import FFmpeg
from abr_alloc.media.grid import VideoTarget
from abr_alloc.media.part import Part
from abr_alloc.media.probe import MediaInfo, require_unchanged
from abr_alloc.media.seek import prove_seek
from abr_alloc.media.segment_plan import shot_segments
from abr_alloc.media.shot_encoding import encode_shot
from abr_alloc.media.shot_joining import join_shots

__all__ = ["EncodeShotTask", "JoinShotsTask", "ProveSeekTask", "shot_key", "shot_part", "title_segments"]

_SHOT_VERSION = 1
"""Changes whenever the same shot would be encoded to other bytes."""

_FIRST_PASS_SHARE = 0.35


def shot_part(shot: ShotOrder) -> Part:
    """The frames of a shot."""
    return Part(first_frame=shot.first_frame, num_frames=shot.num_frames, is_whole=False)


def shot_key(delivery: Delivery, info: MediaInfo, order: VideoOrder, shot: ShotOrder) -> str:
    """A name that says all that the bytes of a shot depend on: what differs in one has another name."""
    encoder = delivery.encoder_of(order)
    facts = cache_key(
        version=_SHOT_VERSION,
        source=delivery.source_hash,
        normalisation=NORMALISATION,
        frames=[shot.first_frame, shot.num_frames],
        fps=delivery.fps,
        size=[shot.width_px, shot.height_px],
        asked=repr(shot_ask(encoder, shot.asked)),
        encoder=settings_of(replace(encoder, delivery="")),
        gop_s=encoder.gop_s,
        ffmpeg=delivery.ffmpeg_version,
        **info.stream_facts,
    )
    return f"{shot.first_frame:07d}-{shot.width_px}x{shot.height_px}-{facts}"


def title_segments(delivery: Delivery, order: VideoOrder) -> list[tuple[int, ...]]:
    """Per shot the frames of its segments: those of one rendition are those of all."""
    fps = Fraction(delivery.fps)
    return shot_segments([s.num_frames for s in order.shots], gop_frames(fps, delivery.gop_s), fps, SEGMENT_S)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProveSeekTask:
    """Find where to begin reading the source for a shot; returns seconds on its clock, or None for its beginning."""

    ffmpeg: FFmpeg
    info: MediaInfo
    part: Part
    key_times_s: npt.NDArray[np.float64]
    """Of the last key frames before the shot, seconds on the source's clock."""
    fingerprints: npt.NDArray[np.uint32]
    """Of the shot's frames, (F,)."""

    @property
    def label(self) -> str:
        return f"{self.info.path.name}: looking for frame {self.part.first_frame}"

    @property
    def work(self) -> float:
        """Rough cost, in frames of full HD at a tenth of a bit per pixel."""
        return 0.2 * self.part.num_frames * self.info.width_px * self.info.height_px / (1920 * 1080)

    def done_share(self, folder: DeliveryFolder) -> float:
        return 0.0

    def run(self, folder: DeliveryFolder) -> float | None:
        del folder
        require_unchanged(self.info)
        of_title = np.pad(self.fingerprints, (self.part.first_frame, 0))
        return prove_seek(self.ffmpeg, self.info, self.part, self.key_times_s, of_title)


@dataclass(frozen=True, slots=True, kw_only=True)
class EncodeShotTask:
    """Encode a shot and put it in its place."""

    ffmpeg: FFmpeg
    info: MediaInfo
    codec: str
    encoder: VideoEncoder
    shot: ShotOrder
    number: int
    """Of the shot in its title, from 1."""
    part: Part
    """Its frames, with the place from which they are read."""
    key: str
    """`shot_key`."""

    @property
    def label(self) -> str:
        shot = self.shot
        return f"{self.info.path.name}: scene {self.number}, {shot.width_px}x{shot.height_px} {shot.asked}"

    @property
    def work(self) -> float:
        """Rough cost, in frames of full HD at a tenth of a bit per pixel; decoding the source takes a part."""
        pixels = self.shot.width_px * self.shot.height_px
        bits_per_pixel = 1000.0 * self.shot.planned_kbps / (float(self.info.fps) * pixels)
        encoding, decoding = pixels * (10.0 * bits_per_pixel) ** 0.25, 0.2 * self.info.width_px * self.info.height_px
        return self.shot.num_frames * (encoding + decoding) / (1920 * 1080)

    def done_share(self, folder: DeliveryFolder) -> float:
        """How much of it is done while it runs, by what its encoder tells."""
        two_passes = num_passes(shot_ask(self.encoder, self.shot.asked)) == 2
        passes = (_FIRST_PASS_SHARE, 1.0 - _FIRST_PASS_SHARE) if two_passes else (1.0,)
        return sum(
            share * min(1.0, frames_told(folder.progress_path(self.key, number)) / self.shot.num_frames)
            for number, share in enumerate(passes)
        )

    def run(self, folder: DeliveryFolder) -> None:
        if folder.shot_path(self.key).is_file():  # a worker that was given up was nearly done
            return
        require_unchanged(self.info)
        with disk_errors(folder.root), folder.work_dir() as work_dir:
            encode = work_dir / "shot.mp4"
            target = VideoTarget(
                codec=self.codec,
                width_px=self.shot.width_px,
                height_px=self.shot.height_px,
                target=self.shot.asked,
                encoder=self.encoder,
            )
            encode_shot(
                self.ffmpeg,
                self.info,
                target,
                shot_ask(self.encoder, self.shot.asked),
                self.part,
                encode,
                progress=[folder.progress_path(self.key, number) for number in range(2)],
            )
            require_unchanged(self.info)
            folder.accept_shot(encode, self.key)


@dataclass(frozen=True, slots=True, kw_only=True)
class JoinShotsTask:
    """Join the shots of a rendition, cut into segments, and put it in its place."""

    info: MediaInfo
    order: VideoOrder
    keys: tuple[str, ...]
    """Of its shots, in order."""
    segments: tuple[tuple[int, ...], ...]
    """Per shot the frames of its segments."""
    sizes_change: bool
    """Whether pictures of some rendition of the ladder change in size."""
    below: Path
    """Where its folder goes."""

    @property
    def label(self) -> str:
        return f"{self.info.path.name}: {self.order.name}"

    @property
    def work(self) -> float:
        """Rough cost, in frames of full HD at a tenth of a bit per pixel."""
        return 0.001 * sum(map(sum, self.segments))

    def done_share(self, folder: DeliveryFolder) -> float:
        return 0.0

    def run(self, folder: DeliveryFolder) -> None:
        with disk_errors(folder.root), folder.work_dir() as work_dir:
            cut = work_dir / "cut"
            cut.mkdir()
            shots = [folder.shot_path(key) for key in self.keys]
            join_shots(shots, self.segments, cut, self.info.fps, discontinuous=self.sizes_change)
            self._check(cut)
            folder.accept(cut, self.order.name, below=self.below)

    def _check(self, cut: Path) -> None:
        found = read_segments(cut)
        wanted: Sequence[int] = [frames for its in self.segments for frames in its]
        if [segment.num_frames for segment in found] != wanted or not all(s.starts_with_idr for s in found):
            raise MediaError(
                f"{self.info.path}: {self.order.name} is not cut as it was planned; please report this source",
                path=str(self.info.path),
            )
