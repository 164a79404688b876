"""A ladder from its object in a ladder file: every field is asked for its type and its range.

What is written is what `design.py` makes, so a field that cannot come from there is damage.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from typing import Any

from abr_alloc.allocation.design import TitleLadder
from abr_alloc.allocation.interpolation import Crossover
from abr_alloc.allocation.prediction import AVQ_RANGE
from abr_alloc.allocation.reference import Comparison
from abr_alloc.allocation.rung import Ladder, Rung, TitleAtRung
from abr_alloc.allocation.surface import AudioRendition, Probe, VideoRendition
from abr_alloc.documents import number_of, shown, text_of, whole_of
from abr_alloc.units import MAX_KBPS

__all__ = ["designed_of", "list_of", "object_of"]

_LEAST_KBPS, _MOST_PX, _MOST_CHANNELS = 1e-9, 65_536, 255
_MOST_TOTAL_KBPS = 4.0 * MAX_KBPS  # two streams and their overhead
_WIDTH_MOS = AVQ_RANGE[1] - AVQ_RANGE[0]
_MOST_PERCENT = 1e12
_MOST_RUNGS = 1000


def designed_of(found: Any) -> TitleLadder:
    """A ladder with what it was held against.

    Raises:
        KeyError: a field is missing.
        ValueError: a field is not what it must be; the message names it.
    """
    if not isinstance(found, dict):
        raise ValueError(f"a ladder is {shown(found)}, not an object")
    crossovers = [_of(item, "a crossover") for item in list_of(found, "crossovers")] if "crossovers" in found else []
    return TitleLadder(
        ladder=_ladder(found),
        num_candidates=whole_of(found, "num_candidates", 0) if "num_candidates" in found else 0,
        crossovers=tuple(
            Crossover(
                kbps=number_of(item, "kbps", _LEAST_KBPS, MAX_KBPS),
                below_px=_size(item, "below_px"),
                above_px=_size(item, "above_px"),
            )
            for item in crossovers
        ),
        comparison=None if found.get("comparison") is None else _comparison(object_of(found, "comparison")),
    )


def _comparison(found: Mapping[str, Any]) -> Comparison:
    needed = found.get("rungs_needed")
    return Comparison(
        reference=text_of(found, "reference"),
        ladder=_ladder(object_of(found, "ladder")),
        left_out=tuple(text_of({"left_out": text}, "left_out") for text in list_of(found, "left_out")),
        gain_mos=number_of(found, "gain_mos", -_WIDTH_MOS, _WIDTH_MOS),
        same_rungs_gain_mos=_known(found, "same_rungs_gain_mos", -_WIDTH_MOS, _WIDTH_MOS),
        rungs_needed=None if needed is None else whole_of(found, "rungs_needed", 1, _MOST_RUNGS),
        bd_rate_percent=_known(found, "bd_rate_percent", -100.0, _MOST_PERCENT),
        bd_rate_vmaf_percent=_known(found, "bd_rate_vmaf_percent", -100.0, _MOST_PERCENT),
        breaks_rules=_truth(found, "breaks_rules"),
    )


def _ladder(found: Mapping[str, Any]) -> Ladder:
    rungs = tuple(_rung(_of(rung, "a rung")) for rung in list_of(found, "rungs"))
    if not rungs:
        raise ValueError("it has no rungs")
    if any(above.total_kbps < below.total_kbps for below, above in itertools.pairwise(rungs)):
        raise ValueError("the total_kbps of its rungs do not rise")
    return Ladder(
        title=text_of(found, "title"),
        rungs=rungs,
        expected_avq_mos=number_of(found, "expected_avq_mos", *AVQ_RANGE),
        unreached_share=number_of(found, "unreached_share", 0.0, 1.0),
        network=text_of(found, "network"),
    )


def _rung(found: Mapping[str, Any]) -> Rung:
    titles = [_of(title, "a title") for title in list_of(found, "titles")] if "titles" in found else []
    return Rung(
        video=_video(object_of(found, "video")),
        audio=_audio(object_of(found, "audio")),
        total_kbps=number_of(found, "total_kbps", _LEAST_KBPS, _MOST_TOTAL_KBPS),
        avq_mos=number_of(found, "avq_mos", *AVQ_RANGE),
        interval_mos=_interval(found),
        played_share=number_of(found, "played_share", 0.0, 1.0),
        note=text_of(found, "note") if "note" in found else "",
        titles=tuple(
            TitleAtRung(
                title=text_of(title, "title"),
                width_px=whole_of(title, "width_px", 1, _MOST_PX),
                height_px=whole_of(title, "height_px", 1, _MOST_PX),
                avq_mos=number_of(title, "avq_mos", *AVQ_RANGE),
                note=text_of(title, "note"),
                vmaf=_known(title, "vmaf", 0.0, 100.0),
            )
            for title in titles
        ),
        preference_over_below=_known(found, "preference_over_below", 0.0, 1.0),
    )


def _video(found: Mapping[str, Any]) -> VideoRendition:
    probes = list_of(found, "nearest_probes") if "nearest_probes" in found else []
    _refuse_strangers(found, VideoRendition, "interpolated")
    return VideoRendition(
        codec=text_of(found, "codec", empty=False),
        width_px=whole_of(found, "width_px", 1, _MOST_PX),
        height_px=whole_of(found, "height_px", 1, _MOST_PX),
        target=text_of(found, "target", empty=False),
        bitrate_kbps=number_of(found, "bitrate_kbps", _LEAST_KBPS, MAX_KBPS),
        nearest_probes=tuple(_probe(_of(probe, "a probe")) for probe in probes),
        vmaf=_known(found, "vmaf", 0.0, 100.0),  # files of before VMAF was written have none
    )


def _probe(found: Mapping[str, Any]) -> Probe:
    return Probe(
        target=text_of(found, "target", empty=False),
        bitrate_kbps=number_of(found, "bitrate_kbps", _LEAST_KBPS, MAX_KBPS),
        vmaf=_known(found, "vmaf", 0.0, 100.0),
    )


def _audio(found: Mapping[str, Any]) -> AudioRendition:
    _refuse_strangers(found, AudioRendition)
    return AudioRendition(
        codec=text_of(found, "codec", empty=False),
        channels=whole_of(found, "channels", 1, _MOST_CHANNELS),
        target=text_of(found, "target", empty=False),
        bitrate_kbps=number_of(found, "bitrate_kbps", _LEAST_KBPS, MAX_KBPS),
        quality_mos=_known(found, "quality_mos", 1.0, 5.0),
    )


def list_of(found: Mapping[str, Any], name: str) -> list[Any]:
    """A field that must be a list."""
    value = found[name]
    if not isinstance(value, list):
        raise ValueError(f"{name} is {shown(value)}, not a list")
    return value


def object_of(found: Mapping[str, Any], name: str) -> dict[str, Any]:
    """A field that must be an object."""
    return _of(found[name], name)


def _of(value: Any, what: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ValueError(f"{what} is {shown(value)}, not an object")
    return value


def _refuse_strangers(found: Mapping[str, Any], kind: type[VideoRendition | AudioRendition], *more: str) -> None:
    strange = sorted(found.keys() - {*kind.__dataclass_fields__, *more})
    if strange:
        raise ValueError(f"{shown(strange[0])} is no field of a rendition")


def _known(found: Mapping[str, Any], name: str, low: float, high: float) -> float | None:
    """A field that is a number in a range where it is known; absent or null where it is not."""
    return None if found.get(name) is None else number_of(found, name, low, high)


def _truth(found: Mapping[str, Any], name: str) -> bool:
    value = found[name]
    if not isinstance(value, bool):
        raise ValueError(f"{name} is {shown(value)}, not true or false")
    return value


def _interval(found: Mapping[str, Any]) -> tuple[float, float]:
    value = list_of(found, "interval_mos")
    if len(value) != 2:
        raise ValueError(f"interval_mos is {shown(value)}, not two numbers")
    low, high = (number_of({"interval_mos": end}, "interval_mos", -math.inf, math.inf) for end in value)
    if not AVQ_RANGE[0] - _WIDTH_MOS <= low <= high <= AVQ_RANGE[1] + _WIDTH_MOS:
        raise ValueError(f"interval_mos is {shown(value)}, not a lower and an upper MOS")
    return low, high


def _size(found: Mapping[str, Any], name: str) -> tuple[int, int]:
    value = list_of(found, name)
    if len(value) != 2:
        raise ValueError(f"{name} is {shown(value)}, not width and height")
    width, height = (whole_of({name: side}, name, 1, _MOST_PX) for side in value)
    return width, height
