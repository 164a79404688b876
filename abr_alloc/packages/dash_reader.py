"""A DASH package from disk, by its static manifest (ISO/IEC 23009-1)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from urllib.parse import urljoin, urlsplit

from abr_alloc.errors import PackageError
from abr_alloc.linting.values import decimal_integer
from abr_alloc.markup import DamagedMarkup, Element, parse_xml
from abr_alloc.packages.dash_addressing import Address, addresses, number_in, whole_in
from abr_alloc.packages.extents import Extent, Segment
from abr_alloc.packages.local_files import LocalFiles, shortened
from abr_alloc.packages.package import Package, PackagedStream, PackagedVariant
from abr_alloc.packages.single_file import indexed_segments
from abr_alloc.packages.stream_facts import Declared, make_stream, unique_label

__all__ = ["read_dash"]

_DURATION = re.compile(
    r"P(?:(\d{1,4})Y)?(?:(\d{1,4})M)?(?:(\d{1,6})D)?"
    r"(?:T(?:(\d{1,9})H)?(?:(\d{1,9})M)?(?:(\d{1,9}(?:\.\d{1,12})?)S)?)?"
)
_UNIT_S = (365 * 86400, 30 * 86400, 86400, 3600, 60, 1)
_SEAM_S = 0.05  # of which a Period may differ from its segments, where another follows
_TRICK_MODE = "trickmode"  # in the schemes of DASH-IF and HbbTV


@dataclass(frozen=True, kw_only=True)
class _Found:
    """A Representation of one Period."""

    id: str
    where: str
    codecs: str
    language: str
    is_main: bool
    kbps: float | None
    fps: float | None
    size_px: tuple[int, int] | None
    """@width and @height, where both are given: of the largest pictures, where sizes change."""
    segments: tuple[Segment, ...]
    whole: Extent | None
    period_s: float | None


@dataclass(slots=True)
class _Reader:
    files: LocalFiles
    manifest: Path
    notes: dict[str, None] = field(default_factory=dict)  # in order, each once

    def error(self, where: str, reason: str) -> PackageError:
        return PackageError(f"{where}: {reason}", path=str(self.manifest))

    def extent(self, base: str, address: Address, where: str) -> Extent:
        uri = urljoin(base, address.uri)
        return self.files.extent(self.files.resolve(uri, self.manifest.parent, where), where, address.part)


def read_dash(path: Path, files: LocalFiles) -> Package:
    """Read a package by its manifest.

    Raises:
        PackageError: it cannot be read, or not exactly; the message says where and why.
    """
    reader = _Reader(files=files, manifest=path)
    try:
        root = parse_xml(files.text(path, str(path)))
    except DamagedMarkup as error:
        raise PackageError(f"{path} cannot be read: {error}", path=str(path)) from error
    if root.name != "MPD":
        raise PackageError(f"{path} is {shortened(root.name)}, not an MPD; give a DASH manifest", path=str(path))
    if root.attributes.get("type", "static") != "static":
        raise reader.error(str(path), "is of a live stream (type is not static); give a finished one")
    periods = [list(_period(reader, root, period, length_s)) for period, length_s in _periods(reader, root)]
    if not periods or not periods[0]:
        raise reader.error(str(path), "has no video or audio; is it whole?")
    taken: set[str] = set()
    made = []
    for found in periods[0]:
        whole = _through_periods(reader, found, periods)
        declared = Declared(
            label=unique_label(found.id, taken),
            where=found.where,
            codecs=found.codecs,
            language=found.language,
            fps=found.fps,
            kbps=found.kbps,
        )
        made.append((found, make_stream(declared, whole.segments, whole.whole)))
    streams = sorted((stream for _, stream in made), key=lambda stream: stream.kind == "audio")
    return Package(path=path, kind="dash", streams=tuple(streams), variants=_variants(made), notes=tuple(reader.notes))


def _periods(reader: _Reader, root: Element) -> Iterator[tuple[Element, Fraction | None]]:
    """Every Period with its length, seconds; None where nothing says."""
    where = str(reader.manifest)
    found = root.all("Period")
    total = _seconds(reader, root.attributes.get("mediaPresentationDuration"), where)
    start_s: Fraction | None = Fraction(0)
    for at, period in enumerate(found):
        has, after = period.attributes, found[at + 1].attributes if at + 1 < len(found) else {}
        start_s = _seconds(reader, has.get("start"), where) if "start" in has else start_s
        length_s = _seconds(reader, has.get("duration"), where)
        end_s = _seconds(reader, after.get("start"), where) if after else total
        if length_s is None and end_s is not None and start_s is not None:
            length_s = end_s - start_s
        if length_s is not None and length_s <= 0:
            raise reader.error(where, f"Period {at + 1} has no length; correct its start or duration")
        yield period, length_s
        start_s = None if length_s is None or start_s is None else start_s + length_s


def _seconds(reader: _Reader, text: str | None, where: str) -> Fraction | None:
    if text is None:
        return None
    match = _DURATION.fullmatch(text.strip())
    if match is None or not any(match.groups()):
        raise reader.error(where, f"{shortened(text)} is no duration; write it like PT1H2M3.5S")
    return sum((Fraction(part or 0) * unit for part, unit in zip(match.groups(), _UNIT_S, strict=True)), Fraction(0))


def _period(reader: _Reader, root: Element, period: Element, length_s: Fraction | None) -> Iterator[_Found]:
    ids: set[str] = set()
    for element in (period, *period.all("AdaptationSet")):
        if "href" in element.attributes:  # xlink:href
            raise reader.error(
                str(reader.manifest), f"a part of it is elsewhere (xlink of {element.name}); write it in"
            )
    for adaptation in period.all("AdaptationSet"):
        for representation in adaptation.all("Representation"):
            levels = (period, adaptation, representation)
            id_ = representation.attributes.get("id", "")
            where = f"{reader.manifest}: Representation {shortened(id_)}"
            if not id_ or id_ in ids:
                raise reader.error(where, "has no id" if not id_ else "stands twice in its Period; correct its id")
            ids.add(id_)
            left_out = _left_out(levels)
            if left_out:
                reader.notes[left_out] = None
                continue
            if any(level.first("ContentProtection") is not None for level in levels):
                raise reader.error(
                    where, "is encrypted (ContentProtection); give the package as it was before encryption"
                )
            if "dependencyId" in representation.attributes:
                raise reader.error(where, "needs other Representations to be decoded; package it whole")
            yield _representation(reader, root, levels, length_s, where)


def _left_out(levels: Sequence[Element]) -> str:
    """Why a Representation is no video or audio to measure; empty if it is."""
    _, adaptation, representation = levels
    has = {**adaptation.attributes, **representation.attributes}
    kind = has.get("contentType") or has.get("mimeType", "").partition("/")[0]
    if kind not in ("video", "audio", "") or has.get("codecs", "").startswith(("stpp", "wvtt")):
        return f"AdaptationSets of type {kind or 'text'} are left out"
    if any(_TRICK_MODE in p.attributes.get("schemeIdUri", "") for p in adaptation.all("EssentialProperty")):
        return "AdaptationSets for trick play are left out"
    return ""


def _representation(
    reader: _Reader, root: Element, levels: Sequence[Element], length_s: Fraction | None, where: str
) -> _Found:
    _, adaptation, representation = levels
    has = {**adaptation.attributes, **representation.attributes}
    base = ""
    for level in (root, *levels):
        named = [found.text for found in level.all("BaseURL") if found.text]
        base = urljoin(base, next((text for text in named if not urlsplit(text).scheme), *named[:1] or [""]))
    addressed = addresses(levels, length_s, where)
    whole = None
    if addressed.segments:
        init = None if addressed.init is None else reader.extent(base, addressed.init, where)
        segments = tuple(
            Segment(media=reader.extent(base, address, where), init=init, duration_s=float(seconds))
            for address, seconds in addressed.segments
        )
    else:
        if not base:
            raise reader.error(where, "names no segment and no file; is it whole?")
        whole = reader.extent(base, Address(uri="", part=None), where)
        segments = indexed_segments(whole, addressed.index)
        if not segments:
            if length_s is None:
                raise reader.error(where, "its length is not given; add mediaPresentationDuration")
            segments = (Segment(media=whole, init=None, duration_s=float(length_s)),)
    roles = {role.attributes.get("value") for role in adaptation.all("Role")}
    kbps = whole_in(has["bandwidth"], "bandwidth", where) / 1000.0 if "bandwidth" in has else None
    return _Found(
        id=has["id"],
        where=where,
        codecs=has.get("codecs", ""),
        language=has.get("lang", ""),
        is_main="main" in roles,
        kbps=kbps or None,
        size_px=_size_px(has),
        fps=float(number_in(has["frameRate"], "frameRate", where)) or None if "frameRate" in has else None,
        segments=segments,
        whole=whole,
        period_s=None if length_s is None else float(length_s),
    )


def _size_px(has: Mapping[str, str]) -> tuple[int, int] | None:
    """@width and @height; None where they are not there or no sizes."""
    width, height = (decimal_integer(has.get(name, "")) for name in ("width", "height"))
    return (width, height) if width and height else None


def _through_periods(reader: _Reader, first: _Found, periods: Sequence[Sequence[_Found]]) -> _Found:
    """A Representation with what goes on with it in later Periods, by its id.

    Raises:
        PackageError: a Period has none of this id, or none that can be put behind another.
    """
    segments, before = list(first.segments), first
    for number, period in enumerate(periods[1:], start=2):
        after = next((found for found in period if found.id == first.id), None)
        if after is None or after.codecs != first.codecs:
            raise reader.error(
                first.where,
                f"does not go on in Period {number} under its id and with its codecs; give the Periods one by one",
            )
        if first.whole or after.whole:
            raise reader.error(first.where, "is one file in each of several Periods; give the Periods one by one")
        lasts_s = sum(segment.duration_s for segment in before.segments)
        if before.period_s is not None and abs(lasts_s - before.period_s) > _SEAM_S:
            raise reader.error(
                first.where,
                f"lasts {lasts_s:.3f} s in Period {number - 1} of {before.period_s:.3f} s, so that a player cuts it; "
                "give the Periods one by one",
            )
        before = after
        segments += [replace(after.segments[0], begins_part=True), *after.segments[1:]]
    return replace(first, segments=tuple(segments))


def _variants(made: Sequence[tuple[_Found, PackagedStream]]) -> tuple[PackagedVariant, ...]:
    """Every pair of a video stream and an audio stream of the main language, by the video first."""
    spoken = [(found, stream) for found, stream in made if stream.kind == "audio"]
    main = next((found for found, _ in spoken if found.is_main), spoken[0][0] if spoken else None)
    heard = [
        stream for found, stream in spoken if main and (found.language, found.is_main) == (main.language, main.is_main)
    ]
    variants = []
    for found, stream in made:
        width_px, height_px = found.size_px or (stream.width_px, stream.height_px)
        if stream.kind == "audio":
            continue
        for audio in heard if heard and stream.kind == "video" else [None]:
            rates = [one.declared_kbps for one in (stream, audio) if one]
            known = [rate for rate in rates if rate]
            variants.append(
                PackagedVariant(
                    name=f"{stream.label} + {audio.label}" if audio else stream.label,
                    video=stream.label,
                    audio=audio.label if audio else None,
                    declared_peak_kbps=round(sum(known), 3) if len(known) == len(rates) else None,
                    declared_average_kbps=None,
                    average_kbps=stream.average_kbps + (audio.average_kbps if audio else 0.0),
                    peak_kbps=stream.peak_kbps + (audio.peak_kbps if audio else 0.0),
                    width_px=width_px,
                    height_px=height_px,
                    fps=stream.fps,
                )
            )
    return tuple(variants)
