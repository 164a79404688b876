"""Ladder files: versioned JSON (docs/formats.md), written with provenance and read back as records."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Annotated, Any

from msgspec import Meta

from abr_alloc.allocation.cost import LadderCost
from abr_alloc.allocation.design import TitleLadder
from abr_alloc.allocation.ranges import Instant, Kbps
from abr_alloc.allocation.reference import Comparison, ReferenceLadder, ReferenceRung
from abr_alloc.allocation.rung import Ladder, Rung
from abr_alloc.documents import DamagedDocument, parse_json, shown
from abr_alloc.encoder_settings import encoders_of
from abr_alloc.errors import LadderFormatError
from abr_alloc.formats.conversion import record_of
from abr_alloc.formats.ladder_fields import designed_of
from abr_alloc.formats.plan_document import video_object
from abr_alloc.formats.shot_fields import check_cover
from abr_alloc.location import read_bytes
from abr_alloc.models.screens import phones_of

__all__ = [
    "SCHEMA_VERSION",
    "TitleFacts",
    "as_reference",
    "ladder_document",
    "ladder_object",
    "read_designed",
    "read_ladders",
    "read_provenance",
    "read_title_facts",
]

SCHEMA_VERSION = 1

_Fps = Annotated[float, Meta(ge=1e-3, le=1000.0)]
_Weight = Annotated[float, Meta(ge=1e-6, le=1e9)]


@dataclass(frozen=True, slots=True, kw_only=True)
class TitleFacts:
    """What a ladder file says of the source of a title."""

    fps: Fraction
    """Frames per second."""
    scenes_s: tuple[tuple[Instant, Instant], ...]
    """First instant of every scene and first instant after it, seconds."""
    weights_s: tuple[_Weight, ...] = ()
    """Time of the title that every scene stands for, seconds, where it was measured as a digest; else empty."""

    @property
    def duration_s(self) -> float:
        """Length of the title: the scenes of a digest do not reach its end, but together stand for all of it."""
        return math.fsum(self.weights_s) if self.weights_s else self.scenes_s[-1][1]


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


def _title_object(found: TitleLadder) -> dict[str, Any]:
    own = {
        **ladder_object(found.ladder),
        "num_candidates": found.num_candidates,
        "crossovers": [
            {"kbps": c.kbps, "below_px": list(c.below_px), "above_px": list(c.above_px)} for c in found.crossovers
        ],
        "comparison": None if found.comparison is None else _comparison_object(found.comparison),
        "cost": _cost_object(found.cost),
        "cost_proof": None if found.cost_proof is None else dataclasses.asdict(found.cost_proof),
    }
    gain = found.shot_gain
    if gain is not None:
        fields = {f.name: getattr(gain, f.name) for f in dataclasses.fields(gain)}
        limits = [dataclasses.asdict(cost) for cost in gain.limits]
        own["shot_gain"] = fields | {"ladder": ladder_object(gain.ladder), "limits": limits, "pays": gain.pays}
    return own


def _cost_object(cost: LadderCost | None) -> dict[str, Any] | None:
    if cost is None:
        return None
    return {"storage": cost.storage, "delivery": cost.delivery, "total": cost.total, **dataclasses.asdict(cost)}


def ladder_object(ladder: Ladder) -> dict[str, Any]:
    """The rungs of a ladder and what they come to."""
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
    if rung.surround is not None:
        found["surround"] = dataclasses.asdict(rung.surround)
    if rung.screens is not None:
        found["screens"] = dataclasses.asdict(rung.screens)
    if rung.titles:
        found["titles"] = [dataclasses.asdict(title) for title in rung.titles]
    if rung.shot_proof is not None:
        found |= {"shots_mos": list(rung.shots_mos), "shot_proof": dataclasses.asdict(rung.shot_proof)}
    return found


def _comparison_object(comparison: Comparison) -> dict[str, Any]:
    found = {f.name: getattr(comparison, f.name) for f in dataclasses.fields(comparison)}
    return found | {
        "ladder": ladder_object(comparison.ladder),
        "left_out": list(comparison.left_out),
        "cost": _cost_object(comparison.cost),
    }


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
        items = record_of(document.get("ladders"), list[Any], "ladders")
        ladders = [designed_of(item, f"ladders[{i}]") for i, item in enumerate(items)]
        if not ladders:
            raise ValueError("it has no ladders")
        if any(found.ladder.rungs[0].video.per_shot for found in ladders):
            facts = _facts_of(document)
            for i, found in enumerate(ladders):
                about = facts.get(found.ladder.title)
                check_cover(found.ladder, about.scenes_s if about else (), f"ladders[{i}]")
    except ValueError as error:
        raise LadderFormatError(f"{path} is damaged ({error}); design it again") from None
    return ladders


def read_provenance(path: Path) -> dict[str, Any]:
    """What a ladder file says it rests on: `model` (name), `weights_sha256`, `source_hashes`, `encoders` (settings by
    name), `overhead` and `peak_kbps` (of per-shot ladders), where it says so; and `phones`, the share of the audience
    that watches on phones, 0-1.

    Raises:
        LadderFormatError: it cannot be read, is of another version, or has encoders that are none.
    """
    document = _read_document(path)
    model, features = document.get("model"), document.get("features")
    found: dict[str, Any] = {"phones": 0.0}
    if isinstance(model, dict):
        found |= {"model": model.get("name"), "weights_sha256": model.get("weights_sha256")}
    if isinstance(features, dict) and isinstance(features.get("source_hashes"), dict):
        found["source_hashes"] = features["source_hashes"]
    if isinstance(features, dict) and "encoders" in features:
        try:
            found["encoders"] = encoders_of(features["encoders"])
        except ValueError as error:
            raise LadderFormatError(f"{path} is damaged (features.encoders: {error}); design it again") from None
    options = document.get("options")
    if isinstance(options, dict):
        found["overhead"] = options.get("overhead")
        try:
            found["phones"] = phones_of(options)
        except ValueError as error:
            raise LadderFormatError(f"{path} is damaged (options: {error}); design it again") from None
        shots = options.get("shots")
        if isinstance(shots, dict) and shots.get("peak_kbps") is not None:
            try:
                found["peak_kbps"] = record_of(shots["peak_kbps"], Kbps, "options.shots.peak_kbps")
            except ValueError as error:
                raise LadderFormatError(f"{path} is damaged ({error}); design it again") from None
    return found


def read_title_facts(path: Path) -> dict[str, TitleFacts]:
    """What a ladder file says of its titles' sources, by title; files of before this was written say nothing.

    Raises:
        LadderFormatError: it cannot be read, is of another version, or breaks the format.
    """
    document = _read_document(path)
    try:
        return _facts_of(document)
    except ValueError as error:
        raise LadderFormatError(f"{path} is damaged ({error}); design it again") from None


def _facts_of(document: Mapping[str, Any]) -> dict[str, TitleFacts]:
    features = record_of(document.get("features"), dict[str, Any] | None, "features") or {}
    titles = record_of(features.get("titles", {}), dict[str, dict[str, Any]], "features.titles")
    facts = {title: _facts(item, f"features.titles[{shown(title)}]") for title, item in titles.items()}
    return {title: found for title, found in facts.items() if found.scenes_s}


def _facts(item: Mapping[str, Any], place: str) -> TitleFacts:
    # Frame rates are quotients of small numbers, which 15 digits give away.
    fps = Fraction(record_of(item.get("fps"), _Fps, f"{place}.fps")).limit_denominator(1001)
    facts: TitleFacts = record_of({**item, "fps": fps}, TitleFacts, place)
    if facts.weights_s and len(facts.weights_s) != len(facts.scenes_s):
        raise ValueError(f"{place}: {len(facts.weights_s)} weights_s for {len(facts.scenes_s)} scenes_s")
    for start, end in facts.scenes_s:
        if not start < end:
            raise ValueError(f"{place}: a scene of scenes_s ends at {end:g} s and starts at {start:g} s")
    return facts


def _read_document(path: Path) -> dict[str, Any]:
    try:
        document = parse_json(read_bytes(path))
    except FileNotFoundError:
        raise LadderFormatError(f"{path} does not exist; make it with `abr-alloc ladder`") from None
    except DamagedDocument as error:
        raise LadderFormatError(f"{path} is damaged ({error}); design it again") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise LadderFormatError(
            f"{path} is not a readable JSON file ({reason}); make it with `abr-alloc ladder`"
        ) from None
    if not isinstance(document, dict) or document.get("command") != "ladder":
        raise LadderFormatError(f"{path} is not a ladder file; make it with `abr-alloc ladder`")
    version = document.get("schema_version")
    if type(version) is not int or version != SCHEMA_VERSION:
        raise LadderFormatError(
            f"{path} has ladder format version {shown(version)}, this program reads {SCHEMA_VERSION}; design it again"
        )
    return document


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
