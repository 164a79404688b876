"""A part of a title that is encoded and measured by itself: mostly the whole title, or one stretch of it.

A part's encode and its reference are read from the same place and through the same filters, and frames are told by
their number in the title, which does not depend on where reading begins (`seek.py`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction

from abr_alloc.media.normalise import video_chain
from abr_alloc.media.probe import MediaInfo
from abr_alloc.media.scenes import Scene

__all__ = ["LEAD_S", "TAIL_S", "Part"]

LEAD_S = 0.5
"""What is encoded before a part, seconds: x264's first frame of all is coarser than the key frames behind it (by 2 dB
at CRF 40), so a part begins with a second key frame."""

TAIL_S = 1.5
"""What is encoded beyond a part, seconds: more than the 30 to 40 frames that x264 and x265 look ahead at 24 fps."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A span of a title, in frames at its constant rate."""

    first_frame: int
    """Index of its first frame in the title."""
    num_frames: int
    """How many frames it has."""
    is_whole: bool
    """Whether it is the whole title; nothing is sought or cut then."""
    tail_frames: int = 0
    """Frames that are encoded beyond it and not scored: what an encoder spends on a frame depends on those to come."""
    lead_frames: int = 0
    """Frames that are encoded before it and not scored: an encode's first key frame is no key frame like others."""
    seek_s: float | None = field(default=None, compare=False)
    """Where reading begins, seconds on the file's clock, as `seek.py` proved it; None for the file's beginning."""

    @classmethod
    def whole(cls, num_frames: int) -> Part:
        """All of a title."""
        return cls(first_frame=0, num_frames=num_frames, is_whole=True)

    @classmethod
    def of_scene(cls, scene: Scene, fps: Fraction, title_frames: int) -> Part:
        """The part that is one scene of a title of so many frames, with what is encoded before and beyond it."""
        frames = scene.frames(fps)
        tail = min(round(TAIL_S * fps), title_frames - frames.stop)
        return cls(
            first_frame=frames.start,
            num_frames=frames.stop - frames.start,
            is_whole=False,
            tail_frames=max(0, tail),
            lead_frames=min(round(LEAD_S * fps), frames.start),
        )

    @property
    def facts(self) -> dict[str, list[int]]:
        """What it adds to the facts that determine a measurement: nothing where it is the whole."""
        lead = [self.lead_frames] if self.lead_frames else []
        return {} if self.is_whole else {"part": [self.first_frame, self.num_frames, self.tail_frames, *lead]}

    @property
    def encoded(self) -> slice:
        """Frames of the title that are encoded: its own, and what is before and beyond them."""
        return slice(self.first_frame - self.lead_frames, self.first_frame + self.num_frames + self.tail_frames)

    @property
    def num_encoded(self) -> int:
        """How many frames its encode has."""
        return self.lead_frames + self.num_frames + self.tail_frames

    @property
    def scored(self) -> slice:
        """Frames of its encode that are its own."""
        return slice(self.lead_frames, self.lead_frames + self.num_frames)

    @property
    def encoder_words(self) -> list[str]:
        """What an encoder of ffmpeg is told besides: a part that does not begin its encode begins with a key frame."""
        return ["-force_key_frames", f"expr:eq(n,{self.lead_frames})"] if self.lead_frames else []

    def start_s(self, fps: Fraction) -> float:
        """First instant, seconds."""
        return float(self.first_frame / fps)

    def duration_s(self, fps: Fraction) -> float:
        """Length, seconds."""
        return float(self.num_frames / fps)

    def chain(self, info: MediaInfo, *, with_surroundings: bool = False) -> str:
        """The filters that give its frames, numbered from 0; with lead and tail, as it is encoded, or without."""
        if self.is_whole:
            return video_chain(info)
        own = slice(self.first_frame, self.first_frame + self.num_frames)
        frames = self.encoded if with_surroundings else own
        return video_chain(info, frames=(frames.start, frames.stop))
