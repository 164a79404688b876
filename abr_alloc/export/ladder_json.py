"""Ladder files: versioned JSON (docs/formats.md), written with provenance and read back as records."""

from __future__ import annotations

import dataclasses
import itertools
import json
import math
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from abr_alloc.allocation.design import TitleLadder
from abr_alloc.allocation.interpolation import Crossover
from abr_alloc.allocation.reference import Comparison, ReferenceLadder, ReferenceRung
from abr_alloc.allocation.rung import Ladder, Rung, TitleAtRung
from abr_alloc.allocation.surface import AudioRendition, Probe, VideoRendition
from abr_alloc.errors import LadderFormatError
from abr_alloc.units import MAX_KBPS

__all__ = [
    "SCHEMA_VERSION",
    "TitleFacts",
    "as_reference",
    "ladder_document",
    "read_designed",
    "read_ladders",
    "read_provenance",
    "read_title_facts",
    "video_object",
]

SCHEMA_VERSION = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class TitleFacts:
    """What a ladder file says of the source of a title."""

    fps: Fraction
    """Frames per second."""
    scenes_s: tuple[tuple[float, float], ...]
    """First instant of every scene and first instant after it, seconds."""
    weights_s: tuple[float, ...] = ()
    """Time of the title that every scene stands for, seconds, where it was measured as a digest; else empty."""

    @property
    def duration_s(self) -> float:
        """Length of the title: the scenes of a digest do not reach its end, but together stand for all of it."""
        return math.fsum(self.weights_s) if self.weights_s else self.scenes_s[-1][1]


_LEAST_KBPS, _MOST_PX = 1e-9, 65_535


def ladder_document(ladders: Sequence[TitleLadder], provenance: Mapping[str, Any]) -> dict[str, Any]:
    """The JSON object of a ladder file.

    Args:
        ladders: what was designed.
        provenance: `model`, `features`, `options` and whatever else the ladders rest on.
    """
    return {
        "schema_version": SCHEMA_VERSION,
        "command": "ladder",
        **provenance,
        "ladders": [_title_object(found) for found in ladders],
    }


def video_object(video: VideoRendition) -> dict[str, Any]:
    """A video rendition; where it was interpolated, between which probes."""
    found = dataclasses.asdict(video)
    probes = found.pop("nearest_probes")
    if video.interpolated:
        found |= {"interpolated": True, "nearest_probes": list(probes)}
    return found


def _title_object(found: TitleLadder) -> dict[str, Any]:
    return {
        **_ladder_object(found.ladder),
        "num_candidates": found.num_candidates,
        "crossovers": [
            {"kbps": c.kbps, "below_px": list(c.below_px), "above_px": list(c.above_px)} for c in found.crossovers
        ],
        "comparison": None if found.comparison is None else _comparison_object(found.comparison),
    }


def _ladder_object(ladder: Ladder) -> dict[str, Any]:
    return {
        "title": ladder.title,
        "network": ladder.network,
        "expected_avq_mos": ladder.expected_avq_mos,
        "unreached_share": ladder.unreached_share,
        "rungs": [_rung_object(rung) for rung in ladder.rungs],
    }


def _rung_object(rung: Rung) -> dict[str, Any]:
    found = {
        "video": video_object(rung.video),
        "audio": dataclasses.asdict(rung.audio),
        "total_kbps": rung.total_kbps,
        "avq_mos": rung.avq_mos,
        "interval_mos": list(rung.interval_mos),
        "played_share": rung.played_share,
        "preference_over_below": rung.preference_over_below,
        "note": rung.note,
    }
    if rung.titles:
        found["titles"] = [dataclasses.asdict(title) for title in rung.titles]
    return found


def _comparison_object(comparison: Comparison) -> dict[str, Any]:
    found = {f.name: getattr(comparison, f.name) for f in dataclasses.fields(comparison)}
    return found | {"ladder": _ladder_object(comparison.ladder), "left_out": list(comparison.left_out)}


