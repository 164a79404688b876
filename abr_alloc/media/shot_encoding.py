"""Encode one shot of a title by itself, so that it can be joined with others into one stream (`shot_joining`).

Its GOPs are closed and count from its first frame, and what is said once per stream (parameter sets) does not depend on
the quality that it is asked for, where the encoder allows.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from abr_alloc.media.encoder_arguments import Ask
from abr_alloc.media.ffmpeg import FFmpeg
from abr_alloc.media.grid import VideoTarget
from abr_alloc.media.part import Part
from abr_alloc.media.probe import MediaInfo

__all__ = ["encode_shot"]


def encode_shot(
    ffmpeg: FFmpeg,
    info: MediaInfo,
    target: VideoTarget,
    ask: Ask,
    part: Part,
    path: Path,
    *,
    threads: int = 1,
    progress: Sequence[Path] = (),
) -> None:
    """Encode a shot to a fragmented MP4 file, in which every GOP is a movie fragment.

    Args:
        ffmpeg: the program.
        info: the source.
        target: size and encoder; its own target is not looked at.
        ask: what the encoder is asked for.
        part: the shot, with the place from which it is read (`seek.prove_seek`); its tail is not encoded.
        path: what to write; it appears whole. Statistics of a first pass are left in its folder, so passes of other
            encodes in the same folder would disturb it.
        threads: threads of the encoder.
        progress: a file for every pass, in which ffmpeg tells how far it is.

    Raises:
        ToolFailedError: the encoder failed.
        ToolMissingError: the encoder is not in this ffmpeg, or the command's program is not there.
        MediaError: what was written is not the shot: another number of frames, or a first frame that is no IDR picture.
    """
    raise NotImplementedError
