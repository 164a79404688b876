"""Which rows of a feature table a user wants to choose from."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from abr_alloc.allocation.language_policy import LanguagePolicy, one_language
from abr_alloc.codecs import AUDIO_CODECS
from abr_alloc.errors import FeatureTableError
from abr_alloc.table.audio_layouts import is_surround_row
from abr_alloc.table.columns import Columns
from abr_alloc.table.table import FeatureTable
from abr_alloc.targets import Target

__all__ = ["NO_ROWS", "Filters", "codecs_of", "narrow", "require_present", "select", "video_encoders"]

NO_ROWS = "the filters leave no rows; loosen `titles`, `scenes`, `min_height_px`, `max_height_px` or codecs"
"""What is said where nothing passes and no single filter is to blame."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Filters:
    """Which rows to choose from; empty filters let everything through."""

    titles: tuple[str, ...] = ()
    """Titles."""
    scenes: tuple[int, ...] = ()
    """Scenes."""
    video_codecs: tuple[str, ...] = ()
    """Video codecs."""
    audio_codecs: tuple[str, ...] = ()
    """Audio codecs. A lossless one is a reference, and taken where it alone is asked for."""
    video_encoders: tuple[str, ...] = ()
    """Video encoders, a codec's name for its usual one."""
    min_height_px: int | None = None
    """Lowest video rendition, pixels."""
    max_height_px: int | None = None
    """Highest video rendition, pixels."""
    language_policy: LanguagePolicy = "first"
    """Of several audio tracks, whose rows count."""

    def __bool__(self) -> bool:
        return self != Filters()


def select(table: FeatureTable, filters: Filters) -> FeatureTable:
    """The rows that a user wants to choose from; empty filters let everything through.

    Raises:
        FeatureTableError: a filter leaves nothing, and names what there is.
    """
    rows = table.columns
    video, audio = rows.is_kind("video"), rows.is_kind("audio")
    require_present(
        filters,
        set(table.titles()) if filters.titles else set(),
        set(rows.whole("scene").tolist()) if filters.scenes else set(),
        {name: codecs_of(rows.take(own)) for name, own in (("video", video), ("audio", audio))},
        video_encoders(rows.take(video)) if filters.video_encoders else set(),
    )
    selected = narrow(table, filters)
    if selected is not None:
        return selected
    low, high = filters.min_height_px, filters.max_height_px
    if low is not None or high is not None:
        others = narrow(table, dataclasses.replace(filters, min_height_px=None, max_height_px=None))
        left = None if others is None else others.columns.of_kind("video")
        heights = [] if left is None else sorted(set(left.whole("height_px").tolist()))
        if heights:
            wanted = " and ".join(
                [f"at least {low} px"] * (low is not None) + [f"at most {high} px"] * (high is not None)
            )
            raise FeatureTableError(
                f"no video rendition is {wanted} high; there are {', '.join(map(str, heights))}", column="height_px"
            )
    raise FeatureTableError(NO_ROWS)


def codecs_of(rows: Columns) -> set[str]:
    """Codecs of some rows."""
    return set(rows.words("codec").present())


def video_encoders(rows: Columns) -> set[str]:
    """Encoders of video rows (columns `codec` and `target`): names in targets, a codec's for its usual one."""
    return {*_encoder_column(rows.take(rows.is_first(("codec", "target"))))} - {""}


def _encoder_column(rows: Columns) -> npt.NDArray[np.object_]:
    """The encoder of every row, (n,); empty for what was there before."""
    target = rows.words("target")
    targets = [Target(text) for text in target.words]
    names = np.array([found.encoder for found in targets], dtype=object)[target.codes]
    usual = np.array([not (found.encoder or found.is_label) for found in targets], dtype=bool)[target.codes]
    return np.where(usual, rows.words("codec").values(), names)


