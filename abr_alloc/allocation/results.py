"""What a plan consists of: a pair per scene, a certificate per title, and what did not fit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from abr_alloc.allocation.preference import preference_probability
from abr_alloc.allocation.surface import AudioRendition, QualitySurface, VideoRendition
from abr_alloc.errors import InfeasibleLimits, InfeasibleScene
from abr_alloc.models.checkpoint import Model
from abr_alloc.models.intervals import interval_around
from abr_alloc.models.relevance import Relevance, SceneShares, estimate_relevance, scene_shares
from abr_alloc.table.typed_rows import TypedRows

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "FLAT_COLUMNS",
    "FLAT_TYPES",
    "SLIGHT_LOSS_MOS",
    "Allocation",
    "Certificate",
    "Cheaper",
    "Choice",
    "Plan",
    "allocate",
    "cheaper_pair",
    "features_at",
    "find_cheaper",
    "preference_to",
    "shares_of_scenes",
]

SLIGHT_LOSS_MOS = 0.1
"""What the cheaper pair beside every chosen one may be worse by."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cheaper:
    """The cheapest pair of a scene whose AVQ is at most `SLIGHT_LOSS_MOS` below a chosen one's: what a little costs."""

    video: VideoRendition
    """Its video rendition; the chosen one's where nothing cheaper comes so close."""
    audio: AudioRendition
    """Its audio rendition."""
    total_kbps: float
    """What it costs with overhead, kbps."""
    avq_mos: float
    """Predicted AVQ, MOS."""
    preference_probability: float
    """Probability that a panel rates the chosen pair higher by 0.25 MOS or more (`preference.py`), 0-1; 0 where the two
    are one pair."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Allocation:
    """The pair chosen for one scene under one budget."""

    title: str
    """Title."""
    scene: int
    """Index of the scene in its title."""
    start_s: float
    """First instant, seconds."""
    end_s: float
    """First instant after it, seconds."""
    weight_s: float
    """Time of the title that the scene stands for, seconds: its length, or what a digest gives it."""
    budget_kbps: float
    """What the pair, or the title's mean, may cost with overhead, kbps."""
    video: VideoRendition
    """Chosen video rendition."""
    audio: AudioRendition
    """Chosen audio rendition."""
    total_kbps: float
    """What the pair costs with overhead, kbps."""
    avq_mos: float
    """Predicted AVQ, MOS."""
    interval_mos: tuple[float, float]
    """90 % interval of a listener panel's MOS, 1-5."""
    relevance: Relevance
    """How much each modality matters in this scene, and at this pair."""
    cheaper: Cheaper
    """What is saved by giving up a little AVQ."""
    extra_budget_gain_mos: float | None
    """What 10 % more budget would add to the scene's AVQ, MOS; None where the budget is the title's."""
    num_pairs: int
    """Pairs of the scene."""
    num_feasible: int
    """Pairs that the scene could take: within its budget, largest rate and least AVQ, whichever apply."""
    height_falls: bool = False
    """Whether a smaller budget has a larger picture here: the smaller one is better by more than the tie."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """How good the allocation of one title under one budget is, with its proof."""

    title: str
    """Title."""
    budget_kbps: float
    """For the title's mean rate over time, kbps."""
    pool: str
    """How AVQ is pooled over time: one of `pooling.POOLS`."""
    objective_mos: float
    """Pooled AVQ of the allocation, MOS."""
    upper_bound_mos: float
    """No allocation of pairs on the scenes' paths, within the budget and the limits, pools higher."""
    price_mos_per_kbps: float
    """What another kbps of budget is worth, MOS per kbps, >= 0."""
    mean_kbps: float
    """Mean rate over time, added up from the chosen pairs, kbps."""
    binding: str
    """What stands in the way of more: `budget`, `max-rate`, `min-avq`, several joined by `+`, or `none`."""
    method: str
    """How the allocation was found, and whether the search was cut short."""

    @property
    def gap_mos(self) -> float:
        """Upper bound - objective: how much better an allocation could at most be."""
        return self.upper_bound_mos - self.objective_mos


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Allocations for every scene that has one."""

    allocations: tuple[Allocation, ...]
    """By budget, then in the table's order."""
    infeasible: tuple[InfeasibleScene | InfeasibleLimits, ...]
    """Scenes and titles that nothing fits, each with what it would cost."""
    certificates: tuple[Certificate, ...] = ()
    """By budget, then title; empty where every scene has the budget to itself."""

    def to_frame(self) -> pd.DataFrame:
        """One row per allocation, flat: for pandas, CSV and tables."""
        import pandas as pd

        return pd.DataFrame([_flatten(allocation) for allocation in self.allocations], columns=FLAT_COLUMNS)

    def to_rows(self) -> TypedRows:
        """The same without pandas: for files."""
        return TypedRows.of(map(_flatten, self.allocations), FLAT_TYPES)


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """A pair of a surface, before it is written out."""

    surface: QualitySurface
    """The scene."""
    video: int
    """Index of the video rendition."""
    audio: int
    """Index of the audio rendition."""
    num_feasible: int
    """Pairs that the scene could take."""
    extra_budget_gain_mos: float | None = None
    """What 10 % more budget would add, MOS."""
    height_falls: bool = False
    """Whether a smaller budget has a larger picture."""


