"""Ladders and relevance as rows: for CSV, Parquet and pandas. Columns and what fills them stand side by side."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from abr_alloc.allocation.chosen_rows import relevance_cells
from abr_alloc.allocation.cost import RungCost
from abr_alloc.allocation.design import TitleLadder
from abr_alloc.allocation.results import Allocation, Choice
from abr_alloc.allocation.rung import Rung, SurroundAtRung
from abr_alloc.models.checkpoint import Model
from abr_alloc.table.typed_rows import TypedRows

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "LADDER_COLUMNS",
    "RELEVANCE_COLUMNS",
    "SCREEN_COLUMNS",
    "SURROUND_COLUMNS",
    "ladder_columns",
    "ladder_frame",
    "ladder_rows",
    "relevance_frame",
    "relevance_rows",
    "rows_of_relevance",
]

_LADDER: dict[str, tuple[str, Callable[[str, int, Rung], Any]]] = {
    "title": ("str", lambda title, number, rung: title),
    "rung": ("int", lambda title, number, rung: number),
    "video_codec": ("str", lambda title, number, rung: rung.video.codec),
    "width_px": ("int", lambda title, number, rung: rung.video.width_px),
    "height_px": ("int", lambda title, number, rung: rung.video.height_px),
    "video_target": ("str", lambda title, number, rung: rung.video.target),
    "video_kbps": ("float", lambda title, number, rung: rung.video.bitrate_kbps),
    "audio_codec": ("str", lambda title, number, rung: rung.audio.codec),
    "channels": ("int", lambda title, number, rung: rung.audio.channels),
    "audio_target": ("str", lambda title, number, rung: rung.audio.target),
    "audio_kbps": ("float", lambda title, number, rung: rung.audio.bitrate_kbps),
    "total_kbps": ("float", lambda title, number, rung: rung.total_kbps),
    "avq_mos": ("float", lambda title, number, rung: rung.avq_mos),
    "avq_low_mos": ("float", lambda title, number, rung: rung.interval_mos[0]),
    "avq_high_mos": ("float", lambda title, number, rung: rung.interval_mos[1]),
    "played_share": ("float", lambda title, number, rung: rung.played_share),
    "interpolated": ("bool", lambda title, number, rung: rung.video.interpolated or rung.video.per_shot),
    "vmaf": ("float", lambda title, number, rung: rung.video.vmaf),
    "num_shots": ("int", lambda title, number, rung: len(rung.video.shots)),
    "worst_mos": ("float", lambda title, number, rung: min(rung.shots_mos, default=None)),
    "peak_kbps": ("float", lambda title, number, rung: None if rung.shot_proof is None else rung.shot_proof.peak_kbps),
    "gap_mos": ("float", lambda title, number, rung: None if rung.shot_proof is None else rung.shot_proof.gap_mos),
}
_SURROUND: dict[str, tuple[str, Callable[[SurroundAtRung], Any]]] = {
    "surround_codec": ("str", lambda surround: surround.audio.codec),
    "surround_channels": ("int", lambda surround: surround.audio.channels),
    "surround_target": ("str", lambda surround: surround.audio.target),
    "surround_audio_kbps": ("float", lambda surround: surround.audio.bitrate_kbps),
    "surround_total_kbps": ("float", lambda surround: surround.total_kbps),
    "surround_avq_mos": ("float", lambda surround: surround.avq_mos),
    "surround_avq_low_mos": ("float", lambda surround: surround.interval_mos[0]),
    "surround_avq_high_mos": ("float", lambda surround: surround.interval_mos[1]),
    "surround_played_share": ("float", lambda surround: surround.played_share),
}
_COST: dict[str, tuple[str, Callable[[RungCost], Any]]] = {
    "storage_cost": ("float", lambda cost: cost.storage),
    "delivery_cost": ("float", lambda cost: cost.delivery),
}
LADDER_COLUMNS = {name: kind for name, (kind, _) in (_LADDER | _COST).items()}
"""Columns of ladders as rows, with their types."""
SURROUND_COLUMNS = {name: kind for name, (kind, _) in _SURROUND.items()}
"""Columns that follow where rungs have surround."""
_SCREENS: dict[str, Callable[[Rung], Any]] = {
    "tv_mos": lambda rung: None if rung.screens is None else rung.screens.tv_mos,
    "phone_mos": lambda rung: None if rung.screens is None else rung.screens.phone_mos,
}
SCREEN_COLUMNS = dict.fromkeys(_SCREENS, "float")
"""Columns besides, where rungs say what they come to on either screen."""

_RELEVANCE: dict[str, tuple[str, Callable[[Allocation], Any]]] = {
    "title": ("str", lambda a: a.title),
    "scene": ("int", lambda a: a.scene),
    "start_s": ("float", lambda a: a.start_s),
    "end_s": ("float", lambda a: a.end_s),
    "budget_kbps": ("float", lambda a: a.budget_kbps),
    "audio_share": ("float", lambda a: a.relevance.audio_share),
    "video_share": ("float", lambda a: a.relevance.video_share),
    "ablation_audio_share": ("float", lambda a: a.relevance.ablation_audio_share),
    "eq8_audio_share": ("float", lambda a: a.relevance.eq8_audio_share),
    "audio_ablation": ("float", lambda a: a.relevance.ablation["audio"]),
    "video_ablation": ("float", lambda a: a.relevance.ablation["video"]),
    "audio_change_norm": ("float", lambda a: (a.relevance.change_norm or {}).get("audio")),
    "video_change_norm": ("float", lambda a: (a.relevance.change_norm or {}).get("video")),
}
RELEVANCE_COLUMNS = {name: kind for name, (kind, _) in _RELEVANCE.items()}
"""Columns of relevance as rows, with their types."""


def ladder_columns(*, on_screens: bool, with_surround: bool) -> dict[str, str]:
    """Columns of ladders as rows, with their types: those that follow where somebody asked for them too."""
    return LADDER_COLUMNS | (SCREEN_COLUMNS if on_screens else {}) | (SURROUND_COLUMNS if with_surround else {})


def _surround_cells(rung: Rung) -> dict[str, Any]:
    surround = rung.surround
    return {name: None if surround is None else value(surround) for name, (_, value) in _SURROUND.items()}


def ladder_rows(ladders: Iterable[TitleLadder]) -> TypedRows:
    """One row per rung."""
    ladders = list(ladders)
    on_screens = any(rung.screens is not None for found in ladders for rung in found.ladder.rungs)
    with_surround = any(rung.surround is not None for found in ladders for rung in found.ladder.rungs)
    rows = [
        {name: value(found.ladder.title, number, rung) for name, (_, value) in _LADDER.items()}
        | {name: None if cost is None else value(cost) for name, (_, value) in _COST.items()}
        | ({name: value(rung) for name, value in _SCREENS.items()} if on_screens else {})
        | (_surround_cells(rung) if with_surround else {})
        for found in ladders
        for number, (rung, cost) in enumerate(_priced(found), 1)
    ]
    columns = ladder_columns(on_screens=on_screens, with_surround=with_surround)
    return TypedRows.of(rows, columns)


def ladder_frame(ladders: Iterable[TitleLadder]) -> pd.DataFrame:
    """One row per rung; every column has one type, whatever numbers a file holds."""
    return ladder_rows(ladders).to_frame()


def _priced(found: TitleLadder) -> Iterable[tuple[Rung, RungCost | None]]:
    rungs = found.ladder.rungs
    return zip(rungs, [None] * len(rungs) if found.cost is None else found.cost.rungs, strict=True)


def relevance_rows(allocations: Iterable[Allocation]) -> TypedRows:
    """One row per scene."""
    return TypedRows.of(
        ({name: value(a) for name, (_, value) in _RELEVANCE.items()} for a in allocations), RELEVANCE_COLUMNS
    )


def rows_of_relevance(choices: Sequence[Choice], budget_kbps: float, model: Model) -> TypedRows:
    """`relevance_rows` of pairs chosen under one budget, without a plan of them."""
    cells = relevance_cells(choices, budget_kbps, model)
    return TypedRows(RELEVANCE_COLUMNS, {name: cells[name] for name in RELEVANCE_COLUMNS})


def relevance_frame(allocations: Iterable[Allocation]) -> pd.DataFrame:
    """One row per scene."""
    import pandas as pd

    return pd.DataFrame(dict(relevance_rows(allocations).columns), columns=list(RELEVANCE_COLUMNS))