def read_ladders(path: Path) -> list[Ladder]:
    """The ladders of a ladder file.

    Raises:
        LadderFormatError: as `read_designed`.
    """
    return [found.ladder for found in read_designed(path)]


def read_designed(path: Path) -> list[TitleLadder]:
    """The ladders of a ladder file, with what they were held against.

    Raises:
        LadderFormatError: it cannot be read, is of another version, or breaks the format.
    """
    document = _read_document(path)
    try:
        ladders = [_read_designed(item) for item in document["ladders"]]
        if not ladders or not all(found.ladder.rungs for found in ladders):
            raise ValueError("it has no rungs")
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        what = f"field {error} is missing" if isinstance(error, KeyError) else str(error)
        raise LadderFormatError(f"{path} is damaged ({what}); design it again") from None
    return ladders


def read_provenance(path: Path) -> dict[str, Any]:
    """What a ladder file says it rests on: `model` (name), `weights_sha256`, `source_hashes` and `overhead`, where it
    says so.

    Raises:
        LadderFormatError: it cannot be read, or is of another version.
    """
    document = _read_document(path)
    model, features = document.get("model"), document.get("features")
    found: dict[str, Any] = {}
    if isinstance(model, dict):
        found |= {"model": model.get("name"), "weights_sha256": model.get("weights_sha256")}
    if isinstance(features, dict) and isinstance(features.get("source_hashes"), dict):
        found["source_hashes"] = features["source_hashes"]
    if isinstance(document.get("options"), dict):
        found["overhead"] = document["options"].get("overhead")
    return found


def read_title_facts(path: Path) -> dict[str, TitleFacts]:
    """What a ladder file says of its titles' sources, by title; files of before this was written say nothing.

    Raises:
        LadderFormatError: it cannot be read, is of another version, or breaks the format.
    """
    features = _read_document(path).get("features")
    try:
        return {
            title: TitleFacts(
                # Frame rates are quotients of small numbers, which 15 digits give away.
                fps=Fraction(_number(item, "fps", 1e-3, 1000.0)).limit_denominator(1001),
                scenes_s=tuple((float(start), float(end)) for start, end in item["scenes_s"]),
                weights_s=_weights(item),
            )
            for title, item in (features or {}).get("titles", {}).items()
            if item["scenes_s"]
        }
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise LadderFormatError(f"{path} is damaged (features.titles: {error}); design it again") from None


def _weights(item: Mapping[str, Any]) -> tuple[float, ...]:
    """`weights_s` of a title: as many as scenes, each positive; empty where it has none."""
    found = item.get("weights_s", [])
    if found and len(found) != len(item["scenes_s"]):
        raise ValueError(f"{len(found)} weights_s for {len(item['scenes_s'])} scenes_s")
    return tuple(_number({"weights_s": weight}, "weights_s", 1e-6) for weight in found)


def _read_document(path: Path) -> dict[str, Any]:
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise LadderFormatError(f"{path} does not exist; make it with `abr-alloc ladder`") from None
    except (OSError, ValueError, RecursionError) as error:
        raise LadderFormatError(
            f"{path} is not a readable JSON file ({error}); make it with `abr-alloc ladder`"
        ) from None
    if not isinstance(document, dict) or document.get("command") != "ladder":
        raise LadderFormatError(f"{path} is not a ladder file; make it with `abr-alloc ladder`")
    version = document.get("schema_version")
    if version != SCHEMA_VERSION:
        raise LadderFormatError(
            f"{path} has ladder format version {version!r}, this program reads {SCHEMA_VERSION}; design it again"
        )
    return document


def _read_designed(found: Mapping[str, Any]) -> TitleLadder:
    comparison = found.get("comparison")
    if comparison is not None:
        comparison = Comparison(
            **{field.name: comparison.get(field.name) for field in dataclasses.fields(Comparison)}
            | {"reference": comparison["reference"], "breaks_rules": comparison["breaks_rules"]}
            | {"ladder": _read_ladder(comparison["ladder"]), "left_out": tuple(comparison["left_out"])}
            | {"gain_mos": _number(comparison, "gain_mos", -4.0, 4.0)}
            | {name: _known(comparison, name, -100.0) for name in ("bd_rate_percent", "bd_rate_vmaf_percent")}
        )
    return TitleLadder(
        ladder=_read_ladder(found),
        num_candidates=int(found.get("num_candidates", 0)),
        crossovers=tuple(
            Crossover(kbps=float(c["kbps"]), below_px=tuple(c["below_px"]), above_px=tuple(c["above_px"]))
            for c in found.get("crossovers", ())
        ),
        comparison=comparison,
    )


