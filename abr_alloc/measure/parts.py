"""Which parts of a title are measured, and which scenes each of them has: the same for whoever measures it."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Any

from abr_alloc.measure.digest import UNIT_S, choose_stretches
from abr_alloc.media.part import Part
from abr_alloc.media.scenes import Scene, split_scenes

__all__ = ["Parts", "plan_parts"]

Parts = dict[Part, list[Scene]]
"""Scenes of every part, in the order of time."""


def plan_parts(
    title: str,
    scan: Mapping[str, Any],
    fps: Fraction,
    *,
    detect_scenes: bool,
    max_scene_s: float | None,
    digest_s: float | None,
) -> tuple[Parts, dict[str, float]]:
    """The whole title as one part with all its scenes, or the stretches that stand for it, each a part of its own.

    Args:
        title: its name.
        scan: entry of its scan (`looks.ScanTask`); without complexity in it there is no digest.
        fps: frame rate of the scan.
        detect_scenes: cut at scene changes; else one scene.
        max_scene_s: cut longer scenes evenly, seconds; None for no limit.
        digest_s: how much may be measured, seconds; None for all of it.

    Returns:
        The parts; and of a digest, seconds of the title that each scene, by its number as text, stands for.
    """
    num_frames = int(scan["num_frames"])
    cuts = scan["cuts"].tolist() if detect_scenes else []
    if digest_s is not None and "complexity" in scan:
        units = split_scenes(title, num_frames, cuts, fps, max_scene_s=UNIT_S)
        stretches = choose_stretches(units, scan["complexity"], digest_s)
        if len(stretches) < len(units):
            weights_s = {str(stretch.scene.index): stretch.weight_s for stretch in stretches}
            return {Part.of_scene(s.scene, fps, num_frames): [s.scene] for s in stretches}, weights_s
    scenes = split_scenes(title, num_frames, cuts, fps, max_scene_s=max_scene_s)
    return {Part.whole(num_frames): scenes}, {}