def allocate(choices: Sequence[Choice], budget_kbps: float, model: Model) -> list[Allocation]:
    """Write chosen pairs out, with interval and relevance; relevance is estimated title by title."""
    if not choices:
        return []
    relevance = estimate_relevance(
        model.predictor, model.relevance_ranges, shares_of_scenes(choices, model), *features_at(choices)
    )
    return [_write_out(c, budget_kbps, model, r) for c, r in zip(choices, relevance, strict=True)]


def shares_of_scenes(choices: Sequence[Choice], model: Model) -> list[SceneShares]:
    """Audio's share of the scene of every choice."""
    return [
        c.surface.shares or scene_shares(model.predictor, c.surface.avq_mos, c.surface.x_a, c.surface.x_v)
        for c in choices
    ]


def features_at(
    choices: Sequence[Choice],
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32], list[int]]:
    """Audio columns (n, d_a) and video columns (n, d_v) of the chosen pairs, and the first of every title."""
    titles = [c.surface.title for c in choices]
    return (
        np.stack([c.surface.x_a[c.audio] for c in choices]),
        np.stack([c.surface.x_v[c.video] for c in choices]),
        [i for i, title in enumerate(titles) if i == 0 or title != titles[i - 1]],
    )


def _write_out(c: Choice, budget_kbps: float, model: Model, relevance: Relevance) -> Allocation:
    surface = c.surface
    avq = float(surface.avq_mos[c.video, c.audio])
    video = surface.video[c.video]
    return Allocation(
        title=surface.title,
        scene=surface.scene,
        start_s=surface.start_s,
        end_s=surface.end_s,
        weight_s=surface.weight_s,
        budget_kbps=budget_kbps,
        video=video,
        audio=surface.audio[c.audio],
        total_kbps=float(surface.total_kbps[c.video, c.audio]),
        avq_mos=avq,
        interval_mos=interval_around(avq, model.interval_mos, is_hdr=video.dynamic_range != "SDR"),
        relevance=relevance,
        cheaper=find_cheaper(surface, c.video, c.audio, model.intervals.difference_mos),
        extra_budget_gain_mos=c.extra_budget_gain_mos,
        num_pairs=surface.avq_mos.size,
        num_feasible=c.num_feasible,
        height_falls=c.height_falls,
    )


def find_cheaper(surface: QualitySurface, video: int, audio: int, model_difference_mos: float) -> Cheaper:
    """The cheapest pair of a scene that comes within `SLIGHT_LOSS_MOS` of a chosen one.

    Args:
        surface: the scene.
        video, audio: the chosen pair.
        model_difference_mos: half of the 90 % interval of a predicted difference, MOS.
    """
    cheaper = cheaper_pair(surface, video, audio)
    return Cheaper(
        video=surface.video[cheaper[0]],
        audio=surface.audio[cheaper[1]],
        total_kbps=float(surface.total_kbps[cheaper]),
        avq_mos=float(surface.avq_mos[cheaper]),
        preference_probability=preference_to(surface, (video, audio), cheaper, model_difference_mos),
    )


