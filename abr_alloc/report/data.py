"""What the report page is given: one JSON object per title, and one about the report.

Renditions are written once per surface and named by their index elsewhere. Numbers are rounded to what can be shown.
Axes: S scenes, V video and A audio renditions of a surface, B stops of the budget slider.
"""

from __future__ import annotations

import base64
import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from abr_alloc.allocation.design import TitleLadder
from abr_alloc.allocation.interpolation import find_crossovers, lattice_kbps, size_curves
from abr_alloc.allocation.record import Allocation, find_indistinguishable
from abr_alloc.allocation.rung import Ladder, Rung
from abr_alloc.allocation.surface import AudioRendition, QualitySurface, VideoRendition
from abr_alloc.models.checkpoint import Model
from abr_alloc.report.isolines import iso_lines, place_labels
from abr_alloc.report.stops import ScenePair, TitleStop, stops_per_scene, stops_per_title

__all__ = ["model_data", "title_data"]

_CURVE_POINTS = 40
_LABEL_WIDTH = 0.06  # of the width of the chart, which is logarithmic
_MOS_DIGITS = 6  # as many as float32 holds: two are shown, and must not be rounded twice


def title_data(
    scenes: Sequence[QualitySurface],
    whole: QualitySurface,
    measured: QualitySurface,
    budgets_kbps: Sequence[float],
    model: Model,
    relevance: Mapping[int, Allocation],
    *,
    ladder: TitleLadder | None = None,
    ladder_problem: str = "",
    thumbnails: Mapping[int, bytes] | None = None,
    warnings: Sequence[str] = (),
) -> dict[str, Any]:
    """Everything about one title.

    Args:
        scenes: the surfaces that it is planned on, S of them.
        whole: one surface for all of it (`merge_scenes`), interpolated where `scenes` are.
        measured: the same, of measured renditions only.
        budgets_kbps: stops of the slider, (B,).
        model: who predicted.
        relevance: by index of the scene, an allocation at a middling budget; a scene may lack one.
        ladder: its ladder, or the one it shares.
        ladder_problem: why it has none.
        thumbnails: JPEG bytes by index of the scene.
        warnings: what to know about it.

    Raises:
        FeatureTableError: the scenes share no rendition.
    """
    stops = {"title": stops_per_title(scenes, budgets_kbps), "scene": stops_per_scene(scenes, budgets_kbps)}
    pictures = thumbnails or {}
    return {
        "title": whole.title,
        "surface": _surface(whole, model),
        "scenes": [
            {
                "scene": scene.scene,
                "start_s": round(scene.start_s, 3),
                "end_s": round(scene.end_s, 3),
                "relevance": _relevance(relevance[scene.scene]) if scene.scene in relevance else None,
                "thumbnail": _data_uri(pictures[scene.scene]) if scene.scene in pictures else None,
                "surface": _surface(scene, model),
                "as_good": _as_good(scene, [stop.scenes[s] for plan in stops.values() for stop in plan], model),
            }
            for s, scene in enumerate(scenes)
        ],
        "stops": {name: [_stop(stop) for stop in plan] for name, plan in stops.items()},
        "ladder": None if ladder is None else _ladder(ladder, whole.title),
        "ladder_problem": ladder_problem,
        "fronts": _fronts(measured, ladder),
        "warnings": list(warnings),
    }


def model_data(model: Model) -> dict[str, Any]:
    """What the trust section says about the model, from its card."""
    card = model.card
    held_out = card.get("evaluation", {}).get("held_out", {})
    coverage = card.get("interval_coverage", {})
    return {
        "name": model.name,
        "system": card["system"],
        "labels": card["labels"],
        "interval_mos": list(model.interval_mos),
        "difference_mos": model.intervals.difference_mos,
        "held_out": {
            name: round(found["value"], 3) for name, found in held_out.items() if name in ("plcc", "srcc", "rmse")
        },
        "scale": card.get("rating_scale", [1.0, 5.0]),
        "coverage": {name: round(value, 3) for name, value in coverage.items() if value is not None},
        "contents": len(card.get("training", {}).get("contents", ())),
        "validity": card.get("validity", {}),
        "weights_sha256": card["weights_sha256"],
    }