def _read_ladder(found: Mapping[str, Any]) -> Ladder:
    rungs = tuple(_read_rung(rung) for rung in found["rungs"])
    if any(above.total_kbps < below.total_kbps for below, above in itertools.pairwise(rungs)):
        raise ValueError("the total_kbps of its rungs do not rise")
    _require_text(found, "title")
    return Ladder(
        title=found["title"],
        rungs=rungs,
        expected_avq_mos=_number(found, "expected_avq_mos", 1.0, 5.0),
        unreached_share=_number(found, "unreached_share", 0.0, 1.0),
        network=found["network"],
    )


def _read_rung(found: Mapping[str, Any]) -> Rung:
    low, high = found["interval_mos"]
    video, audio = dict(found["video"]), dict(found["audio"])
    video.pop("interpolated", None)
    probes, titles = video.pop("nearest_probes", ()), found.get("titles", ())
    # Files of before VMAF and audio quality were written have none.
    for scored in (video, *probes, *titles):
        _known(scored, "vmaf", 0.0, 100.0)
    _known(audio, "quality_mos", 1.0, 5.0)
    for stream in (video, audio):
        _number(stream, "bitrate_kbps", _LEAST_KBPS, MAX_KBPS)
        _require_text(stream, "codec", "target")
    for holder, name, most in ((video, "width_px", _MOST_PX), (video, "height_px", _MOST_PX), (audio, "channels", 255)):
        if _number(holder, name, 1, most) != int(holder[name]):
            raise ValueError(f"{name} is {holder[name]!r}")
    for title in titles:
        _require_text(title, "title")
    return Rung(
        video=VideoRendition(**video, nearest_probes=tuple(Probe(**probe) for probe in probes)),
        audio=AudioRendition(**audio),
        total_kbps=_number(found, "total_kbps", _LEAST_KBPS),
        avq_mos=_number(found, "avq_mos", 1.0, 5.0),
        interval_mos=(float(low), float(high)),
        played_share=_number(found, "played_share", 0.0, 1.0),
        note=found.get("note", ""),
        titles=tuple(TitleAtRung(**title) for title in titles),
        preference_over_below=_known(found, "preference_over_below", 0.0, 1.0),
    )


def _number(found: Mapping[str, Any], name: str, low: float, high: float = sys.float_info.max) -> float:
    """A field that must be a number in a range; JSON as Python reads it may hold NaN and infinity."""
    value = found[name]
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not low <= value <= high:
        raise ValueError(f"{name} is {value!r}")
    return float(value)


def _known(found: Mapping[str, Any], name: str, low: float, high: float = sys.float_info.max) -> float | None:
    """A field that is a number in a range where it is known; absent or null where it is not."""
    return None if found.get(name) is None else _number(found, name, low, high)


def _require_text(found: Mapping[str, Any], *names: str) -> None:
    for name in names:
        if not isinstance(found[name], str):
            raise ValueError(f"{name} is {found[name]!r}")


def as_reference(ladder: Ladder, name: str) -> ReferenceLadder:
    """A designed ladder as a fixed one to compare with."""
    return ReferenceLadder(
        name=name,
        description=f"ladder of {ladder.title}",
        codec=ladder.rungs[0].video.codec,
        rungs=tuple(
            ReferenceRung(
                width_px=rung.video.width_px,
                height_px=rung.video.height_px,
                video_kbps=rung.video.bitrate_kbps,
                audio_codec=rung.audio.codec,
                audio_kbps=rung.audio.bitrate_kbps,
            )
            for rung in ladder.rungs
        ),
    )
