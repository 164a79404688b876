"""What cannot be measured, and measurements that cannot be right."""

from __future__ import annotations

import logging
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from abr_alloc.errors import MediaError, UnsupportedMediaError
from abr_alloc.features.tasks import Title
from abr_alloc.features.video import FRAME_METRICS
from abr_alloc.media.grid import VideoTarget
from abr_alloc.media.probe import MediaInfo
from abr_alloc.media.scenes import MIN_SCENE_S

__all__ = ["check_plausible", "check_source"]

logger = logging.getLogger(__name__)

_PLAUSIBLE_VMAF = 80.0
_FINE_CRF = 24.0


def check_source(title: Title, *, audio_only: bool) -> None:
    """Refuse a source that lacks what is to be measured; tell what is done to one that is odd.

    Raises:
        UnsupportedMediaError: it has no video, no audio or no length.
    """
    info = title.info
    path = str(info.path)
    if not info.has_video and not audio_only:
        raise UnsupportedMediaError(
            f"{path} has no video track; give a file with video and audio, or use --audio-only", path=path
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
    if info.channels > 2:
        logger.warning("%s: %d audio channels are mixed down to stereo", path, info.channels)
    if info.interlaced:
        logger.warning("%s: interlaced video is deinterlaced", path)


def check_plausible(info: MediaInfo, target: VideoTarget, values: Sequence[npt.NDArray[np.float64]]) -> None:
    """A fine encode at the source's size that scores low means mis-paired frames, never a bad encoder.

    Args:
        info: the source.
        target: the encode.
        values: scores of its parts, each (F, 7), columns as in `FRAME_METRICS`.

    Raises:
        MediaError: it scores what no such encode does.
    """
    fine = target.target.startswith("crf=") and float(target.target[4:]) <= _FINE_CRF
    vmaf = float(np.concatenate([part[:, FRAME_METRICS.index("vmaf")] for part in values]).mean())
    if fine and target.height_px == info.height_px and vmaf < _PLAUSIBLE_VMAF:
        raise MediaError(
            f"{info.path}: the {target.codec} encode {target.target} at the source's size scores VMAF {vmaf:.1f}, "
            "which no such encode does; its frames are mis-paired with the source's, please report this source",
            path=str(info.path),
        )
