"""From a rung as it was given to a pair of a title's surface.

A rung is looked for by its name first: a row of the table whose target is the label is that very encode, measured.
Else it is taken by codec, size and rate: the video on the surface between its probes (`TitleCurves`), the audio as
the measured rendition that was asked for the same rate, or comes within `NEAR_AUDIO` of it. Nothing is held at a probe
beyond which nobody has measured: such a rung has no AVQ, and the reason is told.

Axes: V video renditions, A audio renditions of the title.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from abr_alloc.allocation.given_ladder import GivenAudio, GivenLadder, GivenRung, GivenVideo
from abr_alloc.allocation.surface import AudioRendition, QualitySurface, VideoRendition
from abr_alloc.allocation.title_surface import SAME_SIZE, TitleCurves
from abr_alloc.errors import FeatureTableError, UnitError
from abr_alloc.targets import Target

__all__ = ["NEAR_AUDIO", "NEAR_RATE", "MatchedRung", "UnmatchedRung", "match_ladder"]

NEAR_AUDIO = 0.15
"""Relative difference of rates up to which a measured audio rendition stands for a given one."""
NEAR_RATE = 0.02
"""Relative difference up to which a rate that leaves the probes still counts as the probe's: a rate is written in
round numbers, and rates of a ladder are about as far apart as that (`interpolation.RATE_STEP`)."""

_SAME_ASKED = 1e-3

How = Literal["measured", "interpolated"]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class MatchedRung:
    """A rung with the pair of the surface that stands for it."""

    given: GivenRung
    """As it was given."""
    video: VideoRendition
    """Its video rendition."""
    audio: AudioRendition
    """Its audio rendition, as it was measured."""
    audio_index: int
    """Where that stands in the surface."""
    avq_by_audio: Floats
    """AVQ of its video beside every audio rendition of the surface, (A,)."""
    x_v: npt.NDArray[np.float32]
    """Features of its video, (d_v,); of the nearest probed size where its own lies between two."""
    how: How
    """Whether this very video was measured, or lies between two that were."""
    audio_how: Literal["measured", "nearest"]
    """Whether the audio is the one that was given, or the nearest that was measured."""
    video_note: str = ""
    """What of its video is not quite as it was given; empty where nothing is."""
    audio_note: str = ""
    """What of its audio is not."""

    @property
    def avq_mos(self) -> float:
        """Predicted AVQ, MOS."""
        return float(self.avq_by_audio[self.audio_index])


@dataclass(frozen=True, slots=True, kw_only=True)
class UnmatchedRung:
    """A rung that nothing in the table can stand for."""

    given: GivenRung
    """As it was given."""
    reason: str
    """Why."""


class _Unmatched(Exception):
    """Why a rung has no pair."""


def match_ladder(
    surface: QualitySurface, ladder: GivenLadder
) -> tuple[tuple[MatchedRung, ...], tuple[UnmatchedRung, ...]]:
    """The rungs of a ladder on the surface of a title, by rising total rate, and those that have no place on it.

    Args:
        surface: measured, of the whole title (`merge_scenes`).
        ladder: as it was given.
    """
    curves: dict[tuple[str, str | None], TitleCurves] = {}

    def curves_of(codec: str, label: str) -> TitleCurves:
        target = Target(label)  # a ladder of this program says which encoder is asked
        key = codec, target.encoder or None if label and not target.is_label else None
        if key not in curves:
            curves[key] = TitleCurves(surface, codec, encoder=key[1])
        return curves[key]

    matched: list[MatchedRung] = []
    unmatched: list[UnmatchedRung] = []
    for given in ladder.rungs:
        try:
            matched.append(_match(surface, given, curves_of))
        except _Unmatched as reason:
            unmatched.append(UnmatchedRung(given=given, reason=str(reason)))
    matched.sort(key=lambda rung: (rung.video.bitrate_kbps + rung.audio.bitrate_kbps, rung.avq_mos))
    return tuple(matched), tuple(unmatched)


def _match(surface: QualitySurface, given: GivenRung, curves_of: Callable[[str, str], TitleCurves]) -> MatchedRung:
    if given.refused:
        raise _Unmatched(given.refused)
    if given.audio is None:
        raise _Unmatched("it has no audio, and AVQ is of audio and video together")
    column, audio_how, audio_note = _match_audio(surface.audio, given.audio)
    row = _labelled(surface.video, given.video)
    if row is not None:
        video, avq, x_v, how, note = surface.video[row], surface.avq_mos[row], surface.x_v[row], "measured", ""
    else:
        video, avq, x_v, note = _between(surface, given.video, curves_of)
        how = "interpolated"
    return MatchedRung(
        given=given,
        video=video,
        audio=surface.audio[column],
        audio_index=column,
        avq_by_audio=np.asarray(avq, dtype=np.float64),
        x_v=x_v,
        how="measured" if how == "measured" else "interpolated",
        audio_how=audio_how,
        video_note=note,
        audio_note=audio_note,
    )


def _labelled(video: Sequence[VideoRendition], given: GivenVideo) -> int | None:
    """The measured rendition of this name and about this size; of just this size where an encoder was asked."""
    found = [
        i
        for i, v in enumerate(video)
        if v.target == given.label and given.codec in ("", v.codec) and _has_size(v, given)
    ]
    return found[0] if len(found) == 1 else None


def _has_size(video: VideoRendition, given: GivenVideo) -> bool:
    if not Target(video.target).is_label:
        return given.width_px in (None, video.width_px) and given.height_px in (None, video.height_px)
    # A label is one stream, whose width is told with and without square pixels; another ladder's stream of the same
    # label has another height.
    if given.width_px is None or given.height_px is None:
        return True
    sides = min(video.width_px, video.height_px), min(given.width_px, given.height_px)
    return abs(sides[0] / sides[1] - 1.0) <= SAME_SIZE


def _match_audio(audio: Sequence[AudioRendition], given: GivenAudio) -> tuple[int, Literal["measured", "nearest"], str]:
    named = [
        i
        for i, a in enumerate(audio)
        if a.target == given.label and given.codec in ("", a.codec) and given.channels in (None, a.channels)
    ]
    if len(named) == 1:
        return named[0], "measured", ""
    if not given.codec or given.kbps is None:
        told = f"its audio {given.label!r} is no rendition of the table" if given.label else "its audio has no rate"
        raise _Unmatched(f"{told}, and it is not said which codec and rate it has")
    own = [i for i, a in enumerate(audio) if a.codec == given.codec]
    if not own:
        have = ", ".join(sorted({a.codec for a in audio}))
        raise _Unmatched(f"the table has no {given.codec} audio (it has {have}); measure it, or extract with it")
    fitting = [i for i in own if given.channels in (None, audio[i].channels)]
    if not fitting:
        have = ", ".join(str(n) for n in sorted({audio[i].channels for i in own}))
        raise _Unmatched(f"the table has no {given.codec} audio of {given.channels} channels (it has {have})")
    asked = [i for i in fitting if _is_close(_asked_kbps(audio[i]), given.kbps, _SAME_ASKED)]
    best = min(asked or fitting, key=lambda i: abs(math.log(audio[i].bitrate_kbps / (given.kbps or 1.0))))
    if asked:
        return best, "measured", ""
    if not _is_close(audio[best].bitrate_kbps, given.kbps, NEAR_AUDIO):
        rates = sorted(audio[i].bitrate_kbps for i in fitting)
        raise _Unmatched(
            f"no {given.codec} audio of the table is near {given.kbps:g}k (it has {rates[0]:.0f}k to "
            f"{rates[-1]:.0f}k); measure it, or extract a grid with it"
        )
    same = _is_close(audio[best].bitrate_kbps, given.kbps, NEAR_RATE)
    note = "" if same else f"{given.codec} {audio[best].bitrate_kbps:.0f}k stands for its audio"
    return best, "measured" if same else "nearest", note


def _is_close(kbps: float | None, wanted_kbps: float, share: float) -> bool:
    return kbps is not None and abs(kbps / wanted_kbps - 1.0) <= share


def _asked_kbps(audio: AudioRendition) -> float | None:
    try:
        return Target(audio.target).kbps
    except UnitError:
        return None


def _between(
    surface: QualitySurface, given: GivenVideo, curves_of: Callable[[str, str], TitleCurves]
) -> tuple[VideoRendition, Floats, npt.NDArray[np.float32], str]:
    """A video between the probes: the rendition, its AVQ (A,), its features (d_v,), and a note."""
    if not (given.codec and given.width_px and given.height_px and given.kbps):
        what = f"its video {given.label!r}" if given.label else "its video"
        raise _Unmatched(f"{what} is no rendition of the table, and its codec, size and rate are not all known")
    try:
        curves = curves_of(given.codec, given.label)
    except FeatureTableError:
        have = ", ".join(sorted({v.codec for v in surface.video}))
        raise _Unmatched(
            f"the table has no {given.codec} video (it has {have}); measure it, or extract with it"
        ) from None
    side = min(given.width_px, given.height_px)
    curve, note = curves.describe(side, given.kbps)
    if curve is None:
        raise _Unmatched(f"{side}p is {note}")
    low, high = curves.range_kbps(side)
    kbps = given.kbps
    if not low * (1.0 - NEAR_RATE) <= kbps <= high * (1.0 + NEAR_RATE):
        beyond = f"above the dearest probe, {high:.0f}k" if kbps > high else f"below the cheapest probe, {low:.0f}k"
        raise _Unmatched(f"{kbps:g}k is {beyond} at {curve.short_side_px}p, and what lies beyond was not measured")
    inside = min(max(kbps, low), high)
    avq = curves.at(side, np.array([inside]))[0]
    probes = curve.around(inside) if len(curve.kbps) > 1 and curve.kbps[0] <= inside <= curve.kbps[-1] else ()
    video = VideoRendition(
        codec=given.codec,
        width_px=given.width_px,
        height_px=given.height_px,
        target=str(Target.of_kbps(kbps)),
        bitrate_kbps=kbps,
        nearest_probes=probes,
        vmaf=curves.vmaf_at(side, inside),
        dynamic_range=curve.dynamic_range,
    )
    x_v = np.array(
        [np.interp(math.log(inside), np.log(curve.kbps), column) for column in surface.x_v[curve.index].T],
        dtype=np.float32,
    )
    return video, avq, x_v, "" if "held there" in note else note
