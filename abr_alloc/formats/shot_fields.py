"""What no field of a rung can say alone where its scenes have parameters of their own: that shots follow each other,
are the same in every rung, and add up to what the rung says of them."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from typing import Any

from abr_alloc.allocation.rendition import Shot, VideoRendition
from abr_alloc.allocation.rung import Ladder, Rung, ShotProof
from abr_alloc.documents import shown
from abr_alloc.formats.conversion import refuse_unknown
from abr_alloc.targets import Target

__all__ = ["check_cover", "check_shots"]

_SAME_S = 1e-3
_SAME_RATE = 1e-3


def check_shots(ladder: Ladder, items: Sequence[Mapping[str, Any]], place: str) -> None:
    """Refuse shots that no design makes.

    Args:
        ladder: as it was read.
        items: the objects of its rungs.
        place: where the ladder stands in its file.

    Raises:
        ValueError: something does not fit; the message names the rung and the shot.
    """
    with_shots = [rung.video.per_shot for rung in ladder.rungs]
    if any(with_shots) and not all(with_shots):
        raise ValueError(f"{place}.rungs[{with_shots.index(False)}].video has no shots, and others have")
    for i, (rung, item) in enumerate(zip(ladder.rungs, items, strict=True)):
        at = f"{place}.rungs[{i}]"
        num_shots = len(rung.video.shots)
        if len(rung.shots_mos) != num_shots:
            raise ValueError(f"{at} has {len(rung.shots_mos)} shots_mos for {num_shots} shots")
        if (rung.shot_proof is not None) != (num_shots > 0):
            raise ValueError(f"{at} has {'no' if num_shots else 'a'} shot_proof, and {num_shots} shots")
        if not num_shots:
            continue
        refuse_unknown(item["shot_proof"], ShotProof, f"{at}.shot_proof")
        for j, shot in enumerate(item["video"]["shots"]):
            refuse_unknown(shot, Shot, f"{at}.video.shots[{j}]")
        _check_rung(rung, at)
        _check_same_scenes(ladder.rungs[0].video, rung.video, at)


def _check_rung(rung: Rung, place: str) -> None:
    video, shots = rung.video, rung.video.shots
    for j, shot in enumerate(shots):
        at, target = f"{place}.video.shots[{j}]", Target(shot.target)
        if not shot.start_s < shot.end_s:
            raise ValueError(f"{at} ends at {shot.end_s:g} s and starts at {shot.start_s:g} s")
        if shot.width_px > video.width_px or shot.height_px > video.height_px:
            raise ValueError(
                f"{at} is {shot.width_px}x{shot.height_px}, larger than its video, {video.width_px}x{video.height_px}"
            )
        if target.is_label or target.is_lossless:
            raise ValueError(f"{at}.target is {shown(shot.target)}, which no encoder can be asked for")
        if target.encoder != Target(video.target).encoder:
            raise ValueError(f"{at}.target is {shown(shot.target)}, of another encoder than {shown(video.target)}")
    for j, (before, after) in enumerate(itertools.pairwise(shots), 1):
        if abs(after.start_s - before.end_s) > _SAME_S:
            raise ValueError(
                f"{place}.video.shots[{j}] starts at {after.start_s:g} s, and the one before ends at {before.end_s:g} s"
            )
    duration_s = math.fsum(shot.duration_s for shot in shots)
    mean_kbps = math.fsum(shot.duration_s * shot.bitrate_kbps for shot in shots) / duration_s
    if not math.isclose(mean_kbps, video.bitrate_kbps, rel_tol=_SAME_RATE):
        raise ValueError(
            f"{place}.video.bitrate_kbps is {video.bitrate_kbps:g}, and the mean of its shots is {mean_kbps:g}"
        )


def _check_same_scenes(first: VideoRendition, video: VideoRendition, place: str) -> None:
    if len(video.shots) != len(first.shots):
        raise ValueError(f"{place}.video has {len(video.shots)} shots, and the lowest rung has {len(first.shots)}")
    for j, (shot, lowest) in enumerate(zip(video.shots, first.shots, strict=True)):
        if abs(shot.end_s - lowest.end_s) > _SAME_S or abs(shot.start_s - lowest.start_s) > _SAME_S:
            raise ValueError(
                f"{place}.video.shots[{j}] lasts from {shot.start_s:g} to {shot.end_s:g} s, and that of the lowest "
                f"rung from {lowest.start_s:g} to {lowest.end_s:g} s"
            )


def check_cover(ladder: Ladder, scenes_s: Sequence[tuple[float, float]], place: str) -> None:
    """Refuse shots that are not all of the title that the file describes.

    Args:
        ladder: as it was read.
        scenes_s: first instant of every scene of the title and first instant after it, seconds.
        place: where the ladder stands in its file.

    Raises:
        ValueError: they begin or end elsewhere.
    """
    shots = ladder.rungs[0].video.shots
    if not shots or not scenes_s:
        return
    own, title = (shots[0].start_s, shots[-1].end_s), (scenes_s[0][0], scenes_s[-1][1])
    if any(abs(a - b) > _SAME_S for a, b in zip(own, title, strict=True)):
        raise ValueError(
            f"the shots of {place} last from {own[0]:g} to {own[1]:g} s, and its title from {title[0]:g} to "
            f"{title[1]:g} s"
        )
