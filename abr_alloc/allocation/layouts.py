"""Stereo and surround on one surface: its first audio renditions are stereo or mono, those of 5.1 follow.

Both stand beside the same videos, so that a rung can have one of each. Everything that knows of one sound per rung
takes surfaces without surround (`surface.build_surfaces`).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import numpy as np

from abr_alloc import defaults
from abr_alloc.allocation.kept_audio import of_audio
from abr_alloc.allocation.surface import QualitySurface, build_surfaces
from abr_alloc.codecs import AUDIO_CODECS
from abr_alloc.errors import FeatureTableError
from abr_alloc.models.checkpoint import Model
from abr_alloc.table.table import FeatureTable

__all__ = ["build_for", "build_layouts", "is_surround", "of_stereo", "of_surround", "require_stereo_aac"]


def build_layouts(
    table: FeatureTable, model: Model, *, overhead: float = defaults.OVERHEAD
) -> Iterator[QualitySurface]:
    """Surfaces with stereo and surround, in the table's order.

    Each layout is predicted as if the other were not there.

    Raises:
        FeatureTableError: a title has no surround; and as `build_surfaces`.
    """
    surround = build_surfaces(table, model, overhead=overhead, layout="surround", with_shares=False)
    stereo = build_surfaces(table, model, overhead=overhead, with_shares=False)
    for plain, beside in zip(stereo, surround, strict=True):
        assert (plain.title, plain.scene) == (beside.title, beside.scene)
        yield _side_by_side(plain, beside)


def build_for(
    table: FeatureTable, model: Model, *, overhead: float, surround_share: float | None
) -> Iterator[QualitySurface]:
    """The surfaces that a ladder is designed from: with surround where some of the audience play it."""
    if surround_share is None:
        return build_surfaces(table, model, overhead=overhead, with_shares=False)
    return build_layouts(table, model, overhead=overhead)


def _side_by_side(plain: QualitySurface, beside: QualitySurface) -> QualitySurface:
    screens = None
    if plain.on_screens_mos is not None and beside.on_screens_mos is not None:
        tv, phone = zip(plain.on_screens_mos, beside.on_screens_mos, strict=True)
        screens = np.concatenate(tv, axis=1), np.concatenate(phone, axis=1)
    return dataclasses.replace(
        plain,
        audio=plain.audio + beside.audio,
        avq_mos=np.concatenate([plain.avq_mos, beside.avq_mos], axis=1),
        total_kbps=np.concatenate([plain.total_kbps, beside.total_kbps], axis=1),
        x_a=np.concatenate([plain.x_a, beside.x_a]),
        on_screens_mos=screens,
    )


def is_surround(channels: int) -> bool:
    """Whether a rendition is of 5.1, rather than stereo or mono."""
    return channels > 2


def of_stereo(surface: QualitySurface) -> QualitySurface:
    """The surface without surround."""
    return of_audio(surface, [i for i, a in enumerate(surface.audio) if not is_surround(a.channels)])


def of_surround(surface: QualitySurface, codec: str) -> QualitySurface:
    """The surface with the surround of one codec alone."""
    return of_audio(surface, [i for i, a in enumerate(surface.audio) if is_surround(a.channels) and a.codec == codec])


def require_stereo_aac(title: str, codecs: set[str]) -> list[str]:
    """Those stereo codecs that a ladder with surround may have: Apple's players must find stereo AAC (HLS Authoring
    Specification, 2.3), and who has no surround player may have no other.

    Raises:
        FeatureTableError: there is none.
    """
    aac = [name for name in AUDIO_CODECS if name in codecs and AUDIO_CODECS[name].sample_entry == "mp4a"]
    if not aac:
        raise FeatureTableError(
            f"title {title!r} has no stereo AAC, which must stand beside surround (Apple's 2.3), only "
            f"{', '.join(sorted(codecs))}; extract it with `audio_codecs` aac",
            column="codec",
        )
    return aac
