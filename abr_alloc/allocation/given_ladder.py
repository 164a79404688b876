"""A ladder that a service ships, as it was given: what each rung is called, and what it is said to be.

Nothing here was measured or predicted. Where it comes from (`formats.ladder_rows`, `formats.ladder_file`, a package on
disk) does not matter to who judges it (`matching.py`).
"""

from __future__ import annotations

from dataclasses import dataclass

from abr_alloc.allocation.rung import Ladder

__all__ = ["GivenAudio", "GivenLadder", "GivenRung", "GivenVideo", "given_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class GivenVideo:
    """A video stream as it was given."""

    label: str = ""
    """What a feature table may call it: the `target` of a measured rendition; empty where it has no name."""
    codec: str = ""
    """Video codec; empty where it is not said."""
    width_px: int | None = None
    """Width, pixels; None where it is not said."""
    height_px: int | None = None
    """Height, pixels; None where it is not said."""
    kbps: float | None = None
    """Mean rate, kbps; None where it is not said."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GivenAudio:
    """An audio stream as it was given."""

    label: str = ""
    """What a feature table may call it; empty where it has no name."""
    codec: str = ""
    """Audio codec; empty where it is not said."""
    channels: int | None = None
    """Channels; None where it is not said."""
    kbps: float | None = None
    """Mean rate, or the one that was asked for, kbps; None where it is not said."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GivenRung:
    """A pair of a ladder as it was given."""

    place: str
    """Where it stands, for messages: `line 3`, `rungs[2]`."""
    video: GivenVideo
    """Video stream."""
    audio: GivenAudio | None
    """Audio stream; None where the rung has none."""
    muxed: bool = False
    """Whether both lie in the same file, so that other audio means to multiplex anew."""
    refused: str = ""
    """Why one of its streams could not be measured, though that was tried; empty where it was not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GivenLadder:
    """A ladder as it was given."""

    name: str
    """What it is called: a file."""
    rungs: tuple[GivenRung, ...]
    """In the order in which they were given."""
    title: str | None = None
    """The title that it is for; None where it does not say, and may be for any."""
    notes: tuple[str, ...] = ()
    """What to know about how it was read."""


def given_of(ladder: Ladder, name: str, title: str) -> GivenLadder:
    """A ladder of this program as a given one.

    Args:
        ladder: the rungs.
        name: what it is called.
        title: the title that it is for: its own, or one of those that share it.
    """
    return GivenLadder(
        name=name,
        title=title,
        rungs=tuple(
            GivenRung(
                place=f"rung {i}",
                video=GivenVideo(
                    label=r.video.target,
                    codec=r.video.codec,
                    width_px=r.video.width_px,
                    height_px=r.video.height_px,
                    kbps=r.video.bitrate_kbps,
                ),
                audio=GivenAudio(
                    label=r.audio.target, codec=r.audio.codec, channels=r.audio.channels, kbps=r.audio.bitrate_kbps
                ),
            )
            for i, r in enumerate(ladder.rungs, 1)
        ),
    )
