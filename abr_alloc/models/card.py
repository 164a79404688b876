"""What `model.json` may say: every field that somebody reads, with its type and its range.

Fields that nobody reads (how it was trained, how it was judged) are passed over, but for the few that a report shows.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from abr_alloc.documents import number_of, shown, text_of, whole_of
from abr_alloc.models.intervals import Intervals
from abr_alloc.models.relevance import RelevanceRanges

__all__ = ["check_card", "intervals_of", "ranges_of"]

_MOST_MOS = 8.0  # of an error: twice the scale
_MOST_RATE = 1e7
_SHA256 = re.compile(r"[0-9a-f]{64}")
_SHOWN_FIGURES = ("plcc", "srcc", "rmse")


def check_card(card: Mapping[str, Any]) -> None:
    """Refuse a card with a field that is not what it must be; `intervals_of` and `ranges_of` look at theirs.

    Raises:
        KeyError: a field is missing.
        ValueError: a field is not what it must be; the message names it.
    """
    for name in ("name", "system", "labels", "architecture"):
        text_of(card, name, empty=False)
    for kind in ("video", "audio"):
        names = _texts(card, f"{kind}_features")
        if len(set(names)) < len(names):
            raise ValueError(f"{kind}_features names {shown(max(names, key=names.count))} twice")
        if card[f"{kind}_feature_version"] is not None:
            text_of(card, f"{kind}_feature_version")
    if not _SHA256.fullmatch(text_of(card, "weights_sha256")):
        raise ValueError(f"weights_sha256 is {shown(card['weights_sha256'])}, not 64 hexadecimal digits")
    _table(card, "settings")
    if "rating_scale" in card:
        _range(card, "rating_scale", -1e6, 1e6, empty=False)
    if card.get("interval_level") is not None:
        number_of(card, "interval_level", 0.0, 1.0)
    if "interval_coverage" in card:
        for name, share in (coverage := _table(card, "interval_coverage")).items():
            if share is not None:
                number_of(coverage, name, 0.0, 1.0)
    for part in (parts := _table(card, "interval_parts") if "interval_parts" in card else {}):
        intervals_of(_table(parts, part))
    if "validity" in card:
        _check_validity(_table(card, "validity"))
    if "training" in card:
        training = _table(card, "training")
        for name in ("contents", "titles"):
            if name in training:
                _texts(training, name)
        if "num_pairs" in training:
            whole_of(training, "num_pairs", 1)
    if "evaluation" in card:
        _check_evaluation(_table(card, "evaluation"))


def _check_validity(validity: Mapping[str, Any]) -> None:
    for name in ("video_codecs", "audio_codecs"):
        if name in validity:
            _texts(validity, name)
    for name in ("audio_kbps", "fps"):
        if name in validity:
            _range(validity, name, -1.0, _MOST_RATE)  # a frame rate may be rounded down past 0
    if "max_height_px" in validity:
        number_of(validity, "max_height_px", 1.0, 65_536.0)


def _check_evaluation(evaluation: Mapping[str, Any]) -> None:
    held_out = _table(evaluation, "held_out") if "held_out" in evaluation else {}
    for name in _SHOWN_FIGURES:
        if name in held_out:
            figure = _table(held_out, name)
            if figure["value"] is not None:
                number_of(figure, "value", -1e6, 1e6)


def intervals_of(found: Mapping[str, Any]) -> Intervals:
    """`interval_mos` and `difference_mos` of a card, or of a part of it.

    Raises:
        KeyError, ValueError: as `check_card`.
    """
    return Intervals(
        interval_mos=_range(found, "interval_mos", -_MOST_MOS, _MOST_MOS),
        difference_mos=number_of(found, "difference_mos", 0.0, _MOST_MOS),
    )


def ranges_of(card: Mapping[str, Any]) -> RelevanceRanges:
    """`relevance_ranges` of a card.

    Raises:
        KeyError, ValueError: as `check_card`.
    """
    ranges = _table(card, "relevance_ranges")
    return RelevanceRanges(
        ablation=_range(ranges, "ablation", 0.0, 1e12),
        change_norm=None if ranges["change_norm"] is None else _range(ranges, "change_norm", 0.0, 1e12),
    )


def _table(found: Mapping[str, Any], name: str) -> dict[str, Any]:
    value = found[name]
    if not isinstance(value, dict):
        raise ValueError(f"{name} is {shown(value)}, not an object")
    return value


def _texts(found: Mapping[str, Any], name: str) -> Sequence[str]:
    value = found[name]
    if not isinstance(value, list) or not all(isinstance(text, str) and text for text in value):
        raise ValueError(f"{name} is {shown(value)}, not a list of names")
    return value


def _range(found: Mapping[str, Any], name: str, low: float, high: float, *, empty: bool = True) -> tuple[float, float]:
    """Two numbers, the smaller one first."""
    value = found[name]
    if not isinstance(value, list) or len(value) != 2:
        raise ValueError(f"{name} is {shown(value)}, not a least and a largest number")
    first, last = (number_of({name: end}, name, low, high) for end in value)
    if first > last or (first == last and not empty):
        raise ValueError(f"{name} is {shown(value)}: the second number must be the larger one")
    return first, last
