"""Audits of shipped ladders as a JSON object and as rows (docs/formats.md)."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from abr_alloc.allocation.advice import advise
from abr_alloc.allocation.alternatives import Alternative
from abr_alloc.allocation.audit_results import AuditedRung, AuditOptions, LadderAudit, TitleAudit
from abr_alloc.formats.ladder_file import ladder_object
from abr_alloc.formats.plan_document import model_object, video_object
from abr_alloc.models.checkpoint import Model
from abr_alloc.parameters import with_options
from abr_alloc.table.typed_rows import TypedRows

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["AUDIT_COLUMNS", "audit_document", "audit_frame", "audit_rows", "title_object"]

SCHEMA_VERSION = 1

_COLUMNS: dict[str, tuple[str, Callable[[str, int, AuditedRung], Any]]] = {
    "title": ("str", lambda title, number, r: title),
    "rung": ("int", lambda title, number, r: number),
    "place": ("str", lambda title, number, r: r.place),
    "how": ("str", lambda title, number, r: r.how),
    "video_codec": ("str", lambda title, number, r: r.rung.video.codec),
    "width_px": ("int", lambda title, number, r: r.rung.video.width_px),
    "height_px": ("int", lambda title, number, r: r.rung.video.height_px),
    "video_target": ("str", lambda title, number, r: r.rung.video.target),
    "video_kbps": ("float", lambda title, number, r: r.rung.video.bitrate_kbps),
    "audio_codec": ("str", lambda title, number, r: r.rung.audio.codec),
    "channels": ("int", lambda title, number, r: r.rung.audio.channels),
    "audio_target": ("str", lambda title, number, r: r.rung.audio.target),
    "audio_kbps": ("float", lambda title, number, r: r.rung.audio.bitrate_kbps),
    "total_kbps": ("float", lambda title, number, r: r.rung.total_kbps),
    "avq_mos": ("float", lambda title, number, r: r.rung.avq_mos),
    "avq_low_mos": ("float", lambda title, number, r: r.rung.interval_mos[0]),
    "avq_high_mos": ("float", lambda title, number, r: r.rung.interval_mos[1]),
    "vmaf": ("float", lambda title, number, r: r.rung.video.vmaf),
    "audio_share": ("float", lambda title, number, r: r.audio_share),
    "played_share": ("float", lambda title, number, r: r.rung.played_share),
    "dominated_by": ("int", lambda title, number, r: r.dominated_by or 0),
    "step_mos": ("float", lambda title, number, r: r.step_mos),
    "preference_over_below": ("float", lambda title, number, r: r.rung.preference_over_below),
    "loss_mos": ("float", lambda title, number, r: r.loss_mos),
    "audio_verdict": ("str", lambda title, number, r: r.audio_verdict),
    "best_audio_kbps": ("float", lambda title, number, r: r.best.audio.bitrate_kbps),
    "gain_at_rate_mos": ("float", lambda title, number, r: r.best.gain_mos),
    "storage": ("float", lambda title, number, r: None if r.cost is None else r.cost.storage),
    "delivery": ("float", lambda title, number, r: None if r.cost is None else r.cost.delivery),
}
AUDIT_COLUMNS = {name: kind for name, (kind, _) in _COLUMNS.items()}
"""Columns of audits as rows, with their types; `dominated_by` is 0 where nothing dominates."""


def audit_rows(titles: Iterable[TitleAudit]) -> TypedRows:
    """One row per rung; rungs of a ladder with several codecs are counted within each."""
    rows = [
        {name: value(title.title, number, rung) for name, (_, value) in _COLUMNS.items()}
        for title in titles
        for family in title.families
        for number, rung in enumerate(family.rungs, 1)
    ]
    return TypedRows.of(rows, AUDIT_COLUMNS)


def audit_frame(titles: Iterable[TitleAudit]) -> pd.DataFrame:
    """The same as a frame."""
    return audit_rows(titles).to_frame()


def audit_document(
    titles: Sequence[TitleAudit], failed: Sequence[Mapping[str, str]], model: Model, network: str, options: AuditOptions
) -> dict[str, Any]:
    """The object of `audit`."""
    asked = dataclasses.asdict(options)
    # Those that somebody can ask for.
    asked |= {name: asked["rules"][name] for name in ("max_audio", "min_ratio", "max_ratio")}
    asked.pop("rules")
    return {
        "schema_version": SCHEMA_VERSION,
        "command": "audit",
        "model": model_object(model),
        "network": network,
        "options": asked,
        "audits": [title_object(title) for title in titles],
        "failed": [{**one, "reason": with_options(one["reason"])} for one in failed],
    }


def title_object(title: TitleAudit) -> dict[str, Any]:
    """What a ladder comes to on a title."""
    return {
        "title": title.title,
        "ladder": title.ladder,
        "could_win_mos": title.could_win_mos,
        "families": [_family_object(family) for family in title.families],
        "notes": list(title.notes),
        "unmatched": [{"place": one.given.place, "reason": one.reason} for one in title.unmatched],
    }


def _family_object(audit: LadderAudit) -> dict[str, Any]:
    return {
        "video_codec": audit.video_codec,
        "audio_codec": audit.audio_codec,
        "channels": audit.channels,
        "expected_avq_mos": audit.ladder.expected_avq_mos,
        "unreached_share": audit.ladder.unreached_share,
        "mean_kbps": audit.mean_kbps,
        "audio_share": audit.audio_share,
        "difference_mos": audit.difference_mos,
        "keeps_rules": audit.keeps_rules,
        "cost": None if audit.cost is None else {"storage": audit.cost.storage, "delivery": audit.cost.delivery},
        "rungs": [_rung_object(rung) for rung in audit.rungs],
        "re_paired": _way_object(audit.re_paired),
        "trimmed": _way_object(audit.trimmed),
        "new_audio": _way_object(audit.new_audio),
        "redesigned": _way_object(audit.redesigned),
        "cheapest": _way_object(audit.cheapest),
        "redesigned_reason": with_options(audit.redesigned_reason),
        "advice": [dataclasses.asdict(advice) | {"rungs": list(advice.rungs)} for advice in advise(audit)],
    }


def _rung_object(found: AuditedRung) -> dict[str, Any]:
    rung, best = found.rung, found.best
    return {
        "place": found.place,
        "how": found.how,
        "audio_how": found.audio_how,
        "muxed": found.muxed,
        "video": video_object(rung.video),
        "audio": dataclasses.asdict(rung.audio),
        "total_kbps": rung.total_kbps,
        "avq_mos": rung.avq_mos,
        "interval_mos": list(rung.interval_mos),
        "audio_share": found.audio_share,
        "video_share": found.video_share,
        "played_share": rung.played_share,
        "preference_over_below": rung.preference_over_below,
        "dominated_by": found.dominated_by,
        "step_mos": found.step_mos,
        "loss_mos": found.loss_mos,
        "audio_verdict": found.audio_verdict,
        "best_at_rate": {
            "video": video_object(best.video),
            "audio": dataclasses.asdict(best.audio),
            "total_kbps": best.total_kbps,
            "avq_mos": best.avq_mos,
            "gain_mos": best.gain_mos,
        },
        "cost": None if found.cost is None else dataclasses.asdict(found.cost),
        "note": rung.note,
    }


def _way_object(way: Alternative | None) -> dict[str, Any] | None:
    if way is None:
        return None
    return {
        "gain_mos": way.gain_mos,
        "mean_kbps": way.mean_kbps,
        "saved_kbps": way.saved_kbps,
        "saved_cost": way.saved_cost,
        "changed": [dataclasses.asdict(change) for change in way.changed],
        "kept": list(way.kept),
        **ladder_object(way.ladder),
    }
