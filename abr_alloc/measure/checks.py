"""What cannot be measured, and measurements that cannot be right."""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from abr_alloc.errors import MediaError, UnsupportedMediaError
from abr_alloc.measure.video import FRAME_METRICS
from abr_alloc.media.coding import SAMPLE_RATE_HZ
from abr_alloc.media.grid import VideoTarget
from abr_alloc.media.probe import MediaInfo
from abr_alloc.media.scenes import MIN_SCENE_S
from abr_alloc.media.sound import SoundFacts
from abr_alloc.media.tracks import AudioTrack
from abr_alloc.targets import Target

__all__ = ["check_plausible", "check_sound", "check_source"]

logger = logging.getLogger(__name__)

_PLAUSIBLE_VMAF = 80.0
_FINE_CRF = 24.0
_MISSING, _MISSING_S = 0.01, 0.5
"""Missing sound that is told: a share of the title, and no less than so many seconds."""
_MOST_MISSING = 0.8
"""Share of a title without sound beyond which it is refused."""


def check_source(
    info: MediaInfo, surround: AudioTrack | None = None, *, audio_only: bool, asks_surround: bool = False
) -> None:
    """Refuse a source that lacks what is to be measured; tell what is done to one that is odd.

    Args:
        info: the source.
        surround: its track with 5.1 or more, if it has one.
        audio_only: whether its picture does not matter.
        asks_surround: whether 5.1 is to be measured too.

    Raises:
        UnsupportedMediaError: it has no video, no audio or no length.
    """
    path = str(info.path)
    if not info.has_video and not audio_only:
        raise UnsupportedMediaError(
            f"{path} has no video track; give a file with video and audio, or use `audio_only`", path=path
        )
    if not info.has_audio:
        raise UnsupportedMediaError(
            f"{path} has no audio track, and a plan needs audio and video; mux one in (silence will do)", path=path
        )
    if audio_only and info.duration_s < MIN_SCENE_S:
        raise UnsupportedMediaError(
            f"{path} declares {info.duration_s:.2f} s of audio; at least {MIN_SCENE_S:g} s are needed (raw streams "
            "declare none: put it into a container)",
            path=path,
        )
    for note in info.notes:
        logger.warning("%s: %s", path, note)
    for note in _surround_notes(info, surround, asks_surround=asks_surround):
        logger.warning("%s: %s", path, note)


def _surround_notes(info: MediaInfo, surround: AudioTrack | None, *, asks_surround: bool) -> list[str]:
    """What becomes of channels beyond stereo."""
    mixed = f"{info.channels} audio channels are mixed down to stereo"
    if surround is None:
        layout = next((t.layout for t in info.audio_tracks if info.audio_indices == (t.index,)), "")
        without = f"{layout or 'its sound'} has not the channels of 5.1, so none is measured"
        notes = [mixed] if info.channels > 2 else []
        return [*notes, without] if asks_surround else notes
    own = info.audio_indices == (surround.index,)
    if not asks_surround:
        where = "" if own else f"audio track {surround.number} has {surround.layout} sound, which is left out; "
        told = "`surround_codecs` eac3 measures it in 5.1 too"
        return [f"{mixed}; {told}" if own else f"{where}{told}"]
    more = f", mixed from {surround.layout}," if surround.channels > 6 else ""
    notes = (
        [f"5.1{more} is measured besides stereo"] if own else [f"5.1{more} is that of audio track {surround.number}"]
    )
    return notes


def check_sound(info: MediaInfo, sound: SoundFacts, duration_s: float) -> list[str]:
    """Refuse a source most of whose sound is not there; what is to be said of one that lacks some, or is too loud.

    Args:
        info: the source.
        sound: what came out of it.
        duration_s: length of its picture, seconds.

    Raises:
        UnsupportedMediaError: more of its sound is missing or damaged than a measurement can stand for.
    """
    path, notes = str(info.path), []
    missing_s = max(0.0, duration_s - sound.num_samples / SAMPLE_RATE_HZ)
    if missing_s > _MOST_MISSING * duration_s:
        raise UnsupportedMediaError(
            f"{path} has {duration_s - missing_s:.1f} s of sound for {duration_s:.1f} s of picture; give a source that "
            "is complete, or fill it with silence",
            path=path,
        )
    if missing_s > max(_MISSING_S, _MISSING * duration_s):
        longest = max(sound.gaps_s, key=lambda gap: gap[1], default=None)
        where = "" if longest is None else f", the longest gap {longest[1]:.2f} s at {longest[0]:.2f} s"
        notes.append(f"{missing_s:.2f} s of sound are missing{where}; silence stands for them")
    if sound.num_errors:
        notes.append(f"{sound.num_errors} packets of sound cannot be decoded; silence stands for them")
    if len(sound.changes) > 1:
        told = ", then ".join(f"{layout} from {at_s:.2f} s" for at_s, layout in sound.changes[:4])
        notes.append(f"the sound changes its channels: {told}; all is mixed to stereo")
    if sound.num_clipped:
        peak_db = 20.0 * math.log10(sound.peak)
        notes.append(
            f"{sound.num_clipped} samples of sound are beyond full scale (peak {peak_db:+.1f} dBFS) and clip where it "
            "is played"
        )
    return notes


def check_plausible(info: MediaInfo, target: VideoTarget, values: Sequence[npt.NDArray[np.float64]]) -> None:
    """A fine encode at the source's size that scores low means mis-paired frames, never a bad encoder.

    Args:
        info: the source.
        target: the encode.
        values: scores of its parts, each (F, 7), columns as in `FRAME_METRICS`.

    Raises:
        MediaError: it scores what no such encode does.
    """
    asked = Target(target.target)
    fine = asked.is_crf and asked.crf <= _FINE_CRF
    vmaf = float(np.concatenate([part[:, FRAME_METRICS.index("vmaf")] for part in values]).mean())
    if fine and target.height_px == info.height_px and vmaf < _PLAUSIBLE_VMAF:
        raise MediaError(
            f"{info.path}: the {target.codec} encode {target.target} at the source's size scores VMAF {vmaf:.1f}, "
            "which no such encode does; its frames are mis-paired with the source's, please report this source",
            path=str(info.path),
        )
