"""Which rows of a feature table a user wants to choose from."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import pandas as pd

from abr_alloc.errors import FeatureTableError
from abr_alloc.features.table import FeatureTable

__all__ = ["narrow", "require_present", "select"]


def select(
    table: FeatureTable,
    *,
    titles: tuple[str, ...] = (),
    scenes: tuple[int, ...] = (),
    video_codecs: tuple[str, ...] = (),
    audio_codecs: tuple[str, ...] = (),
    max_height_px: int | None = None,
) -> FeatureTable:
    """The rows that a user wants to choose from; empty filters let everything through.

    Raises:
        FeatureTableError: a filter leaves nothing, and names what there is.
    """
    frame = table.frame
    require_present(
        set(frame["title"]) if titles else set(),
        set(frame["scene"]) if scenes else set(),
        {name: set(table.of_kind(name)["codec"]) for name in ("video", "audio")},
        titles=titles,
        scenes=scenes,
        video_codecs=video_codecs,
        audio_codecs=audio_codecs,
    )
    selected = narrow(
        table,
        titles=titles,
        scenes=scenes,
        video_codecs=video_codecs,
        audio_codecs=audio_codecs,
        max_height_px=max_height_px,
    )
    if selected is not None:
        return selected
    if max_height_px is not None:
        chosen = frame["title"].isin(titles or frame["title"]) & frame["scene"].isin(scenes or frame["scene"])
        chosen &= frame["codec"].isin(video_codecs or frame["codec"]) & (frame["kind"] == "video")
        if chosen.any() and (lowest := int(frame.loc[chosen, "height_px"].min())) > max_height_px:
            raise FeatureTableError(
                f"no video rendition is at most {max_height_px} px high; the lowest has {lowest}", column="height_px"
            )
    raise FeatureTableError("the filters leave no rows; loosen --title, --scene, --max-height or the codecs")


def require_present(
    has_titles: Collection[str],
    has_scenes: Collection[int],
    has_codecs: Mapping[str, Collection[str]],
    *,
    titles: tuple[str, ...],
    scenes: tuple[int, ...],
    video_codecs: tuple[str, ...],
    audio_codecs: tuple[str, ...],
) -> None:
    """Refuse a filter that asks for what is not there.

    Raises:
        FeatureTableError: names the value and what there is.
    """
    for what, column, wanted, present in (
        ("title", "title", titles, has_titles),
        ("scene", "scene", scenes, has_scenes),
        ("video codec", "codec", video_codecs, has_codecs["video"]),
        ("audio codec", "codec", audio_codecs, has_codecs["audio"]),
    ):
        for value in wanted:
            if value not in present:
                listed = ", ".join(map(str, sorted(present)[:10])) + (", ..." if len(present) > 10 else "")  # type: ignore[type-var]
                raise FeatureTableError(f"the table has no {what} {value!r}; it has {listed}", column=column)


def narrow(
    table: FeatureTable,
    *,
    titles: tuple[str, ...] = (),
    scenes: tuple[int, ...] = (),
    video_codecs: tuple[str, ...] = (),
    audio_codecs: tuple[str, ...] = (),
    max_height_px: int | None = None,
) -> FeatureTable | None:
    """The rows that pass; None where there are none, or no video row within the height.

    Raises:
        FeatureTableError: the filters leave a scene without one kind of rows.
    """
    frame = table.frame
    kind = frame["kind"]
    keep = pd.Series(True, index=frame.index)
    if titles:
        keep &= frame["title"].isin(list(titles))
    if scenes:
        keep &= frame["scene"].isin(list(scenes))
    for wanted, of_kind in ((video_codecs, "video"), (audio_codecs, "audio")):
        if wanted:
            keep &= (kind != of_kind) | frame["codec"].isin(list(wanted))
    if max_height_px is not None:
        keep &= ~(frame["height_px"] > max_height_px).fillna(False).astype(bool)
        if not (keep & (kind == "video")).any():
            return None
    if keep.all():
        return table
    if not keep.any():
        return None
    selected = FeatureTable.checked(frame[keep].reset_index(drop=True), table.metadata)
    _require_both_kinds(table, selected)
    return selected


def _require_both_kinds(before: FeatureTable, after: FeatureTable) -> None:
    """Refuse filters that take a scene's last video or audio rendition and leave the other kind."""

    def scenes(table: FeatureTable, kind: str) -> set[tuple[str, int]]:
        return set(zip(*(table.of_kind(kind)[key] for key in ("title", "scene")), strict=True))

    for kind, other in (("video", "audio"), ("audio", "video")):
        bare = (scenes(after, other) - scenes(after, kind)) & scenes(before, kind)
        if bare:
            title, scene = min(bare)
            raise FeatureTableError(
                f"the filters leave title {title!r} scene {scene} without {kind} renditions; loosen them, or leave it "
                "out with --title"
            )
