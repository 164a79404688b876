"""One ladder for many titles: a catalogue as one surface, and what each title comes to on it.

Axes: V video renditions, A audio renditions, R rates.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from abr_alloc.allocation.rung import Ladder, Rung, TitleAtRung
from abr_alloc.allocation.surface import Probe, QualitySurface, VideoRendition
from abr_alloc.allocation.title_surface import TitleCurves, encoder_names
from abr_alloc.errors import FeatureTableError
from abr_alloc.targets import Target

__all__ = ["mean_vmaf", "no_shared_audio", "share_titles", "shared_encoders", "with_titles"]

Floats = npt.NDArray[np.float64]


def share_titles(surfaces: Sequence[QualitySurface], codec: str, rates_kbps: Floats, overhead: float) -> QualitySurface:
    """A catalogue as one surface: at every size and rate the mean AVQ of all titles, each with the same weight.

    A title smaller than a size plays its own size. Where a title's probes begin above a rate, nobody knows what it
    would look like, and the rate is not offered.

    Args:
        surfaces: one per title, from `merge_scenes`.
        codec: video codec.
        rates_kbps: video rates to offer.
        overhead: container overhead as a share of the streams' rate.

    Raises:
        FeatureTableError: the titles share no audio rendition, or no size and rate.
    """
    keys = [[a.identity for a in surface.audio] for surface in surfaces]
    shared = [key for key in dict.fromkeys(keys[0]) if all(key in other for other in keys)]
    if not shared:
        raise FeatureTableError(no_shared_audio(surfaces))
    columns = [[own.index(key) for key in shared] for own in keys]
    offered = [_offered(surfaces, codec, encoder, columns, rates_kbps) for encoder in shared_encoders(surfaces, codec)]
    video = [rendition for renditions, _ in offered for rendition in renditions]
    if not video:
        raise FeatureTableError("the titles have no size and rate in common; extract them with one grid")
    avq = np.concatenate([of_encoder for _, of_encoder in offered])  # (V, A)
    audio = tuple(
        dataclasses.replace(
            surfaces[0].audio[columns[0][k]],
            bitrate_kbps=float(np.mean([s.audio[c[k]].bitrate_kbps for s, c in zip(surfaces, columns, strict=True)])),
        )
        for k in range(len(shared))
    )
    first = surfaces[0]
    return dataclasses.replace(
        first,
        title=f"{len(surfaces)} titles",
        video=tuple(video),
        audio=audio,
        avq_mos=avq.astype(np.float32),
        on_screens_mos=None,
        total_kbps=np.add.outer([v.bitrate_kbps for v in video], [a.bitrate_kbps for a in audio]) * (1.0 + overhead),
        x_v=np.zeros((len(video), first.x_v.shape[1]), dtype=np.float32),
        x_a=np.zeros((len(audio), first.x_a.shape[1]), dtype=np.float32),
    )


def shared_encoders(surfaces: Sequence[QualitySurface], codec: str) -> list[str]:
    """Names in targets of the encoders of a codec that all titles were probed with.

    Raises:
        FeatureTableError: there is none.
    """
    names = [encoder_names(surface, codec) or [""] for surface in surfaces]
    common = [name for name in names[0] if all(name in other for other in names)]
    if not common:
        raise FeatureTableError(f"the titles share no encoder of {codec}; extract them with one grid")
    return common


def _offered(
    surfaces: Sequence[QualitySurface], codec: str, encoder: str, columns: Sequence[Sequence[int]], rates_kbps: Floats
) -> tuple[list[VideoRendition], Floats]:
    """What one encoder offers all titles at some rates, and its mean AVQ, (V, A)."""
    titles = [TitleCurves(surface, codec, encoder=encoder) for surface in surfaces]
    sides: dict[int, tuple[int, int]] = {}
    for title in titles:
        for curve in title.curves:
            size = curve.width_px, curve.height_px
            sides[curve.short_side_px] = max(size, sides.get(curve.short_side_px, size))
    plays = list(zip(titles, columns, strict=True))
    avq = np.stack(
        [np.mean([t.at(side, rates_kbps, cap_at_source=True)[:, c] for t, c in plays], axis=0) for side in sides]
    )  # (sizes, R, A)
    size_index, rate_index = np.nonzero(~np.isnan(avq).any(axis=2))
    dimensions = list(sides.values())
    video = [
        VideoRendition(
            codec=codec,
            width_px=dimensions[i][0],
            height_px=dimensions[i][1],
            target=str(Target.of_kbps(rates_kbps[r], encoder)),
            bitrate_kbps=float(rates_kbps[r]),
            nearest_probes=_around(titles, dimensions[i], float(rates_kbps[r])),
            vmaf=mean_vmaf(titles, min(dimensions[i]), float(rates_kbps[r])),
            dynamic_range=titles[0].curves[0].dynamic_range,
        )
        for i, r in zip(size_index, rate_index, strict=True)
    ]
    return video, avq[size_index, rate_index]


def no_shared_audio(surfaces: Sequence[QualitySurface]) -> str:
    """What to say of titles that share no audio rendition."""
    asked = [{(a.codec, a.target) for a in surface.audio} for surface in surfaces]
    if set.intersection(*asked):
        return "the titles share no audio rendition, as some are mono and others are not; design them apart"
    return "the titles share no audio rendition; extract them with one grid"


def mean_vmaf(titles: Sequence[TitleCurves], side_px: int, kbps: float) -> float | None:
    """Mean VMAF of titles at a size and a rate, each at its own size where that is smaller; None where one has none."""
    found = [title.vmaf_at(side_px, kbps, cap_at_source=True) for title in titles]
    known = [vmaf for vmaf in found if vmaf is not None]
    return float(np.mean(known)) if len(known) == len(found) else None


def _around(titles: Sequence[TitleCurves], size: tuple[int, int], kbps: float) -> tuple[Probe, ...]:
    """The probes around a rate in the first title that has some at this size; the others' are in `with_titles`."""
    for title in titles:
        for curve in title.curves:
            if min(size) == curve.short_side_px and curve.kbps[0] <= kbps <= curve.kbps[-1] and len(curve.kbps) > 1:
                return curve.around(kbps)
    return ()


def with_titles(ladder: Ladder, surfaces: Sequence[QualitySurface]) -> Ladder:
    """A shared ladder with what every title comes to at each rung."""

    def at(rung: Rung, surface: QualitySurface) -> TitleAtRung:
        curves = TitleCurves(surface, rung.video.codec, encoder=Target(rung.video.target).encoder)
        side, kbps = min(rung.video.width_px, rung.video.height_px), rung.video.bitrate_kbps
        size, note = curves.describe(side, kbps, cap_at_source=True)
        (column,) = [i for i, a in enumerate(surface.audio) if a.identity == rung.audio.identity][:1]
        assert size is not None  # sizes are capped at the source's
        return TitleAtRung(
            title=surface.title,
            width_px=size.width_px,
            height_px=size.height_px,
            avq_mos=float(curves.at(side, np.array([kbps]), cap_at_source=True)[0, column]),
            note=note,
            vmaf=curves.vmaf_at(side, kbps, cap_at_source=True),
        )

    return dataclasses.replace(
        ladder,
        rungs=tuple(dataclasses.replace(r, titles=tuple(at(r, s) for s in surfaces)) for r in ladder.rungs),
    )
