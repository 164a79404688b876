"""The ladder of a file that a source is encoded as, with what the file says of its origin."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from abr_alloc.allocation.rung import Ladder, Rung
from abr_alloc.codecs import TONE_MAPS, ToneMap
from abr_alloc.documents import shown
from abr_alloc.encoders import AudioEncoder, VideoEncoder
from abr_alloc.errors import DeliveryError
from abr_alloc.formats.ladder_file import TitleFacts, read_ladders, read_provenance, read_title_facts

__all__ = ["ChosenLadder", "choose_ladder"]

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class ChosenLadder:
    """The ladder that a source is encoded as, with what its file says of its origin."""

    ladder: Ladder
    """The rungs."""
    model: str
    """Model that predicted AVQ; empty where the file does not say."""
    weights_sha256: str
    """Its weights."""
    facts: TitleFacts | None
    """What was measured of this very source; None where the ladder was designed from another file."""
    encoders: Mapping[str, VideoEncoder | AudioEncoder] = field(default_factory=dict)
    """Encoders that its renditions were probed with, by the names of their targets; a codec's usual one by the codec's
    name. Files of before this was written say nothing."""
    phones: float = 0.0
    """Share of the audience on phones that it was designed for, 0-1."""
    peak_kbps: float | None = None
    """Largest rate of a video over a window of a segment's length that was asked for, kbps; None for any."""
    tone_map: ToneMap = ""
    """How the source, where it is HDR, was made SDR for its renditions; empty where they are as the source is."""


def choose_ladder(path: Path, source: Path, source_hash: str, title: str | None = None) -> ChosenLadder:
    """The ladder of a file that belongs to a source: by `title`, else by the source's hash, else by its name, else the
    only one.

    Raises:
        DeliveryError: none belongs to it.
        LadderFormatError: the file cannot be read.
    """
    ladders = {ladder.title: ladder for ladder in read_ladders(path)}
    about = read_provenance(path)
    hashes = about.get("source_hashes", {})
    by_hash = next((name for name in ladders if hashes.get(name) == source_hash), None)
    shared = next((ladder.title for ladder in ladders.values() if ladder.rungs[0].titles), None)
    by_name = next((name for name in (source.stem, source.name) if name in ladders), None)
    only = next(iter(ladders)) if len(ladders) == 1 else None
    chosen = title or by_hash or by_name or shared or only
    if chosen not in ladders:
        listed = ", ".join(list(ladders)[:5]) + (", ..." if len(ladders) > 5 else "")
        what = f"no ladder for {title!r}" if title else f"no ladder for {source.name}"
        raise DeliveryError(f"{path} has {what}; choose one with `titles`: {listed}")
    facts = read_title_facts(path)
    measured = next((name for name, value in hashes.items() if value == source_hash), None)
    per_shot = any(rung.video.per_shot for rung in ladders[chosen].rungs)
    if per_shot and measured != chosen:
        raise DeliveryError(
            f"{path} gives every scene of {chosen!r} its own parameters, and {source} is not the file that it was "
            "designed from; extract this source and design its own"
        )
    if hashes and measured is None:
        logger.warning(
            "%s was designed from another file than %s: rates are kept, but predicted AVQ is that file's", path, source
        )
    return ChosenLadder(
        ladder=_of_title(ladders[chosen], measured),
        model=about.get("model") or "",
        weights_sha256=about.get("weights_sha256") or "",
        facts=None if measured is None else facts.get(measured),
        encoders=about.get("encoders", {}),
        phones=about["phones"],
        peak_kbps=about.get("peak_kbps") if per_shot else None,
        tone_map=_known_tone_map(about.get("tone_maps", {}).get(measured or chosen, ""), path),
    )


def _known_tone_map(name: str, path: Path) -> ToneMap:
    found: ToneMap = next((known for known in TONE_MAPS if known == name), "")
    if name != found:
        raise DeliveryError(f"{path} is damaged (its tone map is {shown(name)}); design it again")
    return found


def _of_title(ladder: Ladder, title: str | None) -> Ladder:
    """A ladder as one of the titles that share it plays it: its own sizes and AVQ."""

    def own(rung: Rung) -> Rung:
        at = next((at for at in rung.titles if at.title == title), None)
        if at is None:
            return rung
        video = dataclasses.replace(rung.video, width_px=at.width_px, height_px=at.height_px, vmaf=at.vmaf)
        return dataclasses.replace(rung, video=video, avq_mos=at.avq_mos)

    return dataclasses.replace(ladder, rungs=tuple(own(rung) for rung in ladder.rungs))