def _surface(surface: QualitySurface, model: Model) -> dict[str, Any]:
    low, high = model.card.get("validity", {}).get("audio_kbps", (0.0, np.inf))
    lines, kbps = iso_lines(surface), [v.bitrate_kbps for v in surface.video]
    labels = place_labels(lines, (max(kbps) / min(kbps)) ** _LABEL_WIDTH)
    return {
        "video": [_video(v) for v in surface.video],
        "audio": [_audio(a) | {"outside": not low <= a.bitrate_kbps <= high} for a in surface.audio],
        "avq_mos": np.round(surface.avq_mos.astype(float), _MOS_DIGITS).tolist(),
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
    }
    return found | {"probes": [p.target for p in v.nearest_probes]} if v.interpolated else found


def _audio(a: AudioRendition) -> dict[str, Any]:
    return {"codec": a.codec, "channels": a.channels, "target": a.target, "kbps": round(a.bitrate_kbps, 3)}


def _stop(stop: TitleStop) -> dict[str, Any]:
    return {
        "avq_mos": _round(stop.avq_mos, _MOS_DIGITS),
        "price": _round(stop.price_mos_per_kbps, 7),
        "gain": _round(stop.extra_gain_mos, 4),
        "pairs": [None if p is None else _pair(p) for p in stop.scenes],
    }


def _pair(p: ScenePair) -> list[float | None]:
    """Video, audio and, where the budget is the scene's own, price and gain."""
    own = [] if p.price_mos_per_kbps is None else [_round(p.price_mos_per_kbps, 7), _round(p.extra_gain_mos, 4)]
    return [p.video, p.audio, *own]


def _as_good(scene: QualitySurface, pairs: Sequence[ScenePair | None], model: Model) -> dict[str, list[int]]:
    """By chosen pair `video,audio`: how many pairs a panel could not tell from it, and the cheapest of them."""
    video, audio = {v: i for i, v in enumerate(scene.video)}, {a: i for i, a in enumerate(scene.audio)}
    found = {}
    for v, a in {(p.video, p.audio) for p in pairs if p is not None}:
        alike = find_indistinguishable(scene, float(scene.avq_mos[v, a]), model.intervals.difference_mos)
        found[f"{v},{a}"] = [alike.num_pairs, video[alike.video], audio[alike.audio]]
    return found


def _relevance(allocation: Allocation) -> dict[str, Any]:
    r = allocation.relevance
    found: dict[str, Any] = {
        "audio_share": round(r.audio_share, 4),
        "anova_audio_share": round(r.anova_audio_share, 4),
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
        "shared": found.ladder.title if shared else "",
        "network": found.ladder.network,
        "unreached_share": round(found.ladder.unreached_share, 4),
        "reference": None
        if comparison is None
        else {
            **_rungs(comparison.ladder, title),
            "name": comparison.reference,
            "left_out": list(comparison.left_out),
            "gain_mos": round(comparison.gain_mos, 4),
            "rungs_needed": comparison.rungs_needed,
            "bd_rate_percent": _round(comparison.bd_rate_percent, 2),
            "breaks_rules": comparison.breaks_rules,
        },
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
    return {
        "video": _video(rung.video),
        "audio": _audio(rung.audio),
        "kbps": round(rung.total_kbps, 1),
        "avq_mos": round(avq_mos, 4),
        "interval_mos": [round(min(max(avq_mos + offset, 1.0), 5.0), 3) for offset in (low, high)],
        "played_share": round(rung.played_share, 4),
        "note": rung.note if own is None else own.note,
    }


def _fronts(title: QualitySurface, ladder: TitleLadder | None) -> dict[str, Any]:
    """AVQ over the video rate per size, with the top rung's audio or, without a ladder, the best one."""
    audio = int(title.avq_mos.max(axis=0).argmax())
    if ladder is not None:
        top = ladder.ladder.rungs[-1].audio
        same = [i for i, a in enumerate(title.audio) if (a.codec, a.target) == (top.codec, top.target)]
        audio = same[0] if same else audio
    sizes = []
    for curve in size_curves(title):
        rates = np.array([])
        if len(curve.kbps) > 1:
            rates = np.union1d(curve.kbps, lattice_kbps(curve.kbps[0], curve.kbps[-1], 0.1))
            rates = rates[:: max(1, len(rates) // _CURVE_POINTS)]
        sizes.append(
            {
                "codec": curve.codec,
                "width_px": curve.width_px,
                "height_px": curve.height_px,
                "probes": [
                    [p.target, round(p.bitrate_kbps, 1), round(q, 4)]
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
        "audio": audio,
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
