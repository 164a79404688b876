"""What the report page is given about a title, as a JSON object.

Renditions are written once per surface and named by their index elsewhere. Numbers are rounded to what can be shown.
Axes: S scenes, V video and A audio renditions of a surface, B stops of the budget slider.
"""

from __future__ import annotations

import base64
import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from abr_alloc.allocation.cost import LadderCost
from abr_alloc.allocation.design import TitleLadder
from abr_alloc.allocation.interpolation import find_crossovers, lattice_kbps, size_curves
from abr_alloc.allocation.plan import plan_surfaces, planning_surfaces
from abr_alloc.allocation.results import Allocation, find_cheaper
from abr_alloc.allocation.rung import Ladder, Rung
from abr_alloc.allocation.surface import AudioRendition, QualitySurface, VideoRendition
from abr_alloc.allocation.title_surface import merge_scenes
from abr_alloc.allocation.validity import audio_range_kbps
from abr_alloc.models.checkpoint import Model
from abr_alloc.models.intervals import HDR_WIDER
from abr_alloc.reporting.budget_sweep import ScenePair, TitleStop, mean_rates_kbps, stops_per_scene, stops_per_title
from abr_alloc.reporting.isolines import iso_lines, place_labels

__all__ = ["title_data"]

_CURVE_POINTS = 40
_LABEL_WIDTH = 0.09  # of the width of the chart, which is logarithmic
_MOS_DIGITS = 6  # as many as float32 holds: two are shown, and must not be rounded twice


def title_data(
    scenes: Sequence[QualitySurface],
    planned: Sequence[QualitySurface],
    budgets_kbps: Sequence[float],
    model: Model,
    *,
    middling_kbps: float,
    overhead: float,
    measured_only: bool = False,
    ladder: TitleLadder | str = "",
    audit: Mapping[str, Any] | None = None,
    thumbnails: Mapping[int, bytes] | None = None,
    warnings: Sequence[str] = (),
) -> dict[str, Any]:
    """Everything about one title.

    Args:
        scenes: its measured surfaces, S of them.
        planned: the surfaces that it is planned on: `planning_surfaces` of them.
        budgets_kbps: stops of the slider, (B,).
        model: who predicted.
        middling_kbps: budget of the pairs whose components of relevance are shown, kbps.
        overhead: container overhead as a share of the streams' rate.
        measured_only: whether it is planned on measured rates alone.
        ladder: its ladder, or the one it shares, or why it has none.
        audit: what the ladder that is shipped comes to, as JSON has it (`formats.audit_document`).
        thumbnails: JPEG bytes by index of the scene.
        warnings: what to know about it.

    Raises:
        FeatureTableError: the scenes share no rendition.
    """
    measured = merge_scenes(scenes)
    (whole,) = planning_surfaces([measured], overhead=overhead, measured_only=measured_only)
    stops = {"title": stops_per_title(planned, budgets_kbps), "scene": stops_per_scene(planned, budgets_kbps)}
    everything = [*stops["title"], *stops["scene"]]
    # A surface has thousands of renditions; the page is given those that were measured or chosen somewhere.
    places = [_places(len(own.video), [stop.scenes[s] for stop in everything]) for s, own in enumerate(scenes)]
    relevance = {a.scene: _relevance(a) for a in plan_surfaces(planned, [middling_kbps], model).allocations}
    pictures = {scene: _data_uri(jpeg) for scene, jpeg in (thumbnails or {}).items()}
    source_px = max(min(v.width_px, v.height_px) for v in measured.video)
    designed, problem = (None, ladder) if isinstance(ladder, str) else (ladder, "")
    return {
        "title": whole.title,
        "source_px": source_px,
        "trained_on": whole.title in model.trained_on,
        "surface": _surface(whole, range(len(measured.video)), model),
        "scenes": [
            {
                "scene": scene.scene,
                "start_s": round(scene.start_s, 3),
                "end_s": round(scene.end_s, 3),
                "relevance": relevance.get(scene.scene),
                "thumbnail": pictures.get(scene.scene),
                "surface": _surface(scene, places[s], model),
                "cheaper": _cheaper(scene, places[s], [stop.scenes[s] for stop in everything], model),
            }
            for s, scene in enumerate(planned)
        ],
        "stops": {name: [_stop(stop, planned, places) for stop in plan] for name, plan in stops.items()},
        "ladder": None if designed is None else _ladder(designed, whole.title),
        "ladder_problem": problem,
        "audit": None if audit is None else dict(audit),
        "fronts": _fronts(measured, designed),
        "warnings": list(warnings),
        **({"interval_factor": HDR_WIDER} if measured.video[0].dynamic_range != "SDR" else {}),
    }