def cheaper_pair(surface: QualitySurface, video: int, audio: int) -> tuple[int, int]:
    """`find_cheaper` as a place in the surface; the chosen pair's own where nothing cheaper comes so close."""
    # The chosen pair's own AVQ is a float32; so is the loss then.
    close = surface.avq_mos >= surface.avq_mos[video, audio] - np.float32(SLIGHT_LOSS_MOS)
    close &= surface.total_kbps < surface.total_kbps[video, audio]
    kbps = np.where(close, surface.total_kbps, np.inf)
    cheapest = divmod(int(kbps.argmin()), kbps.shape[1])
    return cheapest if close[cheapest] else (video, audio)


def preference_to(
    surface: QualitySurface, chosen: tuple[int, int], other: tuple[int, int], model_difference_mos: float
) -> float:
    """Probability that a panel prefers the chosen pair to another of its scene, 0-1; 0 where they are one."""
    if chosen == other:
        return 0.0
    loss_mos = float(surface.avq_mos[chosen]) - float(surface.avq_mos[other])
    return preference_probability(max(loss_mos, 0.0), model_difference_mos)


FLAT_TYPES = {
    **{"title": "str", "scene": "int", "start_s": "float", "end_s": "float", "weight_s": "float"},
    **{"budget_kbps": "float"},
    **{"video_codec": "str", "width_px": "int", "height_px": "int", "video_target": "str", "video_kbps": "float"},
    **{"vmaf": "float", "audio_codec": "str", "channels": "int", "audio_target": "str", "audio_kbps": "float"},
    **{"audio_quality_mos": "float", "total_kbps": "float"},
    **{"avq_mos": "float", "avq_low_mos": "float", "avq_high_mos": "float"},
    **{"audio_share": "float", "eq8_audio_share": "float", "extra_budget_gain_mos": "float"},
    **{"num_pairs": "int", "num_feasible": "int", "interpolated": "bool"},
    **{"cheaper_kbps": "float", "cheaper_avq_mos": "float", "preference_probability": "float", "height_falls": "bool"},
}
"""Columns of a plan as rows, with their types."""
FLAT_COLUMNS = list(FLAT_TYPES)


def _flatten(a: Allocation) -> dict[str, object]:
    return {
        "title": a.title,
        "scene": a.scene,
        "start_s": a.start_s,
        "end_s": a.end_s,
        "weight_s": a.weight_s,
        "budget_kbps": a.budget_kbps,
        "video_codec": a.video.codec,
        "width_px": a.video.width_px,
        "height_px": a.video.height_px,
        "video_target": a.video.target,
        "video_kbps": a.video.bitrate_kbps,
        "vmaf": a.video.vmaf,
        "audio_codec": a.audio.codec,
        "channels": a.audio.channels,
        "audio_target": a.audio.target,
        "audio_kbps": a.audio.bitrate_kbps,
        "audio_quality_mos": a.audio.quality_mos,
        "total_kbps": a.total_kbps,
        "avq_mos": a.avq_mos,
        "avq_low_mos": a.interval_mos[0],
        "avq_high_mos": a.interval_mos[1],
        "audio_share": a.relevance.audio_share,
        "eq8_audio_share": a.relevance.eq8_audio_share,
        "extra_budget_gain_mos": a.extra_budget_gain_mos,
        "num_pairs": a.num_pairs,
        "num_feasible": a.num_feasible,
        "interpolated": a.video.interpolated,
        "cheaper_kbps": a.cheaper.total_kbps,
        "cheaper_avq_mos": a.cheaper.avq_mos,
        "preference_probability": a.cheaper.preference_probability,
        "height_falls": a.height_falls,
    }