def require_present(
    filters: Filters,
    has_titles: Collection[str],
    has_scenes: Collection[int],
    has_codecs: Mapping[str, Collection[str]],
    has_encoders: Collection[str] = (),
) -> None:
    """Refuse a filter that asks for what is not there.

    Raises:
        FeatureTableError: names the value and what there is.
    """
    lossless = [name for name in filters.audio_codecs if name in AUDIO_CODECS and AUDIO_CODECS[name].is_lossless]
    if lossless and len({*filters.audio_codecs}) > len({*lossless}):
        raise FeatureTableError(
            f"`audio_codecs` {lossless[0]} is a reference, chosen for itself alone; leave it out, or the others",
            column="codec",
        )
    for what, column, wanted, present in (
        ("title", "title", filters.titles, has_titles),
        ("scene", "scene", filters.scenes, has_scenes),
        ("video codec", "codec", filters.video_codecs, has_codecs["video"]),
        ("audio codec", "codec", filters.audio_codecs, has_codecs["audio"]),
        ("video encoder", "target", filters.video_encoders, has_encoders),
    ):
        for value in wanted:
            if value not in present:
                listed = ", ".join(map(str, sorted(present)[:10])) + (", ..." if len(present) > 10 else "")  # type: ignore[type-var]
                raise FeatureTableError(f"the table has no {what} {value!r}; it has {listed}", column=column)


def narrow(table: FeatureTable, filters: Filters) -> FeatureTable | None:
    """The rows that pass; None where there are none, or no video row within the heights.

    Raises:
        FeatureTableError: the filters leave a scene without one kind of rows.
    """
    table = one_language(table, filters.language_policy)
    rows = table.columns
    is_video, is_audio = rows.is_kind("video"), rows.is_kind("audio")
    keep = np.ones(len(rows), dtype=bool)
    if filters.titles:
        keep &= rows.words("title").isin(filters.titles)
    if filters.scenes:
        keep &= np.isin(rows.numbers("scene"), filters.scenes)
    for wanted, of_kind in ((filters.video_codecs, is_video), (filters.audio_codecs, is_audio)):
        if wanted:
            keep &= ~of_kind | rows.words("codec").isin(wanted)
    if filters.audio_codecs:
        keep |= _beside_stereo(table)
    if filters.video_encoders:
        keep &= ~is_video | np.isin(_encoder_column(rows), filters.video_encoders)
    if filters.min_height_px is not None or filters.max_height_px is not None:
        low, high = filters.min_height_px or 0, filters.max_height_px or np.inf
        height_px = rows.numbers("height_px")
        keep &= ~is_video | ((height_px >= low) & (height_px <= high))
        if not (keep & is_video).any():
            return None
    if keep.all():
        return table
    if not keep.any():
        return None
    selected = FeatureTable.checked(rows.take(keep), table.metadata)
    _require_both_kinds(table, selected)
    return selected


def _beside_stereo(table: FeatureTable) -> npt.NDArray[np.bool_]:
    """Rows of surround in a table with stereo, whose codecs are chosen: surround is chosen by asking for it."""
    surround = is_surround_row(table)
    return surround & bool((~surround & table.columns.is_kind("audio")).any())


def _require_both_kinds(before: FeatureTable, after: FeatureTable) -> None:
    """Refuse filters that take a scene's last video or audio rendition and leave the other kind."""

    def scenes(table: FeatureTable, kind: str) -> set[tuple[str, int]]:
        rows = table.columns.of_kind(kind)
        first = rows.take(rows.scene_starts())
        return set(zip(first.words("title").values().tolist(), first.whole("scene").tolist(), strict=True))

    for kind, other in (("video", "audio"), ("audio", "video")):
        bare = (scenes(after, other) - scenes(after, kind)) & scenes(before, kind)
        if bare:
            title, scene = min(bare)
            raise FeatureTableError(
                f"the filters leave title {title!r} scene {scene} without {kind} renditions; loosen them, or leave it "
                "out with `titles`"
            )