def _places(num_measured: int, pairs: Sequence[ScenePair | None]) -> dict[int, int]:
    """From the video renditions of a surface that are written out to their places in what is written: those measured,
    which come first in a surface, and those chosen."""
    chosen = {p.video for p in pairs if p is not None}
    return {v: place for place, v in enumerate(sorted(chosen | set(range(num_measured))))}


def _surface(surface: QualitySurface, written: Iterable[int], model: Model) -> dict[str, Any]:
    low, high = audio_range_kbps(model)
    rows = list(written)
    video = [surface.video[v] for v in rows]
    lines, kbps = iso_lines(surface), [v.bitrate_kbps for v in video]
    labels = place_labels(lines, (max(kbps) / min(kbps)) ** _LABEL_WIDTH)
    return {
        "video": [_video(v) for v in video],
        "audio": [_audio(a) | {"outside": not low <= a.bitrate_kbps <= high} for a in surface.audio],
        "avq_mos": np.round(surface.avq_mos[rows].astype(float), _MOS_DIGITS).tolist(),
        "line_labels": [[level, round(kbps, 1)] for level, kbps in labels],
        "lines": [
            {
                "level": line.level_mos,
                "video_kbps": [round(kbps, 1) for kbps in line.video_kbps],
                "audio_kbps": [round(kbps, 1) for kbps in line.audio_kbps],
            }
            for line in lines
        ],
    }


def _video(v: VideoRendition) -> dict[str, Any]:
    found = {
        "codec": v.codec,
        "width_px": v.width_px,
        "height_px": v.height_px,
        "target": v.target,
        "kbps": round(v.bitrate_kbps, 3),
        "vmaf": _round(v.vmaf, _MOS_DIGITS),
    }
    return found | {"probes": [p.target for p in v.nearest_probes]} if v.interpolated else found


def _audio(a: AudioRendition) -> dict[str, Any]:
    return {"codec": a.codec, "channels": a.channels, "target": a.target, "kbps": round(a.bitrate_kbps, 3)}


def _stop(stop: TitleStop, planned: Sequence[QualitySurface], places: Sequence[Mapping[int, int]]) -> dict[str, Any]:
    rates = mean_rates_kbps(planned, stop)
    return {
        "kbps": None if rates is None else [round(kbps, 3) for kbps in rates],
        "avq_mos": _round(stop.avq_mos, _MOS_DIGITS),
        "vmaf": _round(_mean_vmaf(planned, stop), _MOS_DIGITS),
        "price": _round(stop.price_mos_per_kbps, 7),
        "gain": _round(stop.extra_gain_mos, 4),
        "pairs": [None if p is None else _pair(p, own) for p, own in zip(stop.scenes, places, strict=True)],
    }


def _mean_vmaf(planned: Sequence[QualitySurface], stop: TitleStop) -> float | None:
    """Mean over the title's time; None unless every scene has a pair whose VMAF is known."""
    found = [None if p is None else s.video[p.video].vmaf for s, p in zip(planned, stop.scenes, strict=True)]
    known = [vmaf for vmaf in found if vmaf is not None]
    seconds = [scene.weight_s for scene in planned]
    return float(np.average(known, weights=seconds)) if len(known) == len(planned) else None


def _pair(p: ScenePair, places: Mapping[int, int]) -> list[float | None]:
    """Video, audio and, where the budget is the scene's own, price and gain."""
    own = [] if p.price_mos_per_kbps is None else [_round(p.price_mos_per_kbps, 7), _round(p.extra_gain_mos, 4)]
    return [places[p.video], p.audio, *own]


def _cheaper(
    scene: QualitySurface, places: Mapping[int, int], pairs: Sequence[ScenePair | None], model: Model
) -> dict[str, Any]:
    """By chosen pair `video,audio`: the cheapest pair within `SLIGHT_LOSS_MOS` of it; null where it is that itself."""
    found: dict[str, Any] = {}
    for v, a in sorted({(p.video, p.audio) for p in pairs if p is not None}):
        cheaper = find_cheaper(scene, v, a, model.intervals.difference_mos)
        found[f"{places[v]},{a}"] = (
            None
            if cheaper.total_kbps == scene.total_kbps[v, a]
            else {
                "video": _video(cheaper.video),
                "audio": _audio(cheaper.audio),
                "kbps": round(cheaper.total_kbps, 1),
                "avq_mos": round(cheaper.avq_mos, _MOS_DIGITS),
                "probability": round(cheaper.preference_probability, 4),
            }
        )
    return found


def _relevance(allocation: Allocation) -> dict[str, Any]:
    r = allocation.relevance
    found: dict[str, Any] = {
        "audio_share": round(r.audio_share, 4),
        "ablation_audio_share": round(r.ablation_audio_share, 4),
        "eq8_audio_share": round(r.eq8_audio_share, 4),
        "ablation": {name: round(value, 4) for name, value in r.ablation.items()},
    }
    if r.change_norm is not None:
        found["change_norm"] = {name: round(value, 4) for name, value in r.change_norm.items()}
    return found


