"""Chosen pairs as rows: what `Plan.to_rows` gives, without a record per scene on the way.

A catalogue's rows go to a file and nowhere else, and writing an `Allocation` with its renditions out costs more than
choosing them. The tests hold both ways to each other.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from abr_alloc.allocation.results import (
    FLAT_TYPES,
    Choice,
    cheaper_pair,
    features_at,
    preference_to,
    shares_of_scenes,
)
from abr_alloc.models.checkpoint import Model
from abr_alloc.models.intervals import interval_around
from abr_alloc.models.relevance import pair_relevance
from abr_alloc.table.typed_rows import TypedRows

__all__ = ["chosen_rows", "relevance_cells"]

_SHARES = ("audio_share", "video_share", "ablation_audio_share", "eq8_audio_share")
_PARTS = ("audio_ablation", "video_ablation", "audio_change_norm", "video_change_norm")


def chosen_rows(choices: Sequence[Choice], budget_kbps: float, model: Model) -> TypedRows:
    """A row per choice under one budget, as `allocate` and `Plan.to_rows` have it.

    Args:
        choices: the pairs; those of a title stand together.
        budget_kbps: what each may cost, kbps.
        model: the model that predicts.
    """
    surfaces = [c.surface for c in choices]
    pairs = [(c.video, c.audio) for c in choices]
    video = [s.video[v] for s, (v, _) in zip(surfaces, pairs, strict=True)]
    audio = [s.audio[a] for s, (_, a) in zip(surfaces, pairs, strict=True)]
    avq = [s.avq_mos.item(pair) for s, pair in zip(surfaces, pairs, strict=True)]
    cheaper = [cheaper_pair(s, v, a) for s, (v, a) in zip(surfaces, pairs, strict=True)]
    intervals = [
        interval_around(mos, model.interval_mos, is_hdr=v.dynamic_range != "SDR")
        for mos, v in zip(avq, video, strict=True)
    ]
    columns: dict[str, list[Any]] = {
        **_scene_columns(choices, budget_kbps),
        "weight_s": [s.weight_s for s in surfaces],
        "video_codec": [v.codec for v in video],
        "width_px": [v.width_px for v in video],
        "height_px": [v.height_px for v in video],
        "video_target": [v.target for v in video],
        "video_kbps": [v.bitrate_kbps for v in video],
        "vmaf": [v.vmaf for v in video],
        "audio_codec": [a.codec for a in audio],
        "channels": [a.channels for a in audio],
        "audio_target": [a.target for a in audio],
        "audio_kbps": [a.bitrate_kbps for a in audio],
        "audio_quality_mos": [a.quality_mos for a in audio],
        "total_kbps": [s.total_kbps.item(pair) for s, pair in zip(surfaces, pairs, strict=True)],
        "avq_mos": avq,
        "avq_low_mos": [low for low, _ in intervals],
        "avq_high_mos": [high for _, high in intervals],
        **_share_columns(choices, model),
        "extra_budget_gain_mos": [c.extra_budget_gain_mos for c in choices],
        "num_pairs": [s.avq_mos.size for s in surfaces],
        "num_feasible": [c.num_feasible for c in choices],
        "interpolated": [v.interpolated for v in video],
        "cheaper_kbps": [s.total_kbps.item(other) for s, other in zip(surfaces, cheaper, strict=True)],
        "cheaper_avq_mos": [s.avq_mos.item(other) for s, other in zip(surfaces, cheaper, strict=True)],
        "preference_probability": [
            preference_to(s, pair, other, model.intervals.difference_mos)
            for s, pair, other in zip(surfaces, pairs, cheaper, strict=True)
        ],
        "height_falls": [c.height_falls for c in choices],
    }
    return TypedRows(FLAT_TYPES, {name: columns[name] for name in FLAT_TYPES})


def relevance_cells(choices: Sequence[Choice], budget_kbps: float, model: Model) -> dict[str, list[Any]]:
    """Relevance in the scene of every choice, and at the pair, column by column: no more of a plan is worked out.

    Args:
        choices: the pairs; those of a title stand together.
        budget_kbps: what each may cost, kbps.
        model: the model that predicts.
    """
    return _scene_columns(choices, budget_kbps) | _share_columns(choices, model)


def _scene_columns(choices: Sequence[Choice], budget_kbps: float) -> dict[str, list[Any]]:
    return {
        "title": [c.surface.title for c in choices],
        "scene": [c.surface.scene for c in choices],
        "start_s": [c.surface.start_s for c in choices],
        "end_s": [c.surface.end_s for c in choices],
        "budget_kbps": [budget_kbps] * len(choices),
    }


def _share_columns(choices: Sequence[Choice], model: Model) -> dict[str, list[Any]]:
    """Relevance as columns; those of Eq. 7 are empty for a system without embeddings."""
    if not choices:
        return {name: [] for name in (*_SHARES, *_PARTS)}
    shares = shares_of_scenes(choices, model)
    pairs = pair_relevance(model.predictor, model.relevance_ranges, *features_at(choices))
    nothing = [None] * len(choices)
    changed = [nothing, nothing] if pairs.change_norm is None else pairs.change_norm.tolist()
    audio = [share.anova for share in shares]
    scene = audio, [1.0 - share for share in audio], [share.ablation for share in shares]
    at_pair = *pairs.ablation.tolist(), *changed
    return dict(zip((*_SHARES, *_PARTS), (*scene, pairs.eq8_audio_share.tolist(), *at_pair), strict=True))
