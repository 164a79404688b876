"""The master playlist of an audited HLS package, with its own encodes paired otherwise."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote, unquote

from abr_alloc.allocation.audit_results import LadderAudit, TitleAudit
from abr_alloc.errors import OutputError, PackageError
from abr_alloc.packages.package import Package, PackagedVariant
from abr_alloc.packages.pairs_rewrite import REWRITTEN, NewPair, group_uris, rewrite_pairs
from abr_alloc.packages.reader import read_package
from abr_alloc.runs.shipped_ladders import place_of
from abr_alloc.writing import replace_file

__all__ = ["check_master_place", "new_master", "write_master"]

_MOST_HEAD = 400


def check_master_place(path: Path, master: Path) -> None:
    """Refuse, before any work, to write over what somebody else has written.

    Raises:
        OutputError: something is there that is no playlist of this program.
        PackageError: what is to be rewritten is no master playlist.
    """
    if master.suffix.lower() != ".m3u8":
        raise PackageError(f"{master} is no HLS master playlist, and only that can be written anew; give one as ladder")
    if path.suffix.lower() != ".m3u8":
        raise OutputError(f"{path} must end in .m3u8, as what is written there is a master playlist")
    if path.exists() and (path.samefile(master) or not _is_ours(path)):
        raise OutputError(f"{path} is there already and was not written by this command; choose another name")


def _is_ours(path: Path) -> bool:
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return REWRITTEN.encode() in file.read(_MOST_HEAD)


def write_master(
    audit: TitleAudit, master: Path, path: Path, *, drop: bool = False, within: Path | None = None
) -> tuple[int, int]:
    """Write the master playlist with the best pairs of its own encodes; the streams stay where they are.

    Args:
        audit: of the package.
        master: its master playlist.
        path: the new one, which names the same streams by relative paths.
        drop: whether rungs that can be dropped are left out.
        within: a folder that the package may not lead out of; its own when None.

    Returns:
        Variants that have other audio, and that are left out.

    Raises:
        OutputError: something of somebody else's is there, or it cannot be written.
        PackageError: it cannot be read, its pairs are the best already, or not all of them are known.
    """
    check_master_place(path, master)
    text, *numbers = new_master(audit, read_package(master, within=within), path.parent, drop=drop)
    replace_file(path, text.encode())
    return numbers[0], numbers[1]


def new_master(audit: TitleAudit, package: Package, folder: Path, *, drop: bool) -> tuple[str, int, int]:
    """The text of the new master playlist, and how many variants have other audio, and are left out.

    Args:
        audit: of the package.
        package: as it was read.
        folder: where the new one will lie.
        drop: whether rungs that can be dropped are left out.

    Raises:
        PackageError: its pairs are the best already, or not all of them are known.
    """
    unknown = [one.given.place for one in audit.unmatched if one.given.audio is not None]
    if unknown:
        raise PackageError(
            f"{package.path}: what {', '.join(unknown[:3])} gives is not known, so its audio cannot be weighed "
            "against the others'; measure the package with `abr-alloc measure` first"
        )
    pairs: dict[int, NewPair] = {}
    number, peaks = 0, _group_peaks_kbps(package)
    dropped: set[int] = set()
    for family in audit.families:
        dropped |= _dropped(family, package) if drop else set()
        pairs |= _pairs(family, package, peaks)
        number += 0 if family.re_paired is None else len(family.re_paired.changed)
    if not (number or dropped):
        spare = 0 if drop else sum(len(_dropped(family, package)) for family in audit.families)
        more = f"add `drop` to leave out the {spare} that can be dropped" if spare else "keep it as it is"
        raise PackageError(
            f"{package.path}: its own encodes are paired as well as they can be, so nothing is written; {more}"
        )
    text = package.path.read_text(encoding="utf-8-sig")
    prefix = os.path.relpath(package.path.parent.resolve(), folder.resolve())
    text = rewrite_pairs(text, pairs, "" if prefix == os.curdir else f"{quote(prefix)}/", dropped)
    return text, number, len(dropped)


def _group_peaks_kbps(package: Package) -> dict[str, float]:
    """The largest peak of all languages of the group that an audio stream is in, by the stream's label, kbps."""
    by_file = {stream.where: stream for stream in package.streams}
    found: dict[str, float] = {}
    for uris in group_uris(package.path.read_text(encoding="utf-8-sig")).values():
        files = [os.path.normpath(package.path.parent / unquote(uri)) for uri in uris]
        streams = [by_file[file] for file in files if file in by_file]
        peak = max((stream.peak_kbps for stream in streams), default=0.0)
        for stream in streams:
            found[stream.label] = max(peak, found.get(stream.label, 0.0))
    return found


def _pairs(family: LadderAudit, package: Package, peaks_kbps: Mapping[str, float]) -> dict[int, NewPair]:
    """The audio of every variant of a family, by its line."""
    variants = {place_of(variant.name): variant for variant in package.variants}
    of_rung = [variants[rung.place] for rung in family.rungs]
    like = list(of_rung)  # the variant that has the audio that it gets
    for change in () if family.re_paired is None else family.re_paired.changed:
        has = [v for v, r in zip(of_rung, family.rungs, strict=True) if r.rung.audio.target == change.to_audio]
        like[change.rung - 1] = has[0]
    found = {}
    for own, other in zip(of_rung, like, strict=True):
        video = package.stream(own.video)
        if other is not own and (own.audio is None or other.audio is None):
            raise PackageError(f"{own.name}: its audio lies in its video's segments; package it by itself")
        if other.audio is None:
            continue  # it stays as it is
        audio = package.stream(other.audio)
        found[_line(own)] = NewPair(
            like_line=_line(other),
            peak_kbps=video.peak_kbps + peaks_kbps.get(audio.label, audio.peak_kbps),
            average_kbps=video.average_kbps + audio.average_kbps,
        )
    return found


def _dropped(family: LadderAudit, package: Package) -> set[int]:
    """Lines of the variants of a family that can be dropped."""
    if family.trimmed is None:
        return set()
    places = {rung.place for i, rung in enumerate(family.rungs, 1) if i not in family.trimmed.kept}
    return {_line(variant) for variant in package.variants if place_of(variant.name) in places}


def _line(variant: PackagedVariant) -> int:
    return int(variant.name.rpartition(":")[2])