def _ladder(found: TitleLadder, title: str) -> dict[str, Any]:
    comparison = found.comparison
    shared = bool(found.ladder.rungs[0].titles)
    return {
        **_rungs(found.ladder, title),
        "cost": _cost(found.cost),
        "shared": found.ladder.title if shared else "",
        "network": found.ladder.network,
        "unreached_share": round(found.ladder.unreached_share, 4),
        "reference": None
        if comparison is None
        else {
            **_rungs(comparison.ladder, title),
            "cost": _cost(comparison.cost),
            "name": comparison.reference,
            "left_out": list(comparison.left_out),
            "gain_mos": round(comparison.gain_mos, 4),
            "rungs_needed": comparison.rungs_needed,
            "bd_rate_percent": _round(comparison.bd_rate_percent, 2),
            "bd_rate_vmaf_percent": _round(comparison.bd_rate_vmaf_percent, 2),
            "scores_disagree": comparison.scores_disagree,
            "breaks_rules": comparison.breaks_rules,
        },
    }


def _cost(cost: LadderCost | None) -> dict[str, Any] | None:
    """Money: of the ladder, and of every rung what it stores and what it sends."""
    if cost is None:
        return None
    return {
        "duration_s": round(cost.duration_s, 1),
        "parts": [cost.storage, cost.delivery],
        "rungs": [[rung.storage, rung.delivery] for rung in cost.rungs],
    }


def _rungs(ladder: Ladder, title: str) -> dict[str, Any]:
    return {
        "expected_avq_mos": round(ladder.expected_avq_mos, 4),
        "rungs": [_rung(rung, title) for rung in ladder.rungs],
    }


def _rung(rung: Rung, title: str) -> dict[str, Any]:
    """A rung; on a shared ladder with what this title comes to."""
    own = next((at for at in rung.titles if at.title == title), None)
    low, high = (limit - rung.avq_mos for limit in rung.interval_mos)
    avq_mos = rung.avq_mos if own is None else own.avq_mos
    video = rung.video if own is None else dataclasses.replace(rung.video, vmaf=own.vmaf)
    return {
        "video": _video(video),
        "audio": _audio(rung.audio),
        "kbps": round(rung.total_kbps, 1),
        "avq_mos": round(avq_mos, 4),
        "interval_mos": [round(min(max(avq_mos + offset, 1.0), 5.0), 3) for offset in (low, high)],
        "played_share": round(rung.played_share, 4),
        "preference_over_below": _round(rung.preference_over_below, 4),
        "note": rung.note if own is None else own.note,
    }


def _fronts(title: QualitySurface, ladder: TitleLadder | None) -> dict[str, Any]:
    """AVQ over the video rate per size, with the top rung's audio or, without a ladder, the best one."""
    audio = int(title.avq_mos.max(axis=0).argmax())
    if ladder is not None:
        top = ladder.ladder.rungs[-1].audio
        same = [i for i, a in enumerate(title.audio) if a.identity == top.identity]
        audio = same[0] if same else audio
    sizes = []
    for curve in size_curves(title):
        rates = np.array([])
        if len(curve.kbps) > 1:
            rates = np.union1d(curve.kbps, lattice_kbps(curve.kbps[0], curve.kbps[-1], 0.1))
            rates = rates[:: max(1, len(rates) // _CURVE_POINTS)]
        sizes.append(
            {
                "codec": " ".join(filter(None, [curve.codec, curve.encoder])),
                "width_px": curve.width_px,
                "height_px": curve.height_px,
                "probes": [
                    [p.target, round(p.bitrate_kbps, 1), round(q, 4), _round(p.vmaf, _MOS_DIGITS)]
                    for p, q in zip(curve.probes, curve.avq_mos[:, audio].tolist(), strict=True)
                ],
                "curve": [
                    [round(kbps, 1), round(q, 4)]
                    for kbps, q in zip(
                        rates.tolist(), curve.at(rates)[:, audio].tolist() if len(rates) else [], strict=True
                    )
                ],
            }
        )
    codecs = dict.fromkeys(v.codec for v in title.video)
    return {
        "audio": _audio(title.audio[audio]),
        "sizes": sizes,
        "crossovers": [
            dataclasses.asdict(crossover) | {"codec": codec, "kbps": round(crossover.kbps, 1)}
            for codec in codecs
            for crossover in find_crossovers(title, audio, codec)
        ],
    }


def _data_uri(jpeg: bytes) -> str:
    return f"data:image/jpeg;base64,{base64.b64encode(jpeg).decode()}"


def _round(value: float | None, digits: int) -> float | None:
    return None if value is None else round(value, digits)
